"""What every test does first that reads a store of an earlier release, or another packed folder."""

from __future__ import annotations

import tarfile
from pathlib import Path

__all__ = ["ARCHIVES", "unpack"]

# One per earlier format of the store.
ARCHIVES = {file.name.removesuffix(".tar.gz"): file for file in sorted(Path(__file__).parent.glob("format_*.tar.gz"))}


def unpack(archive: Path, folder: Path) -> None:
    """Put the files of a packed folder below another."""
    with tarfile.open(archive) as packed:
        # Python 3.11 before 3.11.4, such as Debian's, has no filters; later ones ask for a choice.
        packed.extraction_filter = getattr(tarfile, "data_filter", None)
        packed.extractall(folder)  # noqa: S202 - the folders are the tests' own
