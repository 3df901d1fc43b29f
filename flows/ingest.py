"""Ingest: a study file, its tables and its images become rows of the catalogue, in one commit."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows.abandoned import abandoned_masks, abandoned_values
from flows.compact import compact_scattered
from flows.exam_window import exam_failures, exam_fault
from flows.frozen_splits import frozen_splits
from flows.image_inventory import Inventory, image_inventory
from flows.imported_sets import ImportedReport, put_imported, remove_abandoned
from flows.imported_tables import imported_rows
from flows.progress import narrated, said
from flows.removals import refuse_removals, removals
from flows.shared_values import conflicts, kept_outcomes, refuse_conflicts, superseding_message
from flows.study_rows import put_study
from flows.study_tables import CohortPatient, StudyTables, study_tables
from schemas.errors import ContractError, NotFoundError
from schemas.intended_use import modality_warnings
from schemas.keys import MaskKey
from schemas.study import Study
from schemas.study_text import parsed_study
from schemas.toml_lines import line_of
from store.commit import Commit, commit_to
from store.home import Store
from store.publish import published
from store.runs import recorded_run
from store.snapshot import Snapshot

__all__ = ["IngestReport", "ingest"]

Row = dict[str, Any]


@dataclass(frozen=True)
class IngestReport:
    """What an ingest found and changed."""

    study: str
    commit_id: int | None
    """The commit it made; None where nothing differed from before."""
    patients: int
    labelled: int
    events: int
    scans: int
    masks: int
    failures: tuple[Row, ...]
    imported: tuple[ImportedReport, ...]
    """What became of each imported table; empty with ``dry_run``."""
    added: int
    changed: int
    removed: int


def ingest(
    study_file: Path,
    store_root: Path,
    *,
    dry_run: bool = False,
    workers: int | None = None,
    supersede: bool = False,
    allow_removals: bool = False,
) -> IngestReport:
    """Read a study and return what changed in the store.

    Parameters
    ----------
    study_file : Path
        The study file.
    store_root : Path
        The store's folder, made where there is none.
    dry_run : bool
        Check and count everything, write nothing.
    workers : int, optional
        Threads that read images; as many as the machine has cores where absent.
    supersede : bool
        Accept this study's values where another study gives the same patient, variable and date another one.
    allow_removals : bool
        Remove what is gone even where it is more than the study's ``max_removed_share``.

    Raises
    ------
    NotFoundError
        When there is no such study file.
    ContractError
        When the study file or one of its tables is at fault, contradicts another study, or has lost more than its
        ``max_removed_share``; nothing is written.
    """
    study_file = study_file.resolve()
    study, text = read_study(study_file)
    tables = study_tables(study, text, study_file)
    before = _snapshot_before(store_root)
    contradicted = conflicts(before, study.id, tables) if before is not None else []
    if not supersede:
        refuse_conflicts(contradicted, str(study_file))
    if before is not None:
        tables.outcomes = kept_outcomes(before, study.id, tables)
    tables.splits = frozen_splits(study, tables.splits, before)
    tables_from_elsewhere = [imported_rows(study, name, text, study_file, tables.patients) for name in study.imported]
    inventory = _inventory(study, study_file, tables, before, workers or os.cpu_count() or 1)
    inventory.failures += [row for each in tables_from_elsewhere for row in each.failures]
    _refuse_missing_phase(study, study_file, text, tables, inventory)
    if before is not None:
        _refuse_other_patients(study, before, inventory)
        _refuse_other_masks(study, before, inventory)
        if not allow_removals:
            lost = removals(study, study_file, before, tables, inventory, tables_from_elsewhere)
            refuse_removals(study, study_file, lost)
    for warning in modality_warnings(study):
        said(f"warning: {warning}")
    if dry_run:
        return _report(study, tables, inventory, None, ())
    # Made only now: a study that is refused leaves no folder behind.
    store = before.store if before is not None else Store(store_root, create=True)
    message = f"ingest {study.id}{superseding_message(contradicted)}"
    with recorded_run(
        store,
        "ingest",
        study.id,
        {"file": str(study_file), "supersede": supersede} | ({"allow_removals": True} if allow_removals else {}),
    ) as run:
        with commit_to(store, message, run_id=run.run_id) as commit:
            put_study(commit, study, study_file, tables, inventory)
            commit.remove("masks", abandoned_masks(Snapshot(store), study.id, inventory.study_masks))
            commit.remove("clinical", abandoned_values(Snapshot(store), study.id, tables.clinical))
            imported = tuple(put_imported(commit, store, study.id, each) for each in tables_from_elsewhere)
            remove_abandoned(commit, Snapshot(store), study.id, study.imported)
        report = _report(study, tables, inventory, commit, imported)
        run.summary |= {"masks": report.masks, "failed": len(report.failures), "changed": report.changed}
    if report.commit_id is not None and report.imported:
        compact_scattered(store, [each.feature_set for each in report.imported])
        published(Snapshot(store))
    return report


def _snapshot_before(store_root: Path) -> Snapshot | None:
    try:
        return Snapshot(Store(store_root))
    except NotFoundError:
        return None


def read_study(study_file: Path) -> tuple[Study, str]:
    """Return a study file's content, parsed and as text.

    Raises
    ------
    NotFoundError
        When there is no such file.
    ContractError
        When the file is at fault.
    """
    if not study_file.is_file():
        raise NotFoundError(
            "there is no such study file",
            where=str(study_file),
            hint="radzoo init DIR writes one to start from",
        )
    try:
        text = study_file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ContractError(
            f"not UTF-8 text: {error.reason} at byte {error.start}",
            where=str(study_file),
            hint="save the file as UTF-8 and run the command again",
        ) from error
    return parsed_study(text, str(study_file)), text


def _inventory(study: Study, study_file: Path, tables: StudyTables, before: Snapshot | None, workers: int) -> Inventory:
    scans = before.rows("scans") if before else []
    masks = before.rows("masks") if before else []
    for row in (*scans, *masks):
        row.pop("added_commit")
    admitted = _admitted(study, tables)
    with narrated(f"reading {study.id}", len(admitted), "patients") as advance:
        inventory = image_inventory(
            study,
            study_file.parent,
            admitted,
            known_scans={row["source"]: row for row in scans},
            known_masks={(row["source"], row["mask_label"]): row for row in masks},
            advance=advance,
            workers=workers,
        )
    inventory.failures += exam_failures(study, tables.patients)
    return inventory


def _admitted(study: Study, tables: StudyTables) -> list[CohortPatient]:
    return [each for each in tables.patients if exam_fault(study, each) is None]


def _refuse_missing_phase(study: Study, study_file: Path, text: str, tables: StudyTables, inventory: Inventory) -> None:
    """Refuse a path pattern that fits no patient: a slip of the pen, not a failure of each row."""
    admitted = _admitted(study, tables)
    readings = sum(len(each.readings) for each in admitted)
    for name, phase in study.phases.items():
        for what, pattern, missing, wanted in (
            ("image", phase.image, inventory.missing_images, len(admitted)),
            ("mask", phase.mask, inventory.missing_masks, readings),
        ):
            if 0 < wanted == missing.count(name):
                raise ContractError(
                    f"no patient has the {what} '{pattern}'",
                    where=f"{study_file}:{line_of(text, ('phases', name, what))}",
                    hint="bring its folder back, or correct the path in the study file; nothing was written",
                )


def _refuse_other_patients(study: Study, before: Snapshot, inventory: Inventory) -> None:
    """Refuse a pseudonym under which another study has another image."""
    others = {row["patient"] for row in before.rows("study_patients") if row["study"] != study.id}
    stored = {(r["patient"], r["exam"], r["phase"]): r for r in before.rows("scans")}
    for row in inventory.scans:
        known = stored.get((row["patient"], row["exam"], row["phase"]))
        if row["patient"] in others and known is not None and _is_another_file(known, row, "image_sha256"):
            raise ContractError(
                f"another study has patient '{row['patient']}' with another {row['phase']} image",
                where=row["source"],
                hint='if they are different people, set prefix = "..." under [cohort]; nothing was written',
            )


def _refuse_other_masks(study: Study, before: Snapshot, inventory: Inventory) -> None:
    """Refuse a reader and reading under which another study has another mask of the same scan."""
    others = {MaskKey.of(row) for row in before.rows("study_masks") if row["study"] != study.id}
    stored = {MaskKey.of(row): row for row in before.rows("masks")}
    for row in inventory.masks:
        key = MaskKey.of(row)
        if key in others and _is_another_file(stored[key], row, "mask_sha256"):
            raise ContractError(
                f"another study has another mask of patient '{key.patient}', {key.phase}, by reader "
                f"'{key.reader}', reading {key.reading}",
                where=row["source"],
                hint="give this study's [[readings]] another reader or reading; nothing was written",
            )


def _is_another_file(known: Row, row: Row, content: str) -> bool:
    # The same file with new content is a correction, which both studies see.
    return bool(known[content] != row[content] and known["source"] != row["source"])


def _report(
    study: Study,
    tables: StudyTables,
    inventory: Inventory,
    commit: Commit | None,
    imported: tuple[ImportedReport, ...],
) -> IngestReport:
    changes: Mapping[str, Any] = commit.changes if commit else {}
    labels = [row["label"] for row in tables.labels if row["label"] is not None]
    return IngestReport(
        study=study.id,
        commit_id=commit.landed_id if commit else None,
        patients=len(tables.patients),
        labelled=len(labels),
        events=sum(labels),
        scans=len(inventory.scans),
        masks=len(inventory.masks),
        failures=tuple(inventory.failures),
        imported=imported,
        added=sum(each.added for each in changes.values()),
        changed=sum(each.changed for each in changes.values()),
        removed=sum(each.removed for each in changes.values()),
    )
