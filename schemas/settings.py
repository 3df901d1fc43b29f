"""Settings of a radzoo installation: where the store lies, and how long a writer waits."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

__all__ = ["BUSY_TIMEOUT_S", "DEFAULT_STORE", "STORE_VARIABLE", "store_path"]

STORE_VARIABLE = "RADZOO_STORE"
DEFAULT_STORE = "radzoo-store"
BUSY_TIMEOUT_S = 60.0
"""Seconds a writer waits for another one before it gives up (exit code 6)."""


def store_path(option: str | None, environment: Mapping[str, str]) -> Path | None:
    """Return where the user says the store lies: ``--store``, else ``RADZOO_STORE``, else None."""
    named = option or environment.get(STORE_VARIABLE)
    return Path(named) if named else None
