"""Columns of a model's table that come from clinical values: factors, the batch of ComBat, who has none and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import polars as pl

from schemas.study.file import Study
from schemas.study.models import FactorRule, Missing
from store.rows.point_in_time import ClinicalAtReference
from zoo.logistic.imputation import INDICATOR
from zoo.radiomics.combat import batch_column

__all__ = ["batch_block", "factor_block", "factor_value", "outside_windows"]


def outside_windows(known: ClinicalAtReference, patients: Iterable[str], variables: Iterable[str]) -> dict[str, str]:
    """Return the patients who have a variable's values only outside its window, and what is said of them."""
    read = sorted(set(variables))
    said = {patient: [known.reasons.get(patient, {}).get(name) for name in read] for patient in patients}
    return {patient: "; ".join(filter(None, reasons)) for patient, reasons in said.items() if any(reasons)}


def factor_block(
    last: Mapping[str, Mapping[str, Mapping[str, Any]]], factors: Sequence[FactorRule], missing: Missing
) -> pl.DataFrame:
    """Return one row per patient with a value of every factor, or of one at least where missing ones are imputed.

    With ``indicate``, columns follow that are 1 for patients who lack a variable, one per variable that any lacks.
    """
    wanted = {rule.variable for rule in factors}
    is_read = wanted.issubset if missing == "exclude" else lambda known: bool(wanted & set(known))
    read = {patient: values for patient, values in sorted(last.items()) if is_read(values)}
    columns: dict[str, Any] = {"patient": list(read)}
    for rule in factors:
        of_patient = [values.get(rule.variable) for values in read.values()]
        columns[rule.label] = [None if row is None else factor_value(rule, row) for row in of_patient]
    if missing == "indicate":
        for variable in dict.fromkeys(rule.variable for rule in factors):
            lacks = [float(variable not in values) for values in read.values()]
            columns |= {variable + INDICATOR: lacks} if any(lacks) else {}
    return pl.DataFrame(columns, schema_overrides={"patient": pl.String} | dict.fromkeys(list(columns)[1:], pl.Float64))


def batch_block(last: Mapping[str, Mapping[str, Mapping[str, Any]]], study: Study, variable: str) -> pl.DataFrame:
    """Return one row per patient with a value of the batch variable; a level is its number in the study file."""
    levels = study.clinical.variables[variable].levels or ()
    rows = {patient: values[variable] for patient, values in sorted(last.items()) if variable in values}
    codes = [float(row["value"] if row["level"] is None else levels.index(row["level"])) for row in rows.values()]
    return pl.DataFrame(
        {"patient": list(rows), batch_column(variable): codes},
        schema={"patient": pl.String, batch_column(variable): pl.Float64},
    )


def factor_value(rule: FactorRule, row: Mapping[str, Any]) -> float:
    """Return one patient's value of a factor, given the clinical row of its variable."""
    if rule.above is not None:
        return float(row["value"] > rule.above)
    if rule.equals is not None:
        return float(row["level"] == rule.equals)
    return float(row["value"])
