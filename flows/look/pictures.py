"""A scan's slices as files that a browser shows, and pages of a contact sheet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from flows.look.case import ShownScan

__all__ = ["SheetCase", "bar_mm", "write_sheet", "write_strips"]

_QUALITY = 82
_OUTLINE = (255, 176, 0)
_OUTLINE_HEX = "#ffb000"
_OUTLINE_PIXELS = 480
_BARS_MM = (100.0, 50.0, 20.0, 10.0, 5.0, 2.0, 1.0, 0.5, 0.2, 0.1)
_CELL_INCHES, _WORDS_INCHES = 2.6, 0.55
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
    # Drawn finer than the voxels, so that it hides few of them.
    finer = max(1, _OUTLINE_PIXELS // max(rows, columns))
    lesion = scan.lesion.repeat(finer, axis=1).repeat(finer, axis=2)
    edge = outline(lesion)
    if finer > 1:
        edge |= outline(lesion & ~edge)
    drawn = edge.reshape(slices * rows * finer, columns * finer)
    colours = np.zeros((*drawn.shape, 4), np.uint8)
    colours[drawn] = (*_OUTLINE, 255)
    Image.fromarray(colours).quantize(2).save(outlines, optimize=True)


def write_sheet(file: Path, phases: Sequence[str], cases: Sequence[SheetCase], title: str) -> None:
    """Write a page of the contact sheet: a row a patient, a column a phase, the slice with the most lesion."""
    shapes = [scan.pictures.shape[1:] for case in cases for scan in case.scans if scan is not None]
    tallest = max((rows / columns for rows, columns in shapes), default=1.0)
    cell = _CELL_INCHES * min(max(tallest, 0.3), 1.3) + _WORDS_INCHES
    figure = Figure(figsize=(_CELL_INCHES * len(phases) + 0.4, cell * len(cases) + 0.5), dpi=_DPI)
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=9, parse_math=False)
    axes = figure.subplots(len(cases), len(phases), squeeze=False)
    for row, case in zip(axes, cases, strict=True):
        for at, (place, scan, words) in enumerate(zip(row, case.scans, case.words, strict=True)):
            place.set_axis_off()
            heading = f"{case.title}  {phases[at]}" if at == 0 else phases[at]
            # Words of others: no formula is made of a dollar sign. Without y, hidden axes are laid out only to find
            # that the title stays where it is.
            place.set_title(heading, fontsize=8, loc="left", y=1.0, parse_math=False)
            place.text(0, -0.02, words, fontsize=7, va="top", transform=place.transAxes, parse_math=False)
            if scan is not None:
                _draw(place, scan)
    figure.tight_layout(rect=(0, 0, 1, 0.98))
    content = BytesIO()
    figure.savefig(content, format="png", metadata={"Software": None})
    file.write_bytes(content.getvalue())


def bar_mm(width_mm: float) -> float:
    """Return how long a picture's scale bar is: at most 40 % of its width."""
    return next((length for length in _BARS_MM if length <= 0.4 * width_mm), _BARS_MM[-1])


def _draw(place: Axes, scan: ShownScan) -> None:
    grey, lesion = scan.pictures[scan.largest], scan.lesion[scan.largest]
    place.imshow(grey, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    if min(grey.shape) > 1:
        place.contour(lesion, levels=[0.5], colors=[_OUTLINE_HEX], linewidths=0.8)
    length_mm = bar_mm(scan.pixel_mm * grey.shape[1])
    low, left = grey.shape[0] * 0.95, grey.shape[1] * 0.05
    end = left + length_mm / scan.pixel_mm
    place.plot([left, end], [low, low], color="white", linewidth=2, solid_capstyle="butt")
    place.text(left, low - 0.02 * grey.shape[0], f"{length_mm:g} mm", color="white", fontsize=6, va="bottom")
