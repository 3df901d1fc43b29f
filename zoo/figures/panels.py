"""Calibration and net benefit with their bands, a small panel for each model: in one panel bands hide one another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from zoo.evaluation.decision_curve import DecisionCurve
from zoo.evaluation.recalibration import RecalibrationCurve
from zoo.figures.parts import COLOURS, INK, MUTED, RULE, SERIES, placed_axes, sized_figure
from zoo.figures.svg import drawing_settings, inline_svg

__all__ = ["BenefitOf", "CalibrationOf", "calibration_panels", "net_benefit_panels"]

_COLUMNS = 4
_SIDE = 200  # of a panel's axes
_LEFT, _TOP, _GAP = 56, 34, 44
_STRIP = 46  # below a calibration panel, for the spikes
_TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)
_LABELS = ("0", "", "0.5", "", "1")
_NARROWEST = 0.1  # predictions that span less say the same of everyone: a curve over them is a vertical stroke
_NEXT_TO_ALL = 0.01  # of the ends of the axis: curves that come so near are drawn over all of it
_LEAST_BENEFIT = -0.1  # below this a net benefit says only: do not


@dataclass(frozen=True)
class CalibrationOf:
    """One model's predictions on one cohort, and its recalibration curve where there is one.

    Patients whom repeated cross-validation predicted several times have several.
    """

    model: str
    labels: ArrayLike
    probabilities: ArrayLike
    curve: RecalibrationCurve | None


@dataclass(frozen=True)
class BenefitOf:
    """One model's net benefit on one cohort."""

    model: str
    curve: DecisionCurve


def calibration_panels(models: Sequence[CalibrationOf], *, key: str, title: str, label: str) -> str:
    """Return each model's recalibration curve with its band, above the predictions it comes from.

    Below the axes stands a strip of spikes: patients by predicted probability in 50 steps, those with label 1
    upward, those with label 0 downward.

    Parameters
    ----------
    models : sequence of CalibrationOf
        The models, in the order of the panels.
    key, title, label : str
        Unique name on the page; heading; text for a screen reader.
    """
    with drawing_settings(key):
        figure, panels = _panelled(len(models), title, below=_STRIP)
        for each, (axes, left, top) in zip(models, panels, strict=True):
            axes.set(xlim=(0, 1), ylim=(0, 1), yticks=_TICKS, yticklabels=_LABELS)
            axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (3, 2)), zorder=2)
            axes.set_title(each.model, fontsize=12, color=INK, loc="left", pad=5)
            curve = each.curve
            if curve is None:
                _said(axes, "no curve")
            elif np.ptp(curve.predicted) < _NARROWEST:
                _said(axes, f"all predictions {curve.predicted[0]:.2f} to {curve.predicted[-1]:.2f}")
            else:
                _band(axes, curve.predicted, curve.lower, curve.upper)
                axes.plot(curve.predicted, curve.observed, color=SERIES[0], linewidth=2, zorder=3)
            strip = placed_axes(figure, left=left, top=top + _SIDE + 22, width=_SIDE, height=_STRIP - 22)
            _spikes(strip, each)
        _axis_names(
            figure, "Observed proportion", "Predicted probability; below: patients with label 1 up, label 0 down"
        )
        return inline_svg(figure, key, label, COLOURS)


def net_benefit_panels(models: Sequence[BenefitOf], *, key: str, title: str, label: str) -> str:
    """Return each model's net benefit with its band, beside those of treating everyone and no one.

    Parameters
    ----------
    models : sequence of BenefitOf
        The models, in the order of the panels.
    key, title, label : str
        Unique name on the page; heading; text for a screen reader.
    """
    with drawing_settings(key):
        figure, panels = _panelled(len(models), title, below=0)
        highest = max((float(each.curve.upper.max()) for each in models), default=1.0)
        for each, (axes, _, _) in zip(models, panels, strict=True):
            curve = each.curve
            first, last = (float(each) for each in curve.thresholds[[0, -1]])
            axes.set(xlim=(0, 1), ylim=(_LEAST_BENEFIT, 1.05 * highest))
            if first > _NEXT_TO_ALL or last < 1 - _NEXT_TO_ALL:
                ticks = np.linspace(first, last, 3)
                axes.set(xlim=(first, last), xticks=ticks, xticklabels=[f"{tick:.3g}" for tick in ticks])
            axes.axhline(0, color=MUTED, linewidth=1, zorder=2)
            axes.plot(curve.thresholds, curve.treat_all, color=MUTED, linewidth=1.4, linestyle=(0, (3, 2)), zorder=2)
            _band(axes, curve.thresholds, curve.lower, curve.upper)
            axes.plot(curve.thresholds, curve.net_benefit, color=SERIES[0], linewidth=2, zorder=3)
            axes.set_title(each.model, fontsize=12, color=INK, loc="left", pad=5)
        _axis_names(figure, "Net benefit", "Threshold probability; dashed: treat all, level line: treat none")
        return inline_svg(figure, key, label, COLOURS)


def _panelled(count: int, title: str, *, below: float) -> tuple[Figure, Iterator[tuple[Axes, float, float]]]:
    """Return a figure with room for so many panels, and its axes one by one with their left and upper edge."""
    rows = max(1, -(-count // _COLUMNS))
    pitch = _SIDE + below + _GAP
    width = _LEFT + _COLUMNS * (_SIDE + _GAP) - _GAP + 12
    figure = sized_figure(width, _TOP + rows * pitch + 20)
    figure.text(0, 1 - 14 / (_TOP + rows * pitch + 20), title, fontsize=13, color=INK, fontweight="bold")

    def panels() -> Iterator[tuple[Axes, float, float]]:
        for number in range(count):
            left = _LEFT + (number % _COLUMNS) * (_SIDE + _GAP)
            top = _TOP + 14 + (number // _COLUMNS) * pitch
            axes = placed_axes(figure, left=left, top=top, width=_SIDE, height=_SIDE)
            axes.set(xticks=_TICKS, xticklabels=_LABELS)
            axes.grid(color=RULE, linewidth=0.6)
            axes.set_axisbelow(True)
            yield axes, left, top

    return figure, panels()


def _axis_names(figure: Figure, y_name: str, x_name: str) -> None:
    height = float(figure.get_figheight()) * 72
    first = 1 - (_TOP + 14 + _SIDE / 2) / height
    across = float(figure.get_figwidth()) * 72
    figure.text(10 / across, first, y_name, fontsize=12, color=INK, rotation=90, ha="center", va="center")
    figure.text(_LEFT / across, 6 / height, x_name, fontsize=12, color=INK)


def _said(axes: Axes, text: str) -> None:
    axes.text(0.04, 0.93, text, fontsize=11, color=MUTED, va="top")


def _band(axes: Axes, x: ArrayLike, lower: ArrayLike, upper: ArrayLike) -> None:
    axes.fill_between(x, lower, upper, facecolor=SERIES[0], alpha=0.18, linewidth=0)


def _spikes(axes: Axes, each: CalibrationOf) -> None:
    edges = np.linspace(0, 1, 51)
    centres = (edges[:-1] + edges[1:]) / 2
    labels, probabilities = np.asarray(each.labels), np.asarray(each.probabilities)
    counts = [np.histogram(probabilities[labels == value], bins=edges)[0] for value in (1, 0)]
    tallest = max(1, *(int(count.max(initial=0)) for count in counts))
    for count, direction in zip(counts, (1, -1), strict=True):
        there = count > 0
        axes.vlines(centres[there], 0, direction * count[there] / tallest, color=SERIES[0], linewidth=2.4)
    axes.axhline(0, color=RULE, linewidth=1)
    axes.set(xlim=(0, 1), ylim=(-1.05, 1.05), xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set_visible(False)
