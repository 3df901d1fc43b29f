"""Ingest: a study file, its tables and its images become rows of the catalogue, in one commit."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from flows.commits.erased_meanwhile import carry_out
from flows.commits.publication import publish_landed
from flows.engine.progress import progress_bar, say
from flows.expect.check import Checked
from flows.expect.commits import expectation_place, look_at_study
from flows.imaging.grid_tolerance import loosest_tolerance
from flows.imaging.labels import LABEL_ROUNDING
from flows.ingest.abandoned import abandoned_masks, abandoned_values
from flows.ingest.cases.exam_choice import chosen_exams, exam_failures
from flows.ingest.cases.findings import read_findings
from flows.ingest.frozen_splits import frozen_splits
from flows.ingest.image_faults import refuse_missing_phase, refuse_other_masks, refuse_other_patients
from flows.ingest.images import image_inventory
from flows.ingest.imported_sets import ImportedReport, put_imported, remove_abandoned
from flows.ingest.inventory import Inventory
from flows.ingest.mask_measures import with_measures
from flows.ingest.removals import refuse_removals, removals
from flows.ingest.report import IngestReport, ingest_report
from flows.ingest.rows import put_readable, put_study, readable_rows
from flows.ingest.same_people import (
    cohort_people,
    people_warnings,
    refuse_common_files,
    refuse_shared_people,
    with_declared_people,
)
from flows.ingest.shared_values import conflicts, kept_outcomes, refuse_conflicts, superseding_message
from flows.ingest.unlisted_patients import unlisted_patients
from flows.keep.compact import compact_scattered
from flows.lineage.runs import record_run
from flows.plans.made import plan_within
from flows.privacy.places import KnownFiles, StudyPlaces, keep_places, known_files, refuse_state_within
from flows.privacy.recorded import recorded_study, study_paths
from flows.privacy.secret_files import write_key
from flows.privacy.store_rules import refuse_mixture
from flows.study.checked import checked_study
from flows.study.file import study_file_text
from flows.study.imported.column_review import identifying_variables
from flows.study.imported.tables import ImportedRows
from flows.study.patients import CohortPatient, StudyTables
from flows.tables.file_faults import real_path
from schemas.errors import NotFoundError
from schemas.study.file import Study
from schemas.study.intended_use import modality_warnings
from schemas.study.text import parsed_study
from store.commits.commit import Commit, commit_to
from store.history.basis import Basis, basis_of
from store.history.snapshot import Snapshot
from store.home import Store
from store.planning.rehearsal import rehearsal

__all__ = ["IngestReport", "ingest"]

Row = dict[str, Any]


def ingest(
    study_file: Path,
    store_root: Path,
    *,
    dry_run: bool = False,
    workers: int | None = None,
    supersede: bool = False,
    read_again: bool = False,
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
        Read and count everything and say what would follow, write nothing.
    workers : int, optional
        Threads that read images; as many as the machine has cores where absent.
    supersede : bool
        Accept this study's values where another study gives the same patient, variable and date another one.
    read_again : bool
        Read every image and mask, also those whose size and time of change are as they were.
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
    study_file = real_path(study_file)

    def work(basis: Basis) -> IngestReport:
        return _ingest(
            study_file,
            store_root,
            basis,
            dry_run=dry_run,
            workers=workers,
            supersede=supersede,
            read_again=read_again,
            allow_removals=allow_removals,
        )

    before = _snapshot_before(store_root, only_reads=dry_run)
    if before is None:
        return work(Basis())
    if dry_run:
        return work(basis_of(before.store))
    return carry_out(before.store, work)


def _ingest(
    study_file: Path,
    store_root: Path,
    basis: Basis,
    *,
    dry_run: bool,
    workers: int | None,
    supersede: bool,
    read_again: bool,
    allow_removals: bool,
) -> IngestReport:
    def stored_sets() -> set[str]:
        snapshot = _snapshot_before(store_root, only_reads=dry_run)
        return {row["name"] for row in snapshot.rows("feature_sets")} if snapshot is not None else set()

    checked = checked_study(study_file, stored_sets, store_root)
    study, text, tables, identities = checked.study, checked.text, checked.tables, checked.identities
    tables.clinical += read_findings(study, tables)
    before = _snapshot_before(store_root, only_reads=dry_run)
    study = with_declared_people(study, tables, study_file, text, identities)
    recorded = recorded_study(study, identities)
    if identities.is_private:
        refuse_state_within(store_root)
    if before is not None:
        names = [each.patient for each in tables.patients]
        refuse_mixture(recorded, text, study_file, identities, before, names, allow_removals=allow_removals)
    contradicted = conflicts(before, study.id, tables) if before is not None else []
    if not supersede:
        refuse_conflicts(contradicted, str(study_file))
    if before is not None:
        tables.outcomes = kept_outcomes(before, study.id, tables)
    refuse_common_files(study, study_file, text, tables.patients)
    known = known_files(before, study.id) if before is not None else KnownFiles([], [])
    readable = KnownFiles([], [])
    if before is not None and not read_again:
        readable = known._replace(masks=with_measures(before, known.masks))
    admitted = _admitted(study, tables)
    inventory = _inventory(study, study_file, admitted, readable, workers or os.cpu_count() or 1)
    inventory.failures += exam_failures(study, tables.patients)
    inventory.failures += [row for each in checked.imported for row in each.failures]
    refuse_missing_phase(study, study_file, text, admitted, inventory)
    if before is not None:
        refuse_other_patients(study, before, known, inventory)
        refuse_other_masks(study, before, known, inventory)
        if not allow_removals:
            lost = removals(study, study_file, before, tables, inventory, checked.imported)
            refuse_removals(study, study_file, lost)
    for warning in modality_warnings(study):
        say(f"warning: {warning}")
    people = cohort_people(study, inventory, checked.imported)
    labels = {row["patient"]: row["label"] for row in tables.labels if row["label"] is not None}
    tables.splits = frozen_splits(study, tables.splits, before, labels=labels, person=people.person)
    # What is refused from here on names pseudonyms: they must be those of the next try, too.
    if not dry_run and identities.is_new and identities.key_file is not None and identities.key is not None:
        write_key(identities.key_file, identities.key, str(study_file))
    refuse_shared_people(study, tables.splits, people)
    warnings = (
        *tables.warnings,
        *identifying_variables(study, tables.clinical),
        *unlisted_patients(study, study_file.parent, tables.assessed),
        *people_warnings(study, tables, inventory, people, before),
    )
    # Made only now: a study that is refused leaves no folder behind.
    places = StudyPlaces(str(study_file), study_paths(study))
    if identities.is_private:
        places.add(inventory.scans, inventory.masks)
    message = f"ingest {study.id}{superseding_message(contradicted)}"
    place = partial(expectation_place, text, study_file)
    put = partial(_put, recorded, study_file, place, tables, inventory, checked.imported, only_plan=dry_run)
    if dry_run:
        with rehearsal(None if before is None else before.store, store_root.resolve()) as copy:
            with commit_to(copy, message, basis=basis) as commit:
                imported, expected = put(commit, copy)
            plan = plan_within(copy, before, study.id, store_root.resolve())
            return ingest_report(checked, warnings, inventory, commit, imported, expected, plan)
    store = before.store if before is not None else Store(store_root, create=True)
    # The tolerances decide which masks there are: whoever reads the store later finds them with the run.
    parameters: Row = {} if identities.is_private else {"file": str(study_file)}
    parameters |= {"supersede": supersede, "label_rounding": LABEL_ROUNDING}
    parameters |= {"geometry_tolerance": loosest_tolerance(study)}
    if allow_removals:
        parameters |= {"allow_removals": True}
    with record_run(store, "ingest", study.id, parameters) as run:
        with commit_to(store, message, basis=basis, run_id=run.run_id) as commit:
            imported, expected = put(commit, store)
        report = ingest_report(checked, warnings, inventory, commit, imported, expected)
        run.summary |= {"masks": report.masks, "failed": len(report.failures), "changed": report.changed}
    if identities.is_private:
        keep_places(store, study.id, places)
    if report.commit_id is not None and report.imported:
        compact_scattered(store, [each.feature_set for each in report.imported])
        publish_landed(store)
    return report


def _put(
    study: Study,
    study_file: Path,
    place: Callable[[str], str],
    tables: StudyTables,
    inventory: Inventory,
    tables_of_features: Sequence[ImportedRows],
    commit: Commit,
    store: Store,
    *,
    only_plan: bool,
) -> tuple[tuple[ImportedReport, ...], Checked]:
    """Write all that was read to an open commit, but whom expectations leave out; end what is no longer there.

    Returns what became of imported tables, and of expectations.

    Parameters
    ----------
    study : Study
        As it is recorded.
    """
    put_study(commit, study, study_file, tables, inventory)
    abandoned = abandoned_masks(Snapshot(store), study.id, inventory.study_masks)
    for table in ("masks", "mask_measures"):
        commit.remove(table, abandoned)
    commit.remove("clinical", abandoned_values(Snapshot(store), study.id, tables.clinical))
    imported = tuple(put_imported(commit, store, study.id, each) for each in tables_of_features)
    remove_abandoned(commit, Snapshot(store), study.id, study.imported)
    read = readable_rows(study, tables, inventory)
    expected = look_at_study(commit, store, study, read, place, only_plan=only_plan)
    put_readable(commit, study, tables, inventory, expected.quarantine)
    return imported, expected


def _snapshot_before(store_root: Path, *, only_reads: bool) -> Snapshot | None:
    try:
        return Snapshot(Store(store_root, only_reads=only_reads))
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
    study_file = real_path(study_file)
    text = study_file_text(study_file)
    return parsed_study(text, str(study_file)), text


def _inventory(
    study: Study, study_file: Path, admitted: list[CohortPatient], known: KnownFiles, workers: int
) -> Inventory:
    # Rows whose files lie nobody knows where are read again.
    scans, masks = (
        [{n: v for n, v in row.items() if n != "added_commit"} for row in rows if row["source"]] for rows in known
    )
    with progress_bar(f"reading {study.id}", len(admitted), "patients") as advance:
        inventory = image_inventory(
            study,
            study_file.parent,
            admitted,
            known_scans={row["source"]: row for row in scans},
            known_masks=masks,
            tolerance=loosest_tolerance(study),
            advance=advance,
            workers=workers,
        )
    if inventory.unoriented:
        instance = "" if study.privacy is not None else f", for instance {inventory.unoriented[0]}"
        say(
            f"{len(inventory.unoriented)} images do not say which way their axes run{instance}: axes are taken as they "
            "come (radiomics needs no more)"
        )
    return inventory


def _admitted(study: Study, tables: StudyTables) -> list[CohortPatient]:
    """Return the patients with exams to be read, and of each one those alone."""
    chosen = ((each, chosen_exams(study, each).used) for each in tables.patients)
    return [replace(patient, exams=exams) for patient, exams in chosen if exams]
