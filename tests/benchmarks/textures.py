"""Time of textures and first-order features of one lesion's 11 images: pyradiomics, pictologics and ours, in turn.

    OMP_NUM_THREADS=1 python tests/benchmarks/textures.py [--diameter 50] [--repeats 15] [--python PYTHON]

pictologics, the fastest of the field, has other definitions of some features and compiles itself: it runs in a process
of its own, in a virtual environment that is made on the first run where a Python 3.12 is found. Filtering and binning
are no part of the times; one thread each.
"""

from __future__ import annotations

import argparse
import logging
import math
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from extraction import spherical_lesion

from flows.extract.discretisation import discretisation
from flows.extract.engines import FilteredMask
from flows.extract.fast.layout import MaskLayout
from flows.extract.filters import filtered_images
from flows.extract.prepared import prepared_scan
from flows.extract.process_state import keep_freed_memory
from flows.extract.radiomics import use_single_thread
from flows.extract.region import working_region
from schemas.features.radiomics_settings import HCC_CEMRI
from schemas.settings import Engine

FAMILIES = ("firstorder", "glcm", "glrlm", "glszm", "gldm", "ngtdm")
RIVAL = Path(__file__).with_name("rivals") / "pictologics_textures.py"
PINNED = "pictologics==0.9.0"


class Lesion:
    """A lesion's filtered images, binned.

    Parameters
    ----------
    diameter_mm : float
        Of the sphere.
    """

    def __init__(self, diameter_mm: float) -> None:
        image, mask = spherical_lesion(diameter_mm)
        parameters = HCC_CEMRI.pyradiomics_parameters()
        self.region = working_region(prepared_scan(image, HCC_CEMRI).image, mask, parameters["setting"])
        self.inside = self.region.inside()
        self.images = [array for _, array in filtered_images(self.region, parameters, "fast")]
        layout = MaskLayout(self.inside, 1)
        self.voxels = [np.ascontiguousarray(each).reshape(-1)[layout.voxels] for each in self.images]
        self.binned = [discretisation(each, HCC_CEMRI) for each in self.voxels]

    def masks(self) -> list[FilteredMask]:
        """Return what calculates families, with nothing calculated yet but what a refresh makes once a mask."""
        layout = MaskLayout(self.inside, 1)
        spacing = self.region.spacing_mm
        every = zip(self.images, self.voxels, self.binned, strict=True)
        return [FilteredMask(image, voxels, binned, layout, spacing, HCC_CEMRI) for image, voxels, binned in every]

    def save(self, file: Path) -> None:
        """Write the grey levels in the mask's box, 0 outside it, and the intensities."""
        stored: dict[str, np.ndarray] = {"inside": self.inside, "images": np.array(len(self.images))}
        for at, (voxels, binned) in enumerate(zip(self.voxels, self.binned, strict=True)):
            levels = np.zeros(self.inside.shape, dtype=np.int32)
            levels[self.inside] = binned.bins
            stored |= {f"levels_{at}": levels, f"voxels_{at}": voxels.astype(float)}
        np.savez(file, **stored)


def computed(lesion: Lesion, engine: Engine, families: tuple[str, ...] = FAMILIES) -> float:
    """Return how long the families of all images take."""
    began = time.perf_counter()
    for mask in lesion.masks():
        for family in families:
            values = dict(mask.outcomes(family, engine))
            assert all(isinstance(each, float) and math.isfinite(each) for each in values.values())
    return time.perf_counter() - began


def rival_round(process: subprocess.Popen[str]) -> float:
    """Return how long pictologics takes for all images."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("again\n")
    process.stdin.flush()
    return float(process.stdout.readline().split()[0])


def rival_python(asked: str | None) -> Path | None:
    """Return the Python that has pictologics, or None where there is none to make its environment with."""
    place = Path.home() / ".cache" / "radzoo-benchmarks" / "pictologics"
    python = place / "bin" / "python"
    if not python.exists():
        base = asked or next(filter(_is_python, map(shutil.which, ("python3.12", "python3.13"))), None)
        if base is None:
            return None
        print("installing pictologics in a virtual environment of its own", file=sys.stderr)
        subprocess.run([base, "-m", "venv", str(place)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", PINNED], check=True)
    return python


def _is_python(command: str | None) -> bool:
    """Return whether a command is a Python; that of a version manager may only say that none is chosen."""
    return command is not None and subprocess.run([command, "-c", ""], capture_output=True, check=False).returncode == 0


def main() -> None:
    """Print medians, ratios, and our time by family."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--diameter", type=float, default=50, help="of the lesion, in mm")
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--python", help="a Python 3.12, to make pictologics' environment with")
    asked = parser.parse_args()
    logging.getLogger("radiomics").setLevel(logging.CRITICAL + 1)
    warnings.simplefilter("ignore")
    # As in a worker process of a refresh.
    use_single_thread()
    keep_freed_memory()
    lesion = Lesion(asked.diameter)
    rounds: dict[str, Callable[[], float]] = {
        "ours": lambda: computed(lesion, "fast"),
        "pyradiomics": lambda: computed(lesion, "pyradiomics"),
    }
    with tempfile.TemporaryDirectory() as folder:
        python = rival_python(asked.python)
        if python is None:
            print("no Python 3.12 is found: without pictologics")
        else:
            lesion.save(Path(folder) / "images.npz")
            one = dict.fromkeys(("PICTOLOGICS_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
            command = [str(python), "-W", "ignore", str(RIVAL), str(Path(folder) / "images.npz")]
            rival = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | one
            )
            rounds["pictologics"] = lambda: rival_round(rival)
        for each in rounds.values():
            each()  # not timed: imports, compiling and caches
        taken = {name: [] for name in rounds}
        for _ in range(asked.repeats):
            for name, each in rounds.items():
                taken[name].append(each())
    if python is not None:
        rival.stdin.close()
        rival.wait()
    medians = {name: statistics.median(each) for name, each in taken.items()}
    print(f"{len(lesion.images)} images, {len(lesion.voxels[0]):,} voxels, {asked.diameter:g} mm")
    for name, median in medians.items():
        print(
            f"  {name:12} {median:.3f} s   {median / medians['ours']:.2f} times ours   (least {min(taken[name]):.3f})"
        )
    for family in FAMILIES:
        of_one = statistics.median(computed(lesion, "fast", (family,)) for _ in range(5))
        print(f"  ours, {family:11} alone {of_one:.3f} s")


if __name__ == "__main__":
    main()
