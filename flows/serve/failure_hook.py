"""What is called where a scheduled run ends badly: a command of the operator's, or an address."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.error
import urllib.request
from urllib.parse import urlsplit

from flows.serve.scheduled_run import Ending, RunOutcome
from schemas.errors import UsageError
from schemas.foreign_text import one_line

__all__ = ["call_failure_hook", "checked_failure_hook"]

_TOLD: tuple[Ending, ...] = ("drift", "new failures", "broken")
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
    if _is_address(hook) and not urlsplit(hook).hostname:
        raise UsageError(f"--on-failure '{hook}' names no host", hint="--on-failure https://HOST/PATH")
    return hook


def call_failure_hook(hook: str, outcome: RunOutcome) -> str | None:
    """Tell a hook of a run that is broken, has new failures or found drift; return why it could not be told, if so.

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
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        return one_line(f"--on-failure could not be carried out: {_reason(error)}")
    return None


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
    with urllib.request.urlopen(request, timeout=_ADDRESS_S):  # noqa: S310
        pass


def _run(command: str, outcome: RunOutcome) -> None:
    told = {"RADZOO_STUDY": outcome.study, "RADZOO_VERB": outcome.verb, "RADZOO_ENDING": outcome.ending}
    subprocess.run(  # noqa: S602  (the operator's own command, of which nothing is made here)
        command,
        shell=True,
        check=True,
        input=f"{outcome.line}\n".encode(),
        env=_without_secrets() | told,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=_COMMAND_S,
    )


def _without_secrets() -> dict[str, str]:
    """Return the environment without Prefect's settings, the server's secret among them."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}


def _reason(error: Exception) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        return f"the command ends with exit code {error.returncode}"
    if isinstance(error, subprocess.TimeoutExpired):
        return f"the command takes longer than {_COMMAND_S} s"
    if isinstance(error, urllib.error.HTTPError):
        return f"the address answers HTTP {error.code}"
    if isinstance(error, urllib.error.URLError):
        return f"the address cannot be reached: {error.reason}"
    return str(error) or type(error).__name__
