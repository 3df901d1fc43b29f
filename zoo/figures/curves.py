"""ROC curves and the forest of AUCs, each returned as the text of one SVG element.

Arrays in, SVG out. Models keep colour and line style from figure to figure; both differ between models,
since a colour alone is lost in print and on some eyes. Colours are those of Okabe and Ito.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from zoo.figures.parts import COLOURS, INK, MUTED, PAPER, RULE, SeriesStyle, placed_axes, sized_figure
from zoo.figures.svg import drawing_settings, inline_svg

__all__ = [
    "AucInterval",
    "RocOf",
    "auc_forest",
    "roc_plot",
]

_EN_DASH = "\u2013"
_MOST_INSIDE = 6  # more models than this and a legend inside the axes covers the curves


@dataclass(frozen=True)
class RocOf:
    """One model's ROC curve on one cohort."""

    model: str
    false_positive_rate: ArrayLike
    """Rising, from 0 to 1."""
    sensitivity: ArrayLike
    legend: str
    """What stands behind the model's name in the legend, such as its AUC."""
    operating_point: tuple[float, float] | None = None
    """False positive rate and sensitivity at the frozen threshold."""


@dataclass(frozen=True)
class AucInterval:
    """One row of the forest plot."""

    model: str
    cohort: str
    n: int
    auc: float
    lower: float | None = None
    upper: float | None = None
    """None where a class has too few patients for an interval."""


def roc_plot(curves: Sequence[RocOf], styles: dict[str, SeriesStyle], *, key: str, title: str, label: str) -> str:
    """Return the ROC curves of one cohort: a line per model, the diagonal, a mark at each frozen threshold.

    Parameters
    ----------
    curves : sequence of RocOf
        The models, in the order of the legend.
    styles : dict of str to SeriesStyle
        From `series_styles`.
    key, title, label : str
        Unique name on the page; heading; text for a screen reader.
    """
    with drawing_settings(key):
        below = 0 if len(curves) <= _MOST_INSIDE else 18 * len(curves)
        figure = sized_figure(400, 398 + below)
        axes = placed_axes(figure, left=48, top=34, width=340, height=320)
        _square(axes, title, "1 - specificity", "Sensitivity")
        for each in curves:
            style = styles[each.model]
            axes.plot(
                each.false_positive_rate,
                each.sensitivity,
                color=style.colour,
                linestyle=style.dashes,
                linewidth=2,
                label=f"{each.model}  {each.legend}",
                clip_on=False,
                zorder=3,
            )
            if each.operating_point is not None:
                axes.plot(
                    *each.operating_point,
                    color=style.colour,
                    marker=style.marker,
                    markersize=7.5,
                    markerfacecolor=PAPER,
                    markeredgecolor=style.colour,
                    markeredgewidth=1.8,
                    clip_on=False,
                    zorder=4,
                )
        if curves:
            place = {"loc": "lower right"} if not below else {"loc": "upper left", "bbox_to_anchor": (0, -0.14)}
            axes.legend(frameon=False, fontsize=11.5, labelcolor=INK, handlelength=2.6, **place)
        return inline_svg(figure, key, label, COLOURS)


def auc_forest(rows: Sequence[AucInterval], styles: dict[str, SeriesStyle], *, key: str, title: str, label: str) -> str:
    """Return the AUCs with their intervals, models one under the other, a line for each cohort.

    Parameters
    ----------
    rows : sequence of AucInterval
        Rows of one model stand together.
    styles : dict of str to SeriesStyle
        From `series_styles`.
    key, title, label : str
        Unique name on the page; heading; text for a screen reader.
    """
    with drawing_settings(key):
        places: list[tuple[float, AucInterval]] = []
        headings: list[tuple[float, str]] = []
        at = 0.0
        for model, group in groupby(rows, key=lambda row: row.model):
            headings.append((at + 0.5, model))
            members = list(group)
            places += [(at + 1.4 + number, row) for number, row in enumerate(members)]
            at += len(members) + 1.3
        height = max(1.0, at) * 22
        figure = sized_figure(460, 34 + height + 44)
        axes = placed_axes(figure, left=122, top=34, width=200, height=height)
        lowest = min([0.5, *(row.auc if row.lower is None else row.lower for row in rows)])
        axes.set(xlim=(np.floor(lowest * 10 - 0.01) / 10, 1.0), ylim=(max(1.0, at), 0), yticks=[])
        axes.set_xlabel("AUC, 95 % interval", fontsize=12, color=INK)
        axes.set_title(title, fontsize=13, color=INK, loc="left", x=-122 / 200, fontweight="bold", pad=10)
        axes.axvline(0.5, color=MUTED, linewidth=1, linestyle=(0, (3, 2)))
        side = axes.get_yaxis_transform()
        for y, model in headings:
            axes.text(-122 / 200, y, model, transform=side, fontsize=12, color=INK, va="center", fontweight="bold")
        for y, row in places:
            style = styles[row.model]
            text = f"{row.auc:.3f}"
            if row.lower is not None and row.upper is not None:
                text = f"{row.auc:.3f} ({row.lower:.3f}{_EN_DASH}{row.upper:.3f})"
                axes.plot([row.lower, row.upper], [y, y], color=style.colour, linewidth=2.2, solid_capstyle="butt")
            is_fitted = row.cohort == "training"
            axes.plot(
                row.auc,
                y,
                color=style.colour,
                marker=style.marker,
                markersize=8,
                markerfacecolor=PAPER if is_fitted else style.colour,
                markeredgecolor=style.colour,
                markeredgewidth=1.8,
            )
            name = f"{row.cohort.replace('_', ' ')}, n = {row.n}"
            axes.text(-112 / 200, y, name, transform=side, fontsize=11.5, color=MUTED, va="center")
            axes.text(1.06, y, text, transform=side, fontsize=11.5, color=INK, va="center")
        return inline_svg(figure, key, label, COLOURS)


def _square(axes: Axes, title: str, x_label: str, y_label: str) -> None:
    ticks = np.linspace(0, 1, 6)
    axes.set(xlim=(0, 1), ylim=(0, 1), xticks=ticks, yticks=ticks)
    axes.grid(color=RULE, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (3, 2)), zorder=2)
    axes.set_xlabel(x_label, fontsize=12, color=INK)
    axes.set_ylabel(y_label, fontsize=12, color=INK)
    axes.set_title(title, fontsize=13, color=INK, loc="left", fontweight="bold", pad=13)
