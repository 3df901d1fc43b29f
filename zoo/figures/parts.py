"""What all figures share: colours, styles of the models, axes at a given place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

__all__ = [
    "COLOURS",
    "INK",
    "MUTED",
    "PAPER",
    "RULE",
    "SERIES",
    "SeriesStyle",
    "placed_axes",
    "series_styles",
    "sized_figure",
]

INK, MUTED, RULE, PAPER = "#1d2733", "#5b6875", "#d3d9df", "#fdfdfe"
SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f")
COLOURS = {INK: "ink", MUTED: "muted", RULE: "rule", PAPER: "paper"} | {
    colour: f"series-{number}" for number, colour in enumerate(SERIES, start=1)
}
"""Colour of a drawing to the name of its CSS variable."""

_DASHES: tuple[Any, ...] = ("-", (0, (5, 1.6)), (0, (1.2, 1.4)), (0, (6, 1.6, 1.2, 1.6)))
_MARKERS = ("o", "s", "D", "^", "v", "P", "X")


class SeriesStyle(NamedTuple):
    """How one model is drawn in every figure."""

    colour: str
    dashes: Any
    marker: str


def series_styles(models: Sequence[str]) -> dict[str, SeriesStyle]:
    """Return one style for each model, in the order given; 28 are distinct."""
    return {
        model: SeriesStyle(
            SERIES[number % len(SERIES)], _DASHES[number % len(_DASHES)], _MARKERS[number % len(_MARKERS)]
        )
        for number, model in enumerate(models)
    }


def sized_figure(width: float, height: float) -> Figure:
    """Return an empty figure of a size given in units of 1/72 inch."""
    return Figure(figsize=(width / 72, height / 72))


def placed_axes(figure: Figure, *, left: float, top: float, width: float, height: float) -> Axes:
    """Return axes at a place given in the figure's units, 1/72 inch, from its upper left corner."""
    across, down = (float(inches) * 72 for inches in figure.get_size_inches())
    axes = figure.add_axes((left / across, 1 - (top + height) / down, width / across, height / down))
    axes.set_facecolor("none")
    axes.tick_params(colors=MUTED, labelsize=11, length=3, width=0.8)
    for name, spine in axes.spines.items():
        spine.set(visible=name in ("left", "bottom"), color=MUTED, linewidth=0.8)
    return axes
