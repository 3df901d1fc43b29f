"""What the conventions of nnU-Net and BIDS say beyond names: channels, labels, test sets, sessions."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, Final

from flows.study_draft.listing import FolderListing
from flows.study_draft.patient_paths import PatientFiles
from flows.tables.file_faults import FILE_ERRORS, read_content

__all__ = ["DatasetDescription", "dataset_description", "with_first_session", "without_test_sets"]

_MOST_BYTES: Final = 5_000_000
_TRAINING = re.compile(r"(?:^|/)(?:images|labels)tr/", re.IGNORECASE)
_OTHERS = re.compile(r"(?:^|/)(?:images|labels|infer)(?:ts|val)/", re.IGNORECASE)
_CHANNEL = re.compile(r"(?P<folder>.*?)imagestr/\{patient\}(?:_(?P<channel>[0-9]{4}))?\.[^/]+", re.IGNORECASE)
_SESSION = re.compile(r"(?<![A-Za-z0-9])ses-[A-Za-z0-9]+")


@dataclass(frozen=True)
class DatasetDescription:
    """What dataset.json of nnU-Net says of a phase."""

    channel: str
    """The channel's name, or its number where none is known."""
    labels: dict[int, str] = field(default_factory=dict)
    """What each value of the masks means."""


def without_test_sets(listing: FolderListing) -> list[str]:
    """Return the volumes but for those of nnU-Net's test set, where there is a training set; they are put aside.

    A phase is one pattern of paths, and theirs is another.
    """
    if not any(_TRAINING.search(path) for path in listing.volumes):
        return listing.volumes
    kept = []
    for path in listing.volumes:
        if _OTHERS.search(path):
            listing.put_aside("volumes of nnU-Net's test set: a phase is one pattern, that of the training set", path)
        else:
            kept.append(path)
    return kept


def dataset_description(listing: FolderListing, image: str) -> DatasetDescription | None:
    """Return what nnU-Net's dataset.json says of a pattern of images, None where the pattern is none of nnU-Net.

    Parameters
    ----------
    listing : FolderListing
        What lies in the folder.
    image : str
        The pattern.
    """
    match = _CHANNEL.fullmatch(image)
    if match is None:
        return None
    number = int(match["channel"] or 0)
    unnamed = DatasetDescription(f"channel {number}")
    try:
        content = read_content(listing.folder / match["folder"] / "dataset.json", _MOST_BYTES)
        document = json.loads(content)
    except (*FILE_ERRORS, RecursionError):
        return unnamed
    if not isinstance(document, dict):
        return unnamed
    channels = document.get("channel_names") or document.get("modality")
    name = channels.get(str(number)) if isinstance(channels, dict) else None
    return DatasetDescription(name if isinstance(name, str) else unnamed.channel, _labels(document.get("labels")))


def _labels(written: Any) -> dict[int, str]:
    """Return the names of labels, written as {name: value} by nnU-Net 2 and {value: name} by nnU-Net 1."""
    found = {}
    for one, other in written.items() if isinstance(written, dict) else ():
        if isinstance(other, int):
            found[other] = str(one)
        elif isinstance(other, str) and one.isdecimal():
            found[int(one)] = other
    return found


def with_first_session(files: PatientFiles, listing: FolderListing) -> tuple[PatientFiles, str]:
    """Return files of one session a patient, and what is said of it, empty where there is one.

    Of BIDS' sessions the first by name is taken that most patients have; the others are put aside.
    """
    sessions: dict[str, set[str]] = defaultdict(set)
    for pattern, of_patient in files.items():
        for session in set(_SESSION.findall(pattern)):
            sessions[session] |= {*of_patient}
    if len(sessions) < 2:
        return files, ""
    most = max(map(len, sessions.values()))
    chosen = min(session for session, patients in sessions.items() if len(patients) * 2 > most)
    kept: PatientFiles = {}
    for pattern, of_patient in files.items():
        if {*_SESSION.findall(pattern)} <= {chosen}:
            kept[pattern] = of_patient
        else:
            for path in of_patient.values():
                listing.put_aside("volumes of other sessions: one exam of a patient is read", path)
    shown = ", ".join(sorted(sessions)[:8]) + (" ..." if len(sessions) > 8 else "")
    without = frozenset().union(*sessions.values()) - sessions[chosen]
    lacking = f"; {len(without)} patients have others alone" if without else ""
    return kept, f"one exam of a patient is read, {chosen}; there are {shown}{lacking}"
