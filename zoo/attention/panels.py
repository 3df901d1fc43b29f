"""Class activation maps over the images that they explain, one column a phase.

The colour map is jet, as in the papers that print such maps. It is not even: its yellow and cyan edges are of the
colours, not of the map. The numbers below each picture are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from zoo.attention.scores import AttentionScores
from zoo.figures.parts import COLOURS, INK, MUTED, placed_axes, sized_figure
from zoo.figures.svg import drawing_settings, inline_svg

__all__ = ["AttentionPanel", "attention_figure", "overlay", "write_attention"]

Floats = NDArray[np.float64]

_SIDE, _GAP, _TOP, _LINE = 200, 14, 44, 16
_OPACITY = 0.45
_GREY_RANGE = (1, 99)  # percentiles of the intensities that become black and white
_OUTLINE = "#ffffff"
_DPI = 144


@dataclass(frozen=True)
class AttentionPanel:
    """One phase of one patient.

    Attributes
    ----------
    phase : str
        Its name.
    image : ndarray of shape (height, width)
        The slice to show.
    mask : ndarray of bool of shape (height, width)
        The tumour in it.
    attention : ndarray of shape (height, width)
        The map, from 0 to 1.
    scores : AttentionScores
        Its numbers.
    """

    phase: str
    image: Floats
    mask: NDArray[np.bool_]
    attention: Floats
    scores: AttentionScores


def overlay(image: Floats, attention: Floats) -> NDArray[np.uint8]:
    """Return a grey image under its map in jet, as RGB of shape (height, width, 3).

    Parameters
    ----------
    image : ndarray of shape (height, width)
        Any unit; the 1st percentile becomes black, the 99th white.
    attention : ndarray of shape (height, width)
        From 0 to 1.
    """
    colours = mpl.colormaps["jet"](attention)[..., :3]
    return _bytes_of((1 - _OPACITY) * _grey(image) + _OPACITY * colours)


def attention_figure(panels: Sequence[AttentionPanel], *, key: str, title: str, label: str) -> str:
    """Return the phases of one patient as one SVG element: images above, maps below, numbers under them.

    Parameters
    ----------
    panels : sequence of AttentionPanel
        The phases, in their order.
    key, title, label : str
        Unique name on the page; heading; text for a screen reader.
    """
    with drawing_settings(key):
        return inline_svg(_drawn(panels, title), key, label, COLOURS)


def write_attention(panels: Sequence[AttentionPanel], file: Path, title: str) -> Path:
    """Write the phases of one patient as a picture, in the format that the file's name ends with, and return it.

    Equal panels give equal bytes.

    Parameters
    ----------
    panels : sequence of AttentionPanel
        The phases, in their order.
    file : Path
        A .png or .svg file.
    title : str
        The heading.
    """
    with drawing_settings("attention"):
        # Without a date and the library's version the same picture is the same file.
        metadata = {"Software": None} if file.suffix == ".png" else {"Date": None, "Creator": None}
        _drawn(panels, title).savefig(file, dpi=_DPI, metadata=metadata, facecolor="white")
    return file


def _drawn(panels: Sequence[AttentionPanel], title: str) -> Figure:
    width = len(panels) * (_SIDE + _GAP) - _GAP
    height = _TOP + 2 * _SIDE + _GAP + 4 * _LINE
    figure = sized_figure(width, height)
    figure.text(0, 1 - 14 / height, title, fontsize=13, color=INK, fontweight="bold")
    for number, panel in enumerate(panels):
        left = number * (_SIDE + _GAP)
        upper = placed_axes(figure, left=left, top=_TOP, width=_SIDE, height=_SIDE)
        upper.set_title(panel.phase, fontsize=12, color=INK, loc="left", pad=5)
        _picture(upper, _bytes_of(_grey(panel.image)), panel.mask)
        lower = placed_axes(figure, left=left, top=_TOP + _SIDE + _GAP, width=_SIDE, height=_SIDE)
        _picture(lower, overlay(panel.image, panel.attention), panel.mask)
        for line, text in enumerate(_numbers(panel.scores)):
            y = 1 - (_TOP + 2 * _SIDE + _GAP + (line + 1) * _LINE) / height
            figure.text(left / width, y, text, fontsize=11, color=MUTED)
    return figure


def _numbers(scores: AttentionScores) -> tuple[str, ...]:
    return (
        f"inside {_share(scores.energy_inside)} on {_share(scores.area_inside)} of the area",
        f"margin {_share(scores.energy_margin)} on {_share(scores.area_margin)} of the area",
        f"insertion {scores.insertion_auc:.3f}, deletion {scores.deletion_auc:.3f}",
    )


def _share(value: float) -> str:
    return "none" if np.isnan(value) else f"{100 * value:.0f} %"


def _picture(axes: Axes, colours: NDArray[np.uint8], mask: NDArray[np.bool_]) -> None:
    # Pixels go into the picture as they are, and whoever shows it scales them.
    axes.imshow(colours, interpolation="none", aspect="equal")
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set_visible(False)
    if mask.any() and not mask.all():
        axes.contour(mask.astype(float), levels=[0.5], colors=[_OUTLINE], linewidths=1.2)


def _grey(image: Floats) -> Floats:
    low, high = np.percentile(image, _GREY_RANGE)
    scaled = np.clip((image - low) / (high - low), 0, 1) if high > low else np.zeros(image.shape)
    return np.repeat(scaled[..., None], 3, axis=2)


def _bytes_of(colours: Floats) -> NDArray[np.uint8]:
    return np.round(255 * colours).astype(np.uint8)
