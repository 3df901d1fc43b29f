"""Settings of a radzoo installation: where the store lies, how long a writer waits, what hostile files may take."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from schemas.errors import UsageError

__all__ = [
    "BUSY_TIMEOUT_S",
    "DEFAULT_STORE",
    "EXTRACTION_MEMORY",
    "EXTRACTION_SECONDS",
    "IMAGE_BYTES",
    "IMAGE_SECONDS",
    "STORE_VARIABLE",
    "LimitSetting",
    "limit_setting",
    "store_path",
]

STORE_VARIABLE = "RADZOO_STORE"
DEFAULT_STORE = "radzoo-store"
BUSY_TIMEOUT_S = 60.0
"""Seconds a writer waits for another one before it gives up (exit code 6)."""


class LimitSetting(NamedTuple):
    """A limit that an environment variable changes."""

    variable: str
    default: int


IMAGE_BYTES = LimitSetting("RADZOO_IMAGE_BYTES", 640 << 20)
"""Bytes of one image's voxels: 1,280 slices of 512 x 512 at two bytes. Reading takes about twice as much."""

IMAGE_SECONDS = LimitSetting("RADZOO_IMAGE_SECONDS", 120)
"""Seconds in which one image or mask must be read."""

EXTRACTION_MEMORY = LimitSetting("RADZOO_EXTRACTION_MEMORY", 4 << 30)
"""Bytes that a worker may take for one patient's extraction."""

EXTRACTION_SECONDS = LimitSetting("RADZOO_EXTRACTION_SECONDS", 4 * 3600)
"""Seconds in which one patient's extraction must end."""


def limit_setting(setting: LimitSetting, environment: Mapping[str, str]) -> int:
    """Return a limit: what the environment says, else its default.

    Raises
    ------
    UsageError
        When the environment's is no whole number above 0.
    """
    written = environment.get(setting.variable, "").strip()
    if not written:
        return setting.default
    if not (written.isascii() and written.isdigit() and 0 < int(written[:20]) < 2**62):
        raise UsageError(
            f"{setting.variable} is '{written[:40]}', and must be a whole number above 0",
            hint=f"unset {setting.variable}, or set it to a number such as {setting.default}",
        )
    return int(written)


def store_path(option: str | None, environment: Mapping[str, str]) -> Path | None:
    """Return where the user says the store lies: ``--store``, else ``RADZOO_STORE``, else None."""
    named = option or environment.get(STORE_VARIABLE)
    return Path(named) if named else None
