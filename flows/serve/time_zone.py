"""The time zone that a schedule is read in, by its IANA name."""

from __future__ import annotations

import os
from pathlib import Path
from zoneinfo import ZoneInfo

from schemas.errors import UsageError

__all__ = ["local_time_zone", "named_time_zone"]

_LOCALTIME = Path("/etc/localtime")
_NAME = Path("/etc/timezone")
_FOLDER = "zoneinfo/"


def named_time_zone(name: str | None) -> ZoneInfo:
    """Return a time zone by its name; this machine's own where no name is given.

    Raises
    ------
    UsageError
        When there is no zone of this name, or none is given and this machine does not name its own.
    """
    given = name or local_time_zone()
    if given is None:
        raise UsageError("this machine does not name its time zone", hint="name one: --timezone Europe/Berlin")
    try:
        return ZoneInfo(given)
    except (ValueError, OSError, KeyError) as error:
        raise UsageError(
            f"'{given}' is no time zone", hint="give an IANA name, such as --timezone Europe/Berlin or UTC"
        ) from error


def local_time_zone() -> str | None:
    """Return the name of this machine's time zone; None where it has none."""
    if (name := os.environ.get("TZ", "").lstrip(":")) and "/" not in name[:1]:
        return name
    linked = os.path.realpath(_LOCALTIME)
    if _FOLDER in linked:
        return linked.partition(_FOLDER)[2].removeprefix("posix/").removeprefix("right/")
    try:
        return _NAME.read_text(encoding="utf-8").strip() or None
    except OSError:
        return None
