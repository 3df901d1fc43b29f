"""A study's first table: every clinical variable of each cohort of a split, patients with the outcome and without."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from schemas.clinical import ClinicalVariable
from schemas.study.file import Study
from store.history.snapshot import Snapshot
from zoo.evaluation.group_tests import GroupTest, counts_test, values_test
from zoo.tables.clinical_values import clinical_values

__all__ = ["BETWEEN", "characteristic_rows"]

BETWEEN = "training-validation"
"""What stands for the cohort where the two cohorts are compared."""

MOST_COUNTED = 4
"""A number with at most so many different values is counted like a category."""

Row = dict[str, Any]


@dataclass(frozen=True)
class _Part:
    """One variable in one form: the number itself, its side of a cut point, or its category."""

    variable: str
    unit: str | None
    kind: str
    """number, cut_point or category."""
    levels: tuple[str, ...]
    """The levels that get a row; the number itself has the one that is empty."""
    values: Mapping[str, float | str]
    """By patient, those with a value; for cut points and categories one of the levels, or '' for the far side."""


def characteristic_rows(snapshot: Snapshot, study: Study) -> list[Row]:
    """Return the rows of a study's first table, for every split.

    A number gets mean, standard deviation, median and quartiles; a category, and a number with at most four
    different values, the patients of each level; and each cut point of a model's factors (``above``) the patients
    above it. Patients without a label are in no cohort; a missing value is counted and enters no test.

    Parameters
    ----------
    snapshot : Snapshot
        The store.
    study : Study
        The study.

    Returns
    -------
    list of dict
        Rows of the table ``characteristics``. The test compares patients with label 1 (``_events``) and label 0
        (``_others``) of one cohort; every level of a category carries the one test of the whole category. Rows of the
        cohort ``training-validation`` compare all patients of training (``_events``) and of validation (``_others``).

    See Also
    --------
    zoo.evaluation.group_tests : Which test is chosen.
    """
    labels = {row["patient"]: row["label"] for row in snapshot.rows("labels", study=study.id)}
    last = clinical_values(snapshot, study.id)
    # A study that comes back from the catalogue has lost the order of its file; the table of variables has it.
    written = [row["variable"] for row in snapshot.rows("variables", study=study.id)]
    order = [name for name in dict.fromkeys([*written, *study.clinical.variables]) if name in study.clinical.variables]
    rows: list[Row] = []
    for split in study.splits:
        members = snapshot.rows("split_members", study=study.id, split=split)
        cohorts: dict[str, dict[str, int]] = {}
        for row in members:
            if labels.get(row["patient"]) is not None:
                cohorts.setdefault(row["cohort"], {})[row["patient"]] = labels[row["patient"]]
        patients = [row["patient"] for row in members]
        parts = list(_parts(study, order, {patient: last.get(patient, {}) for patient in patients}))
        if sides := _side(cohorts):
            cohorts[BETWEEN] = sides
        for cohort, labelled in cohorts.items():
            own = {"study": study.id, "split": split, "cohort": cohort}
            described = [own | row for part in parts for row in _described(part, labelled)]
            rows += [row | {"position": position} for position, row in enumerate(described)]
    return rows


def _side(cohorts: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    """Return 1 for each training patient and 0 for each of the validation cohort; nothing where one is not there."""
    sides = [dict.fromkeys(cohorts.get(cohort, ()), side) for cohort, side in (("training", 1), ("validation", 0))]
    return sides[0] | sides[1] if all(sides) else {}


def _parts(study: Study, order: Sequence[str], last: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Iterator[_Part]:
    """Yield the parts of every variable in the order given, each followed by its cut points."""
    for name in order:
        variable = study.clinical.variables[name]
        rows = {patient: row[name] for patient, row in last.items() if name in row}
        if variable.unit is None:
            known = {patient: row["level"] for patient, row in rows.items() if row["level"] is not None}
            yield _Part(name, None, "category", tuple(variable.levels or ()), known)
        else:
            yield from _parts_of_number(study, name, variable, rows)


def _parts_of_number(
    study: Study, name: str, variable: ClinicalVariable, rows: Mapping[str, Mapping[str, Any]]
) -> Iterator[_Part]:
    values = {patient: float(row["value"]) for patient, row in rows.items() if row["value"] is not None}
    different = sorted(set(values.values()))
    if 0 < len(different) <= MOST_COUNTED:
        counted: dict[str, float | str] = {patient: f"{value:g}" for patient, value in values.items()}
        yield _Part(name, variable.unit, "category", tuple(f"{value:g}" for value in different), counted)
    else:
        yield _Part(name, variable.unit, "number", ("",), values)
    rules = [rule for model in study.models.values() for rule in model.factors if rule.variable == name]
    for cut in dict.fromkeys(rule.above for rule in rules if rule.above is not None):
        level = f">{cut:g}"
        sides: dict[str, float | str] = {patient: level if value > cut else "" for patient, value in values.items()}
        yield _Part(name, variable.unit, "cut_point", (level,), sides)


def _described(part: _Part, labelled: Mapping[str, int]) -> Iterator[Row]:
    """Yield the rows of a part for one cohort, given the label of each of its patients."""
    groups = {
        "events": [
            part.values[patient] for patient, label in labelled.items() if label == 1 and patient in part.values
        ],
        "others": [
            part.values[patient] for patient, label in labelled.items() if label == 0 and patient in part.values
        ],
    }
    sizes = {"events": sum(labelled.values()), "others": len(labelled) - sum(labelled.values())}
    common: Row = {"variable": part.variable, "kind": part.kind, "unit": part.unit}
    for group, known in groups.items():
        common |= {f"known_{group}": len(known), f"missing_{group}": sizes[group] - len(known)}
    test = _test(part, groups["events"], groups["others"])
    common |= test._asdict() if test else {}
    for level in part.levels:
        row: Row = {"level": level}
        for group, known in groups.items():
            if part.kind == "number":
                row |= {f"{name}_{group}": value for name, value in _spread(known).items()}
            else:
                row[f"count_{group}"] = known.count(level)
        yield common | row


def _test(part: _Part, events: Sequence[Any], others: Sequence[Any]) -> GroupTest | None:
    if part.kind == "number":
        return values_test(np.array(events, dtype=np.float64), np.array(others, dtype=np.float64))
    levels = part.levels if part.kind == "category" else (*part.levels, "")
    return counts_test(np.array([[events.count(level), others.count(level)] for level in levels], dtype=np.int64))


def _spread(known: Sequence[Any]) -> dict[str, float | None]:
    """Return mean, sample standard deviation, median and quartiles; None where there are too few values."""
    if not known:
        return dict.fromkeys(("mean", "sd", "median", "q1", "q3"))
    values = np.array(known, dtype=np.float64)
    q1, median, q3 = (float(each) for each in np.quantile(values, (0.25, 0.5, 0.75)))
    sd = float(values.std(ddof=1)) if len(values) > 1 else None
    return {"mean": float(values.mean()), "sd": sd, "median": median, "q1": q1, "q3": q3}
