"""Reasons of failures that name no file and repeat no word of one: phase and kind say which it is."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

__all__ = ["plain_reason"]

# From the first quotation mark to the last, no apostrophe: what stands in quotes may hold quotation marks itself.
_QUOTED = re.compile(r"(?<![A-Za-z0-9])'.*'(?![A-Za-z0-9])", re.DOTALL)


def plain_reason(reason: str, files: Iterable[Path] = ()) -> str:
    """Return a reason without words of others.

    Quoted is what headers, tables and study files say, and it goes, with what stands between two quotations. Numbers
    and radzoo's own sentences stay.

    Parameters
    ----------
    reason : str
        As it is said where a study has no ``[privacy]``.
    files : iterable of Path
        The files that it may name without quotation marks.

    Examples
    --------
    >>> plain_reason("its modality is 'Doe^Jane', and must be 'MR'; the image's slices are 3")
    "its modality is '...'; the image's slices are 3"
    >>> plain_reason("image scans/P1.hdr: P1.img is missing", [Path("scans/P1.hdr")])
    'image its file: its file is missing'
    """
    for file in files:
        stem = re.escape(file.name.partition(".")[0])
        # A folder of digits is left: no sentence names one, and all count.
        names = [re.escape(str(file)), rf"{stem}(?:\.\w+)+", *([] if file.name.isdigit() else [re.escape(file.name)])]
        for name in names:
            reason = re.sub(rf"(?<![A-Za-z0-9]){name}(?![A-Za-z0-9])", "its file", reason)
    return _QUOTED.sub("'...'", reason)
