"""A scan as its features are calculated of it: without its bias field, on the scale that the settings give it.

Everything here comes before the engines, which read the same image.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import SimpleITK as sitk

from flows.extract.normalisation import exact_z_score, normalised_image
from flows.extract.scales import Scale, landmark_scale, measured_scan, rescaled_image, z_score
from flows.imaging.intensities.bias_field import corrected_image
from flows.imaging.intensities.body import body_image
from schemas.errors import ContractError
from schemas.features.radiomics_settings import RadiomicsSettings
from schemas.settings import Engine

__all__ = ["PreparedScan", "prepared_scan"]


@dataclass(frozen=True)
class PreparedScan:
    """What several masks of a scan share.

    Attributes
    ----------
    native : SimpleITK.Image
        On the scan's own grid, without its bias field where that is corrected.
    scale_before : Scale or None
        What its intensities are still to become before it is resampled: of a large scan only those near a mask.
    scale : Scale or None
        What its intensities are still to become, once it is resampled; None where they are what they should be.
    body : SimpleITK.Image or None
        By whose voxels the scale was measured, 1 inside; None where that was the whole image.
    """

    native: sitk.Image
    scale_before: Scale | None = None
    scale: Scale | None = None
    body: sitk.Image | None = None

    @cached_property
    def image(self) -> sitk.Image:
        """Return all of the scan as it is resampled."""
        return self.native if self.scale_before is None else rescaled_image(self.native, self.scale_before)

    def rescaled(self, resampled: sitk.Image) -> sitk.Image:
        """Return the resampled image with its intensities as they should be."""
        return resampled if self.scale is None else rescaled_image(resampled, self.scale)


def prepared_scan(
    image: sitk.Image, settings: RadiomicsSettings, phase: str = "", engine: Engine = "fast"
) -> PreparedScan:
    """Return a scan as its features are calculated of it.

    Parameters
    ----------
    image : SimpleITK.Image
        The native scan.
    settings : RadiomicsSettings
        What is done to it.
    phase : str
        Whose standard scale it gets, where the settings have one.
    engine : {'fast', 'pyradiomics'}
        What normalises by the whole image: the voxels have the same bits.

    Raises
    ------
    ContractError
        When the scan has no body, an intensity below 0 where its bias field is corrected, one intensity, or a phase
        without landmarks.
    """
    corrected = corrected_image(image, settings.bias_field)
    if not (settings.normalize or settings.standardize):
        return PreparedScan(corrected)
    if settings.normalize and settings.normalize_region == "image" and not settings.resample_first:
        exact = exact_z_score(corrected, settings) if engine == "fast" else None
        return PreparedScan(corrected, exact) if exact else PreparedScan(normalised_image(corrected, settings))
    measured = measured_scan(corrected, settings)
    body = body_image(measured) if settings.normalize_region == "body" else None
    scale = _scale(measured, settings, phase, body)
    if settings.resample_first:
        # Fractions of the scan's integers must survive resampling.
        return PreparedScan(sitk.Cast(corrected, sitk.sitkFloat64), scale=scale, body=body)
    return PreparedScan(rescaled_image(corrected, scale), body=body)


def _scale(measured: sitk.Image, settings: RadiomicsSettings, phase: str, body: sitk.Image | None) -> Scale:
    if settings.normalize:
        return z_score(measured, settings, body)
    landmarks = settings.landmarks_of(phase)
    if landmarks is None:
        raise ContractError(
            f"the feature set has no landmarks of phase '{phase}'",
            hint="radzoo features landmarks NAME learns them from training patients",
        )
    return landmark_scale(measured, landmarks, body)
