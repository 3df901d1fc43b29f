"""Time of what may come before the features of a scan: bias field, body, standard scale, another order.

Run it as ``PYTHONPATH=tests OMP_NUM_THREADS=1 python tests/benchmarks/refresh/preparation.py [--scan hospital]``.
Processor time, since a machine may be busy; the ways take turns, and medians are printed.
"""

from __future__ import annotations

import argparse
import statistics
import time

import SimpleITK as sitk
from benchmarks.extraction import SCANS, spherical_lesion

from flows.extract.prepared import prepared_scan
from flows.extract.radiomics import use_single_thread
from schemas.features.radiomics_settings import HCC_CEMRI, RadiomicsSettings

PAPER = HCC_CEMRI.model_dump()
STANDARD = PAPER | {"normalize": False, "normalize_scale": 1.0, "standardize": True}
LANDMARKS = {
    "phase": "AP",
    "percentiles": (1, 10, 20, 30, 40, 50, 60, 70, 80, 90, 99),
    "values": (0, 20, 30, 40, 45, 50, 55, 60, 70, 80, 100),
    "study": "s",
    "split": "fixed",
    "split_sha256": "0" * 64,
    "patients": 1,
    "prepared_sha256": RadiomicsSettings(standardize=True, normalize_region="body").prepared_sha256,
}
WAYS = {
    "z-score of the whole image, as the paper": PAPER,
    "z-score of the body": PAPER | {"normalize_region": "body"},
    "standard scale of the body": STANDARD | {"normalize_region": "body", "landmarks": (LANDMARKS,)},
    "z-score after resampling": PAPER | {"resample_first": True},
    "N4 (shrunk by 4), then the paper's": PAPER | {"bias_field": {}},
    "N4 (shrunk by 2), then the paper's": PAPER | {"bias_field": {"shrink_factor": 2}},
}


def main() -> None:
    """Print one line for each way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--scan", choices=SCANS, default="small")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    use_single_thread()
    image, _ = spherical_lesion(50, options.scan)
    # Magnitudes, as MR has them.
    image = sitk.Mask(image, image > 0)
    ways = {name: RadiomicsSettings.model_validate(written) for name, written in WAYS.items()}
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(options.repeats):
        for name, settings in ways.items():
            start = time.process_time()
            prepared_scan(image, settings, "AP")
            taken[name].append(time.process_time() - start)
    for name, times in taken.items():
        print(f"{name:45} {statistics.median(times):6.2f} s")


if __name__ == "__main__":
    main()
