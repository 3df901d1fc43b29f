"""A small scan and mask given by a formula, and the values that pyradiomics 3.0.1 itself gives for them.

``golden_values.json`` beside this file was written by pyradiomics 3.0.1, which installs on Python 3.11 at most::

    python3.11 -m venv plain && plain/bin/pip install numpy==2.4.6 setuptools wheel versioneer
    plain/bin/pip install SimpleITK==2.5.7 PyWavelets==1.9.0
    plain/bin/pip install --no-build-isolation pyradiomics==3.0.1
    plain/bin/python tests/golden_values.py          # reads the file's parameters, writes its values
"""

from __future__ import annotations

import importlib.metadata
import json
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

__all__ = ["GOLDEN", "formula_scan"]

GOLDEN = Path(__file__).with_name("golden_values.json")

_SIZE = (30, 28, 14)
_SPACING_MM = (0.9, 0.9, 2.3)


def formula_scan() -> tuple[sitk.Image, sitk.Image]:
    """Return an image and the mask of an ellipsoid in it; of whole numbers, so that no machine rounds them.

    The texture is a polynomial of the voxel's indices modulo 211: it looks like noise, and no library's random numbers
    decide it.
    """
    x, y, z = np.meshgrid(*(np.arange(n) for n in _SIZE), indexing="ij")
    inside = 4 * (2 * x - 29) ** 2 + 5 * (2 * y - 27) ** 2 + 24 * (2 * z - 13) ** 2 < 1400
    noise = (7 * x**3 + 11 * y**3 + 13 * z**3 + 17 * x * y + 19 * y * z + 23 * z * x + 29 * x * y * z) % 211
    array = 300 + noise + 4 * x + 3 * y + 150 * inside
    images = (sitk.GetImageFromArray(each.T.copy()) for each in (array.astype(np.float32), inside.astype(np.uint8)))
    image, mask = images
    for each in (image, mask):
        each.SetSpacing(_SPACING_MM)
        each.SetOrigin((-20.0, 5.0, 30.0))
    return image, mask


def _plain_values(parameters: dict[str, Any]) -> dict[str, float]:
    from radiomics.featureextractor import RadiomicsFeatureExtractor

    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    extractor = RadiomicsFeatureExtractor(parameters)
    return {name: float(value) for name, value in extractor.execute(*formula_scan()).items()}


if __name__ == "__main__":
    golden = json.loads(GOLDEN.read_text())
    names = ("pyradiomics", "SimpleITK", "PyWavelets", "numpy")
    golden["source"] = {name: importlib.metadata.version(name) for name in names} | {"ITK threads": 1}
    golden["values"] = _plain_values(golden["parameters"])
    GOLDEN.write_text(json.dumps(golden, indent=0) + "\n")
