"""What a table file holds, unpacked: never more of it than a table may have."""

from __future__ import annotations

import gzip
import io
import lzma
import os
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from flows.tables.file_faults import read_content
from schemas.errors import ContractError
from schemas.table_limits import TABLE_CELLS, TABLE_COLUMNS, TABLE_MB, TableLimits

__all__ = ["PackedTable", "refuse_many_cells", "refuse_many_megabytes", "table_content", "table_limits"]

_GZIP, _XZ = b"\x1f\x8b", b"\xfd7zXZ\x00"
_DAMAGED = (OSError, EOFError, lzma.LZMAError, zlib.error, ValueError)
_XZ_MEMORY = 256_000_000
"""What the dictionary of an .xz file may take; its header says so before anything is unpacked."""


class PackedTable(NamedTuple):
    """A file's content, unpacked where it was packed."""

    content: bytes
    name: Path
    """The file's name without the ending of what packed it."""


def table_limits() -> TableLimits:
    """Return how large a table may be in this process."""
    return TableLimits.of_environment(os.environ)


def table_content(file: Path) -> PackedTable:
    """Return what a table file holds.

    Raises
    ------
    OSError, ValueError
        When it cannot be read.
    ContractError
        When it holds more than a table may, packed or unpacked, or what packs it is damaged.
    """
    most = table_limits().bytes
    if (size := file.stat().st_size) > most and file.is_file():
        raise _too_large(file, f"has {size / 1e6:,.0f} MB", most)
    content = read_content(file, most + 1)
    if len(content) > most:
        raise _too_large(file, f"has more than {most / 1e6:,.0f} MB", most)
    unpacked = _unpacked(content)
    if unpacked is None:
        return PackedTable(content, file)
    try:
        content = unpacked(content, most + 1)
    except (*_DAMAGED, MemoryError) as error:
        raise ContractError(
            f"'{file.name}' is damaged or cut off: {str(error)[:200]}",
            where=str(file),
            hint="copy the compressed file again; nothing was written",
        ) from error
    if len(content) > most:
        raise _too_large(file, f"unpacks to more than {most / 1e6:,.0f} MB", most)
    return PackedTable(content, file.with_suffix("") if file.suffix in (".gz", ".xz") else file)


def refuse_many_cells(file: str, rows: int, columns: int) -> None:
    """Refuse a table of more columns or cells than one may have.

    Raises
    ------
    ContractError
        With the setting that allows more.
    """
    limits = table_limits()
    if columns > limits.columns:
        raise ContractError(
            f"the table has {columns:,} columns, and at most {limits.columns:,} are read",
            where=file,
            hint=f"take columns out of it, or allow more: {TABLE_COLUMNS}={columns}; nothing was written",
        )
    if rows * columns > limits.cells:
        raise ContractError(
            f"the table has {rows:,} rows of {columns:,} columns, {rows * columns:,} cells, and at most "
            f"{limits.cells:,} are read",
            where=file,
            hint=f"take columns out of it, or allow more: {TABLE_CELLS}={rows * columns}, at about 100 bytes a cell; "
            "nothing was written",
        )


def refuse_many_megabytes(file: str, size: int) -> None:
    """Refuse a file that says it unpacks to more than a table may have.

    Raises
    ------
    ContractError
        With the setting that allows more.
    """
    most = table_limits().bytes
    if size > most:
        raise _too_large(Path(file), f"unpacks to {size / 1e6:,.0f} MB", most)


def _too_large(file: Path, message: str, most: int) -> ContractError:
    return ContractError(
        f"'{file.name}' {message}, and a table has at most {most / 1e6:,.0f} MB",
        where=str(file),
        hint=f"save it as Parquet or take columns out of it, or allow more: {TABLE_MB}={max(1, 4 * most // 10**6)}, "
        "at about six times as much memory; nothing was written",
    )


def _unpacked(content: bytes) -> Callable[[bytes, int], bytes] | None:
    if content.startswith(_GZIP):
        return _gunzipped
    return _unxzed if content.startswith(_XZ) else None


def _gunzipped(content: bytes, most: int) -> bytes:
    with gzip.GzipFile(fileobj=io.BytesIO(content), mode="rb") as stream:
        return stream.read(most)


def _unxzed(content: bytes, most: int) -> bytes:
    found: list[bytes] = []
    left = most
    while left > 0 and (content := content.lstrip(b"\0")):
        unpacker = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)
        part = unpacker.decompress(content, max_length=left)
        while len(part) < left and not unpacker.eof:
            if unpacker.needs_input:
                raise EOFError("it ends before the end of its data")
            more = unpacker.decompress(b"", max_length=left - len(part))
            if not more and unpacker.needs_input:
                raise EOFError("it ends before the end of its data")
            part += more
        found.append(part)
        left -= len(part)
        content = unpacker.unused_data
    return b"".join(found)
