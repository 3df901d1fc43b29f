"""Smooth random fields that can be evaluated at any point: sums of plane waves with random directions.

A field made by filtering noise on a grid changes with the grid. A sum of plane waves is a function of
position, so the same lesion has the same texture on a coarse grid, on a fine one, and after the patient has
moved between two phases.

References ---------- Rahimi, Recht. Random features for large-scale kernel machines. NIPS 2007 (a sum of
random cosines approximates a stationary Gaussian field).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Points", "WaveField", "direction_field", "texture_field"]

Points = NDArray[np.float32]


@dataclass(frozen=True)
class WaveField:
    """A random function of position with mean 0 and variance 1 over realisations.

    ``field(p) = sqrt(2 / n) * sum_j cos(wave_j . p + phase_j)``

    Parameters
    ----------
    waves : ndarray of shape (n_waves, 3)
        Wave vectors in radians per unit of the points.
    phases : ndarray of shape (n_waves,)
        Phase of each wave in radians.
    """

    waves: Points
    phases: Points

    def __call__(self, points: Points) -> Points:
        """Return the field at points of shape (n_points, 3), as an array of shape (n_points,)."""
        angles = points @ self.waves.T
        angles += self.phases
        np.cos(angles, out=angles)
        return np.asarray(angles.sum(axis=1) * np.sqrt(2.0 / len(self.phases)), dtype=np.float32)


def texture_field(rng: np.random.Generator, correlation_mm: float, n_waves: int = 64) -> WaveField:
    """Return an isotropic field with correlation ``exp(-(distance / correlation_mm)**2 / 2)``.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of directions and phases.
    correlation_mm : float
        Correlation length in millimetres: small is fine-grained, large is coarse.
    n_waves : int
        Number of plane waves; time is proportional to it.
    """
    waves = rng.standard_normal((n_waves, 3)) / correlation_mm
    return _field(waves, rng)


def direction_field(rng: np.random.Generator, roughness: tuple[float, float], n_waves: int = 16) -> WaveField:
    """Return a field on the unit sphere, for outlines that are functions of direction.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of directions and phases.
    roughness : tuple of float
        Range of the length of the wave vectors; about the number of lobes around a great circle.
    n_waves : int
        Number of plane waves.
    """
    directions = rng.standard_normal((n_waves, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return _field(directions * rng.uniform(*roughness, (n_waves, 1)), rng)


def _field(waves: NDArray[np.float64], rng: np.random.Generator) -> WaveField:
    phases = rng.uniform(0.0, 2.0 * np.pi, len(waves))
    return WaveField(waves.astype(np.float32), phases.astype(np.float32))
