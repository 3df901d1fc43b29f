"""Faults of the clock: a verb's own clock is set back by libfaketime, the machine's never; monotonic clocks go on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from attacks.faults.moments import committing, staged, training
from attacks.faults.trial import Fault, Trial

__all__ = ["FAULTS"]

_TWO_DAYS = "-2d"


def _library() -> Path | None:
    return next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))), None)


def _no_library() -> str | None:
    return None if _library() else "libfaketime is not installed: apt-get install faketime"


def _clock(trial: Trial) -> Path:
    return trial.folder / "clock"


def _own_clock(trial: Trial) -> None:
    """Let the verb read its clock through a file."""
    _clock(trial).write_text("+0\n")
    trial.environment |= {
        "LD_PRELOAD": str(_library()),
        "FAKETIME_TIMESTAMP_FILE": str(_clock(trial)),
        "FAKETIME_NO_CACHE": "1",
        # A machine whose clock is set goes on counting.
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }


def _set(difference: str) -> Callable[[Trial], None]:
    return lambda trial: _clock(trial).write_text(f"{difference}\n") and None


_CLOCK = {"prepare": _own_clock, "needs": _no_library}
FAULTS: tuple[Fault, ...] = (
    Fault("the clock goes two days back", _set(_TWO_DAYS), (0,), verb="ingest", **_CLOCK),
    Fault("the clock goes two days back", _set(_TWO_DAYS), (0,), **_CLOCK),
    Fault("the clock goes two days back", _set(_TWO_DAYS), (0,), staged(3), "at the third extraction", **_CLOCK),
    Fault("the clock goes two days back", _set(_TWO_DAYS), (0,), committing, "in the commit", **_CLOCK),
    Fault("the clock goes two days back", _set(_TWO_DAYS), (0,), training, "at the dataset", "train", **_CLOCK),
    Fault("the clock goes two days back", _set(_TWO_DAYS), (0,), verb="bench", **_CLOCK),
)
