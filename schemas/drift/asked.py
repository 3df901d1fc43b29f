"""The study file's table ``[monitor]``: which groups of patients are compared for drift, and what is called drift."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, NamedTuple

from pydantic import Field, StringConstraints

from schemas.clinical import ClinicalVariable
from schemas.keys import FeatureSetReference, Name
from schemas.written.values import Written

__all__ = ["ALPHA", "GROUPINGS", "LEAST_PSI", "Monitor", "MonitorFault", "monitor_faults"]

GROUPINGS = ("cohort", "study", "scanner", "month", "commit")
"""By what patients of any study can be compared, besides its clinical variables with levels."""

ALPHA = 0.01
LEAST_PSI = 0.2

_Group = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class Monitor(Written):
    """What is asked about drift wherever nobody asks otherwise: in the report, and by a schedule."""

    by: Annotated[tuple[str, ...], Field(min_length=1, max_length=10)] = ("cohort",)
    """Each is a question of its own: cohort, study, scanner, month, commit, or a clinical variable with levels."""
    reference: dict[str, _Group] = Field(default_factory=dict)
    """By question, the group that the others are compared with."""
    feature_set: FeatureSetReference | None = None
    """``name`` or ``name@N``; the study's first where absent."""
    model: Name | None = None
    """Whose predictions and calibration are compared as well."""
    alpha: Annotated[float, Field(ge=0.0001, lt=1)] = ALPHA
    """The chance of any finding of a question where nothing drifts."""
    least_psi: Annotated[float, Field(ge=0)] = LEAST_PSI
    """A feature drifts from this population stability index on, and where its p value is at most alpha."""


class MonitorFault(NamedTuple):
    """What of the table cannot be, and where it stands."""

    message: str
    path: tuple[str | int, ...]


def monitor_faults(
    asked: Monitor, variables: Mapping[Name, ClinicalVariable], models: Collection[Name], *, has_shifted_dates: bool
) -> Iterator[MonitorFault]:
    """Yield what of a table does not fit its study.

    Parameters
    ----------
    asked : Monitor
        The table.
    variables : mapping of str to ClinicalVariable
        The study's.
    models : collection of str
        Names of the study's models.
    has_shifted_dates : bool
        Each patient's dates are moved, so that no month is the true one.
    """
    for position, name in enumerate(asked.by):
        at = ("monitor", "by", position)
        if name in asked.by[:position]:
            yield MonitorFault(f"by names '{name}' twice", at)
        elif name in GROUPINGS:
            if name == "month" and has_shifted_dates:
                yield MonitorFault("[privacy] moves each patient's dates: no month is the true one", at)
        elif name not in variables:
            yield MonitorFault(f"by names '{name}', none of {', '.join(GROUPINGS)} and no variable of [clinical]", at)
        elif not variables[name].levels:
            yield MonitorFault(f"'{name}' is a number: its values make no groups", at)
    for name in asked.reference:
        if name not in asked.by:
            yield MonitorFault(f"reference names '{name}', which by lacks", ("monitor", "reference", name))
    if asked.model is not None and asked.model not in models:
        yield MonitorFault(f"model names '{asked.model}', no model of [models]", ("monitor", "model"))
