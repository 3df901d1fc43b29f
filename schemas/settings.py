"""Settings of a radzoo installation: where the store lies, and what waiting, files and questions may take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

from schemas.errors import UsageError

__all__ = [
    "BUSY_TIMEOUT_S",
    "CACHE_BYTES",
    "CACHE_VARIABLE",
    "DEFAULT_STORE",
    "EXTRACTION_MEMORY",
    "EXTRACTION_SECONDS",
    "IMAGE_BYTES",
    "IMAGE_SECONDS",
    "SERVER_SECONDS",
    "SQL_VARIABLES",
    "STORE_VARIABLE",
    "Engine",
    "LimitSetting",
    "SqlLimits",
    "limit_setting",
    "sql_limits",
    "store_path",
]

STORE_VARIABLE = "RADZOO_STORE"
DEFAULT_STORE = "radzoo-store"
BUSY_TIMEOUT_S = 60.0
"""Seconds a writer waits for another one before it gives up (exit code 6)."""


Engine = Literal["fast", "pyradiomics"]
"""What calculates radiomics features: radzoo's own, or the library that defines the values, which are the same."""


class LimitSetting(NamedTuple):
    """A limit that an environment variable changes."""

    variable: str
    default: int
    most: int = 2**62 - 1
    """The largest number that it may be set to."""


IMAGE_BYTES = LimitSetting("RADZOO_IMAGE_BYTES", 640 << 20)
"""Bytes of one image's voxels: 1,280 slices of 512 x 512 at two bytes. Reading takes about twice as much."""

IMAGE_SECONDS = LimitSetting("RADZOO_IMAGE_SECONDS", 120)
"""Seconds in which one image or mask must be read."""

EXTRACTION_MEMORY = LimitSetting("RADZOO_EXTRACTION_MEMORY", 4 << 30)
"""Bytes that a worker may take for one patient's extraction."""

EXTRACTION_SECONDS = LimitSetting("RADZOO_EXTRACTION_SECONDS", 4 * 3600)
"""Seconds in which one patient's extraction must end."""

CACHE_VARIABLE = "RADZOO_CACHE"
"""Names the folder for this machine's copies of remote images; below the account's own cache folder where not set."""

CACHE_BYTES = LimitSetting("RADZOO_CACHE_BYTES", 20 << 30)
"""Bytes that copies of remote images may take on this machine; those in use count, and stay."""

SERVER_SECONDS = LimitSetting("RADZOO_SERVER_SECONDS", 60, 86_400)
"""Seconds for which a server of the store that has answered before, and answers no longer, is waited for."""


def limit_setting(setting: LimitSetting, environment: Mapping[str, str]) -> int:
    """Return a limit: what the environment says, else its default.

    Raises
    ------
    UsageError
        When the environment's is no whole number above 0, or larger than it may be.
    """
    written = environment.get(setting.variable, "").strip()
    if not written:
        return setting.default
    is_number = written.isascii() and written.isdigit() and len(written) <= len(str(setting.most))
    if not (is_number and 0 < int(written) <= setting.most):
        raise UsageError(
            f"{setting.variable} is '{written[:40]}', and must be a whole number above 0",
            hint=f"unset {setting.variable}, or set it to a number such as {setting.default}",
        )
    return int(written)


def store_path(option: str | None, environment: Mapping[str, str]) -> Path | None:
    """Return where the user says the store lies: ``--store``, else ``RADZOO_STORE``, else None."""
    named = option or environment.get(STORE_VARIABLE)
    return Path(named) if named else None


@dataclass(frozen=True)
class SqlLimits:
    """What one SQL question of a user's may take.

    Parameters
    ----------
    seconds : float
        How long the store works on it; the time in which nobody takes its rows is not counted.
    memory_gb : float
        Memory, in GB of 10^9 bytes. Sorting, joining and grouping go to disk before it ends.
    rows : int
        Rows of the answer.
    spill_gb : float
        What may go to disk.
    """

    seconds: float = 600.0
    memory_gb: float = 4.0
    rows: int = 100_000_000
    spill_gb: float = 20.0


SQL_VARIABLES = {
    "seconds": "RADZOO_SQL_SECONDS",
    "memory_gb": "RADZOO_SQL_MEMORY_GB",
    "rows": "RADZOO_SQL_ROWS",
    "spill_gb": "RADZOO_SQL_SPILL_GB",
}
"""The environment's variable for each limit of a question."""

_LEAST_MEMORY_GB = 0.1
_MOST = 10**9  # GB: more is no number of bytes in 64 bits


def sql_limits(environment: Mapping[str, str]) -> SqlLimits:
    """Return the limits of a question: what the environment says, else the defaults.

    Raises
    ------
    UsageError
        When a variable is no number that can be a limit.
    """
    defaults, found = SqlLimits(), {}
    for name, variable in SQL_VARIABLES.items():
        text = environment.get(variable, "").strip()
        if text:
            kind, least = type(getattr(defaults, name)), _LEAST_MEMORY_GB if name == "memory_gb" else 0
            found[name] = _limit(variable, text, kind, least)
    return replace(defaults, **found)


def _limit(variable: str, text: str, kind: type[int] | type[float], least: float) -> Any:
    try:
        value = kind(text)
    except ValueError:
        value = kind(-1)
    # NaN is no number that anything is less than.
    if not (value >= least and 0 < value <= _MOST * (1 if kind is float else 10**9)):
        what = "a whole number" if kind is int else "a number"
        above = f"of at least {least:g}" if least else "above 0"
        raise UsageError(
            f"{variable}='{text}' is no limit: it takes {what} {above}", hint=f"unset {variable}, or correct it"
        )
    return value
