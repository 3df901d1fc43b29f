"""The catalogue's part of an erasure: rows of all commits, texts that name the patient, marks on models."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Table, delete, select, tuple_, update

from schemas.documents.erasure_receipt import ChangedDataset
from schemas.keys import canonical_json, sha256_of_json
from store.catalogue.tables import VERSIONED, commits, runs, versioned_table
from store.erasure.mentions import without_patient
from store.erasure.plan import ErasurePlan, in_batches
from store.rows.datasets import PinnedDataset
from store.rows.segments import Segment

__all__ = [
    "TEXTS",
    "add_mark",
    "delete_patient_rows",
    "forget_declared_person",
    "mark_models",
    "redact_texts",
    "replace_datasets",
    "replace_segments",
]

TEXTS: dict[Table, tuple[str, ...]] = {
    commits: ("message",),
    runs: ("parameters", "summary"),
    versioned_table("models"): ("summary",),
    versioned_table("failures"): ("reason",),
    versioned_table("labels"): ("reason",),
}
"""Columns of text that people and programs write freely. Keys, paths and definitions are not among them: a
pseudonym such as ``1`` stands there for other things."""


def delete_patient_rows(connection: Connection, plan: ErasurePlan) -> dict[str, int]:
    """Delete the patient's rows of all commits and return how many, by table."""
    found: dict[str, int] = {}

    def deleted(table: Table, *condition: Any) -> None:
        rows = connection.execute(delete(table).where(*condition)).rowcount
        if rows:
            found[table.name] = found.get(table.name, 0) + rows

    for table in VERSIONED.values():
        if "patient" in table.c:
            deleted(table, table.c.patient == plan.patient)
    links = versioned_table("study_extractions")
    for table in (versioned_table("extractions"), links):
        for batch in in_batches(sorted(plan.extraction_ids)):
            deleted(table, table.c.extraction_id.in_(batch))
    # A study that used a shared image and mask for this patient alone does not use it any more.
    extractions = versioned_table("extractions")
    for content, studies in plan.studies_of_shared.items():
        same = (extractions.c.image_sha256 == content[0]) & (extractions.c.mask_sha256 == content[1])
        ids = list(connection.execute(select(extractions.c.extraction_id).where(same).distinct()).scalars())
        deleted(links, links.c.extraction_id.in_(ids), links.c.study.not_in(sorted(studies)))
    return found


def replace_segments(connection: Connection, moved: Mapping[str, Segment | None]) -> None:
    """Let the catalogue name rewritten segments; one of which nothing is left is named no more.

    Parameters
    ----------
    connection : Connection
        Of the open transaction.
    moved : mapping of str to Segment or None
        By the former path.
    """
    segments, extractions = versioned_table("segments"), versioned_table("extractions")
    for path, new in moved.items():
        rows = connection.execute(select(segments).where(segments.c.path == path)).mappings().all()
        connection.execute(delete(segments).where(segments.c.path == path))
        if new is None:
            continue
        # Two segments may have become one: then it has been there since the earlier of them.
        since = [row["added_commit"] for row in rows]
        since += connection.execute(
            select(segments.c.added_commit).where(segments.c.segment_id == new.segment_id)
        ).scalars()
        connection.execute(delete(segments).where(segments.c.segment_id == new.segment_id))
        connection.execute(segments.insert().values(**vars(new), added_commit=min(since)))
        for former in {row["segment_id"] for row in rows}:
            pointed = update(extractions).where(extractions.c.segment_id == former)
            connection.execute(pointed.values(segment_id=new.segment_id))


def replace_datasets(connection: Connection, moved: Mapping[str, PinnedDataset]) -> list[ChangedDataset]:
    """Let the catalogue name rewritten datasets, under the ids that they had, and return what changed."""
    table = versioned_table("datasets")
    found: list[ChangedDataset] = []
    for path, new in moved.items():
        same = table.c.path == path
        found += [
            {
                "dataset_id": row["dataset_id"],
                "study": row["study"],
                "sha256_before": row["sha256"],
                "sha256": new.sha256,
                "patients_before": row["patients"],
                "patients": new.patients,
            }
            for row in connection.execute(select(table).where(same)).mappings()
        ]
        values = {"path": new.path, "sha256": new.sha256, "patients": new.patients}
        connection.execute(update(table).where(same).values(**values))
    return found


def forget_declared_person(connection: Connection, patient: str) -> int:
    """Take a patient out of the persons that studies declare, and return how many rows changed.

    Of a definition this is all that names patients: ``[cohort] same_person``, as the study's table writes them.
    """
    table = versioned_table("studies")
    changed = 0
    for row_id, text in connection.execute(select(table.c.row_id, table.c.definition)).all():
        definition = json.loads(text or "{}")
        cohort = definition.get("cohort", {})
        groups = cohort.get("same_person") or []
        kept = [[name for name in group if cohort.get("prefix", "") + name != patient] for group in groups]
        if kept == groups:
            continue
        cohort["same_person"] = [group for group in kept if len(group) > 1]
        values = {"definition": canonical_json(definition), "definition_sha256": sha256_of_json(definition)}
        connection.execute(update(table).where(table.c.row_id == row_id).values(**values))
        changed += 1
    return changed


def mark_models(connection: Connection, plan: ErasurePlan, mark: str) -> list[str]:
    """Mark the models that were trained on the patient, rows of all commits, and return their names."""
    table, found = versioned_table("models"), []
    key = tuple_(table.c.study, table.c.model, table.c.version)
    for batch in in_batches(plan.models):
        found += add_mark(connection, mark, key.in_(batch))
    return found


def add_mark(connection: Connection, mark: str, *condition: Any) -> list[str]:
    """Add a mark to the rows of models of which a condition holds, and return the models' names."""
    table, found = versioned_table("models"), []
    columns = (table.c.row_id, table.c.mark, table.c.study, table.c.model, table.c.version)
    for row_id, known, study, model, version in connection.execute(select(*columns).where(*condition)).all():
        marks = [] if known is None else known.split("; ")
        text = "; ".join(dict.fromkeys([*marks, mark]))
        connection.execute(update(table).where(table.c.row_id == row_id).values(mark=text))
        found.append(f"{study}/{model}@{version}")
    return list(dict.fromkeys(found))


def redact_texts(connection: Connection, patient: str) -> dict[str, int]:
    """Take the patient out of messages, summaries and reasons, and return how many rows changed, by column."""
    found: dict[str, int] = {}
    for table, names in TEXTS.items():
        (key,) = table.primary_key.columns
        for name in names:
            column = table.c[name]
            rows = connection.execute(select(key, column).where(column.contains(patient, autoescape=True))).all()
            for identity, text in rows:
                stripped = without_patient(text, patient)
                if stripped != text:
                    connection.execute(update(table).where(key == identity).values({name: stripped}))
                    found[f"{table.name}.{name}"] = found.get(f"{table.name}.{name}", 0) + 1
    if changed := forget_declared_person(connection, patient):
        found["studies.definition"] = changed
    return found
