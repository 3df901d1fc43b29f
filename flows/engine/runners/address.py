"""Which runner does the work, as a user names it: ``local``, or the scheduler of a cluster by its address."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, cast

from schemas.errors import UsageError

__all__ = ["LOCAL", "Runner", "runner_of"]

_ADDRESS = re.compile(r"(?P<kind>dask|ray)://(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(?P<port>[0-9]{1,5})/?")
_LAST_PORT = 65_535


Kind = Literal["local", "dask", "ray"]


@dataclass(frozen=True)
class Runner:
    """A runner: this machine's processes, or the cluster whose scheduler listens at ``place``."""

    kind: Kind
    place: str = ""
    """``HOST:PORT`` of a Dask scheduler, or of a Ray head where clients are answered."""

    @property
    def is_local(self) -> bool:
        """Return whether the work is done by processes of this machine, which this one starts."""
        return self.kind == "local"

    def __str__(self) -> str:
        return "local" if self.is_local else f"{self.kind}://{self.place}"


LOCAL = Runner("local")


def runner_of(text: str) -> Runner:
    """Return the runner that a user names.

    Raises
    ------
    UsageError
        When it is none of the forms there are.
    """
    if text == "local":
        return LOCAL
    named = _ADDRESS.fullmatch(text)
    if named is None or not 0 < int(named["port"]) <= _LAST_PORT:
        raise UsageError(
            f"'{text}' names no runner",
            hint="--runner local, --runner dask://HOST:PORT with the address of a Dask scheduler, or --runner "
            "ray://HOST:PORT with that of a Ray head, port 10001 where it is not set otherwise",
        )
    return Runner(cast("Kind", named["kind"]), f"{named['host']}:{named['port']}")
