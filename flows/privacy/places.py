"""Where the files of a study with ``[privacy]`` lie: known to this user on this machine, and to no store.

Paths hold ids: path patterns do, and so do folders and accounts. Such a study's store has none. What a refresh needs of
them an ingest writes into a file of the user's own, one a store and study, and any machine gets its own by ingesting.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import select

from flows.tables.file_faults import FILE_ERRORS, file_fault, real_path
from schemas.errors import ContractError
from schemas.plain_keys import MaskKey
from store.catalogue.tables import versioned_table
from store.history.runs import first_run
from store.history.snapshot import Snapshot
from store.history.studies import study_folder
from store.history.study_masks import StudyMask, study_masks
from store.home import Store

__all__ = [
    "STATE_VARIABLE",
    "FilePlace",
    "KnownFiles",
    "StudyPlaces",
    "folder_of_study",
    "forget_patient",
    "keep_places",
    "known_files",
    "located_masks",
    "network_file",
    "places_of",
    "refuse_state_within",
    "refuse_unplaced",
    "sources_of_patient",
    "state_folder",
    "table_file",
]

STATE_VARIABLE = "RADZOO_STATE"
_SCAN_KEY = ("patient", "exam", "phase")

Row = dict[str, Any]


class FilePlace(NamedTuple):
    """Where an image or a mask was read from."""

    sha256: str
    """Of its content in the store."""
    source: str
    stat: str
    """Size and time of change, as the catalogue of other studies has them."""


@dataclass
class StudyPlaces:
    """Where one study's files lie."""

    file: str
    """The study file."""
    paths: dict[str, str] = field(default_factory=dict)
    """The study file's paths, by their keys."""
    scans: dict[tuple[str, ...], FilePlace] = field(default_factory=dict)
    """By patient, exam and phase."""
    masks: dict[MaskKey, FilePlace] = field(default_factory=dict)

    def add(self, scans: Iterable[Row], masks: Iterable[Row]) -> None:
        """Take the places out of rows of the catalogue, which lose them."""
        for row in scans:
            key = tuple(str(row[name]) for name in _SCAN_KEY)
            self.scans[key] = FilePlace(row["image_sha256"], row["source"], row["source_stat"])
            row |= {"source": "", "source_stat": ""}
        for row in masks:
            self.masks[MaskKey.of(row)] = FilePlace(row["mask_sha256"], row["source"], row["source_stat"])
            row |= {"source": "", "source_stat": ""}

    def fill(self, scans: Iterable[Row], masks: Iterable[Row]) -> None:
        """Put the places of files into those of the catalogue's rows that have none and the same content."""
        for row in scans:
            _fill(row, self.scans.get(tuple(str(row[name]) for name in _SCAN_KEY)), "image_sha256")
        for row in masks:
            _fill(row, self.masks.get(MaskKey.of(row)), "mask_sha256")


def _fill(row: Row, place: FilePlace | None, content: str) -> None:
    if place is not None and not row["source"] and row[content] == place.sha256:
        row |= {"source": place.source, "source_stat": place.stat}


def state_folder(environment: Mapping[str, str]) -> Path:
    """Return the folder of what radzoo keeps for one user of this machine."""
    if named := environment.get(STATE_VARIABLE):
        return Path(named)
    # https://specifications.freedesktop.org/basedir-spec/ (XDG_STATE_HOME)
    base = environment.get("XDG_STATE_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".local" / "state") / "radzoo"


def places_of(store: Store, study: str) -> StudyPlaces | None:
    """Return where a study's files lie, None where this user has not ingested it on this machine.

    Raises
    ------
    ContractError
        When the file that says it cannot be read.
    """
    file = _file(store, study)
    if file is None:
        return None
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        return StudyPlaces(
            document["file"],
            document["paths"],
            {tuple(key): FilePlace(*place) for *key, place in document["scans"]},
            {MaskKey(*key): FilePlace(*place) for *key, place in document["masks"]},
        )
    except FileNotFoundError:
        return None
    except (*FILE_ERRORS, KeyError, TypeError) as error:
        # Its words may be the file's own.
        fault = file_fault(file, error) if isinstance(error, OSError) else "is damaged"
        raise ContractError(
            f"what says where the files of study '{study}' lie {fault}",
            where=str(file),
            hint="remove it, then radzoo ingest STUDY.toml writes it again",
        ) from error


def keep_places(store: Store, study: str, places: StudyPlaces) -> None:
    """Write where a study's files lie, into a file of this account alone.

    Raises
    ------
    ContractError
        When it cannot be written, or would lie in the store's folder.
    """
    file = _file(store, study)
    if file is None:
        raise AssertionError("an ingest has a run on record")
    refuse_state_within(store.root)
    document = {
        "file": places.file,
        "paths": places.paths,
        "scans": [[*key, list(place)] for key, place in places.scans.items()],
        "masks": [[*key, list(place)] for key, place in places.masks.items()],
    }
    partial = file.with_name(f"{file.name}.{os.getpid()}.partial")
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as stream:
            json.dump(document, stream, ensure_ascii=False)
        partial.replace(file)
    except FILE_ERRORS as error:
        partial.unlink(missing_ok=True)
        raise ContractError(
            f"where the study's files lie cannot be written: {file_fault(file, error)}",
            where=str(file),
            hint=f"{STATE_VARIABLE} names another folder of your own; then run the command again",
        ) from error


def refuse_state_within(store_root: Path) -> None:
    """Refuse a folder of this user's in the store's: paths would be in the store after all."""
    folder, store = os.path.realpath(state_folder(os.environ)), os.path.realpath(store_root)
    if os.path.commonpath([folder, store]) == store:
        raise ContractError(
            "the folder for what the store shall not have lies in the store",
            where=folder,
            hint=f"{STATE_VARIABLE} names a folder of your own outside of it; nothing was written",
        )


def sources_of_patient(store: Store, patient: str) -> set[str]:
    """Return the sources of a patient's images and masks, in all commits of the store and as this user knows them."""
    snapshot, found = Snapshot(store), set()
    for table in map(versioned_table, ("scans", "masks")):
        with snapshot.reading(table.name) as connection:
            found |= set(connection.execute(select(table.c.source).where(table.c.patient == patient)).scalars())
    for study in snapshot.column("studies", "study"):
        if (places := places_of(store, study)) is not None:
            found |= {place.source for key, place in places.scans.items() if key[0] == patient}
            found |= {place.source for key, place in places.masks.items() if key.patient == patient}
    return found - {""}


def forget_patient(store: Store, patient: str) -> None:
    """Take a patient out of what this user keeps of the store's studies."""
    for study in Snapshot(store).column("studies", "study"):
        places = places_of(store, study)
        if places is None:
            continue
        scans = {key: place for key, place in places.scans.items() if key[0] != patient}
        masks = {key: place for key, place in places.masks.items() if key.patient != patient}
        if len(scans) + len(masks) < len(places.scans) + len(places.masks):
            places.scans, places.masks = scans, masks
            keep_places(store, study, places)


def _file(store: Store, study: str) -> Path | None:
    """Return the file of a study's places; None where the store is new, and nothing can be known of it."""
    first = first_run(store)
    # A study's id is letters, digits, - and _; a run's is of radzoo.
    if first is None or re.fullmatch(r"[A-Za-z0-9_-]+", study) is None:
        return None
    return state_folder(os.environ) / "places" / first / f"{study}.json"


def folder_of_study(snapshot: Snapshot, study: str) -> Path | None:
    """Return where a study's file lies, as the store or, of one with ``[privacy]``, this user knows it."""
    folder = study_folder(snapshot, study)
    if folder is None and (places := places_of(snapshot.store, study)) is not None:
        return Path(places.file).parent
    return folder


def located_masks(snapshot: Snapshot, study: str) -> list[StudyMask]:
    """Return a study's masks as `study_masks` does, with the places that this user knows.

    A mask whose files' places nobody knows here has empty sources.
    """
    masks = study_masks(snapshot, study)
    if all(each.image_source and each.mask_source for each in masks):
        return masks
    places = places_of(snapshot.store, study) or StudyPlaces("")
    found = []
    for each in masks:
        scan, mask = places.scans.get((each.key.patient, each.key.exam, each.key.phase)), places.masks.get(each.key)
        found.append(
            each._replace(
                image_source=each.image_source or (scan.source if scan else ""),
                mask_source=each.mask_source or (mask.source if mask else ""),
            )
        )
    return found


class KnownFiles(NamedTuple):
    """The catalogue's rows of images and masks, with the places of files that the catalogue or this user knows."""

    scans: list[Row]
    masks: list[Row]


def known_files(snapshot: Snapshot, study: str) -> KnownFiles:
    """Return all images and masks of a store; a study's own places come before those of others."""
    found = KnownFiles(snapshot.rows("scans"), snapshot.rows("masks"))
    if not all(row["source"] for row in (*found.scans, *found.masks)):
        others = sorted(set(snapshot.column("studies", "study")) - {study})
        for each in (study, *others):
            if (places := places_of(snapshot.store, each)) is not None:
                places.fill(*found)
    return found


def table_file(snapshot: Snapshot, study: str, name: str) -> Path | None:
    """Return the file of an imported table of a study in the store, None where it has none or nobody here knows it."""
    stored = snapshot.row("studies", study=study)
    table = json.loads(stored["definition"]).get("imported", {}).get(name)
    file, path = stored["file"], None if table is None else table["table"]
    if not file and (places := places_of(snapshot.store, study)) is not None:
        file, path = places.file, places.paths.get(f"imported.{name}.table")
    return real_path(Path(file).parent / path) if file and path else None


def network_file(snapshot: Snapshot, study: str, name: str, written: str) -> tuple[Path, str]:
    """Return the file of a study's network and that of the study.

    Raises
    ------
    ContractError
        When nobody here knows where they lie.
    """
    file = snapshot.row("studies", study=study)["file"]
    if not file:
        places = places_of(snapshot.store, study)
        refuse_unplaced(snapshot.store, study, [places.file if places else ""])
        if places is not None:
            file, written = places.file, places.paths.get(f"define.{name}.network.file", written)
    return Path(file).parent / written, file


def refuse_unplaced(store: Store, study: str, sources: Sequence[str]) -> None:
    """Refuse to read files whose places nobody knows here.

    Raises
    ------
    ContractError
        When one of the sources is empty.
    """
    lacking = sum(not each for each in sources)
    if lacking:
        raise ContractError(
            f"study '{study}' keeps the places of its files out of the store ([privacy]), and {lacking} of them are "
            "not known to this account on this machine",
            where=str(store.root),
            hint="radzoo ingest STUDY.toml brings them: with the study file, its tables, images and key",
        )
