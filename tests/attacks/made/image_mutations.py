"""What is done to a valid image: bits, lengths, fields and packed bytes, drawn by a seed."""

from __future__ import annotations

import gzip
import random
import re
import struct
import zlib
from collections.abc import Callable

from .image_seeds import Files

__all__ = ["MUTATIONS", "mutant"]

_NUMBERS = (
    "0",
    "-1",
    "1",
    "2",
    "3",
    "99999999999",
    "4294967297",
    "1e30",
    "1e-30",
    "nan",
    "inf",
    "-inf",
    "0x10",
    "",
    "9" * 400,
)
_WORDS = (
    "../../etc/passwd", "/etc/shadow", "/dev/zero", "/proc/self/mem", "LIST", "%n%n%s", "x%999999999d.raw 0 9 1",
    "LOCAL", "raw", "ascii", "bzip2", "block", "(1,0,0)", "none", "True", "False", "\x00", "A" * 5000, "double",
    "MET_NONE",
)  # fmt: skip
_NIFTI_FIELDS = (
    *((at, "h") for at in range(40, 56, 2)), (70, "h"), (72, "h"), *((at, "f") for at in range(76, 120, 4)), (123, "B"),
    (252, "h"), (254, "h"), *((at, "f") for at in range(256, 328, 4)), (344, "i"), (0, "i"), (348, "i"),
)  # fmt: skip
_EXTREMES = {
    "h": (0, 1, -1, 2, 7, 8, 32767, -32768, 16, 32, 512, 1536),
    "B": (0, 1, 3, 7, 255),
    "i": (0, 1, -1, 348, 540, 2**31 - 1, -(2**31)),
    "f": (0.0, -0.0, -1.0, 1e-30, 1e30, 3.4e38, float("nan"), float("inf"), float("-inf"), 0.5, 353.0, 2.0**31),
}


def _flip_bits(draw: random.Random, content: bytes, longest: int | None = None) -> bytes:
    changed = bytearray(content)
    for _ in range(draw.choice((1, 1, 2, 8, 64))):
        if changed:
            changed[draw.randrange(min(len(changed), longest or len(changed)))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def _header_length(content: bytes) -> int:
    if content.startswith(b"NRRD"):
        return content.find(b"\n\n") + 2 if b"\n\n" in content else len(content)
    if (at := content.find(b"ElementDataFile")) >= 0:
        return content.find(b"\n", at) + 1
    return min(348, len(content))


def _on_unpacked(change: Callable[[random.Random, bytes], bytes]) -> Callable[[random.Random, bytes], bytes]:
    def changed(draw: random.Random, content: bytes) -> bytes:
        if content.startswith(b"\x1f\x8b"):
            return gzip.compress(change(draw, gzip.decompress(content)), mtime=0)
        return change(draw, content)

    return changed


def _header_bits(draw: random.Random, content: bytes) -> bytes:
    return _flip_bits(draw, content, _header_length(content))


def _cut(draw: random.Random, content: bytes) -> bytes:
    return content[: draw.randrange(len(content) + 1)]


def _lengthen(draw: random.Random, content: bytes) -> bytes:
    more = draw.choice((1, 2, 84, 4096))
    return content + draw.choice((bytes(more), draw.randbytes(more)))


def _set_field(draw: random.Random, content: bytes) -> bytes:
    if content[344:348] in (b"n+1\x00", b"ni1\x00"):
        changed = bytearray(content)
        for _ in range(draw.choice((1, 1, 2))):
            offset, kind = draw.choice(_NIFTI_FIELDS)
            if offset + 4 <= len(changed):
                struct.pack_into(f"<{kind}", changed, offset, draw.choice(_EXTREMES[kind]))
        return bytes(changed)
    return _set_text_field(draw, content)


def _set_text_field(draw: random.Random, content: bytes) -> bytes:
    length = _header_length(content)
    lines = content[:length].decode("latin-1").split("\n")
    at = draw.randrange(len(lines))
    match = re.match(r"([^:=]*[:=] ?)(.*)", lines[at])
    match draw.randrange(6):
        case 0:
            lines.insert(draw.randrange(len(lines)), lines[at])
        case 1:
            del lines[at]
        case 2:
            other = draw.randrange(len(lines))
            lines[at], lines[other] = lines[other], lines[at]
        case 3 if match:
            lines[at] = match[1] + draw.choice(_WORDS)
        case _ if match:
            words = match[2].split(" ")
            words[draw.randrange(len(words))] = draw.choice(_NUMBERS)
            lines[at] = match[1] + " ".join(words)
    return "\n".join(lines).encode("latin-1") + content[length:]


def _noise(draw: random.Random, content: bytes) -> bytes:
    length = _header_length(content)
    changed = bytearray(content)
    for _ in range(draw.choice((1, 2, 5))):
        if length > 0:
            changed[draw.randrange(min(length, len(changed)))] = draw.choice(
                b" \n\r\t:=()0123456789.-eE#\x00\xff%" + b"aZ"
            )
    return bytes(changed)


def _pack_again(draw: random.Random, content: bytes) -> bytes:
    """Change what is packed, and pack it so that its checksum is right."""
    is_whole = content.startswith(b"\x1f\x8b")
    length = 0 if is_whole else _header_length(content)
    try:
        body = zlib.decompress(content[length:], 47)
    except zlib.error:
        return _flip_bits(draw, content)
    change = draw.choice((_cut, _lengthen, _flip_bits, lambda _, b: b + bytes(1 << 26), lambda _, b: b""))
    changed = change(draw, body)
    packed = gzip.compress(changed, mtime=0)
    match draw.randrange(4):
        case 0:
            half = len(changed) // 2
            packed = gzip.compress(changed[:half], mtime=0) + gzip.compress(changed[half:], mtime=0)
        case 1:
            packed = packed[:-8] + draw.randbytes(8)
        case 2 if not is_whole:
            packed = zlib.compress(changed)
    return content[:length] + packed


def _nest(draw: random.Random, content: bytes) -> bytes:
    for _ in range(draw.choice((1, 2, 50))):
        content = gzip.compress(content, mtime=0)
    return content


MUTATIONS: dict[str, Callable[[random.Random, bytes], bytes]] = {
    "bits": _flip_bits,
    "header bits": _on_unpacked(_header_bits),
    "cut": _cut,
    "longer": _on_unpacked(_lengthen),
    "field": _on_unpacked(_set_field),
    "field again": _on_unpacked(_set_field),
    "noise": _on_unpacked(_noise),
    "packed": _pack_again,
    "nested": _nest,
}


def mutant(draw: random.Random, files: Files, others: Files) -> tuple[str, Files]:
    """Return a mutation's name and the files that it makes; ``others`` are those of another image, to splice."""
    changed = dict(files)
    if draw.random() < 0.06:
        head, tail = changed[".hdr"], others[".hdr"]
        changed[".hdr"] = head[: _header_length(head)] + tail[_header_length(tail) :]
        return "splice", changed
    name = draw.choice(list(MUTATIONS))
    target = draw.choice(list(changed)) if draw.random() < 0.25 else ".hdr"
    changed[target] = MUTATIONS[name](draw, changed[target])
    return name, changed
