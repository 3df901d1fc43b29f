"""Time of one extraction, plain pyradiomics against ours, on the same lesion in the same run.

Run it as ``OMP_NUM_THREADS=1 python tests/benchmarks/extraction.py [--scan hospital] [--diameters 20 50 100]``.
The two take turns, so a busy machine slows both; medians are printed. ``--beside`` measures in their place what either
holds of memory at most, in a process of its own, and how many times one worker's extractions two workers make.
"""

import argparse
import logging
import multiprocessing
import os
import re
import statistics
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from radiomics.featureextractor import RadiomicsFeatureExtractor
from scipy.ndimage import gaussian_filter

from flows.engine.pool import worker_pool
from flows.extract.process_state import keep_freed_memory, quiet
from flows.extract.radiomics import extract, library_versions, use_single_thread
from schemas.features.radiomics_settings import HCC_CEMRI

SCANS = {"small": ((128, 128, 40), (0.8, 0.8, 2.5)), "hospital": ((320, 320, 72), (1.2, 1.2, 3.0))}
"""Voxels and their spacing in mm, along x, y and z."""


def spherical_lesion(diameter_mm, scan="small"):
    """Return a scan, textured for some 70 grey levels, and a lesion's mask."""
    size, spacing_mm = SCANS[scan]
    x, y, z = ((np.arange(n) - (n - 1) / 2) * step for n, step in zip(size, spacing_mm, strict=True))
    in_plane = x**2 + y[:, None] ** 2
    inside = in_plane + z[:, None, None] ** 2 < (diameter_mm / 2) ** 2
    noise = gaussian_filter(np.random.default_rng(0).normal(size=inside.shape), (0.6, 1.2, 1.2))
    noise *= 100 / noise.std()
    array = np.where(in_plane < (0.44 * size[0] * spacing_mm[0]) ** 2, 300 + noise, 0.05 * noise) + 150 * inside
    images = sitk.GetImageFromArray(np.round(array).astype(np.int16)), sitk.GetImageFromArray(inside.astype(np.uint8))
    for image in images:
        image.SetSpacing(spacing_mm)
    return images


def seconds(function, *arguments):
    """Return the wall time of one call and its result."""
    start = time.perf_counter()
    result = function(*arguments)
    return time.perf_counter() - start, result


kept_lesion = cache(spherical_lesion)


def extracted(diameter_mm, scan, engine="ours"):
    """Extract a lesion's features, by pyradiomics' own ``execute`` or by ours; it is made once a process."""
    image, mask = kept_lesion(diameter_mm, scan)
    if engine == "ours":
        extract(image, mask, HCC_CEMRI)
    else:
        with quiet():
            RadiomicsFeatureExtractor(HCC_CEMRI.pyradiomics_parameters()).execute(image, mask)


def most_megabytes(diameter_mm, scan, engine):
    """Return what this process holds at most while it extracts a lesion: libraries and scan, and what is computed."""
    as_worker()
    kept_lesion(diameter_mm, scan)
    Path("/proc/self/clear_refs").write_text("5")  # from here on the peak counts
    extracted(diameter_mm, scan, engine)
    return int(re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]) / 1024


def as_worker():
    """Be as a worker process of a refresh is."""
    use_single_thread()
    keep_freed_memory()


def seconds_of_workers(workers, diameter_mm, scan, many):
    """Return how long workers take for so many extractions of a lesion, all of which have it in memory."""
    with worker_pool(workers, as_worker) as pool:
        list(pool.map(extracted, [diameter_mm] * 4 * workers, [scan] * 4 * workers))
        return seconds(list, pool.map(extracted, [diameter_mm] * many, [scan] * many))[0]


def print_beside(diameters, scan, repeats):
    """Print memory and what a second worker adds, a line a lesion."""
    fresh = multiprocessing.get_context("spawn")
    print("diameter/mm   pyradiomics/MB   ours/MB   two workers' extractions to one's")
    for diameter in diameters:
        megabytes = []
        for engine in ("plain", "ours"):
            with ProcessPoolExecutor(1, mp_context=fresh) as alone:
                megabytes.append(alone.submit(most_megabytes, diameter, scan, engine).result())
        many = 24 if diameter < 100 else 8
        taken = [[seconds_of_workers(workers, diameter, scan, many) for workers in (1, 2)] for _ in range(repeats)]
        gained = statistics.median(one / two for one, two in taken)
        print(f"{diameter:11.0f} {megabytes[0]:16.0f} {megabytes[1]:9.0f} {gained:10.2f}", flush=True)


def main():
    """Print one line per lesion size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--scan", choices=SCANS, default="small")
    parser.add_argument("--diameters", type=float, nargs="+", default=[20, 50, 100], help="in mm")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--beside", action="store_true", help="memory and workers in place of times")
    options = parser.parse_args()
    if options.beside:
        print_beside(options.diameters, options.scan, options.repeats)
        return

    logging.getLogger("radiomics").setLevel(logging.CRITICAL + 1)
    warnings.simplefilter("ignore")
    as_worker()
    plain = RadiomicsFeatureExtractor(HCC_CEMRI.pyradiomics_parameters())
    print(library_versions(), "OMP_NUM_THREADS =", os.environ.get("OMP_NUM_THREADS", "not set"))
    print("diameter/mm   voxels  levels  pyradiomics/s   ours/s   ratio   largest relative difference")
    for diameter in options.diameters:
        image, mask = spherical_lesion(diameter, options.scan)
        extract(image, mask, HCC_CEMRI)  # not timed: imports and caches
        times = {"plain": [], "ours": []}
        for _ in range(options.repeats):
            elapsed, expected = seconds(plain.execute, image, mask)
            times["plain"].append(elapsed)
            elapsed, extraction = seconds(extract, image, mask, HCC_CEMRI)
            times["ours"].append(elapsed)
        values = np.array(list(extraction.values.values()))
        reference = np.array([float(expected[name]) for name in extraction.values])
        difference = np.abs(values - reference) / np.where(reference == 0, 1, np.abs(reference))
        medians = {name: statistics.median(each) for name, each in times.items()}
        print(
            f"{diameter:11.0f} {extraction.voxels:8d} {extraction.grey_levels['original']:7d} "
            f"{medians['plain']:14.2f} {medians['ours']:8.2f} {medians['plain'] / medians['ours']:7.2f}   "
            f"{np.nanmax(difference):.1e}"
        )


if __name__ == "__main__":
    main()
