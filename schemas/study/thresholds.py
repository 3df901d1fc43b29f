"""How a study says where a model's threshold comes from."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError
from pydantic_core import PydanticCustomError

from schemas.written.values import Written

__all__ = ["CostThreshold", "SensitivityThreshold", "Threshold", "threshold_words"]


class SensitivityThreshold(Written):
    """The highest cut that finds at least a share of the patients with the outcome."""

    sensitivity: Annotated[float, Field(gt=0, le=1)]


class CostThreshold(Written):
    """The cut at which a missed patient and the false alarms that finding one costs weigh the same."""

    missed_cost: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    """What a missed patient costs, a false alarm costing 1."""


def _read(value: Any) -> Any:
    """Return a rule as it is written, or refuse it in one sentence."""
    if isinstance(value, SensitivityThreshold | CostThreshold) or value in ("youden", "youden-training"):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1:
        return float(value)
    if isinstance(value, dict) and len(value) == 1:
        for rule in (SensitivityThreshold, CostThreshold):
            with suppress(ValidationError):
                return rule.model_validate(value)
    raise PydanticCustomError("threshold", _WAYS)


_WAYS = (
    'a threshold is "youden", "youden-training", a number between 0 and 1, '
    "{ sensitivity = S } with S above 0 and at most 1, or { missed_cost = C } with C above 0"
)
Threshold = Annotated[
    Literal["youden", "youden-training"] | float | SensitivityThreshold | CostThreshold, BeforeValidator(_read)
]
"""``youden``: where Youden's index is largest on training patients whom the fit had not seen. ``youden-training``: on
the probabilities of all training patients from the model that was fitted to them, as papers do. Else a probability, a
sensitivity or a cost."""


def threshold_words(rule: Threshold) -> str:
    """Return the rule in words."""
    if isinstance(rule, float):
        return "fixed by the study file"
    if isinstance(rule, SensitivityThreshold):
        return f"the highest that finds {rule.sensitivity:g} of those with the outcome"
    if isinstance(rule, CostThreshold):
        return f"where a missed patient costs {rule.missed_cost:g} false alarms"
    return "where Youden's index is largest"
