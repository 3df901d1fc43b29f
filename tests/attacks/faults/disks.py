"""Faults of disks: full, or no longer to be written."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from attacks.faults.moments import committing, publishing, staged, training
from attacks.faults.trial import Fault, Trial

__all__ = ["FAULTS", "fill", "mounted"]

_BALLAST = "ballast"
_UNPRIVILEGED = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []


def _cannot_mount() -> str | None:
    return None if os.geteuid() == 0 and shutil.which("mount") else "a tmpfs is mounted by root alone"


def mounted(folder: Path, megabytes: int) -> Callable[[], None]:
    """Mount a small disk at a folder, and return what takes it away."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)], check=True)
    return lambda: subprocess.run(["umount", "--lazy", str(folder)], check=True) and None


def fill(folder: Path) -> None:
    """Leave no byte on the disk that a folder lies on."""
    with (folder / _BALLAST).open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"\0" * 65536)
    with (folder / _BALLAST).open("ab", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"\0")


def _small_disk(at: Callable[[Trial], Path], megabytes: int) -> Callable[[Trial], None]:
    def prepare(trial: Trial) -> None:
        trial.stack.callback(mounted(at(trial), megabytes))

    return prepare


def _full(at: Callable[[Trial], Path]) -> Callable[[Trial], None]:
    def inject(trial: Trial) -> None:
        fill(at(trial))
        trial.heal.append((at(trial) / _BALLAST).unlink)

    return inject


def _of_store(trial: Trial) -> Path:
    return trial.root


def _of_copies(trial: Trial) -> Path:
    return trial.root / "copies"


def _of_temporary(trial: Trial) -> Path:
    return trial.folder / "temporary"


def _small_temporary(trial: Trial) -> None:
    _small_disk(_of_temporary, 4)(trial)
    trial.environment["TMPDIR"] = str(_of_temporary(trial))


def _unprivileged(trial: Trial) -> None:
    trial.prefix = [*_UNPRIVILEGED]


def _locked(trial: Trial) -> None:
    """Take the right to write from the store's folder and all that is in it."""
    modes = {each: each.lstat().st_mode for each in (trial.root, *trial.root.rglob("*")) if not each.is_symlink()}
    for each, mode in modes.items():
        each.chmod(mode & ~0o222)
    trial.heal.append(lambda: [each.chmod(mode & 0o7777) for each, mode in modes.items() if each.exists()] and None)


_STORE = {"prepare": _small_disk(_of_store, 48), "needs": _cannot_mount}
_TMP = {"prepare": _small_temporary, "needs": _cannot_mount}
_COPIES = {"prepare": _small_disk(_of_copies, 8), "needs": _cannot_mount, "place": "s3"}
_MODES = {"prepare": _unprivileged, "needs": lambda: None if shutil.which("setpriv") else "there is no setpriv"}

FAULTS: tuple[Fault, ...] = (
    Fault("the store's disk is full", _full(_of_store), (1, 4), verb="ingest", **_STORE),
    Fault("the store's disk is full", _full(_of_store), (1, 4), **_STORE),
    Fault("the store's disk fills up", _full(_of_store), (1, 4), staged(3), "at the third extraction", **_STORE),
    Fault("the store's disk fills up", _full(_of_store), (1, 4), committing, "in the commit", **_STORE),
    Fault("the store's disk fills up", _full(_of_store), (1, 4), publishing, "at the publication", **_STORE),
    Fault("the store's disk fills up", _full(_of_store), (1, 4), training, "at the dataset", "train", **_STORE),
    Fault("TMPDIR is full", _full(_of_temporary), (0, 1, 4), **_TMP),
    Fault("TMPDIR is full", _full(_of_temporary), (0, 1, 4), verb="train", **_TMP),
    Fault("TMPDIR is full", _full(_of_temporary), (0, 1, 4), verb="bench", **_TMP),
    Fault("TMPDIR is full", _full(_of_temporary), (0, 1, 4), verb="ingest", **_TMP),
    Fault("the disk of copies is full", _full(_of_copies), (1, 4), **_COPIES),
    Fault("the disk of copies is full", _full(_of_copies), (1, 4), verb="train", **_COPIES),
    Fault("the right to write is lost", _locked, (4,), **_MODES),
    Fault("the right to write is lost", _locked, (1, 4), staged(3), "at the third extraction", **_MODES),
    Fault("the right to write is lost", _locked, (1, 4), training, "at the dataset", "train", **_MODES),
)
