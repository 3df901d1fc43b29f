"""How a scan is prepared before features are calculated: bias field, intensities, working grid, in which order.

What is added here later than the first release is written, and hashed, where it is set and only there: a feature set
that does without it keeps its hash.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    StringConstraints,
    model_serializer,
    model_validator,
)

from schemas.keys import Name, sha256_of_json

__all__ = ["BiasFieldSettings", "Interpolator", "PhaseLandmarks", "PositiveReal", "Real", "Region", "ScanPreparation"]

Interpolator = Literal[
    "nearest",
    "linear",
    "bspline",
    "gaussian",
    "hamming_sinc",
    "cosine_sinc",
    "welch_sinc",
    "lanczos_sinc",
    "blackman_sinc",
]
Region = Literal["image", "body"]
"""Which voxels of a scan count: all of them, or the body, which air is no part of."""

_SMALLEST_SPACING_MM = 0.01


def _spacing(spacing: float) -> float:
    if 0 < spacing < _SMALLEST_SPACING_MM:
        raise ValueError(f"a grid finer than {_SMALLEST_SPACING_MM} mm has more voxels than any memory")
    return spacing


PositiveReal = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Real = Annotated[float, Field(allow_inf_nan=False)]
# Bounds far above what the field works with: beyond them an extraction takes days or all memory, and means nothing.
Spacing = Annotated[float, Field(ge=0, le=1_000, allow_inf_nan=False), AfterValidator(_spacing)]
Iterations = Annotated[int, Field(ge=1, le=1_000)]
Percentile = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class BiasFieldSettings(BaseModel):
    """N4, which estimates the slow change of an MR image's brightness over space and divides it out.

    What stands here is what is commonly set; ITK's other parameters have ITK's defaults: splines of order 3 on 4
    control points at the first level, a histogram of 200 bins, a full width at half maximum of 0.15 and a Wiener noise
    of 0.01.

    Attributes
    ----------
    shrink_factor : int
        The field is estimated on every so many voxels along each axis, on fewer along an axis that is short, and
        applied to all.
    iterations : tuple of int
        At most, at each level; every level has twice the control points of the one before.
    convergence_threshold : float
        A level ends where the field changes by less, as a coefficient of variation.
    mask : {"body", "image"}
        The voxels by which the field is estimated.

    References
    ----------
    Tustison NJ et al., IEEE Trans Med Imaging 2010;29(6):1310-1320, doi:10.1109/TMI.2010.2046908.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    shrink_factor: Annotated[int, Field(ge=1, le=16)] = 4
    iterations: Annotated[tuple[Iterations, ...], Field(min_length=1, max_length=8)] = (50, 50, 50, 50)
    convergence_threshold: Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)] = 0.001
    mask: Region = "body"


class PhaseLandmarks(BaseModel):
    """What the standard scale of a phase was learnt to be, and from whom: nothing is learnt when features are computed.

    Attributes
    ----------
    phase : str
        Whose images are brought to this scale.
    percentiles : tuple of float
        Of an image's intensities, rising.
    values : tuple of float
        Where each of them comes to lie, rising.
    study, split : str
        Whose training patients they were learnt from.
    split_sha256 : str
        The split's hash then, by which the store knows who they were.
    patients : int
        How many there were.
    prepared_sha256 : str
        `ScanPreparation.prepared_sha256` of the settings under which they were learnt.

    References
    ----------
    Nyul LG, Udupa JK, Zhang X, IEEE Trans Med Imaging 2000;19(2):143-150, doi:10.1109/42.836373.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    phase: Name
    percentiles: Annotated[tuple[Percentile, ...], Field(min_length=2, max_length=101)]
    values: Annotated[tuple[Real, ...], Field(min_length=2, max_length=101)]
    study: Name
    split: Name
    split_sha256: Sha256
    patients: Annotated[int, Field(ge=1)]
    prepared_sha256: Sha256

    @model_validator(mode="after")
    def _rises(self) -> Self:
        if len(self.percentiles) != len(self.values):
            raise ValueError(f"phase '{self.phase}': give as many values as percentiles")
        if any(high <= low for each in (self.percentiles, self.values) for low, high in pairwise(each)):
            raise ValueError(f"phase '{self.phase}': percentiles and values rise, each above the one before")
        return self


class ScanPreparation(BaseModel):
    """What becomes of a scan before its features; `schemas.features.radiomics_settings` describes each key."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    declared_later: ClassVar[tuple[str, ...]] = (
        "bias_field",
        "normalize_region",
        "standardize",
        "landmarks",
        "resample_first",
        "shuffled_voxels",
    )
    """Keys that the first release did not have."""

    bias_field: BiasFieldSettings | None = None
    normalize: bool = False
    normalize_scale: Annotated[float, Field(gt=0, le=1e9, allow_inf_nan=False)] = 1.0
    normalize_region: Region = "image"
    remove_outliers: PositiveReal | None = None
    standardize: bool = False
    landmarks: Annotated[tuple[PhaseLandmarks, ...], Field(max_length=200)] = ()
    resampled_spacing_mm: tuple[Spacing, Spacing, Spacing] | None = None
    interpolator: Interpolator = "bspline"
    resample_first: bool = False

    @model_serializer(mode="wrap")
    def _written_where_it_is_set(self, written: SerializerFunctionWrapHandler) -> dict[str, Any]:
        values: dict[str, Any] = written(self)
        fields = type(self).model_fields
        unset = {name for name in self.declared_later if name in fields and getattr(self, name) == fields[name].default}
        return {name: value for name, value in values.items() if name not in unset}

    @model_validator(mode="after")
    def _contradicts_nothing(self) -> Self:
        if faults := list(self._contradictions()):
            raise ValueError("; ".join(faults))
        return self

    def _contradictions(self) -> Iterator[str]:
        is_scaled = self.normalize or self.standardize
        if self.normalize and self.standardize:
            yield (
                "normalize and standardize both decide the scale: a z-score before the landmarks changes nothing, one "
                "after them undoes the standard scale; leave one of the two out"
            )
        if self.standardize and (self.remove_outliers is not None or self.normalize_scale != 1):
            yield "remove_outliers and normalize_scale belong to normalize; the standard scale has its own"
        if self.landmarks and not self.standardize:
            yield "landmarks are the standard scale of standardize: set it, or leave them out"
        if self.normalize_region != "image" and not is_scaled:
            yield "normalize_region says whose voxels decide the scale: set normalize or standardize, or leave it out"
        if self.bias_field is not None and not is_scaled and self._has_width:
            yield (
                "bias_field leaves an image's brightness open, N4 finding a field up to a factor: set normalize or "
                "standardize, or bin_count instead of bin_width"
            )
        if self.resample_first and not (self.resamples and is_scaled):
            yield (
                "resample_first puts resampling before the scale: set resampled_spacing_mm, and normalize or "
                "standardize, or leave it out"
            )
        phases = [each.phase for each in self.landmarks]
        if twice := sorted({each for each in phases if phases.count(each) > 1}):
            yield f"phase '{twice[0]}' has landmarks twice"
        if others := [each.phase for each in self.landmarks if each.prepared_sha256 != self.prepared_sha256]:
            yield (
                f"the landmarks of phase '{others[0]}' were learnt from images that were prepared in another way "
                "(bias_field, normalize_region, resample_first): take them out, ingest, and learn them again with "
                "radzoo features landmarks"
            )

    @property
    def _has_width(self) -> bool:
        """Return whether grey levels are of one width in all images; a kind of set that has none says so."""
        return False

    @property
    def resamples(self) -> bool:
        """Return whether a new grid is asked for."""
        return self.resampled_spacing_mm is not None and any(self.resampled_spacing_mm)

    @property
    def prepared_sha256(self) -> str:
        """Return the hash of what a scan has gone through when its landmarks are measured."""
        through: dict[str, Any] = {
            "bias_field": None if self.bias_field is None else self.bias_field.model_dump(mode="json"),
            "region": self.normalize_region,
        }
        if self.resample_first:
            through |= {"spacing_mm": self.resampled_spacing_mm, "interpolator": self.interpolator}
        return sha256_of_json(through)

    def landmarks_of(self, phase: str) -> PhaseLandmarks | None:
        """Return the landmarks of a phase, None where there are none."""
        return next((each for each in self.landmarks if each.phase == phase), None)
