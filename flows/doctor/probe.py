"""Checks in processes of their own: a library that crashes or a disk that hangs is a finding, nothing more."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import asdict

from flows.doctor.finding import Finding

__all__ = ["probe_findings", "write_begun", "write_findings"]

_BEGUN = "begun"


def write_begun(what: str) -> None:
    """Tell the process that waits what is looked at now, in case this one does not live to tell more."""
    print(json.dumps({_BEGUN: what}), flush=True)


def write_findings(findings: Iterable[Finding]) -> None:
    """Give findings to the process that waits, one a line."""
    for each in findings:
        print(json.dumps(asdict(each)), flush=True)


def probe_findings(module: str, *arguments: str, what: str, needed_for: str, patience_s: float) -> list[Finding]:
    """Run a module of this package as a process of its own and return its findings.

    Parameters
    ----------
    module : str
        Its name in ``flows.doctor``.
    arguments : str
        For the process.
    what, needed_for : str
        Of the finding where the process tells nothing.
    patience_s : float
        How long it may take.
    """
    # -P: a file of the working folder that is named as a library is would be taken for it.
    command = [sys.executable, "-P", "-m", f"flows.doctor.{module}", *arguments]
    first = ""
    try:
        done = subprocess.run(  # noqa: S603  (this interpreter, with a module of our own)
            command, capture_output=True, text=True, errors="replace", timeout=patience_s, check=False
        )
        output, ending = done.stdout, _ending(done.returncode, done.stderr)
    except subprocess.TimeoutExpired as error:
        output = (
            (error.stdout or b"").decode(errors="replace") if isinstance(error.stdout, bytes) else error.stdout or ""
        )
        ending, first = f"gives no answer within {patience_s:g} s", "radzoo doctor once the machine is less busy"
    except OSError as error:
        output, ending = "", f"cannot be started: {error.strerror or error}"
    findings, begun = _told(output)
    if ending is not None:
        findings.append(Finding("missing", begun or what, ending, needed_for, _next_step(begun, first)))
    return findings


def _told(output: str) -> tuple[list[Finding], str | None]:
    """Return the findings of a process, and what it had begun to look at last."""
    findings: list[Finding] = []
    begun = None
    for line in output.splitlines():
        try:
            told = json.loads(line)
        except ValueError:
            continue  # what a library prints while it is loaded
        if isinstance(told, dict) and _BEGUN in told:
            begun = told[_BEGUN]
        elif isinstance(told, dict):
            findings.append(Finding(**told))
    return findings, begun


def _ending(code: int, stderr: str) -> str | None:
    if code == 0:
        return None
    if code < 0:
        return f"crashes: {signal.Signals(-code).name}"
    lines = [line for line in stderr.splitlines() if line.strip()]
    return f"fails: {lines[-1] if lines else f'exit code {code}'}"


def _next_step(begun: str | None, first: str) -> str | None:
    """Return what to do about a library that was being looked at, behind what is to be tried first."""
    install = f"pip install --force-reinstall {begun}" if begun else ""
    return "; if that does not help: ".join(each for each in (first, install) if each) or None
