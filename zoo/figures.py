"""The figures of a benchmark, each returned as the text of one SVG element.

Arrays in, SVG out. Models keep colour and line style from figure to figure; both differ between models,
since a colour alone is lost in print and on some eyes. Colours are those of Okabe and Ito.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from zoo.evaluation.recalibration import RecalibrationCurve
from zoo.inline_svg import drawing_settings, inline_svg

__all__ = [
    "AucInterval",
    "CalibrationOf",
    "RocOf",
    "SeriesStyle",
    "auc_forest",
    "calibration_plot",
    "roc_plot",
    "series_styles",
]

INK, MUTED, RULE, PAPER = "#1d2733", "#5b6875", "#d3d9df", "#fdfdfe"
_SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f")
_DASHES: tuple[Any, ...] = ("-", (0, (5, 1.6)), (0, (1.2, 1.4)), (0, (6, 1.6, 1.2, 1.6)))
_MARKERS = ("o", "s", "D", "^", "v", "P", "X")
_COLOURS = {INK: "ink", MUTED: "muted", RULE: "rule", PAPER: "paper"} | {
    colour: f"series-{number}" for number, colour in enumerate(_SERIES, start=1)
}
_EN_DASH = "\u2013"
_MOST_INSIDE = 6  # more models than this and a legend inside the axes covers the curves
_MOST_BANDS = 3  # more bands than this hide one another


class SeriesStyle(NamedTuple):
    """How one model is drawn in every figure."""

    colour: str
    dashes: Any
    marker: str


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
    lower: float
    upper: float


@dataclass(frozen=True)
class CalibrationOf:
    """One model's predictions on one cohort, and its recalibration curve where there is one."""

    model: str
    labels: ArrayLike
    probabilities: ArrayLike
    curve: RecalibrationCurve | None


def series_styles(models: Sequence[str]) -> dict[str, SeriesStyle]:
    """Return one style for each model, in the order given; 28 are distinct."""
    return {
        model: SeriesStyle(
            _SERIES[number % len(_SERIES)], _DASHES[number % len(_DASHES)], _MARKERS[number % len(_MARKERS)]
        )
        for number, model in enumerate(models)
    }


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
        figure = _figure(400, 398 + below)
        axes = _axes(figure, left=48, top=34, width=340, height=320)
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
        return inline_svg(figure, key, label, _COLOURS)


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
        figure = _figure(460, 34 + height + 44)
        axes = _axes(figure, left=122, top=34, width=200, height=height)
        lowest = min([0.5, *(row.lower for row in rows)])
        axes.set(xlim=(np.floor(lowest * 10 - 0.01) / 10, 1.0), ylim=(max(1.0, at), 0), yticks=[])
        axes.set_xlabel("AUC, 95 % interval", fontsize=12, color=INK)
        axes.set_title(title, fontsize=13, color=INK, loc="left", x=-122 / 200, fontweight="bold", pad=10)
        axes.axvline(0.5, color=MUTED, linewidth=1, linestyle=(0, (3, 2)))
        side = axes.get_yaxis_transform()
        for y, model in headings:
            axes.text(-122 / 200, y, model, transform=side, fontsize=12, color=INK, va="center", fontweight="bold")
        for y, row in places:
            style = styles[row.model]
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
            text = f"{row.auc:.3f} ({row.lower:.3f}{_EN_DASH}{row.upper:.3f})"
            axes.text(1.06, y, text, transform=side, fontsize=11.5, color=INK, va="center")
        return inline_svg(figure, key, label, _COLOURS)


def calibration_plot(
    models: Sequence[CalibrationOf], styles: dict[str, SeriesStyle], *, key: str, title: str, label: str
) -> str:
    """Return the recalibration curves of one cohort above the predictions they come from.

    Below the axes each model has a strip of spikes: patients by predicted probability in 50 steps, those
    with label 1 upward, those with label 0 downward.

    Parameters
    ----------
    models : sequence of CalibrationOf
        The models, in the order of the legend.
    styles : dict of str to SeriesStyle
        From `series_styles`.
    key, title, label : str
        Unique name on the page; heading; text for a screen reader.
    """
    with drawing_settings(key):
        strip = 44 if len(models) <= _MOST_INSIDE else 32
        figure = _figure(400, 34 + 320 + strip * len(models) + 60)
        axes = _axes(figure, left=48, top=34, width=340, height=320)
        _square(axes, title, "", "Observed proportion")
        for each in models:
            style, curve = styles[each.model], each.curve
            # Drawn empty where there is no curve, so that the legend still names the model.
            axes.plot(
                curve.predicted if curve else [],
                curve.observed if curve else [],
                color=style.colour,
                linestyle=style.dashes,
                linewidth=2,
                label=each.model if curve else f"{each.model}: no curve",
                zorder=3,
            )
            if curve and len(models) <= _MOST_BANDS:
                axes.fill_between(
                    curve.predicted, curve.lower, curve.upper, facecolor=style.colour, alpha=0.16, linewidth=0
                )
        if models:
            axes.legend(frameon=False, fontsize=11.5, labelcolor=INK, loc="upper left", handlelength=2.6)
        for number, each in enumerate(models):
            row = _axes(figure, left=48, top=34 + 320 + 24 + strip * number, width=340, height=strip - 10)
            _spikes(row, each, styles[each.model].colour)
        figure.text(
            218 / 400, 12 / (figure.get_figheight() * 72), "Predicted probability",
            fontsize=12, color=INK, ha="center",
        )  # fmt: skip
        return inline_svg(figure, key, label, _COLOURS)


def _spikes(axes: Axes, each: CalibrationOf, colour: str) -> None:
    edges = np.linspace(0, 1, 51)
    centres = (edges[:-1] + edges[1:]) / 2
    labels, probabilities = np.asarray(each.labels), np.asarray(each.probabilities)
    counts = [np.histogram(probabilities[labels == value], bins=edges)[0] for value in (1, 0)]
    tallest = max(1, *(int(count.max(initial=0)) for count in counts))
    for count, direction in zip(counts, (1, -1), strict=True):
        there = count > 0
        axes.vlines(centres[there], 0, direction * count[there] / tallest, color=colour, linewidth=3)
    axes.axhline(0, color=RULE, linewidth=1)
    axes.set(xlim=(0, 1), ylim=(-1.05, 1.05), xticks=[], yticks=[])
    for y, name in ((0.55, "label 1"), (-0.55, "label 0")):
        axes.text(-0.02, y, name, fontsize=9.5, color=MUTED, ha="right", va="center")
    for spine in axes.spines.values():
        spine.set_visible(False)


def _figure(width: float, height: float) -> Figure:
    return Figure(figsize=(width / 72, height / 72))


def _axes(figure: Figure, *, left: float, top: float, width: float, height: float) -> Axes:
    """Return axes at a place given in the figure's units, 1/72 inch, from its upper left corner."""
    across, down = (float(inches) * 72 for inches in figure.get_size_inches())
    axes = figure.add_axes((left / across, 1 - (top + height) / down, width / across, height / down))
    axes.set_facecolor("none")
    axes.tick_params(colors=MUTED, labelsize=11, length=3, width=0.8)
    for name, spine in axes.spines.items():
        spine.set(visible=name in ("left", "bottom"), color=MUTED, linewidth=0.8)
    return axes


def _square(axes: Axes, title: str, x_label: str, y_label: str) -> None:
    ticks = np.linspace(0, 1, 6)
    axes.set(xlim=(0, 1), ylim=(0, 1), xticks=ticks, yticks=ticks)
    axes.grid(color=RULE, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (3, 2)), zorder=2)
    axes.set_xlabel(x_label, fontsize=12, color=INK)
    axes.set_ylabel(y_label, fontsize=12, color=INK)
    axes.set_title(title, fontsize=13, color=INK, loc="left", fontweight="bold", pad=13)
