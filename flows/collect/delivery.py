"""Whether what lies in a drop folder is complete: quiet for long enough, or as its manifest says."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from stat import S_ISDIR, S_ISREG
from typing import Literal

from schemas.cases.drop_folder import DropFolder

__all__ = ["Contents", "Delivery", "contents_of", "deliveries", "looked_at"]

State = Literal["complete", "waiting", "refused"]
Contents = Mapping[str, tuple[int, int]]
"""Bytes and nanoseconds since 1970, by file: what a copy or a move must leave as it is."""

_MOST_FILES = 200_000
_UNFINISHED = re.compile(r"\.(?:part|partial|tmp|temp|crdownload|filepart)$|~$", re.IGNORECASE)
"""What programs call a file while they write it."""
_HASH_LINE = re.compile(r"([0-9a-f]{64}) [ *](.+)", re.IGNORECASE)


@dataclass(frozen=True)
class Delivery:
    """One file or folder of a drop folder, as it was found."""

    path: Path
    state: State
    reason: str
    """Why it waits or is refused; what it is, where it is complete."""
    contents: Contents
    """Size and time of change of every file, by its name below the delivery."""
    changed_at: float
    """When anything of it changed last: seconds since 1970, by the disk's clock."""


def deliveries(folder: Path, rule: DropFolder, now: float) -> list[Delivery]:
    """Return what lies in a drop folder, in the order of names.

    Parameters
    ----------
    folder : Path
        The drop folder.
    rule : DropFolder
        When a delivery is complete.
    now : float
        Seconds since 1970.
    """
    # What is hidden there is a machine's own, such as .DS_Store.
    return [looked_at(path, rule, now) for path in sorted(folder.iterdir()) if not path.name.startswith(".")]


def looked_at(path: Path, rule: DropFolder, now: float) -> Delivery:
    """Return one delivery as it is now; nothing of it is changed.

    When a file changed is told by its inode's time, which the disk keeps: an export's own times may be years old.

    Parameters
    ----------
    path : Path
        The file or folder.
    rule : DropFolder
        When it is complete.
    now : float
        Seconds since 1970.
    """
    try:
        return _looked_at(path, rule, now)
    except FileNotFoundError as error:
        # A copying program has given a file its final name meanwhile, or taken one away.
        return Delivery(path, "waiting", f"it changes: {Path(str(error.filename)).name} is gone", {}, now)


def contents_of(path: Path) -> Contents:
    """Return size and time of change of every file of a delivery."""
    found = {}
    for file in _below(path):
        status = file.lstat()
        if S_ISREG(status.st_mode):
            found[str(file.relative_to(path))] = status.st_size, status.st_mtime_ns
    return found


def _looked_at(path: Path, rule: DropFolder, now: float) -> Delivery:
    files: list[Path] = []
    contents: dict[str, tuple[int, int]] = {}
    changed_at, odd = 0.0, None
    for found in _below(path):
        status = found.lstat()
        changed_at = max(changed_at, status.st_ctime)
        if S_ISREG(status.st_mode):
            files.append(found)
            contents[str(found.relative_to(path))] = status.st_size, status.st_mtime_ns
        elif not S_ISDIR(status.st_mode):
            odd = odd or f"{found.relative_to(path.parent)} is neither a file nor a folder"
        if len(files) > _MOST_FILES:
            odd = odd or f"it has more than {_MOST_FILES:,} files"
            break

    def of(state: State, reason: str) -> Delivery:
        return Delivery(path, state, reason, contents, changed_at)

    quiet = now - changed_at
    is_old = quiet >= rule.give_up_hours * 3600
    if odd is not None:
        return of("refused", odd)
    if not files:
        return of("refused" if is_old else "waiting", "it has no file")
    if unfinished := next((each for each in files if _is_unfinished(each)), None):
        return of("refused" if is_old else "waiting", f"{unfinished.relative_to(path.parent)} is unfinished")
    if rule.manifest is not None:
        if fault := _fault_of_manifest(path, files, rule.manifest):
            return of("refused" if is_old else "waiting", fault)
        return of("complete", f"{len(files) - 1} files as {rule.manifest} says")
    if quiet < rule.quiet_minutes * 60:
        return of("waiting", f"it changed {max(0.0, quiet) / 60:.0f} min ago")
    return of("complete", f"{len(files)} files, quiet for {quiet / 60:.0f} min")


def _below(path: Path) -> list[Path]:
    """Return a path and all that lies below it; no link is followed."""
    if path.is_symlink() or not path.is_dir():
        return [path]
    found = [path]
    for root, folders, files in os.walk(path, onerror=_raise):
        found += [Path(root) / name for name in (*sorted(folders), *sorted(files))]
        if len(found) > 2 * _MOST_FILES:
            break
    return found


def _raise(error: OSError) -> None:
    raise error


def _is_unfinished(file: Path) -> bool:
    # rsync writes into a hidden file of the name with six letters behind it.
    return bool(_UNFINISHED.search(file.name) or re.fullmatch(r"\..+\.[A-Za-z0-9]{6}", file.name))


def _fault_of_manifest(path: Path, files: list[Path], name: str) -> str | None:
    """Return what a delivery lacks of its manifest, None where every file is there with its hash and no other is."""
    manifest = path / name
    if manifest not in files:
        return f"it has no {name}"
    expected: dict[Path, str] = {}
    # Windows writes a mark of the encoding first.
    for number, line in enumerate(manifest.read_text(encoding="utf-8-sig", errors="replace").splitlines(), start=1):
        if not line.strip():
            continue
        entry = _HASH_LINE.fullmatch(line)
        if entry is None:
            return f"{name}:{number}: not 64 hex digits, two blanks and a file's name"
        named = PurePosixPath(entry[2].removeprefix("./"))
        if named.is_absolute() or ".." in named.parts:
            return f"{name}:{number}: {entry[2]} lies outside of the delivery: names are relative to {name}"
        expected[path / named] = entry[1].lower()
    if not expected:
        return f"{name} names no file"
    there = set(files) - {manifest}
    if lacking := sorted(expected.keys() - there):
        return f"{len(lacking)} files of {name} are missing, the first: {lacking[0].relative_to(path)}"
    if more := sorted(there - expected.keys()):
        return f"{len(more)} files are not in {name}, the first: {more[0].relative_to(path)}"
    for file, digest in expected.items():
        with file.open("rb") as stream:
            if hashlib.file_digest(stream, "sha256").hexdigest() != digest:
                return f"{file.relative_to(path)} has another hash than {name} says"
    return None
