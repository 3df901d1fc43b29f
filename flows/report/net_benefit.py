"""Net benefit of a suite's models: panels over a range of thresholds, and a table of some of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flows.pages.words import readable_name
from zoo.evaluation.decision_curve import DecisionCurve, decision_curve
from zoo.figures.panels import BenefitOf, net_benefit_panels

__all__ = ["NetBenefit", "net_benefits"]

Row = dict[str, Any]
Range = tuple[float, float]

_WHOLE: Range = (0.01, 0.99)
_STEPS = 99
_MOST_COLUMNS = 10


@dataclass(frozen=True)
class NetBenefit:
    """The net benefit of a suite's models on one cohort."""

    figure: str
    thresholds: list[float]
    """Those of the table."""
    lines: list[tuple[str, list[tuple[float, float, float]]]]
    """By model: net benefit with its bounds at each of them."""
    treat_all: list[tuple[int, int, list[float]]]
    """By patients and events, where models could judge others: the net benefit of treating everyone."""


def net_benefits(
    predictions: Mapping[str, Mapping[str, Sequence[Row]]], suite: str, within: Range | None
) -> dict[str, NetBenefit]:
    """Return the net benefit by cohort.

    Parameters
    ----------
    predictions : mapping
        Of each cohort and model: ``label``, ``probability`` and ``patient``.
    suite : str
        How the models were judged; names the figures.
    within : tuple of float or None
        The lowest and highest threshold probability that counts; 1 to 99 % where None.
    """
    shown = _shown(within or _WHOLE)
    return {
        cohort: _of_cohort(cohort, models, suite, within or _WHOLE, shown) for cohort, models in predictions.items()
    }


def _of_cohort(
    cohort: str, models: Mapping[str, Sequence[Row]], suite: str, within: Range, shown: NDArray[np.float64]
) -> NetBenefit:
    cuts = np.unique(np.concatenate([np.linspace(*within, _STEPS).round(6), shown]))
    columns = np.searchsorted(cuts, shown)
    curves = {model: _curve(rows, cuts) for model, rows in models.items()}
    sizes = {model: _size(rows) for model, rows in models.items()}
    everyone = {sizes[model]: curve.treat_all[columns].tolist() for model, curve in curves.items()}
    name = readable_name(cohort)
    return NetBenefit(
        figure=net_benefit_panels(
            [BenefitOf(model, curve) for model, curve in curves.items()],
            key=f"{suite}-{cohort}-benefit",
            title=name.capitalize(),
            label=f"Net benefit in the {name} cohort at thresholds of {within[0]:.3g} to {within[1]:.3g}: "
            + ", ".join(curves),
        ),
        thresholds=shown.tolist(),
        lines=[
            (model, list(zip(*(each[columns].tolist() for each in _bounded(curve)), strict=True)))
            for model, curve in curves.items()
        ],
        treat_all=[(*size, values) for size, values in sorted(everyone.items(), reverse=True)],
    )


def _bounded(curve: DecisionCurve) -> tuple[NDArray[np.float64], ...]:
    return curve.net_benefit, curve.lower, curve.upper


def _curve(rows: Sequence[Row], cuts: NDArray[np.float64]) -> DecisionCurve:
    labels, probabilities, patients = ([row[name] for row in rows] for name in ("label", "probability", "patient"))
    return decision_curve(labels, probabilities, cuts, patients=patients)


def _size(rows: Sequence[Row]) -> tuple[int, int]:
    labels = {row["patient"]: row["label"] for row in rows}
    return len(labels), sum(labels.values())


def _shown(within: Range) -> NDArray[np.float64]:
    """Return a few round thresholds of a range, its ends among them where it was chosen."""
    low, high = within
    step = next((each for each in (0.01, 0.02, 0.05, 0.1) if (high - low) / each < _MOST_COLUMNS - 1), 0.1)
    steps = np.arange(np.ceil(low / step - 1e-9), np.floor(high / step + 1e-9) + 1) * step
    ends = () if within == _WHOLE else within
    return np.unique(np.round([*steps, *ends], 6))
