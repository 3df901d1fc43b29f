"""What an inventory of images may not be: without a phase or a label, or another study's patients and masks."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flows.ingest.inventory import Inventory
from flows.privacy.places import KnownFiles
from flows.study.patients import CohortPatient
from flows.tables.file_faults import file_fault
from schemas.errors import ContractError
from schemas.fault_list import FaultList
from schemas.keys import MaskKey
from schemas.study.cohort import Reading
from schemas.study.file import Study
from schemas.study.path_patterns import filled_pattern
from schemas.study.toml_lines import line_of
from schemas.written.object_urls import is_url, shown_url
from store.history.snapshot import Snapshot

__all__ = ["refuse_missing_phase", "refuse_other_masks", "refuse_other_patients"]

Row = dict[str, Any]


def refuse_missing_phase(
    study: Study, study_file: Path, text: str, admitted: Sequence[CohortPatient], inventory: Inventory
) -> None:
    """Refuse path patterns that fit no patient and labels that no mask has: one fault, not a failure of each row.

    Parameters
    ----------
    study, study_file, text : Study, Path, str
        The study, its file, and the file's text, in which faults are located.
    admitted : sequence of CohortPatient
        Whose images were looked for.
    inventory : Inventory
        What was found.

    Raises
    ------
    ContractError
        With every such fault.
    """
    faults = FaultList()
    images = sum(len(each.exams) for each in admitted)
    masks = sum(len(each.exams) * len(each.readings) for each in admitted)
    for name, phase in study.phases.items():
        for what, pattern, missing, wanted in (
            ("image", phase.image, inventory.missing_images, images),
            ("mask", phase.mask, inventory.missing_masks, masks),
        ):
            if 0 < wanted == missing.count(name):
                first = next(each for each in admitted if each.readings or what == "image")
                reading = first.readings[0] if first.readings else Reading()
                lesion = next(iter(study.lesions.names or ()), "") if study.lesions else ""
                values = first.pattern_values(first.exams[0].name, name, lesion, reading)
                filled = filled_pattern(pattern, values)
                if is_url(filled):
                    tried, fault = shown_url(filled), "is no object of its bucket, or there is no such bucket"
                else:
                    file = study_file.parent / filled
                    tried = str(file)
                    fault = file_fault(file, FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)))
                # The file that was tried has the patient's id in its name.
                instance = "" if study.privacy is not None else f": '{tried}' {fault}"
                faults.add(
                    ContractError(
                        f"no patient has the {what} '{pattern}'{instance}",
                        where=f"{study_file}:{line_of(text, ('phases', name, what))}",
                        hint=f"bring its {'objects' if is_url(filled) else 'folder'} back, or correct the path in the "
                        "study file; nothing was written",
                    )
                )
        lacking = [present for of_phase, present in inventory.absent_labels if of_phase == name]
        # One mask that has the label, read now or before, tells that the label is right.
        if lacking and not any(row["phase"] == name for row in inventory.masks):
            labels = sorted({each for present in lacking for each in present}, key=float)
            at = ("phases", name, "label" if "label" in phase.model_fields_set else "mask")
            found = "label in its mask" if len(lacking) == 1 else f"labels in its {len(lacking)} masks"
            faults.add(
                ContractError(
                    f"no mask of phase '{name}' has label {phase.label}; {found}: {', '.join(labels[:8])}",
                    where=f"{study_file}:{line_of(text, at)}",
                    hint=f"correct label under [phases.{name}]; nothing was written",
                )
            )
    faults.raise_any(str(study_file))


def refuse_other_patients(study: Study, before: Snapshot, known_files: KnownFiles, inventory: Inventory) -> None:
    """Refuse a pseudonym under which another study has another image."""
    others = {row["patient"] for row in before.rows("study_patients") if row["study"] != study.id}
    stored = {(r["patient"], r["exam"], r["phase"]): r for r in known_files.scans}
    for row in inventory.scans:
        known = stored.get((row["patient"], row["exam"], row["phase"]))
        if row["patient"] in others and known is not None and _is_another_file(known, row, "image_sha256"):
            raise ContractError(
                f"another study has patient '{row['patient']}' with another {row['phase']} image",
                where=row["source"] if study.privacy is None else None,
                hint='if they are different people, set prefix = "..." under [cohort]; nothing was written',
            )


def refuse_other_masks(study: Study, before: Snapshot, known_files: KnownFiles, inventory: Inventory) -> None:
    """Refuse a reader and reading under which another study has another mask of the same scan."""
    others = {MaskKey.of(row) for row in before.rows("study_masks") if row["study"] != study.id}
    stored = {MaskKey.of(row): row for row in known_files.masks}
    for row in inventory.masks:
        key = MaskKey.of(row)
        if key in others and _is_another_file(stored[key], row, "mask_sha256"):
            raise ContractError(
                f"another study has another mask of patient '{key.patient}', {key.phase}, by reader "
                f"'{key.reader}', reading {key.reading}",
                where=row["source"] if study.privacy is None else None,
                hint="give this study's [[readings]] another reader or reading; nothing was written",
            )


def _is_another_file(known: Row, row: Row, content: str) -> bool:
    # The same file with new content is a correction, which both studies see.
    return bool(known[content] != row[content] and known["source"] != row["source"])
