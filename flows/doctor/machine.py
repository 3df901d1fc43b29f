"""What the machine itself gives: cores, memory, the temporary folder, matplotlib's cache, the characters it prints."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from flows.doctor.finding import EVERY_VERB, Finding
from store.limits.landlock import landlock_version

__all__ = [
    "cache_findings",
    "encoding_findings",
    "memory_findings",
    "room_finding",
    "sandbox_findings",
    "temporary_findings",
]

_GB = 1e9
_TIGHT_MEMORY_GB = 2.0
_TIGHT_ROOM_GB = 5.0
_NO_ROOM_GB = 0.1
_NETWORK_FROM = 4
_EXTRACTION = "refresh, train, bench"


def memory_findings() -> Iterator[Finding]:
    """Look at cores and memory."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    memory_gb = _memory_gb()
    found = f"{cores} cores" + (f", {memory_gb:.1f} GB of memory free" if memory_gb is not None else "")
    if memory_gb is not None and memory_gb < _TIGHT_MEMORY_GB:
        yield Finding("warning", "memory", found, _EXTRACTION, "radzoo refresh --workers 1")
    else:
        yield Finding("ok", "memory", found, _EXTRACTION)


def _memory_gb() -> float | None:
    """Return how much memory is free, a container's limit counted; None where the system does not tell."""
    known = []
    with suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/meminfo").read_text().splitlines()
        known.append(int(next(line for line in lines if line.startswith("MemAvailable")).split()[1]) * 1024)
    with suppress(OSError, ValueError):
        group = Path("/sys/fs/cgroup")
        known.append(int((group / "memory.max").read_text()) - int((group / "memory.current").read_text()))
    return min(known) / _GB if known else None


def room_finding(what: str, folder: Path, needed_for: str) -> Finding:
    """Return how much room is left on the disk of a folder that exists."""
    free_gb = shutil.disk_usage(folder).free / _GB
    found = f"{free_gb:.1f} GB free on the disk of {folder}"
    if free_gb >= _TIGHT_ROOM_GB:
        return Finding("ok", what, found, needed_for)
    return Finding("missing" if free_gb < _NO_ROOM_GB else "warning", what, found, needed_for, f"df -h {folder}")


def temporary_findings() -> Iterator[Finding]:
    """Look at the folder for temporary files."""
    named = os.environ.get("TMPDIR")
    try:
        folder = Path(tempfile.gettempdir())
    except OSError:
        step = "TMPDIR=FOLDER names one that can be written"
        yield Finding("missing", "temporary folder", "none can be written", EVERY_VERB, step)
        return
    if named and folder.resolve() != Path(named).resolve():
        found = f"{folder}, for TMPDIR={named} cannot be written"
        yield Finding("warning", "temporary folder", found, EVERY_VERB, f"mkdir -p {named}, or unset TMPDIR")
    yield room_finding("temporary folder", folder, EVERY_VERB)


def sandbox_findings() -> Iterator[Finding]:
    """Look at what the kernel can bar child processes from that read what strangers made."""
    version, needed_for = landlock_version(), "ingest, refresh, sql, predict"
    if version >= _NETWORK_FROM:
        found = f"Landlock {version}: children that read foreign files can write nothing and reach no server"
        yield Finding("ok", "sandbox", found, needed_for)
        return
    found = "no Landlock" if not version else f"Landlock {version}, which does not know the network"
    lacks = "crashes and hangs are contained, writing is not" if not version else "connections are not barred"
    yield Finding("warning", "sandbox", f"{found}: {lacks}", needed_for, "docs/security.md says what that means")


def cache_findings() -> Iterator[Finding]:
    """Look at the folder where matplotlib keeps its list of fonts."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    folder = Path(os.environ.get("MPLCONFIGDIR") or base / "matplotlib")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        found = f"{folder} cannot be written ({error.strerror}): the fonts are listed again by every process"
        yield Finding("warning", "fonts", found, "report", "MPLCONFIGDIR=FOLDER names one that can be written")
    else:
        yield Finding("ok", "fonts", f"listed in {folder}", "report")


def encoding_findings() -> Iterator[Finding]:
    """Look at the encodings of file names and of what is printed."""
    names, printed = sys.getfilesystemencoding(), str(getattr(sys.__stdout__, "encoding", None) or "utf-8")
    if all(each.lower().replace("-", "") == "utf8" for each in (names, printed)):
        yield Finding("ok", "characters", "UTF-8", EVERY_VERB)
        return
    found = f"file names are {names}, output is {printed}: some characters are shown as codes"
    yield Finding("warning", "characters", found, EVERY_VERB, "export LC_ALL=C.UTF-8; unset PYTHONIOENCODING")
