"""What is said of DICOM files that are refused: the reason, and nothing of the person."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

from builders.dicom.written import voxels
from flows.imaging.dicom.masks import read_dicom_mask
from flows.imaging.dicom.volumes import read_series
from flows.imaging.grids import Grid
from schemas.errors import ContractError
from schemas.study.dicom_parts import SeriesRule

SECRETS = ("SECRET", "Secret", "20200102", "101112", "101030")
"""What written headers hold of a person and an examination."""


def series_refusal(source: Path, **rule: Any) -> str:
    """Return what is said of a source of which no series can be read by a rule."""
    with pytest.raises(ContractError) as error:
        read_series(source, SeriesRule(**rule))
    return _shared_words(error.value, source)


def mask_refusal(source: Path, grid: Grid, segment: str | None = None, label: int = 1, **options: Any) -> str:
    """Return what is said of a source of which no mask can be read on a grid."""
    with pytest.raises(ContractError) as error:
        read_dicom_mask(source, grid, label, segment, **options)
    return _shared_words(error.value, source)


def _shared_words(error: ContractError, source: Path) -> str:
    said = str(error)
    assert error.where is not None
    assert str(source) in said
    assert not any(secret in said.replace(str(source), "") for secret in SECRETS)
    return said


def labelled(mask: sitk.Image, label: int = 1) -> np.ndarray:
    """Return where a label map has a label; it has no other."""
    array = voxels(mask)
    assert set(np.unique(array)) <= {0, label}
    return array == label
