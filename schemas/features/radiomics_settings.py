"""Settings of a radiomics extraction: every parameter that decides a value, and nothing else.

The names are spelled out with their units. `RadiomicsSettings.pyradiomics_parameters` gives the same
settings in pyradiomics' own spelling, so that anyone can reproduce a stored value with plain pyradiomics.
"""

from __future__ import annotations

from itertools import product
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import Field, field_validator, model_validator

from schemas.features.grey_levels import MOST_BINS
from schemas.features.preparation import Interpolator, PositiveReal, Real, ScanPreparation

__all__ = ["CT", "HCC_CEMRI", "MR", "Family", "Interpolator", "RadiomicsSettings"]

Family = Literal["shape", "firstorder", "glcm", "gldm", "glrlm", "glszm", "ngtdm"]
WeightingNorm = Literal["no_weighting", "euclidean", "manhattan", "infinity"]
ResegmentMode = Literal["absolute", "relative", "sigma"]

PositiveCount = Annotated[int, Field(gt=0)]

# Bounds far above what the field works with, as those of `schemas.features.preparation`.
Sigma = Annotated[float, Field(gt=0, le=1_000, allow_inf_nan=False)]
Distance = Annotated[int, Field(gt=0, le=100)]

_FAMILIES: tuple[Family, ...] = get_args(Family)
_SIMPLEITK_INTERPOLATOR: dict[Interpolator, str] = {
    "nearest": "sitkNearestNeighbor",
    "linear": "sitkLinear",
    "bspline": "sitkBSpline",
    "gaussian": "sitkGaussian",
    "hamming_sinc": "sitkHammingWindowedSinc",
    "cosine_sinc": "sitkCosineWindowedSinc",
    "welch_sinc": "sitkWelchWindowedSinc",
    "lanczos_sinc": "sitkLanczosWindowedSinc",
    "blackman_sinc": "sitkBlackmanWindowedSinc",
}


class RadiomicsSettings(ScanPreparation):
    """The parameters of one extraction; defaults are those of pyradiomics 3.0.1.

    Masks are binary by the time they are extracted, so there is no label here. The settings are immutable
    and hashable: two equal settings give equal values.

    Attributes
    ----------
    bias_field : BiasFieldSettings or None
        Divide an MR image by the bias field that N4 estimates of it, before all else. pyradiomics has no such setting,
        nor the four below that begin with ``normalize_region``.
    normalize : bool
        Centre and scale the native image, ``normalize_scale * (x - mean) / standard deviation``.
    normalize_scale : float
        The standard deviation after normalisation.
    normalize_region : {"image", "body"}
        Whose voxels give mean and standard deviation, or an image's landmarks: the whole image's, or the body's
        (`flows.imaging.intensities.body`), so that air does not count. All voxels are scaled.
    standardize : bool
        Bring each image to the standard scale of its phase, piecewise linearly, in place of normalising it.
    landmarks : tuple of PhaseLandmarks
        The standard scales; without that of a phase nothing is computed.
    resample_first : bool
        Take mean and deviation, or landmarks, of the resampled image instead of the native one.
    remove_outliers : float or None
        Clip the normalised image at this many standard deviations.
    resampled_spacing_mm : tuple of 3 floats (x, y, z) or None
        Spacing of the working grid in mm; 0 keeps the native spacing of that axis; None resamples nothing.
    interpolator : str
        For the image; a mask always takes the nearest neighbour.
    bin_width, bin_count : float or None, int or None
        Exactly one: a fixed width, in units of the (normalised) image, or a fixed number of bins.
    pad_distance_voxels : int
        Margin of the resampled crop around the mask, which decides the filters' values near its border.
    wavelet : str or None
        Name of a PyWavelets wavelet, or None for no wavelet images.
    wavelet_start_level, wavelet_levels : int
        First level (from 0) and number of levels of the stationary transform.
    log_sigma_mm : tuple of floats
        Widths in mm of the Laplacian of Gaussian filters.
    families : tuple of str
        Feature families, kept in one canonical order.
    minimum_roi_dimensions : int
        Fewest axes along which a mask must be longer than one voxel.
    minimum_roi_size : int or None
        A mask must have more voxels than this.
    geometry_tolerance : float
        Largest difference of image and mask in origin and spacing (as a share of the first spacing) and
        in direction cosines. Ingest compares with the loosest of a study's sets, the extraction with this one.
    force_2d, force_2d_dimension : bool, int
        Texture and wavelets within slices only, and the axis across them (0 = z, 1 = y, 2 = x).
    distances_voxels : tuple of int
        Neighbour distances of GLCM, GLDM and NGTDM, infinity norm.
    weighting_norm : str or None
        Weight of an angle in GLCM and GLRLM; None averages the features of all angles.
    symmetrical_glcm : bool
        Count each pair of voxels in both directions.
    gldm_alpha : int
        Largest difference in grey level of dependent voxels.
    voxel_array_shift : int
        Added to the intensities before Energy, Total Energy and Root Mean Squared.
    resegment_range : tuple of 1 or 2 floats, or None
        Drop mask voxels whose intensity is outside this range.
    resegment_mode : str
        Whether the range is absolute, relative to the maximum, or in standard deviations from the mean.
    resegment_shape : bool
        Use the resegmented mask for shape as well.
    shuffled_voxels : bool
        A negative control: permute the intensities inside the mask over the mask's voxels before anything else
        is computed, in an order that the scan's own intensities decide. pyradiomics has no such setting.
    """

    bin_width: PositiveReal | None = 25.0
    bin_count: Annotated[int, Field(gt=0, le=MOST_BINS)] | None = None
    pad_distance_voxels: Annotated[int, Field(ge=0, le=1_000)] = 5
    wavelet: Annotated[str, Field(min_length=1, max_length=50)] | None = None
    wavelet_start_level: Annotated[int, Field(ge=0, le=10)] = 0
    wavelet_levels: Annotated[int, Field(gt=0, le=10)] = 1
    log_sigma_mm: Annotated[tuple[Sigma, ...], Field(max_length=100)] = ()
    families: Annotated[tuple[Family, ...], Field(min_length=1)] = _FAMILIES
    minimum_roi_dimensions: Annotated[int, Field(ge=1, le=3)] = 2
    minimum_roi_size: PositiveCount | None = None
    geometry_tolerance: PositiveReal = 1e-6
    force_2d: bool = False
    force_2d_dimension: Annotated[int, Field(ge=0, le=2)] = 0
    distances_voxels: Annotated[tuple[Distance, ...], Field(min_length=1, max_length=100)] = (1,)
    weighting_norm: WeightingNorm | None = None
    symmetrical_glcm: bool = True
    gldm_alpha: Annotated[int, Field(ge=0, le=10**6)] = 0
    voxel_array_shift: Annotated[int, Field(ge=-(10**9), le=10**9)] = 0
    resegment_range: Annotated[tuple[Real, ...], Field(min_length=1, max_length=2)] | None = None
    resegment_mode: ResegmentMode = "absolute"
    resegment_shape: bool = False
    shuffled_voxels: bool = False

    @model_validator(mode="before")
    @classmethod
    def _count_instead_of_width(cls, written: Any) -> Any:
        # TOML has no null, so the default width gives way to a count that is given.
        if isinstance(written, dict) and written.get("bin_count") is not None and "bin_width" not in written:
            return written | {"bin_width": None}
        return written

    @field_validator("families")
    @classmethod
    def _in_canonical_order(cls, families: tuple[Family, ...]) -> tuple[Family, ...]:
        if len(set(families)) != len(families):
            raise ValueError("a feature family is named twice")
        return tuple(family for family in _FAMILIES if family in families)

    @field_validator("log_sigma_mm")
    @classmethod
    def _without_repeats(cls, sigmas: tuple[float, ...]) -> tuple[float, ...]:
        if len(set(sigmas)) != len(sigmas):
            raise ValueError("a LoG sigma is named twice")
        return sigmas

    @model_validator(mode="after")
    def _one_discretisation(self) -> Self:
        if (self.bin_width is None) == (self.bin_count is None):
            raise ValueError("give exactly one of bin_width and bin_count")
        return self

    @property
    def _has_width(self) -> bool:
        return self.bin_width is not None

    def image_types(self) -> tuple[str, ...]:
        """Return the names of the original and filtered images, in the order they are extracted.

        Names and order are pyradiomics': the detail bands of each wavelet level, the approximation of the
        last level, then one LoG image per sigma.
        """
        names = ["original"]
        if self.wavelet is not None:
            bands = ["".join(letters) for letters in product("LH", repeat=2 if self.force_2d else 3)]
            approximation, *details = bands
            for level in range(1, self.wavelet_levels + 1):
                names += [f"wavelet{level if level > 1 else ''}-{band}" for band in details]
            names.append(f"wavelet{level if level > 1 else ''}-{approximation}")
        names += [f"log-sigma-{str(sigma).replace('.', '-')}-mm-3D" for sigma in self.log_sigma_mm]
        return tuple(names)

    def pyradiomics_parameters(self) -> dict[str, dict[str, Any]]:
        """Return the parameters that ``radiomics.featureextractor.RadiomicsFeatureExtractor`` accepts.

        Everything that decides a value is written out, so pyradiomics' defaults play no part.
        """
        setting: dict[str, Any] = {
            "label": 1,
            "additionalInfo": False,
            "preCrop": False,
            "normalize": self.normalize,
            "normalizeScale": self.normalize_scale,
            "interpolator": _SIMPLEITK_INTERPOLATOR[self.interpolator],
            "padDistance": self.pad_distance_voxels,
            "minimumROIDimensions": self.minimum_roi_dimensions,
            "geometryTolerance": self.geometry_tolerance,
            "force2D": self.force_2d,
            "force2Ddimension": self.force_2d_dimension,
            "distances": list(self.distances_voxels),
            "symmetricalGLCM": self.symmetrical_glcm,
            "gldm_a": self.gldm_alpha,
            "voxelArrayShift": self.voxel_array_shift,
            "resegmentMode": self.resegment_mode,
            "resegmentShape": self.resegment_shape,
        }
        optional = {
            "removeOutliers": self.remove_outliers,
            "resampledPixelSpacing": self.resampled_spacing_mm and list(self.resampled_spacing_mm),
            "binWidth": self.bin_width,
            "binCount": self.bin_count,
            "minimumROISize": self.minimum_roi_size,
            "weightingNorm": self.weighting_norm,
            "resegmentRange": self.resegment_range and list(self.resegment_range),
        }
        setting |= {name: value for name, value in optional.items() if value is not None}
        image_type: dict[str, Any] = {"Original": {}}
        if self.wavelet is not None:
            image_type["Wavelet"] = {
                "wavelet": self.wavelet,
                "start_level": self.wavelet_start_level,
                "level": self.wavelet_levels,
            }
        if self.log_sigma_mm:
            image_type["LoG"] = {"sigma": list(self.log_sigma_mm)}
        return {
            "setting": setting,
            "imageType": image_type,
            "featureClass": {family: [] for family in self.families},
        }


# The paper gives neither the bin width nor the sigmas: 5 leaves 30 to 130 grey levels at scale 100, and
# 3 and 5 mm are common for lesions over 10 mm.
HCC_CEMRI = RadiomicsSettings(
    normalize=True,
    normalize_scale=100.0,
    resampled_spacing_mm=(1.0, 1.0, 1.0),
    interpolator="linear",
    bin_width=5.0,
    pad_distance_voxels=5,
    wavelet="coif1",
    log_sigma_mm=(3.0, 5.0),
)
"""Settings of the feature set ``hcc-cemri``: 1037 columns per phase."""

# Why each number: docs/adr/0026. The padding is LoG's 4 x 5 mm, so that no response depends on the crop.
CT = RadiomicsSettings(
    resampled_spacing_mm=(1.0, 1.0, 1.0),
    interpolator="linear",
    bin_width=25.0,
    pad_distance_voxels=20,
    wavelet="coif1",
    log_sigma_mm=(3.0, 5.0),
)
"""Settings of the feature set ``ct``: Hounsfield units, neither normalised nor re-segmented."""

MR = CT.model_copy(update={"normalize": True, "normalize_scale": 100.0, "bin_width": 3.0})
"""Settings of the feature set ``mr``: intensities of arbitrary unit, brought to one scale image by image."""
