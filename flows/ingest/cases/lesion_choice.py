"""Which masks of an exam models read, and which lesions were drawn in some of its phases only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from schemas.cases.lesions import UNION, Lesions
from schemas.keys import MaskKey
from schemas.study.cohort import Reading
from schemas.study.file import Study

__all__ = ["lesions_without_a_mask", "marked_masks"]

Row = dict[str, Any]


def marked_masks(study: Study, masks: Sequence[Row], readings: Sequence[Reading]) -> list[Row]:
    """Return the rows of ``study_masks`` of an exam: those that models read have ``is_primary`` 1.

    Models read the first of a patient's readings. Of several lesions they read the largest one, that is the one whose
    volumes in all phases of the exam sum up to most; the common mask; or all of them, where they are averaged.

    Parameters
    ----------
    study : Study
        The study.
    masks : sequence of dict
        The rows of ``masks`` of one exam.
    readings : sequence of Reading
        The patient's, the one that models read first.
    """
    first = (readings[0].reader, readings[0].reading) if readings else None
    of_models = [row for row in masks if (row["reader"], row["reading"]) == first]
    lesions = _read_lesions(study.lesions, of_models)
    return [
        {
            "study": study.id,
            **MaskKey.of(row)._asdict(),
            "is_primary": int((row["reader"], row["reading"]) == first and row["lesion"] in lesions),
        }
        for row in masks
    ]


def _read_lesions(lesions: Lesions | None, masks: Sequence[Row]) -> Collection[str]:
    every = {row["lesion"] for row in masks}
    if lesions is None:
        return every
    if lesions.use == "union":
        return {UNION}
    if lesions.use != "largest":
        return every
    volumes: defaultdict[str, float] = defaultdict(float)
    for row in masks:
        volumes[row["lesion"]] += row["volume_mm3"]
    # Of two lesions of one size the one that was named first.
    return {max(volumes, key=lambda name: volumes[name])} if volumes else ()


def lesions_without_a_mask(study: Study, masks: Sequence[Row], failures: Sequence[Row]) -> Iterator[MaskKey]:
    """Yield the lesions that a reading drew in some phases of an exam and not in others.

    Connected parts have numbers of their own in each phase, and are not compared. A phase of which a mask failed is
    left out: that says it already.

    Parameters
    ----------
    study : Study
        The study.
    masks, failures : sequence of dict
        The rows of ``masks`` and of ``failures`` of one exam.
    """
    if study.lesions is None or study.lesions.each == "component":
        return
    failed = {(row["phase"], row["reader"], row["reading"]) for row in failures}
    there = {MaskKey.of(row) for row in masks}
    drawn = dict.fromkeys((key.lesion, key.reader, key.reading) for key in map(MaskKey.of, masks))
    for first in masks[:1]:
        for phase in study.phases:
            for lesion, reader, reading in drawn:
                key = MaskKey(first["patient"], first["exam"], phase, lesion, reader, reading)
                if key not in there and (phase, reader, reading) not in failed:
                    yield key
