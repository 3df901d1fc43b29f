"""Faults of the network: the servers live in a network namespace of their own, and the cable to it is pulled."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urlencode

from servers import answering, free_port, postgresql_binaries

from attacks.faults.away import AWAY_S, bring_back, impatient
from attacks.faults.moments import committing, staged, training
from attacks.faults.postgresql import Postgresql
from attacks.faults.trial import Fault, Trial

__all__ = ["FAULTS", "Apart"]

_HERE, _THERE = "10.213.77.1", "10.213.77.2"


@dataclass
class Apart:
    """PostgreSQL and an S3 server behind a pair of virtual network cards."""

    name: str
    postgresql: Postgresql
    s3: str
    """Options of a bucket's URL."""

    @classmethod
    @contextmanager
    def running(cls) -> Iterator[Apart]:
        """Give both servers in a namespace that is gone at the end of the block."""
        name = f"radzoo{os.getpid()}"
        card = f"rz{os.getpid()}"
        within = ["ip", "netns", "exec", name]
        _run("ip", "netns", "add", name)
        try:
            _run("ip", "link", "add", card, "type", "veth", "peer", "name", "line", "netns", name)
            _run("ip", "addr", "add", f"{_HERE}/24", "dev", card)
            _run("ip", "link", "set", card, "up")
            _run(*within, "ip", "addr", "add", f"{_THERE}/24", "dev", "line")
            _run(*within, "ip", "link", "set", "line", "up")
            _run(*within, "ip", "link", "set", "lo", "up")
            with _moto(within) as address, Postgresql.running(_THERE, within) as postgresql:
                options = {"endpoint_override": address, "scheme": "http", "region": "us-east-1"}
                yield cls(name, postgresql, urlencode(options))
        finally:
            # The pair of cards goes with it.
            _run("ip", "netns", "delete", name)

    def cut(self) -> None:
        """Pull the cable: nothing goes through, and nobody is told."""
        _run("ip", "netns", "exec", self.name, "ip", "link", "set", "line", "down")

    def join(self) -> None:
        """Put the cable back."""
        _run("ip", "netns", "exec", self.name, "ip", "link", "set", "line", "up")


@contextmanager
def _moto(within: list[str]) -> Iterator[str]:
    port = free_port()
    command = [*within, sys.executable, "-m", "moto.server", "-H", _THERE, "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        answering(f"http://{_THERE}:{port}/moto-api/")
        yield f"{_THERE}:{port}"
    finally:
        server.terminate()
        server.wait()


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


def _no_namespaces() -> str | None:
    if os.geteuid() != 0 or not shutil.which("ip"):
        return "network namespaces are made by root alone, with ip (apt-get install iproute2)"
    if postgresql_binaries() is None:
        return "PostgreSQL is not installed: apt-get install postgresql"
    with suppress(subprocess.CalledProcessError):
        _run("unshare", "--net", "true")
        return None
    return "this machine allows no network namespace"


def _cut(*, returns: bool) -> Callable[[Trial], None]:
    def inject(trial: Trial) -> None:
        apart = trial.places.apart
        apart.cut()
        bring_back(trial, apart.join, returns=returns)

    return inject


_APART = {"place": "apart", "needs": _no_namespaces}
_GOOD = {**_APART, "prepare": impatient}
_BRIEF = f"for {AWAY_S:.0f} s"
FAULTS: tuple[Fault, ...] = (
    Fault(f"the network is cut {_BRIEF}", _cut(returns=True), (0,), staged(3), "at the third extraction", **_APART),
    Fault(f"the network is cut {_BRIEF}", _cut(returns=True), (0,), committing, "in the commit", **_APART),
    Fault(f"the network is cut {_BRIEF}", _cut(returns=True), (0,), training, "at the dataset", "train", **_APART),
    Fault("the network is cut for good", _cut(returns=False), (3,), staged(3), "at the third extraction", **_GOOD),
    Fault("the network is cut for good", _cut(returns=False), (3,), committing, "in the commit", **_GOOD),
)
