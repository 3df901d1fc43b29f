"""A study's masks and features written as DICOM, into a folder that appears when all is written."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from queue import SimpleQueue

from flows.commits.erased_meanwhile import carry_out
from flows.dicom_out.extractions import extractions_of
from flows.dicom_out.objects import NOT_DICOM, ExportedMask, Written, written_objects
from flows.engine.progress import progress_bar
from flows.imaging.opened_files import system_words
from flows.imaging.volumes import ReadingFolders
from flows.privacy.places import folder_of_study, located_masks, refuse_unplaced
from flows.remote.copies import held_copies
from flows.scans.reader import file_limits, limit_words, temporary_folder
from schemas.errors import ContractError, NotFoundError, UsageError
from store.history.snapshot import Snapshot
from store.history.studies import stored_study
from store.history.study_masks import StudyMask
from store.home import Store
from store.limits.process import LimitedProcess, LimitedProcessError

__all__ = ["DicomReport", "write_dicom"]


@dataclass(frozen=True)
class DicomReport:
    """What was written."""

    study: str
    folder: Path
    segmentations: int
    reports: int
    images: int
    """Files of image series: of images that were no DICOM."""
    without_features: int
    """Masks of which the store has no radiomics, so that there is a segmentation and no report."""
    failures: dict[str, str]
    """Why a mask was not written, by its key."""


def write_dicom(
    store: Store,
    folder: Path,
    study: str | None,
    *,
    patients: Sequence[str] = (),
    feature_sets: Sequence[str] = (),
    with_images: bool = False,
    workers: int | None = None,
) -> DicomReport:
    """Write segmentations and structured reports of a study's masks, and return what was written.

    Parameters
    ----------
    store : Store
        The store.
    folder : Path
        New or empty. It appears when all is written, or not at all.
    study : str or None
        The study's id; None where the store has one study.
    patients : sequence of str
        Only these; all where empty.
    feature_sets : sequence of str
        ``name@version``: only these; all of the study that hold radiomics where empty.
    with_images : bool
        Write an image that is no DICOM as a series too.
    workers : int, optional
        Child processes that read and write; as many as there are cores where absent.

    Raises
    ------
    UsageError
        When the folder holds something or cannot be made.
    NotFoundError
        When there is no such study, patient or feature set, or the study has no masks.
    ContractError
        When not one mask can be written.
    """
    return carry_out(
        store,
        lambda _: _write_dicom(
            store, folder, study, patients, feature_sets, with_images, workers or os.cpu_count() or 1
        ),
        only_reads=True,
    )


def _write_dicom(
    store: Store,
    folder: Path,
    study: str | None,
    patients: Sequence[str],
    feature_sets: Sequence[str],
    with_images: bool,
    workers: int,
) -> DicomReport:
    snapshot = Snapshot(store)
    stored = stored_study(snapshot, study)
    _refuse_filled(folder)
    masks = _chosen_masks(snapshot, stored.id, patients)
    extractions = extractions_of(snapshot, stored.id, feature_sets, {each.key for each in masks})
    made = {row["commit_id"]: row["committed_at"] for row in snapshot.arrow("commits").to_pylist()}
    modalities = {(row["patient"], row["exam"], row["phase"]): row["modality"] for row in snapshot.rows("scans")}
    exported = [
        ExportedMask(
            each,
            modalities.get(each.key[:3]) or "",
            made[each.since],
            tuple(extractions.get(each.key, ())),
            with_images,
        )
        for each in masks
    ]
    partial = folder.with_name(f".{folder.name}-{uuid.uuid4().hex[:8]}.partial")
    try:
        try:
            partial.mkdir(parents=True)
        except OSError as error:
            raise UsageError(
                f"'{folder}' cannot be made: {system_words(error)}", hint="name a folder that you may write"
            ) from error
        written, failures = _write_all(stored.id, exported, folder_of_study(snapshot, stored.id), partial, workers)
        if not written:
            _refuse_all(stored.id, folder, failures)
        partial.replace(folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return DicomReport(
        stored.id,
        folder,
        sum(each.segmentations for each in written.values()),
        sum(each.reports for each in written.values()),
        sum(each.images for each in written.values()),
        sum(not each.reports for each in written.values()),
        failures,
    )


def _refuse_filled(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError("there is something here already", where=str(folder), hint="name a new or empty folder")


def _refuse_all(study: str, folder: Path, failures: dict[str, str]) -> None:
    reasons = set(failures.values())
    if reasons == {NOT_DICOM}:
        raise ContractError(
            f"no image of study '{study}' is DICOM: there are no instances that segmentations could refer to",
            where=study,
            hint=f"radzoo dicom {folder} --study {study} --with-images writes the images as series too; or name the "
            "DICOM originals in the study file, then radzoo ingest and radzoo refresh",
        )
    first, reason = next(iter(failures.items()))
    raise ContractError(
        f"not one of {len(failures)} masks can be written; the first, {first}: {reason}",
        where=study,
        hint="correct it in the study file where it can say so, then radzoo ingest and radzoo refresh; "
        "radzoo look shows each image and mask as they are read",
    )


def _chosen_masks(snapshot: Snapshot, study: str, patients: Sequence[str]) -> list[StudyMask]:
    masks = located_masks(snapshot, study)
    if unknown := sorted(set(patients) - {each.key.patient for each in masks}):
        raise NotFoundError(f"study '{study}' has no mask of patient '{unknown[0]}'", hint="radzoo sql 'from masks'")
    masks = [each for each in masks if not patients or each.key.patient in patients]
    if not masks:
        raise NotFoundError(
            f"study '{study}' has no images and masks to write",
            hint="radzoo sql 'from failures' says what was wrong with them, if it was there",
        )
    refuse_unplaced(snapshot.store, study, [file for each in masks for file in (each.image_source, each.mask_source)])
    return sorted(masks, key=lambda each: each.key)


def _write_all(
    study: str, exported: Sequence[ExportedMask], place: Path | None, into: Path, workers: int
) -> tuple[dict[str, Written], dict[str, str]]:
    """Write all masks and return what was written of each, and why some were not."""
    written: dict[str, Written] = {}
    failures: dict[str, str] = {}
    readers: SimpleQueue[LimitedProcess] = SimpleQueue()
    with ExitStack() as opened, progress_bar(f"writing {study}", len(exported), "masks") as advance:
        temporary = opened.enter_context(temporary_folder())
        limits = file_limits((into,) if temporary is None else (into, temporary))
        # A call reads two files, and writes a report of some seconds for each extraction.
        calls = 2 + max(len(each.extractions) for each in exported)
        limits = replace(limits, seconds=calls * limits.seconds)
        for _ in range(min(workers, len(exported))):
            child = LimitedProcess(limits, trusted=("flows.imaging", "flows.dicom_out"), by_fork=True)
            readers.put(opened.enter_context(child))

        def of_one_image(masks: Sequence[ExportedMask]) -> None:
            # One after another: masks of an image share its series.
            for each in masks:
                name = str(each.mask.key)
                with held_copies((each.mask.image_source, each.mask.mask_source)) as copies:
                    reader, folders = readers.get(), ReadingFolders(place, temporary, copies=copies)
                    try:
                        written[name] = reader.call(written_objects, each, folders, into)
                    except LimitedProcessError as error:
                        failures[name] = limit_words(error)
                    except ContractError as error:
                        failures[name] = error.message
                    finally:
                        readers.put(reader)
                advance()

        by_image = [list(masks) for _, masks in groupby(exported, key=lambda each: each.mask.key[:3])]
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(of_one_image, by_image))
    # In the order of the masks, whichever ended first.
    names = [str(each.mask.key) for each in exported]
    return {name: written[name] for name in names if name in written}, {
        name: failures[name] for name in names if name in failures
    }
