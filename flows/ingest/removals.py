"""Rows that an ingest would retire although the study file still asks for them: too many at once, and it stops.

A folder that is not mounted, a table that was cut short, a column that was emptied look like decisions; most are not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows.imaging.sources import file_of_source, urls_of_source
from flows.ingest.cases.exclusions import decided_exclusions
from flows.ingest.inventory import Inventory
from flows.study.imported.tables import ImportedRows
from flows.study.patients import StudyTables
from flows.tables.file_faults import file_fault
from schemas.errors import ContractError
from schemas.keys import MaskKey
from schemas.study.file import Study
from store.history.snapshot import Snapshot
from store.kinds.every import IMPORTED
from store.rows.segments import stored_keys

__all__ = ["Removal", "refuse_removals", "removals"]

Row = Mapping[str, Any]

LEAST_REMOVED = 2
"""A single row that goes is a correction, whatever its share."""

_SHOWN = 3


@dataclass(frozen=True)
class Removal:
    """Rows of one kind that a study had and would have no longer."""

    what: str
    """Of what kind, such as ``masks``."""
    removed: tuple[str, ...]
    """Each one's name."""
    before: int
    """How many there were."""
    place: str | None = None
    """The folder or table that they were read from, and what it is like now."""

    @property
    def share(self) -> float:
        """Return the share that would go."""
        return len(self.removed) / self.before if self.before else 0.0

    def exceeds(self, share: float) -> bool:
        """Return whether this is more than a share, and more than one row."""
        return len(self.removed) >= LEAST_REMOVED and self.share > share

    def __str__(self) -> str:
        shown = ", ".join(self.removed[:_SHOWN])
        more = len(self.removed) - _SHOWN
        text = f"{len(self.removed)} of {self.before} {self.what} ({self.share:.0%}): {shown}"
        text += f" and {more} more" if more > 0 else ""
        return f"{text}; {self.place}" if self.place else text


def refuse_removals(study: Study, study_file: Path, found: Sequence[Removal]) -> None:
    """Refuse an ingest that would retire more than the study's share of its rows of any kind.

    Parameters
    ----------
    study : Study
        The study, whose ``[cohort] max_removed_share`` is the share.
    study_file : Path
        Where it lies.
    found : sequence of Removal
        From `removals`.

    Raises
    ------
    ContractError
        When there are more.
    """
    share = study.cohort.max_removed_share
    too_many = [each for each in found if each.exceeds(share)]
    if too_many:
        listed = "; ".join(map(str, too_many))
        raise ContractError(
            f"more than {share:.0%} of what the study has would be removed: {listed}",
            where=str(study_file),
            hint="restore what is gone; where it is meant to go, "
            f"radzoo ingest {study_file} --allow-removals; nothing was written",
        )


def removals(
    study: Study,
    study_file: Path,
    before: Snapshot,
    tables: StudyTables,
    inventory: Inventory,
    imported: Iterable[ImportedRows],
) -> list[Removal]:
    """Return what the study had in the store and has no longer: patients, masks, values, labels, imported rows.

    What its file no longer asks for (a phase, a variable, an imported table, a patient whom a criterion of it excludes
    since it says so) is a decision and is not among them; nor
    is what belongs to a patient who is gone, who counts as a patient.

    Parameters
    ----------
    study : Study
        The study as its file says it now.
    study_file : Path
        Where it lies.
    before : Snapshot
        The store before this ingest.
    tables : StudyTables
        What its tables say now.
    inventory : Inventory
        What its images and masks are now.
    imported : iterable of ImportedRows
        What its imported tables say now.
    """
    folder, now = study_file.parent, {each.patient for each in tables.patients}
    had = [row["patient"] for row in before.rows("study_patients", study=study.id)]
    gone = tuple(sorted(set(had) - now - decided_exclusions(study, before, tables)))
    found = [Removal("patients", gone, len(had), f"see {folder / study.cohort.table}")]
    found.append(_of_masks(study, before, inventory, now))
    found += _of_values(study, folder, before, tables, now)
    found.append(_of_labels(study, folder, before, tables, now))
    found += [_of_imported(study, before, each, now) for each in imported]
    return [each for each in found if each.removed]


def _of_masks(study: Study, before: Snapshot, inventory: Inventory, now: Collection[str]) -> Removal:
    kept = {MaskKey.of(row) for row in inventory.study_masks}
    had = [
        key
        for key in map(MaskKey.of, before.rows("study_masks", study=study.id))
        if key.patient in now and key.phase in study.phases
    ]
    lost = sorted(set(had) - kept)
    names = tuple(f"{key.patient} {key.phase} {key.reader}.{key.reading}" for key in lost)
    return Removal("masks", names, len(had), _lost_folder(before, set(lost)))


def _lost_folder(before: Snapshot, lost: Collection[MaskKey]) -> str | None:
    """Return the folder that most files are missing from, and whether it is there at all."""
    images = {(key.patient, key.exam, key.phase) for key in lost}
    sources = [row["source"] for row in before.rows("masks") if MaskKey.of(row) in lost]
    sources += [row["source"] for row in before.rows("scans") if (row["patient"], row["exam"], row["phase"]) in images]
    # What lies in a bucket has no folder that could be gone.
    local = (each for each in sources if each and not urls_of_source(each))
    missing = Counter(_first_missing(file) for file in map(file_of_source, local) if not _exists(file))
    if not missing:
        return None
    (path, _), *_ = missing.most_common(1)
    if len(missing) == 1 and path.suffix == "":
        return f"the folder {path} is not there"
    parents = Counter(each.parent for each in missing.elements())
    (folder, count), *_ = parents.most_common(1)
    try:
        is_empty = _exists(folder) and not any(folder.iterdir())
    except OSError as error:
        return f"the folder {folder} {file_fault(folder, error)}"
    return f"the folder {folder} is empty" if is_empty else f"{count} files are missing from the folder {folder}"


def _first_missing(path: Path) -> Path:
    """Return the highest part of a path that does not exist."""
    while path.parent != path and not _exists(path.parent):
        path = path.parent
    return path


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False


def _of_values(
    study: Study, folder: Path, before: Snapshot, tables: StudyTables, now: Collection[str]
) -> list[Removal]:
    declared = {row["variable"] for row in before.rows("variables", study=study.id)} & set(study.clinical.variables)
    kept = {(row["patient"], row["variable"]) for row in tables.clinical}
    had: dict[str, set[str]] = {variable: set() for variable in declared}
    for row in before.rows("clinical"):
        if row["variable"] in declared and row["patient"] in now:
            had[row["variable"]].add(row["patient"])
    table = folder / (study.clinical.table or study.cohort.table)
    return [
        Removal(
            f"values of {variable}",
            tuple(sorted(each for each in patients if (each, variable) not in kept)),
            len(patients),
            f"see {table}",
        )
        for variable, patients in sorted(had.items())
    ]


def _of_labels(study: Study, folder: Path, before: Snapshot, tables: StudyTables, now: Collection[str]) -> Removal:
    had = {
        row["patient"]
        for row in before.rows("labels", study=study.id)
        if row["label"] is not None and row["patient"] in now
    }
    kept = {row["patient"] for row in tables.labels if row["label"] is not None}
    lost = tuple(sorted(had - kept)) if study.outcome else ()
    return Removal("labels", lost, len(had), f"see {folder / study.cohort.table}")


def _of_imported(study: Study, before: Snapshot, rows: ImportedRows, now: Collection[str]) -> Removal:
    """Return the rows that an imported table had under its name, by patient, phase and lesion."""
    kept = {(each.key.patient, each.key.phase, each.key.lesion) for each in rows.records}
    had: set[tuple[str, str, str]] = set()
    for row in before.rows("feature_sets", name=rows.name, kind=IMPORTED.name):
        feature_set = row["feature_set"]
        linked = {
            each["extraction_id"] for each in before.rows("study_extractions", study=study.id, feature_set=feature_set)
        }
        if linked:
            keys = stored_keys(before, feature_set)
            had |= {(key.patient, key.phase, key.lesion) for identity in linked if (key := keys.get(identity))}
    had = {key for key in had if key[0] in now}
    lost = tuple(f"{key[0]} {key[1]}" if len(rows.phases) > 1 else key[0] for key in sorted(had - kept))
    return Removal(f"rows of {rows.name}", lost, len(had), f"see {rows.file}")
