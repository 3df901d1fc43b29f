"""The files of a model's folder: ordinary files of known names and bearable sizes, each read once."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Collection
from pathlib import Path

from schemas.errors import ContractError

__all__ = [
    "CARD",
    "ESTIMATOR",
    "MANIFEST",
    "RECORD",
    "RESTORE",
    "WEIGHTS",
    "model_files",
    "read_model_file",
    "refuse_large_file",
]

ESTIMATOR = "estimator.skops"
RECORD = "model.json"
CARD = "card.md"
MANIFEST = "manifest.json"
"""The file beside an exported model's own that holds their hashes."""
WEIGHTS = re.compile(r"weights(-[2-9]|-[1-9][0-9])?\.safetensors")

_MIB = 1 << 20
_MOST_BYTES = {ESTIMATOR: 256 * _MIB, RECORD: 16 * _MIB, CARD: 4 * _MIB, MANIFEST: _MIB}
_MOST_BYTES_OF_WEIGHTS = 1024 * _MIB
"""ResNet-34 on three phases has 260 MB."""
RESTORE = "train the model again, or restore the folder from a backup"
"""What to do where a model's files are not what was saved."""
_AS_IT_WAS = "restore the folder from where it was saved or exported, with its own files only"


def model_files(folder: Path, *, beside: Collection[str] = ()) -> dict[str, bytes]:
    """Return the files of a model's folder, by name.

    Parameters
    ----------
    folder : Path
        The folder; a link to it is followed, links in it are not.
    beside : collection of str, optional
        Files in the folder that are not the model's; they are not read.

    Raises
    ------
    ContractError
        If the folder holds something else than a model's files, one of them is no ordinary file, or one is larger
        than any model's.
    """
    names = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name in beside:
                continue
            if _most_bytes(entry.name) is None:
                raise ContractError(
                    f"the model's files changed after they were saved: '{entry.name}' is not one of a model's",
                    where=str(folder),
                    hint=_AS_IT_WAS,
                )
            names.append(entry.name)
    return {name: read_model_file(folder / name) for name in sorted(names)}


def read_model_file(file: Path) -> bytes:
    """Return the bytes of one file of a model's folder.

    Raises
    ------
    ContractError
        If it is a link, a pipe, a folder or another thing than an ordinary file, or too large.
    """
    try:
        # Opening a pipe waits for its writer, unless it is told not to.
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if file.is_symlink() or not stat.S_ISREG(file.lstat().st_mode):
            raise _no_ordinary_file(file) from error
        raise
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise _no_ordinary_file(file)
        refuse_large_file(file.name, status.st_size, str(file))
        with os.fdopen(os.dup(descriptor), "rb") as stream:
            content = stream.read(status.st_size + 1)
    finally:
        os.close(descriptor)
    if len(content) != status.st_size:
        raise ContractError(
            "the file changes while it is read", where=str(file), hint="try again when nobody writes it"
        )
    return content


def refuse_large_file(name: str, size: int, where: str) -> None:
    """Refuse a file of a model's that is larger than any release reads."""
    most = _most_bytes(name)
    if most is not None and size > most:
        raise ContractError(
            f"the file has {size} bytes; no model's '{name}' may have more than {most}", where=where, hint=_AS_IT_WAS
        )


def _most_bytes(name: str) -> int | None:
    return _MOST_BYTES_OF_WEIGHTS if WEIGHTS.fullmatch(name) else _MOST_BYTES.get(name)


def _no_ordinary_file(file: Path) -> ContractError:
    return ContractError(
        "this is a link, a pipe, a folder or a device, and a model's files are ordinary ones",
        where=str(file),
        hint=_AS_IT_WAS,
    )
