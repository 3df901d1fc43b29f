"""Faults of the clock: a verb's time of day is set back by a library loaded before others; the machine's never is.

libfaketime was tried: with Python 3.11 either its sleeping or its waiting with a time limit fails.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from attacks.faults.trial import Fault, Trial

__all__ = ["FAULTS"]

_TWO_DAYS_S = 2 * 86_400


def _no_compiler() -> str | None:
    return None if shutil.which("cc") else "there is no C compiler (cc)"


def _set_back(trial: Trial) -> None:
    """Let the verb's clock show two days less, so that the store's newest commit lies in its future."""
    library = trial.folder / "set_back.so"
    source = Path(__file__).with_name("set_back.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(source)], check=True)
    trial.environment |= {"LD_PRELOAD": str(library), "RADZOO_CLOCK_EARLIER_S": str(_TWO_DAYS_S)}


FAULTS: tuple[Fault, ...] = tuple(
    Fault("the clock goes two days back", _set_back, (0,), verb=verb, needs=_no_compiler)
    for verb in ("ingest", "refresh", "train", "bench")
)
