"""The text of a table's file: UTF-8, what its byte-order mark says, or what the study file declares; never a guess."""

from __future__ import annotations

import codecs
import re

from schemas.errors import ContractError
from schemas.written.table_form import ENCODINGS, Encoding

__all__ = ["decoded_text"]

_MARKS: tuple[tuple[bytes, str, str, Encoding | None], ...] = (
    (codecs.BOM_UTF8, "utf-8-sig", "UTF-8", "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32", "UTF-32", None),
    (codecs.BOM_UTF32_BE, "utf-32", "UTF-32", None),
    (codecs.BOM_UTF16_LE, "utf-16", "UTF-16", "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16", "UTF-16", "utf-16-be"),
)
"""Byte-order marks, the codec that takes each away, its name in words, and the name that a study file gives it."""
_OF_ONE_BYTE = frozenset({"cp1250", "cp1251", "cp1252", "cp1253", "cp1254", "latin-1", "iso-8859-15", "mac-roman"})
"""Encodings in which no text that is also UTF-8 makes sense: two letters that nobody writes for each of its others."""
_OFFERED: tuple[Encoding, ...] = ("cp1252", "gb18030")
_SHOWN = 20
_LOOKED_AT = 10_000


def decoded_text(content: bytes, file: str, encoding: Encoding | None) -> tuple[str, tuple[str, ...]]:
    """Return a file's text, and how it was read where that is not what its name says.

    Parameters
    ----------
    content : bytes
        The file's content.
    file : str
        Its name, for faults.
    encoding : Encoding or None
        What the study file declares.

    Raises
    ------
    ContractError
        Where it is no text, or is not in this encoding, or contradicts it; of text that is not UTF-8 with what it
        would be under others.
    """
    notes: tuple[str, ...] = ()
    mark = next((each for each in _MARKS if content.startswith(each[0])), None)
    if mark is not None:
        _, marked, name, declared = mark
        if encoding is not None and encoding != declared:
            raise _fault(
                f"the text begins with the byte-order mark of {name}, and the study file says it is {encoding}",
                f"{file}:1",
                "take encoding out of the study file",
            )
        text = _strict(content, file, marked, name)
        notes += () if name == "UTF-8" else (f"the text is {name}",)
    elif encoding is not None and encoding != "utf-8":
        text = _strict(content, file, encoding, encoding)
        notes = _declared(content, text, file, encoding)
    else:
        text = _utf_8(content, file)
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise _fault("the file has NUL characters: it is no table", f"{file}:{line}", "save it as UTF-8 text")
    return text, notes


def _fault(message: str, where: str, hint: str) -> ContractError:
    return ContractError(message, where=where, hint=f"{hint}; nothing was written")


def _strict(content: bytes, file: str, encoding: str, name: str) -> str:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise _fault(
            f"the text is not {name}: byte 0x{content[error.start]:02x} stands for nothing there",
            f"{file}:{line}",
            f"correct encoding in the study file, one of {', '.join(ENCODINGS)}, or save the table as UTF-8",
        ) from error


def _declared(content: bytes, text: str, file: str, encoding: Encoding) -> tuple[str, ...]:
    """Return the note of a text in a declared encoding that its bytes do not contradict."""
    if encoding in ("latin-1", "iso-8859-15") and (control := re.search("[\x80-\x9f]", text)):
        byte = ord(control[0])
        line = text[: control.start()].count("\n") + 1
        other = bytes([byte]).decode("cp1252", "replace")
        raise _fault(
            f"byte 0x{byte:02x} is no letter in {encoding}, and '{other}' in cp1252",
            f"{file}:{line}",
            'where it is that, encoding = "cp1252" in the study file',
        )
    if not content.isascii() and _fits(content, "utf-8"):
        at = next(at for at, byte in enumerate(content) if byte > 127)
        shown = [_cell(content, at, each) for each in ("utf-8", encoding)]
        words = f"the text is UTF-8 too, in which it has '{shown[0]}', in {encoding} '{shown[1]}'"
        if encoding in _OF_ONE_BYTE:
            line = content[:at].count(b"\n") + 1
            raise _fault(words, f"{file}:{line}", "take encoding out of the study file")
        return (f"the text is read as {encoding}, as declared", words)
    return (f"the text is read as {encoding}, as declared",)


def _utf_8(content: bytes, file: str) -> str:
    if b"\0" in content:
        at = content.index(b"\0")
        line = content[:at].count(b"\n") + 1
        # Of the two bytes of a letter of Latin script the higher one is 0, and it is every second one.
        start = content[:_LOOKED_AT]
        is_wide = start[at % 2 :: 2].count(0) * 3 > len(start[at % 2 :: 2]) and not start[1 - at % 2 :: 2].count(0)
        meant = ("utf-16-be", "utf-16-le")[at % 2]
        raise _fault(
            "the file has NUL bytes: it is no text, or UTF-16 without a byte-order mark",
            f"{file}:{line}",
            f'where it is that, encoding = "{meant}" beside table in the study file, or save it as UTF-8 text'
            if is_wide
            else "save it as UTF-8 text",
        )
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        if re.search(rb"[\x01-\x08\x0e-\x1f]", content[:_LOOKED_AT]):
            raise _fault(
                "the file is no text, and no table of a known kind", file, "save the table as CSV (UTF-8) or Parquet"
            ) from error
        shown = [
            f"encoding = \"{each}\" would read '{_cell(content, error.start, each)}'"
            for each in _OFFERED
            if _fits(content, each)
        ]
        raise _fault(
            f"not UTF-8 text: byte 0x{content[error.start]:02x}" + (f"; {', '.join(shown)}" if shown else ""),
            f"{file}:{line}",
            'say which it is beside table in the study file, encoding = "...", one of '
            f"{', '.join(ENCODINGS)}, or save the table as UTF-8",
        ) from error


def _fits(content: bytes, encoding: str) -> bool:
    try:
        content.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _cell(content: bytes, at: int, encoding: str) -> str:
    """Return the cell that has a byte, as an encoding reads it."""
    # Where a letter may have several bytes, lines begin anew all the same.
    start = max(content.rfind(b"\n", 0, at), content.rfind(b"\r", 0, at)) + 1
    before = content[max(start, at - 200) : at].decode(encoding, "ignore")
    after = content[at : at + 200].decode(encoding, "ignore")
    return _one_cell(before + after, len(before))


def _one_cell(text: str, at: int) -> str:
    begin = re.split(r"[,;\t|\r\n]", text[:at])[-1][-10:]
    end = re.split(r"[,;\t|\r\n]", text[at:], maxsplit=1)[0][:_SHOWN]
    return (begin + end).strip('"')
