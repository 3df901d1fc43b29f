"""What the catalogue says of models and cohorts, computed again from what lies beneath: to check or to repair it."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection, select

from schemas.errors import RadzooError
from schemas.keys import sha256_of_json
from schemas.results import LeaderboardRow, PredictionRow
from schemas.splits import split_sha256
from schemas.study.file import Study
from schemas.study.outcomes import EventOutcome
from store.catalogue.connection import read_transaction
from store.catalogue.tables import erasures, versioned_table
from store.history.snapshot import Snapshot
from store.home import Store
from store.verification.findings import REPAIR, Check, Finding
from zoo.benchmark.holdout import judged_model
from zoo.benchmark.leaderboard import former_figures, leaderboard_row
from zoo.tables.fits import plain_numerics
from zoo.tables.pinned import known_dataset
from zoo.tables.rebuilt import rebuild_dataset

__all__ = ["recomputed_checks", "recomputed_rows", "remade_dataset"]

Row = dict[str, Any]
_FIGURES = [name for name in LeaderboardRow.model_fields if name not in ("study", "suite", "model", "cohort")]
_CLOSE = 1e-9
_GROUP = ("study", "suite", "model", "cohort")


def recomputed_checks(store: Store) -> list[Check]:
    """Return the checks that what was computed from rows of the catalogue follows from them still.

    Where a patient was erased, what was computed with that patient's rows cannot be computed again, and is passed by.
    """
    with read_transaction(store.engine) as connection:
        has_erasures = connection.execute(select(erasures.c.erasure_id).limit(1)).first() is not None
        checks = []
        for name, (table, promise) in _CHECKED.items():
            rows = {row["row_id"]: row for row in _live(connection, table)}
            nearest: dict[int, tuple[list[str], str]] = {}
            for row_id, columns, source in _of_table(store, connection, table):
                differing = [each for each in columns if not _same(rows[row_id][each], columns[each])]
                if row_id not in nearest or len(differing) < len(nearest[row_id][0]):
                    nearest[row_id] = differing, source
            findings = [
                Finding(f"{', '.join(differing)}: not what follows from {source}", _named(table, rows[row_id]), REPAIR)
                for row_id, (differing, source) in nearest.items()
                if differing
            ]
            is_passed_by = has_erasures and table in _BY_PATIENT
            checks.append(Check.of(name, promise, 0 if is_passed_by else len(rows), [] if is_passed_by else findings))
    return checks


def recomputed_rows(store: Store) -> Any:
    """Return the source of what rows may have been that `store.repair.rows` asks."""

    def source(connection: Connection, table: str) -> Iterator[tuple[int, Row, str]]:
        for row_id, columns, of in _of_table(store, connection, table):
            yield row_id, columns, f"computed again from {of}"
        if table == "predictions":
            yield from _predicted(store, connection)

    return source


def remade_dataset(store: Store) -> Any:
    """Return what makes the file of a dataset's row again, as `store.repair.files` asks for it."""
    return lambda row: rebuild_dataset(store, known_dataset(row)).file == "put back"


def _of_table(store: Store, connection: Connection, table: str) -> Iterator[tuple[int, Row, str]]:
    if table in _SOURCES:
        yield from _SOURCES[table](store, connection)


def _leaderboard(_store: Store, connection: Connection) -> Iterator[tuple[int, Row, str]]:
    predicted: defaultdict[tuple[Any, ...], list[PredictionRow]] = defaultdict(list)
    for row in _live(connection, "predictions"):
        # Rows of the first format had neither.
        if row["threshold"] is not None and row["repeat"] is not None:
            of_row = PredictionRow.model_validate({name: row[name] for name in PredictionRow.model_fields})
            predicted[tuple(row[name] for name in _GROUP)].append(of_row)
    for row in _live(connection, "leaderboard"):
        if rows := predicted.get(tuple(row[name] for name in _GROUP)):
            with plain_numerics():
                figures = leaderboard_row(rows).model_dump()
                former = former_figures(rows)
            # What a former release wrote stands until the next bench.
            for each in ({}, *former):
                known = figures | each
                yield row["row_id"], {name: known[name] for name in _FIGURES}, "the stored predictions"


def _models(store: Store, connection: Connection) -> Iterator[tuple[int, Row, str]]:
    for row in _live(connection, "models"):
        if not row["path"]:
            continue
        try:
            with store.files.below(row["path"]).opened("model.json") as stream:
                metadata = json.loads(bytes(stream.read()))["metadata"]
            known = {name: metadata[name] for name in ("threshold", "training_sha256") if name in metadata}
        except (OSError, ValueError, KeyError, TypeError):
            continue  # the check of models' folders says so
        yield row["row_id"], known, "the model's own folder"


def _splits(_store: Store, connection: Connection) -> Iterator[tuple[int, Row, str]]:
    members: defaultdict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for row in _live(connection, "split_members"):
        members[row["study"], row["split"]][row["patient"]] = row["cohort"]
    for row in _live(connection, "splits"):
        own = members[row["study"], row["split"]]
        yield row["row_id"], {"sha256": split_sha256(own), "patients": len(own)}, "the split's members"


def _studies(_store: Store, connection: Connection) -> Iterator[tuple[int, Row, str]]:
    for row in _live(connection, "studies"):
        try:
            document = json.loads(row["definition"])
            study = Study.model_validate(document)
        except (ValueError, TypeError, ValidationError):
            continue
        columns: Row = {"title": study.study.title, "question": study.study.question}
        columns |= {"definition_sha256": sha256_of_json(document)}
        columns |= {"outcome": study.outcome.name if study.outcome else None}
        yield row["row_id"], columns, "the study's document"


def _labels(_store: Store, connection: Connection) -> Iterator[tuple[int, Row, str]]:
    studies = {}
    for row in _live(connection, "studies"):
        try:
            studies[row["study"]] = Study.model_validate_json(row["definition"]).outcome
        except (ValueError, TypeError):
            continue
    observed = {(row["patient"], row["outcome"]): row for row in _live(connection, "outcomes")}
    left_out = {
        (row["study"], row["patient"])
        for row in _live(connection, "failures")
        if row["stage"] == "expectation" and not row["phase"]
    }
    for row in _live(connection, "labels"):
        if (row["study"], row["patient"]) in left_out:
            yield row["row_id"], {"label": None}, "the expectation that leaves the patient out"
            continue
        rule, found = studies.get(row["study"]), observed.get((row["patient"], row["outcome"]))
        if rule is None or found is None or found["event"] is None:
            continue
        if isinstance(rule, EventOutcome):
            if found["time"] is not None and found["time_unit"] == rule.unit:
                label, _ = rule.label(event=bool(found["event"]), time=found["time"])
                yield row["row_id"], {"label": label}, "the outcome"
        else:
            yield row["row_id"], {"label": found["event"]}, "the outcome"


def _feature_sets(_store: Store, connection: Connection) -> Iterator[tuple[int, Row, str]]:
    counts: defaultdict[str, int] = defaultdict(int)
    for row in _live(connection, "features"):
        counts[row["feature_set"]] += 1
    for row in _live(connection, "feature_sets"):
        if counts[row["feature_set"]]:
            yield row["row_id"], {"features": counts[row["feature_set"]]}, "the set's dictionary"


def _predicted(store: Store, connection: Connection) -> Iterator[tuple[int, Row, str]]:
    """Yield what the saved models predict from their pinned datasets."""
    stored = {tuple(r[n] for n in (*_GROUP, "patient", "fold")): r["row_id"] for r in _live(connection, "predictions")}
    for row in _live(connection, "models"):
        try:
            judged = judged_model(Snapshot(store), row)
        except RadzooError:
            continue
        for each in judged.predictions:
            row_id = stored.get((*(getattr(each, n) for n in _GROUP), each.patient, each.fold))
            if row_id is not None:
                columns = {name: getattr(each, name) for name in ("threshold", "probability", "label")}
                yield row_id, columns, "predicted again by the saved model"


_SOURCES = {
    "leaderboard": _leaderboard,
    "models": _models,
    "splits": _splits,
    "studies": _studies,
    "labels": _labels,
    "feature_sets": _feature_sets,
}
_CHECKED = {
    "leaderboard": ("leaderboard", "figures follow from the stored predictions"),
    "thresholds": ("models", "threshold and training_sha256 are those of the model's folder"),
    "splits": ("splits", "a split's hash and count are those of its members"),
    "studies": ("studies", "title, question, outcome and hash are those of the study's document"),
    "labels": ("labels", "labels follow from the outcomes, by the study's rule"),
    "dictionaries": ("feature_sets", "a set has as many features as its dictionary"),
}
_BY_PATIENT = frozenset(["leaderboard", "splits"])


def _live(connection: Connection, name: str) -> list[Row]:
    table = versioned_table(name)
    query = table.select().where(table.c.removed_commit.is_(None)).order_by(table.c.row_id)
    return [dict(row) for row in connection.execute(query).mappings()]


def _same(stored: Any, computed: Any) -> bool:
    if isinstance(stored, float) and isinstance(computed, (int, float)):
        return math.isclose(stored, computed, rel_tol=_CLOSE, abs_tol=_CLOSE)
    return bool(stored == computed)


def _named(table: str, row: Mapping[str, Any]) -> str:
    keys = ("study", "suite", "split", "model", "cohort", "version", "patient", "feature_set")
    return f"{table}: {', '.join(f'{key} {row[key]}' for key in keys if row.get(key) is not None)}"
