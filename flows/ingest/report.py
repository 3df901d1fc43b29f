"""What an ingest found and changed, as its verb says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flows.expect.check import Checked
from flows.expect.found import ExpectationFound
from flows.ingest.cases.exclusions import FlowStep, flow_steps
from flows.ingest.imported_sets import ImportedReport
from flows.ingest.inventory import Inventory
from flows.plans.plan import Plan
from flows.study.checked import CheckedStudy
from flows.study.imported.column_review import ColumnReview
from flows.study_draft.undecided import undecided_notes
from store.commits.commit import Changes, Commit

__all__ = ["IngestReport", "ingest_report"]

Row = dict[str, Any]


@dataclass(frozen=True)
class IngestReport:
    """What an ingest found and changed."""

    study: str
    commit_id: int | None
    """The commit it made; None where nothing differed from before."""
    flow: tuple[FlowStep, ...]
    """What each criterion of inclusion and exclusion does; empty where there is none."""
    patients: int
    labelled: int
    events: int
    scans: int
    masks: int
    failures: tuple[Row, ...]
    imported: tuple[ImportedReport, ...]
    """What became of each imported table, or would."""
    added: int
    changed: int
    removed: int
    changes: Mapping[str, Changes]
    """The same by table of the catalogue, those alone that differ."""
    columns: Mapping[str, ColumnReview]
    """What became of the columns of each imported table, by its feature set's name."""
    notes: tuple[str, ...]
    """How tables were read, where that is not what their names say; what the study file still leaves to decide."""
    lines: Mapping[str, int]
    """Of the cohort table, by pseudonym, where the pseudonym does not say whom it means: for this answer alone."""
    warnings: tuple[str, ...]
    """What was found beside the study, such as images of patients who are not in the cohort table."""
    expectations: tuple[ExpectationFound, ...] = ()
    """What became of each expectation, in the order of the study file."""
    plan: Plan | None = None
    """With ``dry_run``: what would follow, from the features to compute to the report."""

    @property
    def would_change(self) -> bool:
        """Return whether any row differs from what the store has."""
        return bool(self.added or self.changed or self.removed)


def ingest_report(
    checked: CheckedStudy,
    warnings: tuple[str, ...],
    inventory: Inventory,
    commit: Commit,
    imported: tuple[ImportedReport, ...],
    expected: Checked,
    plan: Plan | None = None,
) -> IngestReport:
    """Return what an ingest found and changed.

    Parameters
    ----------
    checked : CheckedStudy
        The study and its tables.
    warnings : tuple of str
        What was found beside the study.
    inventory : Inventory
        Its images and masks.
    commit : Commit
        What was written, with ``dry_run`` into a copy.
    imported : tuple of ImportedReport
        What became of imported tables.
    expected : Checked
        What became of expectations.
    plan : Plan, optional
        With ``dry_run``: what would follow.
    """
    study, tables = checked.study, checked.tables
    changes = {table: each for table, each in sorted(commit.changes.items()) if each.any}
    labels = [row["label"] for row in tables.labels if row["label"] is not None]
    made = (*checked.identities.key_notes(is_written=plan is None), *undecided_notes(checked.text))
    return IngestReport(
        study=study.id,
        commit_id=commit.landed_id if plan is None else None,
        flow=flow_steps(study, tables),
        patients=len(tables.patients),
        labelled=len(labels),
        events=sum(labels),
        scans=len(inventory.scans),
        masks=len(inventory.masks),
        failures=(*inventory.failures, *expected.quarantine.failures()),
        imported=imported,
        added=sum(each.added for each in changes.values()),
        changed=sum(each.changed for each in changes.values()),
        removed=sum(each.removed for each in changes.values()),
        changes=changes,
        columns={each.name: each.columns for each in checked.imported},
        notes=tuple(dict.fromkeys((*tables.notes, *(n for each in checked.imported for n in each.notes), *made))),
        lines={each.patient: each.line for each in tables.patients} if checked.identities.is_private else {},
        warnings=warnings,
        expectations=expected.found,
        plan=plan,
    )
