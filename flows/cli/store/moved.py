"""A store that was moved: its published file names segments by their former path, and is published again."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from schemas.errors import RadzooError
from schemas.foreign_text import one_line

__all__ = ["publish_after_move"]


def publish_after_move(root: Path) -> None:
    """Publish ``analyst.duckdb`` again where the store lies in another folder than it did, and say so on stderr.

    Every verb that opens a store does so; it costs the reading of one line.
    """
    try:
        if not (root / "analyst.duckdb").is_file() or _is_noted(root):
            return
        # What is wrong with the store is said by the verb itself.
        from store.analyst.publish import publish_moved_store

        before = publish_moved_store(root)
    except (RadzooError, OSError, RuntimeError):
        return
    if before is not None:
        print(one_line(f"published analyst.duckdb again: it was published in {before}"), file=sys.stderr)


def _is_noted(root: Path) -> bool:
    try:
        note = json.loads((root / "publication.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(note, dict) and note.get("store") == str(root.resolve())
