"""Faults of servers: PostgreSQL or S3 is stopped, starts again, is busy, or its line is cut."""

from __future__ import annotations

from collections.abc import Callable

from servers import postgresql_binaries

from attacks.faults.away import AWAY_S, bring_back, impatient
from attacks.faults.gate import Gate, State
from attacks.faults.moments import committing, staged, training
from attacks.faults.trial import Fault, Trial

__all__ = ["FAULTS"]


def _no_postgresql() -> str | None:
    return None if postgresql_binaries() else "PostgreSQL is not installed: apt-get install postgresql"


def _postgresql(mode: str, *, returns: bool) -> Callable[[Trial], None]:
    def inject(trial: Trial) -> None:
        server = trial.places.postgresql
        server.stop(mode)
        bring_back(trial, server.start, returns=returns)

    return inject


def _gate(which: str, state: State, *, returns: bool) -> Callable[[Trial], None]:
    def inject(trial: Trial) -> None:
        gate: Gate = getattr(trial.places, f"gate_of_{which}")
        gate.set(state)
        if returns:
            gate.set_after("open", AWAY_S)
        trial.heal.append(lambda: gate.set("open"))

    return inject


_PG = {"place": "postgresql", "needs": _no_postgresql}
_PG_GOOD = {**_PG, "prepare": impatient}
_S3_GOOD = {"place": "s3", "prepare": impatient}
_THIRD = (staged(3), "at the third extraction")
_IN = (committing, "in the commit")
_DATA = (training, "at the dataset", "train")
_BRIEF = f"for {AWAY_S:.0f} s"
FAULTS: tuple[Fault, ...] = (
    Fault(f"PostgreSQL is stopped {_BRIEF}", _postgresql("fast", returns=True), (0,), *_THIRD, **_PG),
    Fault(f"PostgreSQL is stopped {_BRIEF}", _postgresql("fast", returns=True), (0, 3), *_IN, **_PG),
    Fault(f"PostgreSQL is killed {_BRIEF}", _postgresql("immediate", returns=True), (0, 3), *_IN, **_PG),
    Fault("PostgreSQL is stopped for good", _postgresql("fast", returns=False), (3,), *_THIRD, **_PG_GOOD),
    Fault("PostgreSQL is stopped for good", _postgresql("fast", returns=False), (3,), *_IN, **_PG_GOOD),
    Fault(f"PostgreSQL's line stalls {_BRIEF}", _gate("postgresql", "stalled", returns=True), (0,), *_IN, **_PG),
    Fault("PostgreSQL's line stalls for good", _gate("postgresql", "stalled", returns=False), (3,), *_IN, **_PG_GOOD),
    Fault(f"S3 is stopped {_BRIEF}", _gate("s3", "shut", returns=True), (0,), *_THIRD, place="s3"),
    Fault(f"S3 is stopped {_BRIEF}", _gate("s3", "shut", returns=True), (0,), *_IN, place="s3"),
    Fault(f"S3 is stopped {_BRIEF}", _gate("s3", "shut", returns=True), (0,), *_DATA, place="s3"),
    Fault("S3 is stopped for good", _gate("s3", "shut", returns=False), (3,), *_THIRD, **_S3_GOOD),
    Fault("S3 is stopped for good", _gate("s3", "shut", returns=False), (3,), *_DATA, **_S3_GOOD),
    Fault(f"S3 is busy {_BRIEF} (503)", _gate("s3", "busy", returns=True), (0,), *_IN, place="s3"),
    Fault("S3 is busy for good (503)", _gate("s3", "busy", returns=False), (3,), *_IN, **_S3_GOOD),
    Fault(f"S3's line stalls {_BRIEF}", _gate("s3", "stalled", returns=True), (0,), *_IN, place="s3"),
    Fault("S3's line stalls for good", _gate("s3", "stalled", returns=False), (3,), *_IN, **_S3_GOOD),
)
