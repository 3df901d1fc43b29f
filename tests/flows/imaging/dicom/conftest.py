"""Fixtures of the tests that read DICOM masks."""

import numpy as np
import pytest
from builders.dicom.written import Place, numbered, write_series


@pytest.fixture
def series(tmp_path):
    """Give a written series and its grid."""
    array = numbered(5, 8, 16)
    files = write_series(tmp_path / "images", array, AcquisitionDate="20200102")
    return files, Place().grid(array)


@pytest.fixture
def segments():
    """Give two segments, of which the second lies on three slices of five."""
    masks = np.zeros((5, 8, 16, 2), np.uint8)
    masks[:, 1:4, 2:9, 0] = 1
    masks[1:4, 5:7, 3:5, 1] = 1
    masks[2, 6, 11, 1] = 1
    return masks
