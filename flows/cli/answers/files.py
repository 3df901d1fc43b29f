"""The answer to a question in a file: what its suffix says, whole or not at all, never over another file unasked."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Literal, cast, get_args

from schemas.errors import ContractError, RadzooError, UsageError

__all__ = ["FileFormat", "Format", "file_format", "write_pieces"]

Format = Literal["table", "csv", "tsv", "json", "parquet", "xlsx"]
FileFormat = Literal["csv", "tsv", "json", "parquet", "xlsx"]
_KNOWN = get_args(FileFormat)
_NAMED = ", ".join(f".{each}" for each in _KNOWN)


def file_format(out: Path, asked: str | None) -> FileFormat:
    """Return the format that a file's suffix and ``--format`` ask for together.

    Raises
    ------
    UsageError
        When they contradict each other, or neither names one.
    """
    suffix = out.suffix.lower().removeprefix(".")
    if asked == "table":
        raise UsageError("a table is for a terminal, not for a file", hint=f"name the file with one of {_NAMED}")
    if suffix in _KNOWN and asked not in (None, suffix):
        raise UsageError(
            f"--format {asked} contradicts the suffix of {out.name}",
            where=str(out),
            hint=f"--out {out.with_suffix(f'.{asked}').name}, or leave --format out",
        )
    if suffix not in _KNOWN and asked is None:
        what = f"'{out.suffix}' is no suffix that is known" if suffix else "the file has no suffix that says its format"
        raise UsageError(what, where=str(out), hint=f"end it with one of {_NAMED}")
    return cast("FileFormat", suffix if suffix in _KNOWN else asked)


def write_pieces(pieces: Iterable[bytes], out: Path, *, force: bool) -> None:
    """Write an answer into a file, which appears when it is whole.

    Parameters
    ----------
    pieces : iterable of bytes
        The file's bytes.
    out : Path
        The file.
    force : bool
        Replace a file that is there.

    Raises
    ------
    UsageError
        When the file is there already, or cannot be written where it shall be.
    RadzooError
        When the disk does not take it, or what making the pieces raises; nothing is left.
    """
    refuse_place(out, force=force)
    try:
        with _put_in_place(out, force=force) as stream:
            stream.writelines(pieces)
    except ContractError as error:
        # The format cannot hold the answer.
        error.where = error.where or str(out)
        raise
    except OSError as error:
        is_forbidden = error.errno in (errno.EACCES, errno.EPERM, errno.EROFS)
        step = "name an --out FILE where you may write" if is_forbidden else "make room, or name another --out FILE"
        raise RadzooError(
            f"the file cannot be written: {error.strerror or error}", where=str(out), hint=f"{step}; nothing was left"
        ) from error


def refuse_place(out: Path, *, force: bool) -> None:
    """Refuse a file that is there already, or that cannot be written where it shall be.

    Raises
    ------
    UsageError
        With the next step.
    """
    elsewhere = "make it, or name another --out FILE"
    try:
        if not out.parent.is_dir():
            raise UsageError("there is no such folder", where=str(out.parent), hint=elsewhere)
        if out.is_dir():
            raise UsageError("this is a folder", where=str(out), hint="name a file below it")
        if os.path.lexists(out) and not force:
            raise UsageError(
                "the file is there already", where=str(out), hint="--force replaces it, or name another --out FILE"
            )
        if out.exists() and not out.is_file():
            raise UsageError("this is no regular file", where=str(out), hint="name another --out FILE")
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or error
        raise UsageError(
            f"this place cannot be used: {said}", where=str(out), hint="name another --out FILE"
        ) from error


@contextmanager
def _put_in_place(out: Path, *, force: bool) -> Iterator[IO[bytes]]:
    """Give a stream beside the file; when all is written it takes the file's name, and else nothing is left."""
    # A link is followed, as writing through it would do.
    target = out.resolve() if out.is_symlink() else out
    partial = target.with_name(f".{target.name[:100]}.{os.getpid()}.partial")
    try:
        with partial.open("xb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        if force:
            partial.replace(target)
        else:
            _appear(partial, target)
    finally:
        partial.unlink(missing_ok=True)


def _appear(partial: Path, target: Path) -> None:
    """Give a file its name unless something has that name by now."""
    try:
        target.hardlink_to(partial)
    except FileExistsError as error:
        raise UsageError(
            "the file is there already", where=str(target), hint="--force replaces it, or name another --out FILE"
        ) from error
    except OSError:
        # A file system without hard links.
        refuse_place(target, force=False)
        partial.replace(target)
