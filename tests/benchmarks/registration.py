"""What a registration costs and how well it finds a known motion, by engine and steps.

python tests/benchmarks/registration.py [--patients 12] [--real FOLDER]
"""

from __future__ import annotations

import argparse
import importlib.util
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from flows.demo.cohort import published_cohort
from flows.demo.lesions import lesion_traits, patient_seed
from flows.demo.phantom.liver import liver_mask, phantom_phases, true_transform
from flows.demo.phantom.motion import Motion
from flows.imaging.register import FixedImage, registered
from schemas.features.region_settings import RegistrationSettings

ENGINES = {
    "6 mm": RegistrationSettings(voxels_mm=(6.0,)),
    "3 mm": RegistrationSettings(voxels_mm=(3.0,)),
    "6, 3 mm": RegistrationSettings(voxels_mm=(6.0, 3.0)),
    "6, 3, 1 mm": RegistrationSettings(voxels_mm=(6.0, 3.0, 1.0)),
    "ANTs QuickRigid": RegistrationSettings(method="ants"),
}

Pair = tuple[sitk.Image, sitk.Image, sitk.Transform, sitk.Image]


def phantoms(patients: int) -> Iterator[Pair]:
    """Yield fixed and moving image, true transform and liver of the demonstration's first patients."""
    liver = liver_mask()
    for row in published_cohort().to_dicts()[:patients]:
        seed = patient_seed(row["patient"])
        images = phantom_phases(lesion_traits(row), row["field_strength_t"], seed)
        for phase in ("PVP", "DP"):
            yield images["AP"], images[phase], true_transform(seed, phase), liver


def real(folder: Path, motions: int = 6) -> Iterator[Pair]:
    """Yield a real liver MR on 1.2 x 1.2 x 3 mm against itself, moved and with another contrast and noise."""
    image = sitk.ReadImage(str(folder / "example_mr_sm.nii.gz"), sitk.sitkFloat32)
    labels = sitk.ReadImage(str(folder / "example_seg_mr.nii.gz"))
    columns, rows, slices = image.GetSize()
    grid = sitk.Image(round(columns * 2.5), round(rows * 2.5), slices, sitk.sitkUInt8)
    grid.SetSpacing((1.2, 1.2, 3.0))
    grid.SetOrigin(image.GetOrigin())
    fixed = sitk.Resample(image, grid, sitk.Transform(), sitk.sitkBSpline, 0.0)
    liver = sitk.Resample(labels, grid, sitk.Transform(), sitk.sitkNearestNeighbor, 0) == 5
    middle = grid.TransformContinuousIndexToPhysicalPoint([(count - 1) / 2 for count in grid.GetSize()])
    for seed in range(motions):
        random = np.random.default_rng(seed)
        angles = tuple(np.deg2rad(random.uniform(-3, 3, 3)).tolist())
        motion = Motion(angles, tuple(random.uniform(-4, 4, 3).tolist()), middle).transform()
        moved = sitk.GetArrayFromImage(sitk.Resample(image, grid, motion.GetInverse(), sitk.sitkBSpline, 0.0))
        contrast = 900.0 * (np.clip(moved, 0.0, 900.0) / 900.0) ** 0.6
        moving = sitk.GetImageFromArray((contrast + random.normal(0.0, 10.0, moved.shape)).astype(np.float32))
        moving.CopyInformation(fixed)
        yield fixed, moving, motion, liver


def error_mm(found: sitk.Transform, truth: sitk.Transform, mask: sitk.Image) -> float:
    """Return the mean distance in a mask of where two transforms take a point."""
    at = np.argwhere(sitk.GetArrayFromImage(mask) > 0)[::97, ::-1]
    points = [mask.TransformIndexToPhysicalPoint([int(each) for each in index]) for index in at]
    apart = [np.linalg.norm(np.subtract(found.TransformPoint(p), truth.TransformPoint(p))) for p in points]
    return float(np.mean(apart))


def main() -> None:
    """Measure and print one line for each engine and data set."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--patients", type=int, default=12)
    arguments.add_argument("--real", type=Path, help="the folder abdomen_mr_ct")
    asked = arguments.parse_args()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    data = {"phantoms": list(phantoms(asked.patients))}
    if asked.real is not None:
        data["real MR"] = list(real(asked.real))
    for name, pairs in data.items():
        before = [error_mm(sitk.Transform(), truth, mask) for _, _, truth, mask in pairs]
        print(f"{name}: {len(pairs)} pairs of {pairs[0][0].GetSize()}, before: mean {np.mean(before):.2f} mm")
        for engine, settings in ENGINES.items():
            if settings.method == "ants" and importlib.util.find_spec("ants") is None:
                continue
            errors, seconds, applied = [], [], 0
            for fixed, moving, truth, mask in pairs:
                started = time.process_time()
                found = registered(FixedImage(fixed), moving, settings)
                seconds.append(time.process_time() - started)
                errors.append(error_mm(found.transform, truth, mask))
                applied += found.is_applied
            print(
                f"  {engine:16} mean {np.mean(errors):.2f} worst {max(errors):.2f} mm, "
                f"{np.median(seconds):.2f} s of CPU, applied {applied} of {len(pairs)}",
                flush=True,
            )


if __name__ == "__main__":
    main()
