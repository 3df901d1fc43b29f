"""A verb as a process of its own that can be held at a moment, and the processes that it starts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Verb", "ended_within", "processes_of"]

_ENTRY = "from flows.cli.main import main; main()"
_ROOT = Path(__file__).parents[3]
_MARK = "RADZOO_FAULT_TRIAL"


def processes_of(mark: str) -> dict[int, str]:
    """Return the command lines of the processes that a trial started and that still run, by number."""
    found = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        with suppress(OSError):
            if f"{_MARK}={mark}".encode() not in (folder / "environ").read_bytes():
                continue
            if (folder / "stat").read_text().rpartition(")")[2].split()[0] != "Z":
                found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
    return found


def ended_within(mark: str, seconds: float) -> list[str]:
    """Return the command lines of what still runs when the time is over; none where all have ended."""
    until = time.monotonic() + seconds
    while (left := processes_of(mark)) and time.monotonic() < until:
        time.sleep(0.1)
    return [command[:160] for command in left.values()]


@dataclass
class Verb:
    """A verb that runs, what it says in a file."""

    root: Path
    arguments: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    prefix: Sequence[str] = ()
    """Stands before the command line: with which rights, or in which namespace, it runs."""
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)

    def __post_init__(self) -> None:
        """Start it, in a process group of its own."""
        command = [*self.prefix, sys.executable, "-c", _ENTRY, "--store", str(self.root), *self.arguments]
        paths = os.pathsep.join([str(_ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
        own = {"PYTHONPATH": paths, _MARK: self.mark}
        self.began = time.monotonic()
        # One that is set to nothing is unset: what starts these trials may have set it.
        environment = {name: value for name, value in (os.environ | self.environment | own).items() if value}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def held_when(self, has_come: Callable[[Path], bool], seconds: float = 180.0) -> bool:
        """Hold it, and all that it started, when something has come; return whether it still ran."""
        until = time.monotonic() + seconds
        while not has_come(self.root):
            if self.process.poll() is not None or time.monotonic() > until:
                return False
            time.sleep(0.002)
        return self.send(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it go on."""
        self.send(signal.SIGCONT)

    def send(self, number: int) -> bool:
        """Send a signal to it and to all that it started, and return whether it still ran."""
        if self.process.poll() is not None:
            return False
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)
        return True

    def child(self, words: str) -> int:
        """Return the number of a process that it started, by words of its command line."""
        return next(
            pid for pid, command in processes_of(self.mark).items() if words in command and pid != self.process.pid
        )

    def ended(self, seconds: float) -> int | None:
        """Return the exit code, None where it had to be killed after so long."""
        try:
            return self.process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            for pid in processes_of(self.mark):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.process.wait()
            return None

    def said(self) -> str:
        """Return what it has said so far."""
        return self.log.read_text(errors="replace")

    def last_lines(self) -> Iterator[str]:
        """Give the lines of its error: what happened, and the next step."""
        lines = [line for line in self.said().splitlines() if line.strip()]
        begun = next((i for i, line in enumerate(lines) if line.startswith("error: ")), len(lines) - 1)
        yield from lines[max(begun, 0) :]
