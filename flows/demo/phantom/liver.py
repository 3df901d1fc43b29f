"""Three-phase contrast-enhanced liver MR phantoms with one lesion, and the outlines that readers draw of it.

Scale: extracting a thousand features from a true-size 50 mm lesion takes seconds, so by default everything is
drawn at half size, ``scale=0.5``: one millimetre of the phantom stands for two millimetres of the patient,
and a 50 mm tumour measures 25 mm in the image. The voxel stays 1.2 x 1.2 x 3.0 mm. At ``scale=1.0`` the
patient is drawn at true size on eight times as many voxels. Sizes in `LesionTraits` are always the patient's.

Between phases the patient moves a little as a whole, by some millimetres and degrees: `true_transform` tells how.
The first phase is where he lies at rest.

An image depends on the traits, the field strength, the seed and the scale alone: not on what was drawn before
it, nor on the process that draws it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import SimpleITK
from numpy.typing import NDArray

from flows.demo.phantom.abdomen import (
    FIELD_OF_VIEW_MM,
    LIVER_CENTRE_MM,
    LIVER_SEMI_AXES_MM,
    PHASES,
    SIGNALS,
    Box,
    Canvas,
    Triple,
    Volume,
    paint_abdomen,
)
from flows.demo.phantom.lesion import Lesion, LesionTraits, lesion_of, reader_offset_mm
from flows.demo.phantom.motion import STILL, Motion, drawn_motion
from flows.demo.phantom.texture import Points, texture_field
from schemas.errors import UsageError

__all__ = [
    "DEFAULT_SCALE",
    "PHASES",
    "SPACING_MM",
    "LesionTraits",
    "lesion_mask",
    "liver_mask",
    "phantom_phases",
    "true_transform",
]

DEFAULT_SCALE = 0.5
SPACING_MM: Triple = (1.2, 1.2, 3.0)

# One stream of random numbers for each thing that is drawn, so that none shifts another.
_SHAPE, _PLACE, _MOTION, _SCANNER, _NOISE, _PARENCHYMA, _READING = range(7)

# A stronger magnet has more signal for its noise and a less even transmit field (arbitrary units; relative).
_NOISE_SD = {1.5: 14.0, 3.0: 10.0}
_BIAS = {1.5: 0.07, 3.0: 0.17}

_MOTTLING_MM = 4.2


@dataclass(frozen=True)
class _Scene:
    """Lesion, its place, and the patient's position in each phase."""

    lesion: Lesion
    centre_mm: Triple
    seed: int
    scale: float

    def motion(self, phase: str) -> Motion:
        """Return how the patient, who breathes and settles between phases, lies in one of them."""
        return _motion(self.seed, PHASES.index(phase))

    def canvas(self, phase: str) -> Canvas:
        """Return an empty canvas with the patient as he lies in a phase."""
        axes = [axis / self.scale for axis in _grid_axes(self.scale)]
        return Canvas(axes, SPACING_MM[0] / self.scale, self.motion(phase))

    def box(self, canvas: Canvas, reach_mm: float) -> tuple[Box, Points]:
        """Return the box within `reach_mm` of the lesion's centre and its points relative to that centre."""
        x, y, z = self.centre_mm
        low, high = (x - reach_mm, y - reach_mm, z - reach_mm), (x + reach_mm, y + reach_mm, z + reach_mm)
        box = canvas.box(low, high)
        offsets = [at.ravel() - middle for at, middle in zip(canvas.rest_points(box), self.centre_mm, strict=True)]
        return box, np.stack(offsets, axis=1)


def _motion(seed: int, phase: int) -> Motion:
    if phase == 0:
        return STILL
    return drawn_motion(np.random.default_rng([seed, _MOTION, phase]), LIVER_CENTRE_MM)


def _grid_axes(scale: float) -> list[NDArray[np.float64]]:
    """Return the positions of the voxels along x, y and z in millimetres of the phantom, 0 in the middle."""
    axes: list[NDArray[np.float64]] = []
    for length, spacing in zip(FIELD_OF_VIEW_MM, SPACING_MM, strict=True):
        count = round(length * scale / spacing)
        axes.append(np.asarray((np.arange(count) - 0.5 * (count - 1)) * spacing, dtype=np.float64))
    return axes


def _scene(traits: LesionTraits, seed: int, scale: float) -> _Scene:
    if not 0.25 <= scale <= 1.0:
        raise UsageError(
            f"scale {scale} is outside 0.25 to 1.0",
            where="liver phantom",
            hint="use 0.5 for half size, 1.0 for true size",
        )
    lesion = lesion_of(traits, np.random.default_rng([seed, _SHAPE]))
    rng = np.random.default_rng([seed, _PLACE])
    direction = rng.standard_normal(3)
    direction *= np.cbrt(rng.random()) / np.linalg.norm(direction)
    room = np.maximum(np.asarray(LIVER_SEMI_AXES_MM) - lesion.reach_mm - 5.0, 0.0)
    x, y, z = (float(value) for value in np.asarray(LIVER_CENTRE_MM) + room * direction)
    # A centre on a slice lets the smallest lesion cover three slices wherever it lies.
    slices = _grid_axes(scale)[2] / scale
    z = float(slices[np.argmin(np.abs(slices - z))])
    return _Scene(lesion, (x, y, z), seed, scale)


def _image_of(volume: NDArray[np.int16] | NDArray[np.uint8], scale: float) -> SimpleITK.Image:
    image = SimpleITK.GetImageFromArray(volume)
    image.SetSpacing(SPACING_MM)
    image.SetOrigin([float(axis[0]) for axis in _grid_axes(scale)])
    return image


def _checked_phase(phase: str) -> str:
    if phase not in PHASES:
        raise UsageError(
            f"the phantom has no phase '{phase}'",
            where="liver phantom",
            hint=f"use one of {', '.join(PHASES)}",
        )
    return phase


def _parenchyma(seed: int) -> Callable[[Points], Points]:
    """Return the mottling of the liver, which moves with it: relative, standard deviation 3 %."""
    field = texture_field(np.random.default_rng([seed, _PARENCHYMA]), _MOTTLING_MM)
    return lambda points: np.asarray(0.03 * field(points), dtype=np.float32)


def _measured(volume: Volume, scene: _Scene, phase: str, field_strength_t: float) -> Volume:
    """Return what a scanner makes of a signal: receive gain, uneven field, Rician noise."""
    scanner = np.random.default_rng([scene.seed, _SCANNER])
    gain = scanner.uniform(0.8, 1.25)
    bias = _BIAS[field_strength_t]
    for axis, length in enumerate(volume.shape):
        position = np.linspace(-1.0, 1.0, length)
        slope, bend = scanner.normal(0.0, 0.5 * bias), scanner.normal(-0.5 * bias, 0.3 * bias)
        profile = (1.0 + slope * position + bend * position**2).astype(np.float32)
        volume = volume * profile.reshape([-1 if axis == each else 1 for each in range(3)])
    noise = np.random.default_rng([scene.seed, _NOISE, PHASES.index(phase)])
    spread = _NOISE_SD[field_strength_t]
    real = volume + spread * noise.standard_normal(volume.shape, dtype=np.float32)
    imaginary = spread * noise.standard_normal(volume.shape, dtype=np.float32)
    return np.asarray(gain * np.sqrt(real**2 + imaginary**2), dtype=np.float32)


def phantom_phases(
    traits: LesionTraits, field_strength_t: float, seed: int, scale: float = DEFAULT_SCALE
) -> dict[str, SimpleITK.Image]:
    """Return the arterial, portal venous and delayed image of one patient, keyed AP, PVP and DP.

    Parameters
    ----------
    traits : LesionTraits
        The lesion.
    field_strength_t : float
        1.5 or 3.0 tesla: noise and unevenness of the field.
    seed : int
        The patient: shape and place of the lesion, texture, scanner gain, noise. Not negative.
    scale : float
        Millimetres of the phantom for each millimetre of the patient, 0.25 to 1.0.

    Returns
    -------
    dict of str to SimpleITK.Image
        Signed 16-bit images of 1.2 x 1.2 x 3.0 mm voxels in DICOM orientation: 100 x 80 x 24 at scale 0.5.

    Raises
    ------
    UsageError
        If field strength or scale is not one that the phantom knows.
    """
    if field_strength_t not in _NOISE_SD:
        raise UsageError(
            f"the phantom has no {field_strength_t} T magnet", where="liver phantom", hint="use 1.5 or 3.0"
        )
    scene = _scene(traits, seed, scale)
    texture = _parenchyma(seed)
    reach = scene.lesion.reach_mm
    images = {}
    for phase in PHASES:
        canvas = scene.canvas(phase)
        paint_abdomen(canvas, phase, texture, (scene.centre_mm, reach + 4.0))
        box, points = scene.box(canvas, reach + 12.0)
        shape = canvas.volume[box].shape
        liver = SIGNALS["liver"][PHASES.index(phase)]
        painted = scene.lesion.painted(phase, canvas.volume[box].ravel(), points, liver)
        canvas.volume[box] = painted.reshape(shape)
        measured = _measured(canvas.volume, scene, phase, field_strength_t)
        images[phase] = _image_of(np.rint(measured).astype(np.int16), scale)
    return images


def lesion_mask(
    traits: LesionTraits,
    seed: int,
    phase: str,
    reader: int = 1,
    reading: int = 1,
    scale: float = DEFAULT_SCALE,
) -> SimpleITK.Image:
    """Return one reader's mask of the lesion on one phase: 1 inside, 0 outside, on the grid of the image.

    A reading is the true outline displaced by a smooth random function of direction, another one for each
    phase, reader and reading: standard deviation .6 mm of the patient for reader 1, .9 mm for others, who
    also draw .3 mm wider.

    Parameters
    ----------
    traits, seed, scale
        As given to `phantom_phases`.
    phase : str
        AP, PVP or DP.
    reader, reading : int
        Who draws, and for which time; from 1.

    Raises
    ------
    UsageError
        If the phantom has no such phase or scale.
    """
    scene = _scene(traits, seed, scale)
    rng = np.random.default_rng([seed, _READING, PHASES.index(_checked_phase(phase)), reader, reading])
    volume = np.zeros([len(axis) for axis in reversed(_grid_axes(scale))], dtype=np.uint8)
    box, points = scene.box(scene.canvas(phase), scene.lesion.reach_mm + 5.0)
    depth, directions = scene.lesion.depth_mm(points)
    inside = depth + reader_offset_mm(directions, reader, rng) > 0.0
    volume[box] = inside.reshape(volume[box].shape)
    return _image_of(volume, scale)


def true_transform(seed: int, phase: str, scale: float = DEFAULT_SCALE) -> SimpleITK.Euler3DTransform:
    """Return the transform that takes a point of the first phase's image to where its tissue lies in a phase.

    It is what a registration of that phase (moving) to the first (fixed) should find.

    Parameters
    ----------
    seed, scale
        As given to `phantom_phases`.
    phase : str
        AP, PVP or DP.

    Raises
    ------
    UsageError
        If the phantom has no such phase.
    """
    index = PHASES.index(_checked_phase(phase))
    return _motion(seed, index).transform(scale)


def liver_mask(scale: float = DEFAULT_SCALE) -> SimpleITK.Image:
    """Return the mask of the liver's right lobe, in which every lesion lies, in the first phase."""
    canvas = Canvas([axis / scale for axis in _grid_axes(scale)], SPACING_MM[0] / scale)
    box, weight = canvas.ellipsoid(LIVER_CENTRE_MM, LIVER_SEMI_AXES_MM)
    volume = np.zeros(canvas.volume.shape, dtype=np.uint8)
    volume[box] = weight >= 0.5
    return _image_of(volume, scale)
