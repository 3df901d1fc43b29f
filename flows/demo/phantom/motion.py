"""How a patient lies in each phase of an examination: a small rigid motion between two breath-holds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK
from numpy.typing import NDArray

__all__ = ["STILL", "Motion", "drawn_motion"]

Floats = NDArray[np.float64]

_SHIFT_MM, _LARGEST_SHIFT_MM = 2.5, 4.0
_TURN_DEGREES, _LARGEST_TURN_DEGREES = 1.5, 3.0


@dataclass(frozen=True)
class Motion:
    """A turn about a centre, then a shift, in millimetres of the patient.

    ``moved(p) = R (p - centre) + centre + shift`` with ``R = R_z R_x R_y``, as ITK's Euler3DTransform has it.

    Parameters
    ----------
    angles : tuple of 3 floats
        About x, y and z, in radians.
    shift_mm, centre_mm : tuple of 3 floats
        Along x, y and z.
    """

    angles: tuple[float, float, float] = (0.0, 0.0, 0.0)
    shift_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    centre_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)

    @property
    def rotation(self) -> Floats:
        """Return the matrix R of shape (3, 3)."""
        (sx, sy, sz), (cx, cy, cz) = np.sin(self.angles), np.cos(self.angles)
        about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
        about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
        about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
        return np.asarray(about_z @ about_x @ about_y, dtype=np.float64)

    def moved(self, points: Floats) -> Floats:
        """Return where points of shape (n, 3) of the patient at rest have come to."""
        centre = np.asarray(self.centre_mm)
        return np.asarray((points - centre) @ self.rotation.T + centre + np.asarray(self.shift_mm))

    def rest(self, points: Floats) -> Floats:
        """Return which points of the patient at rest lie now at points of shape (n, 3)."""
        centre = np.asarray(self.centre_mm)
        return np.asarray((points - centre - np.asarray(self.shift_mm)) @ self.rotation + centre)

    def transform(self, scale: float = 1.0) -> SimpleITK.Euler3DTransform:
        """Return the motion as a transform of physical points, of a patient drawn at a scale."""
        found = SimpleITK.Euler3DTransform()
        found.SetCenter([scale * each for each in self.centre_mm])
        found.SetRotation(*self.angles)
        found.SetTranslation([scale * each for each in self.shift_mm])
        return found


STILL = Motion()


def drawn_motion(rng: np.random.Generator, centre_mm: tuple[float, float, float]) -> Motion:
    """Return a motion as between two breath-holds: some millimetres and degrees along and about each axis.

    Shifts have a standard deviation of 2.5 mm and turns of 1.5 degrees, cut off at 4 mm and 3 degrees.
    """
    shift = np.clip(rng.normal(0.0, _SHIFT_MM, 3), -_LARGEST_SHIFT_MM, _LARGEST_SHIFT_MM)
    turn = np.clip(rng.normal(0.0, _TURN_DEGREES, 3), -_LARGEST_TURN_DEGREES, _LARGEST_TURN_DEGREES)
    x, y, z = (float(each) for each in np.deg2rad(turn))
    right, back, up = (float(each) for each in shift)
    return Motion((x, y, z), (right, back, up), centre_mm)
