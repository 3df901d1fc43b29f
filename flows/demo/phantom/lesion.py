"""A lesion as a function of position: its outline, its inner tissue and what its readers draw.

All lengths here are those of the patient, in millimetres; `flows.demo.phantom.liver` puts them on a grid. Points
are (x, y, z) relative to the centre of the lesion.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from flows.demo.phantom.texture import Points, WaveField, direction_field, texture_field
from schemas.errors import UsageError

__all__ = ["Lesion", "LesionTraits", "lesion_of", "reader_offset_mm"]

_CAPSULE_MM = 2.2
_HALO_MM = 11.0

# Standard deviation of a reader's contour around the true outline, and how far outside it they draw.
_READER_JITTER_MM = {1: 0.6}
_OTHER_READER_JITTER_MM = 0.9
_OTHER_READER_BIAS_MM = 0.3


@dataclass(frozen=True)
class LesionTraits:
    """What a lesion looks like.

    Parameters
    ----------
    diameter_mm : float
        Diameter in the patient of the sphere that has the lesion's volume.
    irregularity : float
        Relative standard deviation of the radius over directions: .03 is smooth, .15 lobulated.
    heterogeneity : float
        Relative standard deviation of the signal inside the lesion.
    coarseness_mm : float
        Correlation length of that signal, in the patient.
    arterial_ratio : float
        Signal of lesion over liver in the arterial phase; above 1 is hyperenhancement.
    washout : float
        Relative loss against the liver in the delayed phase, half of it in the portal venous phase.
    necrosis, haemorrhage : bool
        A core that does not enhance; patches that are bright in every phase.
    capsule : bool
        A ring that enhances late.
    peritumoral_enhancement : bool
        Liver around part of the lesion that enhances in the arterial phase.
    """

    diameter_mm: float
    irregularity: float = 0.05
    heterogeneity: float = 0.12
    coarseness_mm: float = 5.0
    arterial_ratio: float = 1.45
    washout: float = 0.2
    necrosis: bool = False
    haemorrhage: bool = False
    capsule: bool = False
    peritumoral_enhancement: bool = False

    def __post_init__(self) -> None:
        if not (self.diameter_mm > 0 and self.coarseness_mm > 0):
            raise UsageError(
                f"a lesion needs a positive diameter and coarseness, not {self.diameter_mm} mm and "
                f"{self.coarseness_mm} mm",
                where="LesionTraits",
                hint="give both in millimetres of the patient",
            )


@dataclass(frozen=True)
class Lesion:
    """The outline and the tissue fields of one lesion.

    The surface is star-shaped around the centre: ``radius(u) = scale * ellipsoid(u) * exp(irregularity *
    field(u))`` for a direction u, scaled to the volume that the traits ask for.
    """

    traits: LesionTraits
    semi_axes: Points
    radius_scale: float
    outline: WaveField
    tissue: WaveField
    core: WaveField
    patches: WaveField
    halo: WaveField

    def radius_mm(self, directions: Points) -> Points:
        """Return the distance from centre to surface for unit vectors of shape (n, 3)."""
        ellipsoid = 1.0 / np.sqrt(((directions / self.semi_axes) ** 2).sum(axis=1))
        lobes = np.exp(self.traits.irregularity * self.outline(directions))
        return np.asarray(self.radius_scale * ellipsoid * lobes, dtype=np.float32)

    @property
    def reach_mm(self) -> float:
        """The largest distance from the centre to the surface."""
        return float(self.radius_mm(_sphere_directions()).max())

    def depth_mm(self, points: Points) -> tuple[Points, Points]:
        """Return how far inside the surface points lie (negative outside), and their directions."""
        distance = np.sqrt((points**2).sum(axis=1))
        directions = points / np.maximum(distance, 1e-3)[:, None]
        return np.asarray(self.radius_mm(directions) - distance, dtype=np.float32), directions

    def painted(self, phase: str, background: Points, points: Points, liver_signal: float) -> Points:
        """Return the signal at points of shape (n, 3): lesion, capsule and halo over the background.

        Parameters
        ----------
        phase : str
            AP, PVP or DP.
        background : ndarray of shape (n,)
            Signal without the lesion.
        points : ndarray of shape (n, 3)
            Positions relative to the centre.
        liver_signal : float
            Signal of unaffected liver in this phase.
        """
        traits = self.traits
        depth, directions = self.depth_mm(points)
        ratio = {"AP": traits.arterial_ratio, "PVP": 1.0 - 0.5 * traits.washout, "DP": 1.0 - traits.washout}[phase]
        signal = background.copy()
        if traits.peritumoral_enhancement and phase == "AP":
            sector = np.clip(0.5 + 1.2 * self.halo(directions), 0.0, 1.0)
            # Only liver enhances around a lesion: not the fat beside it, nor the vessels.
            is_liver = np.clip(4.0 - 10.0 * np.abs(background / liver_signal - 1.0), 0.0, 1.0)
            signal += 0.38 * liver_signal * is_liver * sector * np.clip(1.0 + depth / _HALO_MM, 0.0, 1.0)
        tissue = liver_signal * ratio * (1.0 + traits.heterogeneity * self.tissue(points))
        radius = 0.5 * traits.diameter_mm
        if traits.haemorrhage:
            patch = np.clip(2.5 * (self.patches(points) - 1.05), 0.0, 1.0) * (depth > 0.1 * radius)
            tissue += patch * (1.25 * liver_signal + 40.0 - tissue)
        if traits.necrosis:
            ragged = 0.22 * np.clip(self.core(points), -1.2, 1.2)
            core = np.clip(0.5 + 4.0 * (depth / radius - 0.5 + ragged), 0.0, 1.0)
            tissue += core * (95.0 - tissue)
        inside = np.clip(0.5 + depth / 2.4, 0.0, 1.0)
        signal += inside * (tissue - signal)
        if traits.capsule and phase != "AP":
            strength = {"PVP": 0.35, "DP": 0.9}[phase]
            ring = strength * np.exp(-((depth / _CAPSULE_MM) ** 2))
            signal += ring * (1.22 * liver_signal - signal)
        return np.asarray(signal, dtype=np.float32)


def _sphere_directions(count: int = 600) -> Points:
    """Return unit vectors that cover the sphere evenly (a Fibonacci lattice)."""
    steps = np.arange(count) + 0.5
    z = 1.0 - 2.0 * steps / count
    angle = steps * np.pi * (3.0 - np.sqrt(5.0))
    across = np.sqrt(1.0 - z**2)
    return np.stack([across * np.cos(angle), across * np.sin(angle), z], axis=1).astype(np.float32)


def lesion_of(traits: LesionTraits, rng: np.random.Generator) -> Lesion:
    """Return a lesion with these traits; shape and texture are drawn, its volume is as asked.

    Parameters
    ----------
    traits : LesionTraits
        What it looks like.
    rng : numpy.random.Generator
        Source of shape and texture.
    """
    axes = np.exp(np.clip(rng.normal(0.0, 0.07, 3), -0.1, 0.1))
    lesion = Lesion(
        traits=traits,
        semi_axes=(axes / np.cbrt(axes.prod())).astype(np.float32),
        radius_scale=1.0,
        outline=direction_field(rng, (2.5, 6.0)),
        tissue=texture_field(rng, traits.coarseness_mm),
        core=texture_field(rng, 0.12 * traits.diameter_mm + 2.0, n_waves=16),
        patches=texture_field(rng, 0.08 * traits.diameter_mm + 2.0, n_waves=16),
        halo=direction_field(rng, (0.8, 1.6)),
    )
    mean_cube = float((lesion.radius_mm(_sphere_directions()).astype(np.float64) ** 3).mean())
    scale = 0.5 * traits.diameter_mm / np.cbrt(mean_cube)
    return Lesion(**(lesion.__dict__ | {"radius_scale": float(scale)}))


def reader_offset_mm(directions: Points, reader: int, rng: np.random.Generator) -> Points:
    """Return how far outside the true surface a reader's contour runs, for unit vectors of shape (n, 3).

    A smooth random function of direction: standard deviation .6 mm of the patient for reader 1; .9 mm, and .3
    mm too wide on average, for any other.
    """
    jitter = direction_field(rng, (2.0, 9.0))
    spread = _READER_JITTER_MM.get(reader, _OTHER_READER_JITTER_MM)
    bias = 0.0 if reader in _READER_JITTER_MM else _OTHER_READER_BIAS_MM
    return np.asarray(bias + spread * jitter(directions), dtype=np.float32)
