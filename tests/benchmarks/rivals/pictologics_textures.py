"""Textures and intensities by pictologics, in the virtual environment that ``textures.py`` makes for it.

    python pictologics_textures.py IMAGES.npz

For each line on its input it computes all images once and answers with the seconds that this took.
"""

from __future__ import annotations

import sys
import time

import numba
import numpy as np
from pictologics.features.intensity import calculate_intensity_features
from pictologics.features.texture import calculate_all_texture_features


def main() -> None:
    """Answer a line for each line."""
    numba.set_num_threads(1)
    stored = np.load(sys.argv[1])
    mask = stored["inside"].astype(np.uint8)
    images = [(stored[f"levels_{at}"], stored[f"voxels_{at}"]) for at in range(int(stored["images"]))]
    for _ in sys.stdin:
        began = time.perf_counter()
        found = 0
        for levels, voxels in images:
            found += len(calculate_all_texture_features(levels, mask, int(levels.max()), families=FAMILIES))
            found += len(calculate_intensity_features(voxels))
        print(time.perf_counter() - began, found, flush=True)


FAMILIES = ("glcm", "glrlm", "glszm", "ngtdm", "ngldm")
"""Those that pyradiomics has too; its GLDM is their NGLDM."""

if __name__ == "__main__":
    main()
