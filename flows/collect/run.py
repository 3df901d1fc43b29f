"""Take what is complete out of a drop folder: moved whole to where a study's images lie, or into quarantine."""

from __future__ import annotations

import errno
import fcntl
import filecmp
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from flows.collect.delivery import Contents, Delivery, contents_of, deliveries, looked_at
from schemas.cases.drop_folder import DropFolder
from schemas.errors import ContractError, NotFoundError, StoreBusyError, UsageError
from schemas.foreign_text import one_line
from schemas.study.file import Study

__all__ = ["CollectReport", "Collected", "collect"]

_REASON = "reason.txt"
_WHOLE, _COPYING = ".whole", ".copying"
_LONGEST_NAME = 255
"""Bytes of a file's name, on the disks of Linux and macOS."""


@dataclass(frozen=True)
class Collected:
    """What became of one delivery."""

    name: str
    ending: str
    """taken, quarantined, waiting, known (the same files were there already), or failed: it could not be moved."""
    reason: str
    files: int
    path: Path
    """Where it lies now."""


@dataclass(frozen=True)
class CollectReport:
    """What became of everything in a drop folder."""

    study: str
    folder: Path
    collected: tuple[Collected, ...]

    def count(self, ending: str) -> int:
        """Return how many deliveries ended in a way."""
        return sum(each.ending == ending for each in self.collected)


def collect(study: Study, study_file: Path, *, dry_run: bool = False, now: float | None = None) -> CollectReport:
    """Take the complete deliveries of a study's drop folder; quarantine what can never be complete.

    A delivery is moved whole: its name appears in the study's folder when all of it is there. One of a name that is
    there already is known where its files are the same, and quarantined otherwise: what a study has read is never
    replaced.

    Parameters
    ----------
    study : Study
        The study; its file has ``[drop]``.
    study_file : Path
        Its file: folders are relative to it.
    dry_run : bool
        Say what would be done, and move nothing.
    now : float, optional
        Seconds since 1970; the time now where absent.

    Raises
    ------
    UsageError
        When the study has no ``[drop]``.
    NotFoundError
        When the drop folder is not there.
    StoreBusyError
        When another process takes from the folder.
    """
    rule = study.drop
    if rule is None:
        raise UsageError(
            f"study '{study.id}' has no drop folder",
            where=str(study_file),
            hint="a table [drop] with folder, into and quarantine (docs/study-file.md)",
        )
    here = study_file.absolute().parent
    folder, into, quarantine = (here / each for each in (rule.folder, rule.into, rule.quarantine))
    if not folder.is_dir():
        raise NotFoundError("the drop folder is not there", where=str(folder), hint=f"mkdir {folder}")
    places = [each.resolve() for each in (folder, into, quarantine)]
    for place in places:
        if any(place.is_relative_to(other) for other in places if other is not place):
            raise ContractError(
                "folder, into and quarantine lie within one another", where=str(place), hint="name three folders apart"
            )
    with _alone(folder):
        if not dry_run:
            _finish_interrupted(into)
        found = deliveries(folder, rule, time.time() if now is None else now)
        return CollectReport(
            study.id, folder, tuple(_carried_out(each, rule, into, quarantine, dry_run=dry_run) for each in found)
        )


def _carried_out(each: Delivery, rule: DropFolder, into: Path, quarantine: Path, *, dry_run: bool) -> Collected:
    def ended(ending: str, reason: str, path: Path) -> Collected:
        return Collected(one_line(each.path.name), ending, one_line(reason), len(each.contents), path)

    try:
        return _ended(each, rule, into, quarantine, ended, dry_run=dry_run)
    except (OSError, shutil.Error) as error:
        # One that cannot be moved, or read, keeps no other waiting.
        return ended("failed", str(error), each.path)


def _ended(
    each: Delivery,
    rule: DropFolder,
    into: Path,
    quarantine: Path,
    ended: Callable[[str, str, Path], Collected],
    *,
    dry_run: bool,
) -> Collected:

    if each.state == "waiting":
        return ended("waiting", each.reason, each.path)
    target = into / each.path.name
    if each.state == "complete" and not os.path.lexists(target):
        if dry_run:
            return ended("taken", each.reason, each.path)
        if fault := _move(each, rule, target):
            return ended("waiting", fault, each.path)
        return ended("taken", each.reason, target)
    is_known = each.state == "complete" and _has_all(target, each)
    reason = each.reason
    if each.state == "complete":
        reason = f"{into.name} has {target.name} already" + ("" if is_known else ", with other files")
    if dry_run:
        return ended("known" if is_known else "quarantined", reason, each.path)
    if is_known:
        _remove(each.path)
        return ended("known", reason, target)
    return ended("quarantined", reason, _quarantine(each.path, quarantine, reason))


def _move(each: Delivery, rule: DropFolder, target: Path) -> str | None:
    """Move a delivery whole; return why it is left, where somebody changed it meanwhile."""
    whole = _beside(target, _WHOLE)
    is_copied = _bring(each.path, target, whole)
    is_same = contents_of(whole) == each.contents
    if rule.manifest is not None and is_same:
        is_same = looked_at(whole, rule, each.changed_at).state == "complete"
    # Of a copy the source counts too: who wrote there meanwhile wrote nothing into the copy.
    if not is_same or (is_copied and contents_of(each.path) != each.contents):
        if is_copied:
            _remove(whole)
        else:
            whole.rename(each.path)
        return "it changed while it was taken"
    if is_copied:
        _remove_copied(each.path, each.contents)
    whole.rename(target)
    return None


def _remove_copied(path: Path, contents: Contents) -> None:
    """Remove the files that were copied and their empty folders: what came since stays, and is the next delivery."""
    if not path.is_dir():
        path.unlink()
        return
    for name in contents:
        (path / name).unlink(missing_ok=True)
    for folder in sorted((each for each in path.rglob("*") if each.is_dir()), reverse=True):
        with suppress(OSError):
            folder.rmdir()
    with suppress(OSError):
        path.rmdir()


def _bring(source: Path, target: Path, whole: Path) -> bool:
    """Bring a file or folder to a hidden name beside its target; return whether it is a copy, on another disk."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if os.path.lexists(whole):
        raise FileExistsError(errno.EEXIST, "an earlier delivery of this name was not finished", str(whole))
    try:
        source.rename(whole)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
    else:
        return False
    copying = _beside(target, _COPYING)
    if copying.exists():
        _remove(copying)
    if source.is_dir():
        shutil.copytree(source, copying, symlinks=True)
    else:
        shutil.copy2(source, copying)
    copying.rename(whole)
    return True


def _finish_interrupted(into: Path) -> None:
    """Give what a killed run had brought whole its name, and remove what it had not; its source is there still."""
    for left in into.glob(f".*{_WHOLE}"):
        target = into / left.name[1:].removesuffix(_WHOLE)
        if not os.path.lexists(target):
            left.rename(target)
        elif _has_all(target, Delivery(left, "complete", "", contents_of(left), 0.0)):
            _remove(left)
    for left in into.glob(f".*{_COPYING}"):
        _remove(left)


def _beside(target: Path, suffix: str) -> Path:
    """Return a hidden name that tells the final one."""
    name = f".{target.name}{suffix}"
    if len(os.fsencode(name)) > _LONGEST_NAME:
        raise OSError(errno.ENAMETOOLONG, "its name leaves no room for a hidden one beside it", str(target))
    return target.with_name(name)


def _quarantine(path: Path, quarantine: Path, reason: str) -> Path:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    place = quarantine / f"{path.name}-{stamp}"
    number = 1
    while place.exists():
        number += 1
        place = quarantine / f"{path.name}-{stamp}-{number}"
    place.mkdir(parents=True)
    try:
        shutil.move(path, place / path.name)
    except (OSError, shutil.Error):
        # Such as a pipe that lies on another disk: what could not be moved stays where it was.
        shutil.rmtree(place, ignore_errors=True)
        raise
    (place / _REASON).write_text(f"{one_line(reason)}\n", encoding="utf-8")
    return place


def _has_all(target: Path, each: Delivery) -> bool:
    """Return whether a file or folder has every file of a delivery, byte for byte: what a kill left of it, too."""
    pairs = [(each.path / name, target / name) for name in each.contents]
    return all(other.is_file() and filecmp.cmp(one, other, shallow=False) for one, other in pairs)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let no other process take from a folder meanwhile; a killed one lets go."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StoreBusyError(
                "another process takes from the drop folder", where=str(folder), hint="wait for it to finish"
            ) from error
        yield
    finally:
        os.close(descriptor)
