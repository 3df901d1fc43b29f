"""Files that tell who a pseudonym is: outside the store, of one account alone, and never printed."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from flows.tables.file_faults import FILE_ERRORS, file_fault, read_content, real_path
from schemas.errors import ContractError
from schemas.privacy.keyed import KEY_BYTES

__all__ = ["new_key", "read_key", "refuse_readable", "refuse_within", "secret_path", "write_key"]

_DIGITS = 2 * KEY_BYTES
_NOTHING = "nothing was written"


def secret_path(written: str, study_file: Path) -> Path:
    """Return where a key or a map lies that a study file names: relative to the study file, ``~`` is the home."""
    try:
        named = Path(written).expanduser()
    except RuntimeError:  # nobody's home
        named = Path(written)
    # Not through links: the file may not be there yet, and its folder is named as it was written.
    return Path(os.path.normpath(real_path(study_file.parent) / named))


def refuse_within(file: Path, store_root: Path, what: str, where: str) -> None:
    """Refuse a file in the store's folder: whoever gets the store would know who its patients are.

    Raises
    ------
    ContractError
        Where it lies there, links followed.
    """
    store = os.path.realpath(store_root)
    # The link itself, too: a copy of the store's folder may follow it.
    places = (os.path.realpath(file), str(real_path(file.parent) / file.name))
    if any(os.path.commonpath([store, each]) == store for each in places):
        raise ContractError(
            f"the {what} lies in the store's folder: whoever has the store would know who its patients are",
            where=where,
            hint=f"name a place outside of '{store_root}'; {_NOTHING}",
        )


def refuse_readable(file: Path, what: str, where: str) -> None:
    """Refuse a file that other accounts may read or change.

    Raises
    ------
    ContractError
        Where it is another account's, or its mode lets others in.
    """
    found = file.stat()
    if found.st_uid != os.geteuid() and os.geteuid() != 0:
        raise ContractError(
            f"the {what} '{file}' belongs to another account, which can change it",
            where=where,
            hint=f"run radzoo as that account, or name a copy of your own; {_NOTHING}",
        )
    if mode := stat.S_IMODE(found.st_mode) & 0o077:
        verb = "read" if mode & 0o044 else "change"
        raise ContractError(
            f"the {what} '{file}' is one that other accounts may {verb}",
            where=where,
            hint=f"chmod 600 '{file}'; {_NOTHING}",
        )


def new_key() -> bytes:
    """Return a key that nobody has."""
    return os.urandom(KEY_BYTES)


def read_key(file: Path, where: str) -> bytes | None:
    """Return the key in a file, None where there is no such file.

    Parameters
    ----------
    file : Path
        The file: 64 hexadecimal digits.
    where : str
        What names it, for its faults.

    Raises
    ------
    ContractError
        Where others may read it, or it holds no key.
    """
    try:
        refuse_readable(file, "key", where)
        content = read_content(file, _DIGITS + 3)
    except FileNotFoundError:
        if file.is_symlink():
            raise ContractError(f"the key '{file}' {_fault_of_link(file)}", where=where, hint=_NOTHING) from None
        return None
    except FILE_ERRORS as error:
        raise ContractError(f"the key '{file}' {file_fault(file, error)}", where=where, hint=_NOTHING) from error
    digits = content.strip()
    try:
        # The digits are in no message: a key that was cut off is most of a key.
        key = bytes.fromhex(digits.decode("ascii"))
    except (UnicodeDecodeError, ValueError):
        key = b""
    if len(digits) != _DIGITS or len(key) != KEY_BYTES:
        raise ContractError(
            f"the key '{file}' is none: a key is {_DIGITS} hexadecimal digits",
            where=where,
            hint=f"restore the file; where nothing was ingested with it, remove it and a new one is made; {_NOTHING}",
        )
    return key


def _fault_of_link(file: Path) -> str:
    return file_fault(file, FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)))


def write_key(file: Path, key: bytes, where: str) -> None:
    """Write a new key into a file of this account alone (mode 0600), whole or not at all, and replace none.

    Raises
    ------
    ContractError
        Where there is a file by now, or it cannot be written.
    """
    partial = file.with_name(f".{file.name}.{os.getpid()}.partial")
    try:
        # Folders that were there keep their mode.
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(key.hex().encode("ascii") + b"\n")
                stream.flush()
                os.fsync(stream.fileno())
            os.link(partial, file)
        finally:
            partial.unlink()
    except FileExistsError as error:
        raise ContractError(
            f"another run has made the key '{file}' meanwhile", where=where, hint=f"run the command again; {_NOTHING}"
        ) from error
    except FILE_ERRORS as error:
        raise ContractError(
            f"the key '{file}' cannot be written: {file_fault(file, error)}",
            where=where,
            hint=f"name a place that you may write; {_NOTHING}",
        ) from error
