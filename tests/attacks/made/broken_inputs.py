"""A study in which each patient has one broken input: what a hospital's folder may hold, and what is said of it.

Every patient has an image and a mask as NIfTI (phase ``MR``) and as DICOM (phase ``CT``), all of them sound but one.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from builders.dicom.written import changed
from pydicom.uid import JPEGLSLossless

from attacks.made.broken_files import (
    DRAWN,
    SHAPE,
    Patient,
    big_endian_dicom,
    big_endian_nifti,
    cut,
    cut_gzip,
    draw,
    duplicate,
    flipped,
    instead,
    lesion,
    masked,
    not_finite,
    one_slice,
    other_sized_segments,
    resaved,
    rewritten,
    segments,
    structures_as_image,
    tilt,
    two_series,
    write_sound,
    written,
)

__all__ = ["CASES", "SOUND", "Case", "write_study"]

SOUND = ("sound-1", "sound-2")
STUDY = """[study]
id = "broken"
title = "One broken input a patient"

[cohort]
table = "patients.csv"

[phases.MR]
image = "Aufnahmen/{patient}/MR Übersicht/image.nii"
mask = "Aufnahmen/{patient}/MR Übersicht/mask.nii"
modality = "MR"

[phases.CT]
image = "Aufnahmen/{patient}/CT 肝臓"
mask = "Aufnahmen/{patient}/Konturen/mask.dcm"
segment = "Lesion"
modality = "CT"
"""


class Case(NamedTuple):
    """A broken input: what it is done by, and what is said of it."""

    damage: Callable[[Patient], None]
    phase: str = ""
    """The phase that is lost; none where the input must be read."""
    words: str = ""
    """What the reason holds."""


CASES: dict[str, Case] = {
    "image-truncated": Case(lambda p: cut(p.image), "MR", "file is incomplete"),
    "image-gzip-cut": Case(cut_gzip, "MR", "its packed bytes cannot be unpacked"),
    "image-empty": Case(lambda p: p.image.write_bytes(b""), "MR", "file is empty (0 bytes)"),
    "image-folder": Case(instead(lambda file: file.mkdir()), "MR", "is a folder"),
    "image-link-loop": Case(instead(lambda file: file.symlink_to(file.name)), "MR", "symbolic links"),
    "image-link-dead": Case(instead(lambda file: file.symlink_to("gone.nii")), "MR", "which is missing"),
    "image-absent": Case(instead(lambda file: None), "MR", "file is missing"),
    "image-web-page": Case(lambda p: p.image.write_bytes(b"<!DOCTYPE html><html>"), "MR", "is a web page"),
    "image-4d": Case(written(np.zeros((3, *SHAPE), np.float32)), "MR", "a series of 3 volumes: split it"),
    "image-rgb": Case(written(np.zeros((*SHAPE, 3), np.uint8), is_vector=True), "MR", "an RGB image"),
    "image-2d": Case(written(np.zeros(SHAPE[1:], np.float32)), "MR", "an image of 2 dimensions"),
    "image-nan": Case(
        not_finite, "MR", "2 voxels are not finite (NaN or infinity), the first at (i, j, k) = (5, 5, 4)"
    ),
    "image-no-spacing": Case(lambda p: rewritten(p.image, (88, "f", 0.0)), "MR", "the spacing is missing"),
    "image-qform-sform": Case(lambda p: rewritten(p.image, (268, "f", 40.0)), "MR", "qform and sform"),
    "image-sheared": Case(lambda p: rewritten(p.image, (284, "f", -0.5), (252, "h", 0)), "MR", "not at right angles"),
    "image-bits": Case(lambda p: rewritten(p.image, (72, "h", 32)), "MR", "datatype is 4, with 32 bits a voxel"),
    "image-too-few-bytes": Case(lambda p: rewritten(p.image, (46, "h", 80)), "MR", "file is incomplete"),
    "image-more-bytes": Case(
        lambda p: rewritten(p.image, (46, "h", 4)), "MR", "the file has more voxels than its header counts"
    ),
    "mask-flipped": Case(flipped, "MR", "direction"),
    "mask-size": Case(masked(lesion(shape=(7, 10, 12))), "MR", "size (12, 10, 7) against the image's (12, 10, 8)"),
    "mask-other-patient": Case(masked(lesion(), origin=(40.0, 4.0, 10.0)), "MR", "origin in mm"),
    "mask-empty": Case(masked(lesion(0)), "MR", "mask is empty"),
    "mask-other-label": Case(masked(lesion(3)), "MR", "label 1 is absent from the mask; it has 3"),
    "mask-huge-label": Case(
        masked(lesion(2**40, np.int64)), "MR", "label 1 is absent from the mask; it has 1099511627776"
    ),
    "mask-fractions": Case(masked(lesion(1, np.float32) * 0.7), "MR", "a probability map? Threshold it"),
    "mask-is-image": Case(lambda p: p.mask.write_bytes(p.image.read_bytes()), "MR", "and more: is it a mask?"),
    "image-one-slice": Case(one_slice),
    "image-big-endian": Case(big_endian_nifti),
    "series-missing-slice": Case(lambda p: p.slices[3].unlink(), "CT", "a slice is missing"),
    "series-duplicate": Case(duplicate, "CT", "has 2 different slices at 1 of its 8 places"),
    "series-orientations": Case(
        lambda p: changed(p.slices[3], ImageOrientationPatient=[0, 1, 0, 0, 0, -1]), "CT", "differ in orientation"
    ),
    "series-two": Case(two_series, "CT", "2 series fit where the phase has no series = { ... }, and one must be left"),
    "series-two-patients": Case(lambda p: changed(p.slices[3], PatientID="other"), "CT", "images of several patients"),
    "series-tilted": Case(lambda p: resaved(p, tilt), "CT", "the gantry was tilted"),
    "series-truncated": Case(
        lambda p: cut(p.slices[3]), "CT", "does not end where the file does (at file 4 of 8 in the order of names)"
    ),
    "series-rows": Case(
        lambda p: resaved(p, lambda _, each: setattr(each, "Rows", 20)),
        "CT",
        "they are missing, incomplete or damaged (at file 1 of 8",
    ),
    "series-no-spacing": Case(
        lambda p: resaved(p, lambda _, each: setattr(each, "PixelSpacing", [0.0, 1.0])), "CT", "PixelSpacing"
    ),
    "series-colours": Case(
        lambda p: resaved(p, lambda _, each: setattr(each, "PhotometricInterpretation", "RGB")), "CT", "colours"
    ),
    "series-absent": Case(lambda p: [each.unlink() for each in p.slices] and None, "CT", "holds no DICOM files"),
    "series-structures": Case(structures_as_image, "CT", "none of them is an image of CT, MR or PET"),
    "series-big-endian": Case(big_endian_dicom),
    "series-jpeg-ls": Case(lambda p: resaved(p, lambda _, each: each.compress(JPEGLSLossless))),
    "contour-other-patient": Case(lambda p: draw(p, DRAWN, reference="1.2.3.4"), "CT", "FrameOfReferenceUID"),
    "contour-other-name": Case(lambda p: draw(p, DRAWN, "Leber"), "CT", "no structure of it has the name 'Lesion'"),
    "contour-none": Case(lambda p: draw(p, ()), "CT", "the mask is empty"),
    "contour-outside": Case(lambda p: draw(p, range(20, 24)), "CT", "lie outside of the image"),
    "contour-between": Case(lambda p: draw(p, (2.5, 3.5)), "CT", "between slices"),
    "contour-every-second": Case(lambda p: draw(p, (2, 4, 6)), "CT", "every second slice"),
    "contour-two-of-three": Case(lambda p: draw(p, (2, 4)), "CT", "is drawn on slices 3 and 5 and not on the slice"),
    "contour-cut": Case(lambda p: cut(p.structures), "CT", "the file is incomplete or damaged"),
    "segment-empty": Case(lambda p: segments(p, np.zeros((*SHAPE, 1), np.uint8)), "CT", "the mask is empty"),
    "segment-other-name": Case(
        lambda p: segments(p, np.stack([lesion()] * 2, -1), ("Leber", "Milz")), "CT", "no segment of it has the label"
    ),
    "segment-size": Case(
        other_sized_segments, "CT", "its frames have 6 rows and 6 columns, and the image's slices 10 and 12"
    ),
    "mask-series": Case(
        lambda p: p.structures.write_bytes(p.slices[0].read_bytes()), "CT", "is neither a DICOM segmentation"
    ),
}


def write_study(folder: Path) -> Path:
    """Write the study below a folder whose name is not ASCII, and return its file."""
    study = folder / "Klinik für Röntgen"
    for name in (*SOUND, *CASES):
        patient = Patient(study / "Aufnahmen" / name)
        write_sound(patient)
        if name in CASES:
            CASES[name].damage(patient)
    (study / "patients.csv").write_text("\n".join(["patient", *SOUND, *CASES]) + "\n")
    (study / "study.toml").write_text(STUDY, encoding="utf-8")
    return study / "study.toml"
