"""Verbs as processes that start in no time: forked from one that has imported everything and computed nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

__all__ = ["Launcher", "Running"]


@dataclass
class Running:
    """A verb that was started, in a process group of its own."""

    pid: int
    _launcher: Launcher
    _code: int | None = None

    def poll(self) -> int | None:
        """Return the exit code, None while it runs; below 0 that of a signal."""
        if self._code is None:
            self._code = self._launcher.ask({"poll": self.pid})
        return self._code

    def wait(self) -> int:
        """Return the exit code when it has ended."""
        while (code := self.poll()) is None:
            time.sleep(0.01)
        return code

    def send(self, number: int) -> None:
        """Send a signal to it and to its workers."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, number)


class Launcher:
    """Starts verbs; their Prefect server is the one of this process."""

    def __init__(self, server: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            env=os.environ | {"PREFECT_API_URL": server, "OMP_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.communicate()

    def start(self, root: Path, verb: Sequence[str], log: Path) -> Running:
        """Start a verb on a store, its answers and errors in a file."""
        return Running(self.ask({"argv": ["--store", str(root), *verb], "log": str(log)}), self)

    def ask(self, question: dict[str, Any]) -> Any:
        """Return the answer of the process that forks."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


def _serve() -> None:
    sys.path.insert(0, str(Path(__file__).parents[3]))
    from flows.engine.prefect_environment import set_prefect_environment

    # As the command line does, before Prefect is loaded.
    set_prefect_environment(os.environ)
    import SimpleITK
    import sklearn.linear_model
    import torch

    import flows.bench.flow
    import flows.bench.run
    import flows.embed.run
    import flows.keep.compact
    import flows.refresh.flow
    import flows.report.page
    import flows.train.flow
    import zoo.attention.scores
    import zoo.networks.classifier
    from flows.cli.main import exit_code

    # A pool of threads does not survive a fork.
    torch.set_num_threads(1)
    _ = sklearn.linear_model, SimpleITK, flows, zoo
    for line in sys.stdin:
        question = json.loads(line)
        if "poll" in question:
            pid, status = os.waitpid(question["poll"], os.WNOHANG)
            print(json.dumps(os.waitstatus_to_exitcode(status) if pid else None), flush=True)
            continue
        pid = os.fork()
        if not pid:
            _become(question, exit_code)
        print(json.dumps(pid), flush=True)


def _become(question: dict[str, Any], exit_code: Any) -> None:
    os.setsid()
    log = os.open(question["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    code = 1
    try:
        code = exit_code(question["argv"])
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    _serve()
