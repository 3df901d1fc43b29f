"""What happens to a file on disk: a bit turns, another kind of thing stands in its place."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["flip", "to_folder", "to_pipe"]


def flip(file: Path) -> None:
    """Change a bit in the middle of a file, and set its time back."""
    before, content = file.stat(), bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def to_pipe(file: Path) -> None:
    """Put a pipe in a file's place."""
    file.unlink()
    os.mkfifo(file)


def to_folder(file: Path) -> None:
    """Put a folder in a file's place."""
    file.unlink()
    file.mkdir()
