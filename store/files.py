"""A store's immutable files: in a local folder, or below an S3-compatible URL with a local copy of what was read."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pyarrow as pa

from schemas.errors import ContractError
from store.buckets import ask_bucket
from store.checked_files import PUT_BACK, CheckedFiles
from store.remote_folder import remote_folder
from store.running import is_running

if TYPE_CHECKING:
    # Loaded where files are remote, and only there.
    import pyarrow.fs as pafs

__all__ = ["DataFolder", "damaged_file", "file_sha256", "is_being_written"]

T = TypeVar("T")

_CHUNK = 8 * 2**20


def file_sha256(file: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


class DataFolder:
    """Files that are written once, whole, and never changed.

    Since a file never changes under its name, a copy of a remote one stays right for ever: everything
    that reads (DuckDB, pyarrow, a model's loader) gets a local path, and each remote file is fetched
    once a machine.

    Parameters
    ----------
    local_root : Path
        Where the files lie, or where copies of the remote ones are kept.
    url : str, optional
        ``s3://bucket/prefix``, with pyarrow's options behind a question mark (``region``,
        ``endpoint_override``, ``scheme``); credentials come from the environment as for any AWS client.
        The files are local where absent.
    checked : CheckedFiles, optional
        What is known of the files' hashes; nothing where absent.
    waits : bool
        Whether a server that does not answer is waited for.

    Raises
    ------
    UsageError
        When the URL is of no kind that this class reads.
    """

    def __init__(
        self, local_root: Path, url: str | None = None, checked: CheckedFiles | None = None, *, waits: bool = True
    ) -> None:
        self.local_root = local_root
        self._waits = waits
        self.url = url
        self._checked = checked or CheckedFiles()
        self._remote: pafs.FileSystem | None = None
        self._prefix = ""
        if url is not None:
            self._remote, self._prefix = remote_folder(url)

    def below(self, name: str) -> DataFolder:
        """Return the part of this folder that lies below a name."""
        part = DataFolder(self.local_root / name, checked=self._checked, waits=self._waits)
        if self._remote is not None:
            base, mark, options = str(self.url).partition("?")
            part.url = f"{base.rstrip('/')}/{name}{mark}{options}"
            part._remote, part._prefix = self._remote, f"{self._prefix}/{name}"
        return part

    @property
    def is_remote(self) -> bool:
        """Return whether the files lie on another machine."""
        return self._remote is not None

    def __str__(self) -> str:
        # A URL may hold credentials; a message may not.
        return str(self.local_root) if self.url is None else re.sub("//[^@/]*@", "//", self.url).partition("?")[0]

    def scratch(self, suffix: str = "") -> Path:
        """Return a path beside the files, on the same disk, that nobody else writes to."""
        self.local_root.mkdir(parents=True, exist_ok=True)
        return self.local_root / f"writing-{os.getpid()}-{uuid.uuid4().hex[:8]}.partial{suffix}"

    def adopt(self, written: Path, path: str) -> None:
        """Take over a finished local file or folder under its final name.

        The name appears when everything below it is whole and on disk, or not at all; a remote file is
        whole when its upload ends.

        Parameters
        ----------
        written : Path
            On the same disk as `scratch`; it is moved.
        path : str
            The final name, relative, with forward slashes.
        """
        for file in sorted(written.rglob("*")) if written.is_dir() else [written]:
            if file.is_file():
                _flush(file)
                if self._remote is not None:
                    inner = file.relative_to(written).as_posix() if written.is_dir() else ""
                    self.upload(file, f"{path}/{inner}" if inner else path)
        target = self.local_root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_dir():
            shutil.rmtree(target)
        written.replace(target)
        _flush(target.parent)

    def local(self, path: str, *, sha256: str | None = None) -> Path:
        """Return the local path of a file, fetched first where it is remote and not here yet.

        A copy of a remote file that is damaged is fetched again.

        Parameters
        ----------
        path : str
            The file's name below the folder.
        sha256 : str, optional
            What it must hash to; it is hashed where its identity is not known from before (`CheckedFiles`).

        Raises
        ------
        ContractError
            When there is no such file, it cannot be read, or it has another hash.
        """
        target = self.local_root / path
        if os.path.lexists(target):
            if sha256 is None or self._has_hash(target, sha256):
                return target
            if self._remote is None:
                raise damaged_file(str(target))
            target.unlink()
        if self._remote is None:
            raise _missing(self, path)
        return self._fetched(path, target, sha256)

    def _has_hash(self, target: Path, sha256: str) -> bool:
        try:
            return self._checked.sha256(target) == sha256
        except FileNotFoundError as error:
            raise _missing(self, target.relative_to(self.local_root).as_posix()) from error
        except ContractError:
            if self._remote is None or target.is_dir():
                raise
            return False

    def _fetched(self, path: str, target: Path, sha256: str | None) -> Path:
        assert self._remote is not None  # noqa: S101  (for the type checker: callers ask first)
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished = target.with_name(f"{target.name}.{os.getpid()}-{uuid.uuid4().hex[:8]}.partial")
        try:
            self._asked(lambda: self._download(path, unfinished))
            if sha256 is not None and file_sha256(unfinished) != sha256:
                raise damaged_file(f"{self}/{path}")
            unfinished.replace(target)
        except FileNotFoundError as error:
            raise _missing(self, path) from error
        finally:
            # What a full disk or a lost line has cut off is of no use to anybody.
            unfinished.unlink(missing_ok=True)
        return target

    def _download(self, path: str, sink: Path) -> None:
        assert self._remote is not None  # noqa: S101  (for the type checker: callers ask first)
        with self._remote.open_input_stream(f"{self._prefix}/{path}") as source, sink.open("wb") as copy:
            shutil.copyfileobj(source, copy, _CHUNK)

    def local_folder(self, path: str) -> Path:
        """Return the local path of a folder, all of its files fetched where they are remote.

        Raises
        ------
        ContractError
            When there is no such folder.
        """
        part = self.below(path)
        names = list(part.paths())
        if not names:
            raise _missing(self, path)
        for name in names:
            part.local(name)
        return self.local_root / path

    def paths(self) -> Iterator[str]:
        """Yield the names of all finished files, relative, with forward slashes."""
        if self._remote is None:
            found = (file for file in sorted(self.local_root.rglob("*")) if file.is_file())
            names = [file.relative_to(self.local_root).as_posix() for file in found]
        else:
            import pyarrow.fs as pafs

            selector = pafs.FileSelector(self._prefix, recursive=True, allow_not_found=True)
            infos = self._asked(partial(self._remote.get_file_info, selector))
            names = sorted(info.path[len(self._prefix) + 1 :] for info in infos if info.is_file)
        yield from (name for name in names if ".partial" not in name)

    def size(self, path: str) -> int | None:
        """Return how many bytes a file has where it lies, None where there is none."""
        if self._remote is None:
            file = self.local_root / path
            return file.stat().st_size if file.is_file() else None
        info = self._remote_info(path)
        return int(info.size) if info.is_file else None

    def _asked(self, call: Callable[[], T]) -> T:
        return ask_bucket(call, str(self), waits=self._waits)

    def _remote_info(self, path: str) -> pafs.FileInfo:
        assert self._remote is not None  # noqa: S101  (for the type checker: callers ask first)
        return self._asked(partial(self._remote.get_file_info, f"{self._prefix}/{path}"))

    def written_at(self, path: str) -> datetime | None:
        """Return when a file, or else this machine's copy, was written (UTC), None where there is neither."""
        if self._remote is not None:
            info = self._remote_info(path)
            if info.is_file:
                return datetime.fromtimestamp(info.mtime_ns / 1e9, UTC)
        try:
            return _modified_at(self.local_root / path)
        except FileNotFoundError:
            return None

    def copies(self) -> Iterator[str]:
        """Yield the names of the remote files that this machine has a copy of; none where the files are local."""
        if self._remote is not None:
            yield from DataFolder(self.local_root).paths()

    def forget_copy(self, path: str) -> None:
        """Remove this machine's copy of a remote file; it is fetched again when it is read."""
        if self._remote is not None:
            (self.local_root / path).unlink(missing_ok=True)

    def half_written(self, *, before: datetime) -> Iterator[Path]:
        """Yield the files and folders that a writer of this machine began before a time and never finished.

        One whose process still runs is left out.
        """
        for path in sorted(self.local_root.rglob("*.partial*")):
            if ".partial" in path.relative_to(self.local_root).parent.as_posix():
                continue  # inside of one that is yielded
            try:
                is_old = _modified_at(path) < before
            except FileNotFoundError:
                continue
            if is_old and not is_being_written(path):
                yield path

    def sha256(self, path: str) -> str | None:
        """Return the hash of a file's bytes where it lies, not of a copy; None where there is none."""
        if self.size(path) is None:
            return None
        if self._remote is None:
            return file_sha256(self.local_root / path)
        return self._asked(lambda: self._remote_sha256(path))

    def _remote_sha256(self, path: str) -> str:
        assert self._remote is not None  # noqa: S101  (for the type checker: callers ask first)
        digest = hashlib.sha256()
        with self._remote.open_input_stream(f"{self._prefix}/{path}") as stream:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
        return digest.hexdigest()

    def opened(self, path: str) -> pa.NativeFile:
        """Return a file opened for reading where it lies, not a copy; of a bucket all of it is read at once.

        A server that goes away while a file is read is waited for as one that does not answer.
        """
        if self._remote is None:
            return pa.OSFile(str(self.local_root / path), "rb")
        return pa.BufferReader(self._asked(partial(self._remote_bytes, path)))

    def _remote_bytes(self, path: str) -> pa.Buffer:
        assert self._remote is not None  # noqa: S101  (for the type checker: callers ask first)
        with self._remote.open_input_file(f"{self._prefix}/{path}") as stream:
            return stream.read_buffer()

    def remove(self, path: str) -> bool:
        """Remove a file, and this machine's copy of it, and return whether there was one."""
        was_there = self.size(path) is not None
        if self._remote is not None and was_there:
            self._asked(partial(self._delete, path))
        (self.local_root / path).unlink(missing_ok=True)
        return was_there

    def _delete(self, path: str) -> None:
        assert self._remote is not None  # noqa: S101  (for the type checker: callers ask first)
        # Where an answer was lost, it is gone when it is asked for once more.
        with suppress(FileNotFoundError):
            self._remote.delete_file(f"{self._prefix}/{path}")

    def upload(self, file: Path, path: str) -> None:
        """Write a local file, which stays where it is, to where the remote files lie; it is whole when this ends."""
        self._asked(lambda: self._write(file, path))

    def _write(self, file: Path, path: str) -> None:
        assert self._remote is not None  # noqa: S101  (for the type checker: callers ask first)
        with file.open("rb") as source, self._remote.open_output_stream(f"{self._prefix}/{path}") as sink:
            shutil.copyfileobj(source, sink, _CHUNK)


def damaged_file(where: str) -> ContractError:
    """Return the error of a file whose bytes are not those that its row of the catalogue names."""
    return ContractError(
        "a file of the store is damaged: its bytes are not those that were committed",
        where=where,
        hint=PUT_BACK,
    )


def _missing(folder: DataFolder, path: str) -> ContractError:
    return ContractError(
        "a file of the store is missing",
        where=f"{folder}/{path}",
        hint=PUT_BACK,
    )


def _modified_at(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)


def is_being_written(path: Path) -> bool:
    """Return whether the process of this machine that began a half-written file or folder still runs."""
    writer = re.search(r"(?:writing-|\.)(\d+)(?:-[0-9a-f]{8})?\.partial", path.name)
    return writer is not None and is_running(int(writer[1]))


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
