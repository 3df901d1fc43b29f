"""Files that cannot be read or written: what is wrong with one, in a sentence that is true."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from itertools import islice
from pathlib import Path

from schemas.errors import UsageError
from schemas.nearest import nearest_names

__all__ = ["FILE_ERRORS", "file_fault", "read_content", "real_path", "write_new_file"]

FILE_ERRORS = (OSError, ValueError)
"""What Python raises for a path; ValueError is that of one that no file system has, such as with a NUL."""

_SENTENCES = {
    errno.EISDIR: "is a folder, not a file",
    errno.ELOOP: "is a link that leads back to itself",
    errno.ENOSPC: "cannot be written: no space is left on its disk",
    errno.EDQUOT: "cannot be written: the disk quota is used up",
    errno.EROFS: "cannot be written: its file system is read-only",
    errno.EIO: "cannot be read: its disk gave an input/output error",
    errno.ESTALE: "cannot be read: its network drive has changed or is gone (stale file handle)",
}
_LISTED_ENTRIES = 5_000


def file_fault(file: Path, error: OSError | ValueError) -> str:
    """Return what is wrong with a file, as the rest of a sentence about it.

    Parameters
    ----------
    file : Path
        The file as it was tried.
    error : OSError or ValueError
        What Python raised.
    """
    if not isinstance(error, OSError):
        return "has a character in its path that no file has (NUL)" if "\0" in str(file) else f"is no path: {error}"
    if error.errno == errno.ENOENT:
        return _absence(file)
    if error.errno in (errno.EACCES, errno.EPERM):
        return _forbidden(file)
    if error.errno == errno.ENAMETOOLONG:
        longest = max(len(os.fsencode(part)) for part in (*file.parts, ""))
        return f"has a name that is too long for its file system ({longest} bytes)"
    if error.errno == errno.ENOTDIR:
        above = next((each for each in reversed(file.parents) if os.path.lexists(each) and not each.is_dir()), None)
        return f"is missing: '{above}' is a file, not a folder" if above else "is missing: a part of its path is a file"
    return _SENTENCES.get(error.errno or 0, f"cannot be opened: {error.strerror or error}")


def read_content(file: Path, most: int = -1) -> bytes:
    """Return a regular file's content.

    Parameters
    ----------
    file : Path
        The file.
    most : int
        Bytes that are read at most; all of them where negative.

    Raises
    ------
    OSError
        Where it cannot be read; for a pipe or a device too, which may give nothing for ever.
    ValueError
        Where no file can have this path.
    """
    # Not before it is known to be a file: to open a pipe waits for its writer.
    mode = file.stat().st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(file))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "it is a pipe or a device; save its content as a file", str(file))
    # Files of the kernel look like regular ones, and some wait for what comes.
    with os.fdopen(os.open(file, os.O_RDONLY | os.O_NONBLOCK), "rb") as stream:
        content: bytes | None = stream.read(most)
    if content is None:
        raise BlockingIOError(errno.EAGAIN, "it has nothing to read now", str(file))
    return content


def real_path(file: Path) -> Path:
    """Return a file's absolute path without links; that of a file that is not there keeps them, to be named."""
    try:
        real = Path(os.path.realpath(file))
        return real if os.path.lexists(real) else Path(os.path.abspath(file))  # noqa: PTH100  (may not be a path)
    except FILE_ERRORS:
        return file


def write_new_file(file: Path, text: str, hint: str) -> None:
    """Write a file that is not there yet, and its folders; where that fails nothing of it stays.

    Raises
    ------
    UsageError
        Where it cannot be written: no right to, no space, a name that no file can have.
    """
    made: list[Path] = []
    try:
        for folder in reversed(file.parents):
            if not folder.is_dir():
                folder.mkdir(exist_ok=True)
                made.append(folder)
        with file.open("x", encoding="utf-8") as stream:
            made.append(file)
            stream.write(text)
    except FILE_ERRORS as error:
        _remove_made(made)
        named = getattr(error, "filename", None)
        at = Path(os.fsdecode(named)) if isinstance(named, (str, bytes)) else file
        is_full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise UsageError(
            f"'{file.name}' cannot be written: {_unwritable(at, error)}",
            where=str(file),
            hint="free space on the disk and run the command again" if is_full else hint,
        ) from error


def _remove_made(made: list[Path]) -> None:
    with suppress(OSError):
        for each in reversed(made):
            if each.is_dir():
                each.rmdir()
            else:
                each.unlink()


def _unwritable(at: Path, error: OSError | ValueError) -> str:
    if isinstance(error, FileExistsError):
        try:
            at.stat()
        except OSError as lost:  # a link that is there and leads nowhere
            return f"'{at}' {file_fault(at, lost)}"
        return f"'{at}' is a file, not a folder"
    if isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EPERM):
        folder = next((each for each in (at, *at.parents) if each.is_dir()), at)
        return f"user {_user()} may not write in '{folder}'"
    fault = file_fault(at, error).removeprefix("cannot be written: ").removeprefix("is missing: ")
    return fault if "'" in fault else f"'{at}' {fault}" if fault.startswith(("is ", "has ")) else fault


def _absence(file: Path) -> str:
    if file.is_symlink():
        return f"is a link to '{file.readlink()}', which is missing"
    above = next((each for each in file.parents if each.is_dir()), None)
    if above is None:
        return "is missing"
    missing = Path(*file.parts[: len(above.parts) + 1])
    is_folder = missing != file
    try:
        with os.scandir(above) as entries:
            names = [
                entry.name
                for entry in islice(entries, _LISTED_ENTRIES)
                # A link is not followed: it may lead nowhere.
                if entry.is_symlink() or entry.is_dir() == is_folder
            ]
    except OSError:
        names = []
    # By the name alone: most files of a folder end alike.
    by_stem: dict[str, str] = {}
    for name in sorted(names):
        by_stem.setdefault(_stem(name), name)
    near = [by_stem[stem] for stem in nearest_names(_stem(missing.name), by_stem)]
    nearest = f"; nearest: {', '.join(near)}" if near else ""
    return f"is missing: there is no folder '{missing}'{nearest}" if is_folder else f"is missing{nearest}"


def _stem(name: str) -> str:
    return (name.partition(".")[0] or name).casefold()


def _forbidden(file: Path) -> str:
    for folder in reversed(file.parents):
        if not os.access(folder, os.X_OK):
            return f"cannot be reached: user {_user()} may not enter the folder '{folder}'"
    return f"cannot be read: user {_user()} has no permission"


def _user() -> str:
    import pwd

    try:
        return f"'{pwd.getpwuid(os.geteuid()).pw_name}'"
    except KeyError:
        return str(os.geteuid())
