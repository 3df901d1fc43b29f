"""What radiomics and networks add to clinical factors, on the held-out cohort."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from zoo.evaluation.added_value import LikelihoodRatio, Reclassified, added_likelihood, reclassified
from zoo.registry import REGISTRY

__all__ = ["AddedValue", "added_values"]

Row = dict[str, Any]


@dataclass(frozen=True)
class AddedValue:
    """A model against one that reads a part of its inputs, clinical factors among them."""

    first: str
    second: str
    test: LikelihoodRatio
    events: Reclassified | None
    """Patients with label 1 who are called otherwise; None where a prediction has no threshold."""
    others: Reclassified | None


def added_values(predictions: Mapping[str, Sequence[Row]], bases: Mapping[str, str]) -> list[AddedValue]:
    """Return what each model adds to those that read fewer inputs, on the patients that both judged.

    Parameters
    ----------
    predictions : mapping of str to sequence of dict
        By model: ``patient``, ``probability``, ``threshold`` and ``label`` of patients that none was fitted to.
    bases : mapping of str to str
        The member of the zoo that each model is, or is a variant of.
    """
    inputs = {model: frozenset(REGISTRY[bases[model]].inputs) for model in predictions if bases.get(model) in REGISTRY}
    pairs = [
        (first, second)
        for first, fewer in inputs.items()
        for second, more in inputs.items()
        if "clinical" in fewer and fewer < more
    ]
    found = (_added(first, second, predictions) for first, second in sorted(pairs))
    return [each for each in found if each is not None]


def _added(first: str, second: str, predictions: Mapping[str, Sequence[Row]]) -> AddedValue | None:
    by_first, by_second = ({row["patient"]: row for row in predictions[model]} for model in (first, second))
    both = [(by_first[patient], by_second[patient]) for patient in sorted(by_first.keys() & by_second.keys())]
    labels = [row["label"] for row, _ in both]
    if len(set(labels)) < 2:
        return None
    probabilities = [[row["probability"] for row in rows] for rows in zip(*both, strict=True)]
    test = added_likelihood(labels, probabilities[0], probabilities[1])
    # Rows of the first format have no threshold.
    if any(row["threshold"] is None for pair in both for row in pair):
        return AddedValue(first, second, test, None, None)
    calls = [[row["probability"] >= row["threshold"] for row in rows] for rows in zip(*both, strict=True)]
    return AddedValue(
        first,
        second,
        test,
        reclassified(labels, calls[0], calls[1], 1),
        reclassified(labels, calls[0], calls[1], 0),
    )
