"""How far the fast engine's values lie from those of plain pyradiomics, on real scans and on phantoms.

Run it as ``OMP_NUM_THREADS=1 python tests/benchmarks/engine_agreement.py DATA [--phantoms 50]``; DATA has the folders
``pyradiomics_cases`` and ``sts_cohort``. Each scan is extracted by both, 1037 values of ``hcc-cemri``. Prints a line a
scan, and exits with 1 where a value lies further off than 1e-9, or is none where the other is one.
"""

import argparse
import logging
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from extraction import spherical_lesion
from radiomics.featureextractor import RadiomicsFeatureExtractor
from scipy.ndimage import gaussian_filter

from flows.extract.process_state import keep_freed_memory
from flows.extract.radiomics import extract, use_single_thread
from schemas.features.radiomics_settings import HCC_CEMRI

RELATIVE, ABSOLUTE = 1e-9, 1e-12


def phantom(seed):
    """Return a small scan and a mask of any shape: smooth or rough, of few or many grey levels, in parts or whole."""
    random = np.random.default_rng(seed)
    shape = tuple(random.integers(14, 40, 3))
    blob = gaussian_filter(random.normal(size=shape), random.uniform(1.5, 4))
    inside = blob > np.quantile(blob, random.uniform(0.7, 0.97))
    noise = gaussian_filter(random.normal(size=shape), random.uniform(0, 1.5))
    array = 300 + noise / noise.std() * random.uniform(5, 150) + 80 * inside
    images = sitk.GetImageFromArray(np.round(array).astype(np.int16)), sitk.GetImageFromArray(inside.astype(np.uint8))
    spacing_mm = [float(each) for each in random.choice([0.8, 1.0, 1.4, 3.0], 3)]
    for image in images:
        image.SetSpacing(spacing_mm)
    return images


def scans(data, phantoms):
    """Yield a name, an image and a mask for each scan."""
    for name in ("brain1", "breast1"):
        image, mask = (
            sitk.ReadImage(data / "pyradiomics_cases" / f"{name}_{part}.nrrd") for part in ("image", "label")
        )
        yield name, image, mask
    for folder in sorted((data / "sts_cohort" / "nifti").iterdir()):
        for image in sorted(folder.glob("*_image.nii.gz")):
            mask = sitk.ReadImage(str(image).replace("_image", "_mask"))
            yield f"{folder.name} {image.name.split('_')[0]}", sitk.ReadImage(image), mask
    for seed in range(phantoms):
        yield f"phantom {seed}", *phantom(seed)
    yield "sphere of 30 mm", *spherical_lesion(30)


def main():
    """Print one line a scan."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--phantoms", type=int, default=50)
    options = parser.parse_args()
    logging.getLogger("radiomics").setLevel(logging.CRITICAL + 1)
    warnings.simplefilter("ignore")
    # As in a worker process of a refresh.
    use_single_thread()
    keep_freed_memory()
    plain = RadiomicsFeatureExtractor(HCC_CEMRI.pyradiomics_parameters())
    bad = 0
    for name, image, mask in scans(options.data, options.phantoms):
        mask = sitk.Cast(mask > 0, sitk.sitkUInt8)
        mask.CopyInformation(image)
        start = time.process_time()
        found = extract(image, mask, HCC_CEMRI)
        ours = time.process_time() - start
        expected = plain.execute(image, mask)
        theirs = time.process_time() - start - ours
        values = np.array(list(found.values.values()))
        reference = np.array([float(expected.get(column, np.nan)) for column in found.values])
        apart = np.abs(values - reference) / np.where(np.abs(reference) > ABSOLUTE, np.abs(reference), 1.0)
        apart = np.where(np.isfinite(reference) | np.isfinite(values), apart, 0.0)
        worst = int(np.argmax(np.where(np.isnan(apart), np.inf, apart)))
        wrong = int(np.sum(~(apart <= RELATIVE)))
        bad += wrong
        print(
            f"{name:16} {found.voxels:8d} voxels {max(found.grey_levels.values()):5d} levels  "
            f"{theirs:7.2f} s {ours:6.2f} s {theirs / ours:5.1f} x  {len(values)} values, {wrong} beyond {RELATIVE:g}, "
            f"largest difference {apart[worst]:.1e} ({list(found.values)[worst]})",
            flush=True,
        )
    sys.exit(bad > 0)


if __name__ == "__main__":
    main()
