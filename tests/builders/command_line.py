"""The command line run by a test: as its own process, or in this one."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import AnyStr

import pytest

from flows.cli.main import exit_code

__all__ = ["RADZOO", "printed", "radzoo_here", "radzoo_in_turn", "radzoo_run", "radzoo_started"]

RADZOO = str(Path(sys.executable).with_name("radzoo"))


def radzoo_run(
    *arguments: str,
    cwd: Path | None = None,
    stdin: str | None = None,
    variables: dict[str, str] | None = None,
    timeout_s: float = 300,
) -> subprocess.CompletedProcess[str]:
    """Run the command line as its own process, with no server of Prefect configured unless given."""
    return subprocess.run(
        [RADZOO, *arguments],
        cwd=cwd,
        input=stdin,
        env=_environment() | (variables or {}),
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


def radzoo_here(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in this process, with the server of Prefect that is configured here.

    The verbs are the same; loading their libraries for each in a process of its own takes seconds.
    """
    # Answers go to the bytes below the text.
    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = exit_code(list(arguments))
    out.seek(0)
    return subprocess.CompletedProcess(arguments, code, out.read(), err.getvalue())


_IN_TURN = """
import json, sys
from builders.command_line import radzoo_here
done = [radzoo_here(*each) for each in json.load(sys.stdin)]
json.dump([(each.returncode, each.stdout, each.stderr) for each in done], sys.stdout)
"""


def radzoo_in_turn(
    *commands: Sequence[str], variables: dict[str, str] | None = None
) -> list[subprocess.CompletedProcess[str]]:
    """Run commands in one process of their own, which loads libraries once, and ends with all that they leave open."""
    done = subprocess.run(
        [sys.executable, "-c", _IN_TURN],
        input=json.dumps(commands),
        env=_environment() | {"PYTHONPATH": str(Path(__file__).parents[1])} | (variables or {}),
        capture_output=True,
        text=True,
        timeout=600,
        check=True,
    )
    answers = json.loads(done.stdout)
    return [subprocess.CompletedProcess(words, *answer) for words, answer in zip(commands, answers, strict=True)]


def radzoo_started(*arguments: str, cwd: Path) -> subprocess.Popen[str]:
    """Start the command line as its own process and return it while it runs: what it tells is on its stderr."""
    return subprocess.Popen(
        [RADZOO, *arguments],
        cwd=cwd,
        env=_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in ("PREFECT_API_URL", "RADZOO_STORE")}


def printed(capture: pytest.CaptureFixture[AnyStr], *arguments: object) -> tuple[int, AnyStr, AnyStr]:
    """Run a command in this process and return its exit code, stdout and stderr."""
    capture.readouterr()
    code = exit_code([str(each) for each in arguments])
    captured = capture.readouterr()
    return code, captured.out, captured.err
