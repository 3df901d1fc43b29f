"""Settings of a deep-learning region: every parameter that decides a value, and nothing else."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from schemas.keys import Name

__all__ = ["HCC_REGIONS", "RegionSettings", "RegistrationMethod", "RegistrationSettings"]

RegistrationMethod = Literal["simpleitk", "ants", "none"]

PositiveReal = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RegistrationSettings(_Settings):
    """How a phase is brought onto the fixed one: a rigid transform, found by mutual information.

    Attributes
    ----------
    method : str
        ``simpleitk``: Euler3D and Mattes' mutual information; ``ants``: ANTs' QuickRigid, which needs the extra
        ``radzoo[ants]``; ``none``: phases lie as the scanner has them.
    histogram_bins : int
        Bins of the joint histogram, per image.
    voxels_mm : tuple of floats
        A step each: voxels of the fixed image are merged up to about this size, and the metric reads all of them.
    smoothing_mm : float
        Standard deviation of the Gaussian that both images pass before.
    largest_step_mm, smallest_step_mm : float
        Length of the first move of the gradient descent, a quarter of it in each further step, and the one at which
        it ends.
    iterations : int
        At most, in each step.
    seed : int
        Of what ANTs draws; the other engine draws nothing.
    """

    method: RegistrationMethod = "simpleitk"
    histogram_bins: Annotated[int, Field(ge=8, le=256)] = 32
    voxels_mm: Annotated[tuple[PositiveReal, ...], Field(min_length=1, max_length=6)] = (6.0,)
    smoothing_mm: Annotated[float, Field(ge=0, le=1_000, allow_inf_nan=False)] = 1.0
    largest_step_mm: PositiveReal = 2.0
    smallest_step_mm: PositiveReal = 0.002
    iterations: Annotated[int, Field(ge=1, le=1000)] = 100
    seed: Annotated[int, Field(ge=1, lt=2**31)] = 20260101


class RegionSettings(_Settings):
    """What a network sees of an exam: some slices around the largest tumour area, cropped alike in all phases.

    Attributes
    ----------
    size : int
        Pixels along each side of the square.
    slices : int
        Consecutive slices around that of the largest area of the fixed phase's mask.
    margin_mm : float
        Between the masks of all phases together and the square's nearest side.
    normalize : str
        ``image``: mean 0 and standard deviation 1 over the whole native image, each phase by itself; ``body``: over the
        body's voxels, so that air does not count; ``none``.
    phases : tuple of str, or None
        Which phases belong together, all of the study's where None.
    fixed_phase : str or None
        The phase that others are registered to, the first one where None.
    registration : RegistrationSettings
        How.
    """

    size: Annotated[int, Field(ge=8, le=1024)] = 256
    slices: Annotated[int, Field(ge=1, le=64)] = 3
    margin_mm: Annotated[float, Field(ge=0, le=10_000, allow_inf_nan=False)] = 10.0
    normalize: Literal["image", "body", "none"] = "image"
    phases: tuple[Name, ...] | None = None
    fixed_phase: Name | None = None
    registration: RegistrationSettings = RegistrationSettings()

    @field_validator("phases")
    @classmethod
    def _without_repeats(cls, phases: tuple[Name, ...] | None) -> tuple[Name, ...] | None:
        if phases is not None and (not phases or len(set(phases)) != len(phases)):
            raise ValueError("name each phase once, and at least one")
        return phases

    def ordered_phases(self, of_study: tuple[str, ...]) -> tuple[str, ...]:
        """Return the phases that belong together, the fixed one first.

        Parameters
        ----------
        of_study : tuple of str
            The study's phases, in its order.
        """
        phases = self.phases or of_study
        fixed = self.fixed_phase or phases[0]
        return (fixed, *(phase for phase in phases if phase != fixed))

    @property
    def shape(self) -> tuple[int, int, int]:
        """Return slices, rows and columns of a region."""
        return self.slices, self.size, self.size


HCC_REGIONS = RegionSettings()
"""Settings of the feature set ``hcc-regions``: three slices of 256 x 256, as in the paper."""
