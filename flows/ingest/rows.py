"""A study's rows of the catalogue, as its file, its tables and its images give them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flows.expect.quarantine import Quarantine
from flows.ingest.cases.exclusions import exclusion_rows
from flows.ingest.inventory import Inventory
from flows.ingest.mask_measures import mask_rows, measure_rows, unmeasured_rows
from flows.study.patients import StudyTables
from schemas.keys import canonical_json, sha256_of_json
from schemas.splits import split_sha256
from schemas.study.file import Study
from store.commits.commit import Commit

__all__ = ["put_readable", "put_study", "readable_rows"]

Row = dict[str, Any]


def put_study(commit: Commit, study: Study, study_file: Path, tables: StudyTables, inventory: Inventory) -> None:
    """Write a study's rows as it goes on record, but what models read; what it no longer has is removed from it."""
    own = {"study": study.id}
    definition = study.model_dump(mode="json")
    outcome = study.outcome.name if study.outcome else None
    commit.put(
        "studies",
        [
            own
            | {
                "title": study.study.title,
                "question": study.study.question,
                "outcome": outcome,
                "definition": canonical_json(definition),
                "definition_sha256": sha256_of_json(definition),
                "file": str(study_file) if study.privacy is None else "",
            }
        ],
    )
    names = [each.patient for each in tables.patients]
    # Who is excluded is known by name too: an erasure finds them, and a later one than that brings nobody back unseen.
    commit.put("patients", [{"patient": each.patient} for each in tables.assessed])
    commit.put("exclusions", exclusion_rows(study, tables), replacing=own)
    commit.put("study_patients", [own | {"patient": name} for name in names], replacing=own)
    commit.put(
        "exams",
        [{"patient": p.patient, "exam": e.name, "acquired_on": e.date} for p in tables.patients for e in p.exams],
    )
    dated = tables.patients if study.has_reference_dates else []
    references: list[Row] = [{**own, "patient": each.patient, "reference_on": each.reference_on} for each in dated]
    commit.put("reference_dates", references, replacing=own)
    commit.put("scans", inventory.scans)
    commit.put("acquisitions", inventory.acquisitions)
    commit.put("masks", mask_rows(inventory.masks))
    commit.put("mask_measures", measure_rows(inventory.masks))
    # What was measured of another file of the same name is none of this one's.
    commit.remove("mask_measures", unmeasured_rows(inventory.masks))
    commit.put("clinical", [row | {"recorded_at": commit.committed_at} for row in tables.clinical])
    commit.put("findings", tables.findings, replacing=own)
    commit.put("variables", _variable_rows(study), replacing=own)
    commit.put("outcomes", tables.outcomes)
    commit.put("failures", inventory.failures, replacing=own | {"stage": "ingest"})


def readable_rows(study: Study, tables: StudyTables, inventory: Inventory) -> dict[str, list[Row]]:
    """Return the rows that decide what models read of a study, by table."""
    own = {"study": study.id}
    splits, members = [], []
    for name, cohorts in tables.splits.items():
        digest, kind = split_sha256(cohorts), study.splits[name].kind
        splits.append(own | {"split": name, "kind": kind, "sha256": digest, "patients": len(cohorts)})
        members += [own | {"split": name, "patient": p, "cohort": c} for p, c in cohorts.items()]
    return {
        "study_masks": inventory.study_masks,
        "labels": tables.labels,
        "splits": splits,
        "split_members": members,
    }


def put_readable(commit: Commit, study: Study, tables: StudyTables, inventory: Inventory, left_out: Quarantine) -> None:
    """Write the rows that decide what models read, without whom expectations leave out.

    Tables and inventory are without them, too, from here on.
    """
    inventory.study_masks = left_out.study_masks(inventory.study_masks)
    tables.labels = left_out.labels(tables.labels)
    tables.splits = {name: left_out.members(members) for name, members in tables.splits.items()}
    for table, own in readable_rows(study, tables, inventory).items():
        commit.put(table, own, replacing={"study": study.id})


def _variable_rows(study: Study) -> list[Row]:
    rows = []
    for name, variable in study.clinical.variables.items():
        low, high = variable.plausible_range(name)
        is_bounded, window = low > float("-inf"), study.clinical.window(name)
        rows.append(
            {
                "study": study.id,
                "variable": name,
                "kind": variable.kind,
                "unit": variable.unit,
                "low": low if is_bounded else None,
                "high": high if is_bounded else None,
                "description": variable.description,
                "window_first": window.first,
                "window_last": window.last,
            }
        )
    return rows
