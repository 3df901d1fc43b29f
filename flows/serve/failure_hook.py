"""What is called where a scheduled run ends badly: a command of the operator's, or an address."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import urllib.error
import urllib.request
from contextlib import suppress
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

from flows.serve.scheduled_run import Ending, RunOutcome
from schemas.errors import UsageError
from schemas.foreign_text import one_line

__all__ = ["call_failure_hook", "checked_failure_hook"]

_TOLD: tuple[Ending, ...] = ("drift", "unmet expectations", "new failures", "broken")
"""Endings that somebody should hear of; failures that were known are told in the run's line alone."""
_ADDRESS_S, _COMMAND_S = 10, 60


def checked_failure_hook(hook: str) -> str:
    """Return a hook that can be called.

    Raises
    ------
    UsageError
        When it is empty, or an address without a host.
    """
    if not hook.strip():
        raise UsageError("--on-failure is empty", hint="a command, or an address that begins with https://")
    if _is_address(hook) and not _has_place(hook):
        raise UsageError(f"--on-failure '{hook}' is no address with a host", hint="--on-failure https://HOST/PATH")
    return hook


def call_failure_hook(hook: str, outcome: RunOutcome) -> str | None:
    """Tell a hook of a run that is broken or has new failures, drift or an unmet expectation; return why it could not.

    A command is run by the shell, as its operator wrote it: the run's line comes by its standard input, and
    ``RADZOO_STUDY``, ``RADZOO_VERB`` and ``RADZOO_ENDING`` by its environment. To an address the same goes as JSON, by
    POST. Nothing of the run becomes part of a command.

    Parameters
    ----------
    hook : str
        As `checked_failure_hook` returns it.
    outcome : RunOutcome
        How it ended.
    """
    if outcome.ending not in _TOLD:
        return None
    try:
        if _is_address(hook):
            _post(hook, outcome)
        else:
            _run(hook, outcome)
    except (OSError, subprocess.SubprocessError, HTTPException, ValueError) as error:
        return one_line(f"--on-failure could not be carried out: {_reason(error)}")
    return None


def _has_place(address: str) -> bool:
    try:
        parts = urlsplit(address)
        # A port that is no number is met here.
        is_there = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return is_there and not any(letter.isspace() or not letter.isprintable() for letter in address)


def _is_address(hook: str) -> bool:
    return hook.lower().startswith(("http://", "https://"))


def _post(address: str, outcome: RunOutcome) -> None:
    told = {
        "study": outcome.study,
        "verb": outcome.verb,
        "ending": outcome.ending,
        "message": outcome.message,
        "counts": outcome.counts,
        "line": outcome.line,
    }
    request = urllib.request.Request(  # noqa: S310  (its scheme was looked at)
        address, json.dumps(told).encode(), {"Content-Type": "application/json"}, method="POST"
    )
    with urllib.request.build_opener(_NotElsewhere).open(request, timeout=_ADDRESS_S):
        pass


class _NotElsewhere(urllib.request.HTTPRedirectHandler):
    """A message that is to go elsewhere is not delivered: urllib would ask there for a page, without the message."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Follow no redirection; its answer is an error then."""


def _run(command: str, outcome: RunOutcome) -> None:
    told = {"RADZOO_STUDY": outcome.study, "RADZOO_VERB": outcome.verb, "RADZOO_ENDING": outcome.ending}
    shell = subprocess.Popen(  # noqa: S602  (the operator's own command, of which nothing is made here)
        command,
        shell=True,
        stdin=subprocess.PIPE,
        env=_without_secrets() | told,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # What the shell starts ends with it.
        start_new_session=True,
    )
    try:
        shell.communicate(f"{outcome.line}\n".encode(), timeout=_COMMAND_S)
    except BaseException:
        with suppress(ProcessLookupError):
            os.killpg(shell.pid, signal.SIGKILL)
        shell.wait()
        raise
    if shell.returncode:
        raise subprocess.CalledProcessError(shell.returncode, command)


def _without_secrets() -> dict[str, str]:
    """Return the environment without Prefect's settings, the server's secret among them."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}


def _reason(error: Exception) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        return f"the command ends with exit code {error.returncode}"
    if isinstance(error, subprocess.TimeoutExpired):
        return f"the command takes longer than {_COMMAND_S} s"
    if isinstance(error, urllib.error.HTTPError):
        elsewhere = error.headers.get("Location") if 300 <= error.code < 400 else None
        return f"the address answers HTTP {error.code}" + (f" and names {elsewhere}" if elsewhere else "")
    if isinstance(error, urllib.error.URLError):
        return f"the address cannot be reached: {error.reason}"
    return str(error) or type(error).__name__
