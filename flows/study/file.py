"""The study file as it lies on the disk: its text, or why it cannot be read."""

from __future__ import annotations

import codecs
from pathlib import Path

from flows.tables.file_faults import FILE_ERRORS, file_fault, read_content
from schemas.document_limits import STUDY_FILE_BYTES
from schemas.errors import ContractError, NotFoundError

__all__ = ["study_file_text"]

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def study_file_text(study_file: Path) -> str:
    """Return a study file's text, without a byte-order mark and with line feeds for line breaks.

    Raises
    ------
    NotFoundError
        When there is no such file.
    ContractError
        When it cannot be read or is not UTF-8 text.
    """
    try:
        if (size := study_file.stat().st_size) > STUDY_FILE_BYTES and study_file.is_file():
            raise ContractError(
                f"it has {size / 1e6:,.0f} MB, and a study file at most {STUDY_FILE_BYTES / 1e6:.0f} MB",
                where=str(study_file),
                hint="give the study file, not a table or an image; nothing was written",
            )
        content = read_content(study_file, STUDY_FILE_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotFoundError(
            f"the study file {file_fault(study_file, error)}",
            where=str(study_file),
            hint="radzoo init DIR writes one to start from",
        ) from error
    except FILE_ERRORS as error:
        fault = file_fault(study_file, error)
        if fault.startswith("is a folder"):
            inside = study_file / "study.toml"
            hint = f"radzoo ingest {inside}" if inside.is_file() else f"radzoo init {study_file}"
        else:
            hint = "give the path of a file that can be read; nothing was written"
        raise ContractError(f"the study file {fault}", where=str(study_file), hint=hint) from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        what = "UTF-16 text" if content.startswith(_UTF_16) else "not UTF-8 text"
        line = content[: error.start].count(b"\n") + 1
        raise ContractError(
            f"{what}: {error.reason} at byte {error.start}",
            where=f"{study_file}:{line}",
            hint="save the file as UTF-8 and run the command again",
        ) from error
    return text.replace("\r\n", "\n").replace("\r", "\n")
