"""A finished region as a worker stages it: loaded without anything that reads the store."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.keys import MaskKey

__all__ = ["RegionRecord"]


@dataclass(frozen=True)
class RegionRecord:
    """One phase's region: the array, and what ``REGION_COLUMNS`` of `store.rows.regions` tells of it.

    ``voxels`` are the array's 16-bit floats, little-endian, in base64: slices, then rows, then columns; ``lesion``
    the mask's bits, the first one highest.
    """

    extraction_id: str
    key: MaskKey
    image_sha256: str
    mask_sha256: str
    context_sha256: str
    told: Mapping[str, Any]
    voxels: str
    lesion: str
    unavailable: Mapping[str, str] = field(default_factory=dict)
    """Always empty: a region is there as a whole or not at all."""

    @staticmethod
    def written(array: NDArray[np.float32]) -> str:
        """Return an array as ``voxels`` has it."""
        return base64.b64encode(np.ascontiguousarray(array, dtype="<f2").tobytes()).decode("ascii")

    @staticmethod
    def written_mask(mask: NDArray[np.bool_]) -> str:
        """Return a mask as ``lesion`` has it."""
        return base64.b64encode(np.packbits(mask).tobytes()).decode("ascii")

    def flat_mask(self, size: int) -> NDArray[np.bool_]:
        """Return whether each of the array's numbers lies in the lesion."""
        bits = np.frombuffer(base64.b64decode(self.lesion), dtype=np.uint8)
        return np.unpackbits(bits, count=size).astype(bool)

    def flat(self) -> NDArray[np.float16]:
        """Return the array's numbers."""
        return np.frombuffer(base64.b64decode(self.voxels), dtype="<f2")
