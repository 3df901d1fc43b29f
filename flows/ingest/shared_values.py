"""Values that two studies share: one patient, variable and date has one value, whichever study gives it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

from flows.study.patients import StudyTables
from schemas.errors import ContractError
from store.history.snapshot import Snapshot

__all__ = ["Conflict", "conflicts", "kept_outcomes", "refuse_conflicts", "superseding_message"]

Row = Mapping[str, Any]

_CONTENT = {"clinical": ("value", "level", "unit"), "outcomes": ("event", "time", "time_unit")}


class Conflict(NamedTuple):
    """A value of this study that contradicts the one another study gives."""

    patient: str
    name: str
    """The variable or the outcome, with the value's date where it has one."""
    ours: str
    theirs: str
    study: str
    """The other study."""


def conflicts(before: Snapshot, study: str, tables: StudyTables) -> list[Conflict]:
    """Return where a study's clinical values and outcomes contradict those of other studies.

    A live value counts as another study's where that study declares the variable and has the patient. What a
    study corrects in a variable of its own, for a patient of its own, is no conflict; neither are equal values.

    Parameters
    ----------
    before : Snapshot
        The store before this ingest.
    study : str
        The study that is ingested.
    tables : StudyTables
        What its tables say.
    """
    return [*_clinical_conflicts(before, study, tables), *_outcome_conflicts(before, study, tables)]


def refuse_conflicts(found: Collection[Conflict], where: str) -> None:
    """Refuse the study of the file ``where``, if it contradicts another one.

    Raises
    ------
    ContractError
        When there is a conflict; the first is named.
    """
    if not found:
        return
    first, *others = found
    more = f" ({len(others)} more)" if others else ""
    raise ContractError(
        f"patient '{first.patient}' has {first.name} {first.ours} here and {first.theirs} in study "
        f"'{first.study}'{more}",
        where=where,
        hint='if they are different people, set prefix = "..." under [cohort]; if this study has the correction, '
        "radzoo ingest --supersede accepts its values for both; nothing was written",
    )


def superseding_message(found: Collection[Conflict]) -> str:
    """Return what a commit's message says of the values it takes over from this study, empty where there are none."""
    if not found:
        return ""
    studies = ", ".join(sorted({each.study for each in found}))
    what = "1 value" if len(found) == 1 else f"{len(found)} values"
    return f", superseding {what} of {studies}"


def kept_outcomes(before: Snapshot, study: str, tables: StudyTables) -> list[dict[str, Any]]:
    """Return the study's outcomes that are to be written: one it does not know takes none from another study."""
    theirs = _others_outcomes(before, study)
    return [
        row for row in tables.outcomes if row["event"] is not None or (row["patient"], row["outcome"]) not in theirs
    ]


def _clinical_conflicts(before: Snapshot, study: str, tables: StudyTables) -> Iterator[Conflict]:
    patients: dict[str, list[str]] = {}
    for row in before.rows("study_patients"):
        if row["study"] != study:
            patients.setdefault(row["patient"], []).append(row["study"])
    declared = {(row["study"], row["variable"]) for row in before.rows("variables")}
    stored = {(r["patient"], r["variable"], r["observed_at"]): r for r in before.rows("clinical")}
    givers = _study_of_commits(before)
    for row in tables.clinical:
        known = stored.get((row["patient"], row["variable"], row["observed_at"]))
        if known is None or not _differ("clinical", known, row):
            continue
        others = [other for other in patients.get(row["patient"], ()) if (other, row["variable"]) in declared]
        if others:
            giver = givers.get(known["added_commit"])
            other = giver if giver in others else others[0]
            name = f"{row['variable']} of {row['observed_at']}" if row["observed_at"] else row["variable"]
            yield Conflict(row["patient"], name, _clinical_text(row), _clinical_text(known), other)


def _outcome_conflicts(before: Snapshot, study: str, tables: StudyTables) -> Iterator[Conflict]:
    theirs = _others_outcomes(before, study)
    for row in tables.outcomes:
        other, known = theirs.get((row["patient"], row["outcome"]), (None, row))
        if other is not None and row["event"] is not None and _differ("outcomes", known, row):
            yield Conflict(row["patient"], f"outcome {row['outcome']}", _outcome_text(row), _outcome_text(known), other)


def _study_of_commits(before: Snapshot) -> dict[int, str]:
    """Return whose run made each commit: of several studies that declare a value, the one that gave it."""
    studies = {row["run_id"]: row["study"] for row in before.arrow("runs").to_pylist()}
    commits = before.arrow("commits").to_pylist()
    return {row["commit_id"]: studies[row["run_id"]] for row in commits if row["run_id"] in studies}


def _others_outcomes(before: Snapshot, study: str) -> dict[tuple[str, str], tuple[str, Row]]:
    """Return the known outcomes that other studies' labels come from, each with one such study."""
    stored = {(row["patient"], row["outcome"]): row for row in before.rows("outcomes") if row["event"] is not None}
    return {
        key: (row["study"], stored[key])
        for row in before.rows("labels")
        if row["study"] != study and (key := (row["patient"], row["outcome"])) in stored
    }


def _differ(table: str, known: Row, row: Row) -> bool:
    return any(known[name] != row[name] for name in _CONTENT[table])


def _clinical_text(row: Row) -> str:
    return f"'{row['level']}'" if row["value"] is None else f"{row['value']:g} {row['unit']}"


def _outcome_text(row: Row) -> str:
    word = "event" if row["event"] else "no event"
    return word if row["time"] is None else f"{word} at {row['time']:g} {row['time_unit']}"
