"""Moments of a verb, seen from outside by the files that it makes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

__all__ = ["committing", "publishing", "staged", "training"]


def staged(number: int) -> Callable[[Path], bool]:
    """Return whether so many extractions lie on disk."""
    return lambda root: len(list(root.glob("staging/*/*.json"))) >= number


def committing(root: Path) -> bool:
    """Return whether a segment is being written: inside of the commit's transaction."""
    return any(root.glob("segments/*")) or any(root.glob("copies/segments/*"))


def publishing(root: Path) -> bool:
    """Return whether the published file is being written: after the commit."""
    return any(root.glob("analyst-*"))


def training(root: Path) -> bool:
    """Return whether a dataset is being written or a model was."""
    return any(root.glob("datasets/*")) or any(root.glob("copies/datasets/*"))
