"""A scan's slices as files that a browser shows, and pages of a contact sheet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from flows.look.case import ShownScan

__all__ = ["SheetCase", "write_sheet", "write_strips"]

_QUALITY = 82
_OUTLINE = (255, 176, 0)
_OUTLINE_HEX = "#ffb000"
_BAR_MM = 50.0
_CELL_INCHES = 2.6
_DPI = 130


@dataclass(frozen=True)
class SheetCase:
    """A row of the contact sheet: a patient's phases, None where there is nothing to show."""

    title: str
    scans: Sequence[ShownScan | None]
    words: Sequence[str]
    """What stands below each picture."""


def outline(lesion: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return the lesion's pixels that touch one outside of it, in a picture or a stack of them."""
    inside = np.pad(lesion.astype(bool), [*[(0, 0)] * (lesion.ndim - 2), (1, 1), (1, 1)])
    whole = inside.copy()
    for axis in (-2, -1):
        for step in (-1, 1):
            whole &= np.roll(inside, step, axis)
    found: NDArray[np.bool_] = (inside & ~whole)[..., 1:-1, 1:-1]
    return found


def write_strips(scan: ShownScan, pictures: Path, outlines: Path) -> None:
    """Write a scan's slices one below the other, as JPEG, and the lesion's outlines on them, as transparent PNG."""
    slices, rows, columns = scan.pictures.shape
    Image.fromarray(scan.pictures.reshape(slices * rows, columns)).save(pictures, quality=_QUALITY)
    drawn = outline(scan.lesion).reshape(slices * rows, columns)
    colours = np.zeros((*drawn.shape, 4), np.uint8)
    colours[drawn] = (*_OUTLINE, 255)
    Image.fromarray(colours).quantize(2).save(outlines, optimize=True)


def write_sheet(file: Path, phases: Sequence[str], cases: Sequence[SheetCase], title: str) -> None:
    """Write a page of the contact sheet: a row a patient, a column a phase, the slice with the most lesion."""
    figure = Figure(figsize=(_CELL_INCHES * len(phases) + 0.4, (_CELL_INCHES + 0.45) * len(cases) + 0.5), dpi=_DPI)
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=9)
    axes = figure.subplots(len(cases), len(phases), squeeze=False)
    for row, case in zip(axes, cases, strict=True):
        for at, (cell, scan, words) in enumerate(zip(row, case.scans, case.words, strict=True)):
            cell.set_axis_off()
            cell.set_title(f"{case.title}  {phases[at]}" if at == 0 else phases[at], fontsize=8, loc="left")
            # Words of others: no formula is made of a dollar sign.
            cell.text(0, -0.02, words, fontsize=7, va="top", transform=cell.transAxes, parse_math=False)
            if scan is None:
                continue
            grey, lesion = scan.pictures[scan.largest], scan.lesion[scan.largest]
            cell.imshow(grey, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
            cell.contour(lesion, levels=[0.5], colors=[_OUTLINE_HEX], linewidths=0.8)
            length = _BAR_MM / scan.pixel_mm
            low, left = grey.shape[0] * 0.95, grey.shape[1] * 0.05
            cell.plot([left, left + length], [low, low], color="white", linewidth=2, solid_capstyle="butt")
            cell.text(left, low - 0.02 * grey.shape[0], f"{_BAR_MM:.0f} mm", color="white", fontsize=6, va="bottom")
    figure.tight_layout(rect=(0, 0, 1, 0.98))
    content = BytesIO()
    figure.savefig(content, format="png", metadata={"Software": None})
    file.write_bytes(content.getvalue())
