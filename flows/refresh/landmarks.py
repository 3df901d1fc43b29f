"""Landmarks of standard scales, learnt from the images of a split's training patients: nothing is written."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

import numpy as np

from flows.engine.progress import progress_bar
from flows.extract.batch import failure_of, unchanged_image, unchanged_mask
from flows.extract.limited_units import extraction_limits
from flows.extract.planned import PlannedInput
from flows.extract.radiomics import use_single_thread
from flows.extract.scales import image_percentiles, measured_scan, standard_values
from flows.imaging.grid_tolerance import set_tolerance
from flows.imaging.intensities.bias_field import corrected_image
from flows.imaging.intensities.body import body_image, refuse_outside_body
from flows.imaging.volumes import ReadingFolders
from flows.privacy.places import folder_of_study, located_masks, refuse_unplaced
from flows.remote.copies import held_copies
from flows.scans.reader import temporary_folder
from schemas.errors import ContractError, NotFoundError, UsageError
from schemas.features.preparation import PhaseLandmarks
from schemas.features.radiomics_settings import RadiomicsSettings
from schemas.splits import split_sha256
from schemas.study.file import Study
from store.history.snapshot import Snapshot
from store.history.studies import stored_study
from store.home import Store
from store.limits.process import LimitedProcess, LimitedProcessError

__all__ = ["PERCENTILES", "LearntLandmarks", "learnt_landmarks"]

PERCENTILES = (1.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 99.0)
"""The deciles, and the outermost percentiles in place of the extremes, which single voxels decide (Shah M et al., Med
Image Anal 2011;15(2):267-282, doi:10.1016/j.media.2010.12.003)."""


@dataclass(frozen=True)
class LearntLandmarks:
    """A standard scale for each phase, and the images that could not teach."""

    feature_set: str
    """Its name, without a version."""
    landmarks: tuple[PhaseLandmarks, ...]
    failures: dict[str, str]
    """Why an image was left out, by patient and phase."""


def learnt_landmarks(
    store: Store,
    study: str | None,
    feature_set: str,
    *,
    split: str | None = None,
    phases: Sequence[str] = (),
    workers: int | None = None,
) -> LearntLandmarks:
    """Return the standard scale of each phase, learnt from the images of training patients and from no other.

    Each image goes through what comes before the scale under the set's settings: bias field, resampling where that is
    first, the region whose voxels count.

    Parameters
    ----------
    store : Store
        The store.
    study : str or None
        The study's id; None where the store has one study.
    feature_set : str
        A set of the study's own that standardizes.
    split : str, optional
        Whose training patients; the study's first where absent.
    phases : sequence of str
        Only these; all of the study's where empty.
    workers : int, optional
        Child processes; as many as there are cores where absent.

    Raises
    ------
    NotFoundError
        When the study does not define the set, or lacks a phase.
    UsageError
        When the set standardizes nothing, or there is no such split.
    ContractError
        When no training patient has a usable image of a phase.
    """
    snapshot = Snapshot(store)
    asked = stored_study(snapshot, study)
    settings = _settings(asked, feature_set)
    if unknown := [phase for phase in phases if phase not in asked.phases]:
        raise NotFoundError(
            f"study '{asked.id}' has no phase '{unknown[0]}'", hint=f"it has {', '.join(asked.phases) or 'none'}"
        )
    name = split or next(iter(asked.splits), None)
    rows = snapshot.rows("split_members", study=asked.id, split=name) if name else []
    members = {row["patient"]: row["cohort"] for row in rows}
    if name is None or not members:
        raise UsageError(
            f"study '{asked.id}' has no split{f' {name!r}' if name else ''}",
            hint="--split names one of [splits] in the study file: landmarks are learnt from training patients alone",
        )
    wanted = tuple(phases) or tuple(asked.phases)
    training = {patient for patient, cohort in members.items() if cohort == "training"}
    images = _images(snapshot, asked.id, training, wanted)
    refuse_unplaced(snapshot.store, asked.id, [each.image_source for each in images])
    found = _percentiles(
        asked.id, images, settings, folder_of_study(snapshot, asked.id), workers or os.cpu_count() or 1
    )
    landmarks = []
    for phase in wanted:
        own = [(each, measured) for each, measured in found if each.key.phase == phase and isinstance(measured, tuple)]
        if not own:
            raise ContractError(
                f"no training patient of split '{name}' has a usable image of phase '{phase}'",
                where=f"study '{asked.id}'",
                hint="; ".join(sorted({str(measured) for each, measured in found if each.key.phase == phase}))
                or "radzoo sql 'from failures' says what was refused",
            )
        values = standard_values(np.array([measured for _, measured in own]))
        landmarks.append(
            PhaseLandmarks(
                phase=phase,
                percentiles=PERCENTILES,
                values=tuple(map(float, values)),
                study=asked.id,
                split=name,
                split_sha256=split_sha256(members),
                patients=len({each.key.patient for each, _ in own}),
                prepared_sha256=settings.prepared_sha256,
            )
        )
    failures = {f"{each.key.patient} {each.key.phase}": m for each, m in found if isinstance(m, str)}
    return LearntLandmarks(feature_set, tuple(landmarks), failures)


def _settings(study: Study, feature_set: str) -> RadiomicsSettings:
    own = study.define.get(feature_set)
    if own is None or own.radiomics is None:
        raise NotFoundError(
            f"study '{study.id}' defines no radiomics set '{feature_set}'",
            hint=f"a set with a standard scale is [define.{feature_set}.radiomics] with standardize = true",
        )
    if not own.radiomics.standardize:
        raise UsageError(
            f"feature set '{feature_set}' brings nothing to a standard scale",
            hint=f"write standardize = true under [define.{feature_set}.radiomics] in place of normalize, and ingest "
            "again",
        )
    return own.radiomics


def _images(snapshot: Snapshot, study: str, patients: set[str], phases: Sequence[str]) -> list[PlannedInput]:
    """Return each image of the patients once, by its content, with one of its masks' keys."""
    found: dict[tuple[str, str], PlannedInput] = {}
    for mask in located_masks(snapshot, study):
        if mask.is_primary and mask.key.patient in patients and mask.key.phase in phases:
            named = {field: getattr(mask, field) for field in PlannedInput.__dataclass_fields__}
            found.setdefault((mask.key.phase, mask.image_sha256), PlannedInput(**named))
    return sorted(found.values(), key=lambda each: each.key)


def _percentiles(
    study: str, images: Sequence[PlannedInput], settings: RadiomicsSettings, place: Path | None, workers: int
) -> list[tuple[PlannedInput, tuple[float, ...] | str]]:
    """Return each image's percentiles, or why it has none, measured in child processes with limits."""
    idle: SimpleQueue[LimitedProcess] = SimpleQueue()
    count = max(1, min(workers, len(images)))
    with ExitStack() as open_, progress_bar(f"measuring {study}", len(images), "images") as advance:
        temporary = open_.enter_context(temporary_folder())
        folders = ReadingFolders(place, temporary)
        limits = extraction_limits(() if temporary is None else (temporary,))
        for _ in range(count):
            idle.put(open_.enter_context(LimitedProcess(limits, by_fork=True)))

        def one(each: PlannedInput) -> tuple[float, ...] | str:
            with held_copies((each.image_source, each.mask_source)) as copies:
                child = idle.get()
                try:
                    here = folders._replace(copies=copies)
                    return child.call(measured_percentiles, each, settings, PERCENTILES, here)
                except LimitedProcessError as error:
                    return f"measuring it had no end: {error}"
                finally:
                    idle.put(child)
                    advance()

        with ThreadPoolExecutor(count) as threads:
            return list(zip(images, threads.map(one, images), strict=True))


def measured_percentiles(
    planned: PlannedInput, settings: RadiomicsSettings, percentiles: Sequence[float], folders: ReadingFolders
) -> tuple[float, ...] | str:
    """Return an image's percentiles, or why it has none: what a child process is asked."""
    use_single_thread()
    try:
        native = unchanged_image(planned, folders)
        mask = unchanged_mask(planned, native, set_tolerance(settings), folders)
        measured = measured_scan(corrected_image(native, settings.bias_field), settings)
        body = body_image(measured) if settings.normalize_region == "body" else None
        if body is not None:
            refuse_outside_body(mask, body)
        found = image_percentiles(measured, percentiles, body)
    except Exception as error:  # a library's own error on one image must not cost the others theirs
        return failure_of(error)
    return tuple(map(float, found))
