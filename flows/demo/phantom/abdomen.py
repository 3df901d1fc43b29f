"""The upper abdomen around the liver, painted organ by organ, for one contrast phase.

Positions are in millimetres of the patient, axes as DICOM has them: x to the patient's left, y to the back, z
to the head; the origin is the middle of the field of view. Organs are ellipsoids and vessels are tubes with
soft edges, so that a voxel on a border has the mean of both sides. Signals are those of a fat-suppressed
T1-weighted gradient echo after contrast, in arbitrary units.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from flows.demo.phantom.motion import STILL, Motion

__all__ = [
    "FIELD_OF_VIEW_MM",
    "LIVER_CENTRE_MM",
    "LIVER_SEMI_AXES_MM",
    "PHASES",
    "SIGNALS",
    "Box",
    "Canvas",
    "paint_abdomen",
]

Volume = NDArray[np.float32]
Triple = tuple[float, float, float]

PHASES = ("AP", "PVP", "DP")
"""Arterial (40 s), portal venous (70 s) and delayed (90 s) phase."""

FIELD_OF_VIEW_MM: Triple = (240.0, 192.0, 144.0)

LIVER_CENTRE_MM: Triple = (-49.0, 2.0, 0.0)
LIVER_SEMI_AXES_MM: Triple = (51.0, 60.0, 68.0)
"""The right lobe, where the lesion lies."""

SIGNALS: dict[str, tuple[float, float, float]] = {
    "fat": (62.0, 64.0, 64.0),
    "muscle": (128.0, 142.0, 146.0),
    "mesentery": (84.0, 92.0, 94.0),
    "liver": (205.0, 292.0, 278.0),
    "spleen": (335.0, 322.0, 290.0),
    "aorta": (620.0, 430.0, 360.0),
    "cava": (215.0, 395.0, 350.0),
    "portal": (265.0, 425.0, 345.0),
    "hepatic": (180.0, 410.0, 345.0),
    "stomach": (48.0, 48.0, 48.0),
    "stomach_wall": (170.0, 215.0, 205.0),
    "pancreas": (250.0, 255.0, 235.0),
    "bowel": (135.0, 180.0, 175.0),
    "kidney": (390.0, 410.0, 390.0),
    "renal_sinus": (90.0, 100.0, 130.0),
    "bone": (112.0, 132.0, 134.0),
    "canal": (46.0, 46.0, 46.0),
    "gallbladder": (72.0, 72.0, 72.0),
}
"""Signal of each tissue in AP, PVP and DP, arbitrary units."""

# Tissue, centre and semi-axes, from the back of the painting to the front. Length 900 stands for a cylinder.
_ORGANS: tuple[tuple[str, Triple, Triple], ...] = (
    ("fat", (0.0, 0.0, 0.0), (113.0, 89.0, 900.0)),
    ("muscle", (0.0, 1.0, 0.0), (106.0, 81.0, 900.0)),
    ("mesentery", (0.0, -2.0, 0.0), (99.5, 73.0, 900.0)),
    ("muscle", (-27.0, 66.0, 0.0), (24.0, 15.0, 900.0)),
    ("muscle", (27.0, 66.0, 0.0), (24.0, 15.0, 900.0)),
    ("bone", (0.0, 47.0, 0.0), (19.0, 15.0, 900.0)),
    ("canal", (0.0, 66.0, 0.0), (8.0, 6.5, 900.0)),
    ("bone", (0.0, 79.0, 0.0), (4.5, 7.0, 900.0)),
    ("spleen", (72.0, 26.0, 14.0), (23.0, 36.0, 48.0)),
    ("kidney", (47.0, 45.0, -48.0), (20.0, 22.0, 40.0)),
    ("renal_sinus", (41.0, 44.0, -48.0), (8.0, 10.0, 24.0)),
    ("stomach_wall", (48.0, -30.0, 8.0), (36.0, 27.0, 52.0)),
    ("stomach", (48.0, -30.0, 8.0), (32.0, 23.0, 48.0)),
    ("pancreas", (18.0, 0.0, -8.0), (36.0, 9.0, 13.0)),
    ("bowel", (62.0, -14.0, -58.0), (20.0, 15.0, 28.0)),
    ("bowel", (30.0, -46.0, -54.0), (24.0, 14.0, 22.0)),
    ("bowel", (84.0, -8.0, -40.0), (9.0, 12.0, 40.0)),
    ("bowel", (24.0, -14.0, -60.0), (14.0, 10.0, 26.0)),
    ("aorta", (11.0, 23.0, 0.0), (9.5, 9.5, 900.0)),
)

# Centre and semi-axes: anterior right, left and caudate lobe.
_OTHER_LOBES: tuple[tuple[Triple, Triple], ...] = (
    ((-36.0, -26.0, 6.0), (56.0, 42.0, 56.0)),
    ((6.0, -43.0, 18.0), (50.0, 23.0, 38.0)),
    ((-10.0, 6.0, 10.0), (15.0, 14.0, 26.0)),
)

_GALLBLADDER: tuple[Triple, Triple] = ((-26.0, -40.0, -46.0), (12.0, 19.0, 20.0))

# Tissue, the two ends and the radius at each end.
_VESSELS: tuple[tuple[str, Triple, Triple, float, float], ...] = (
    ("cava", (-15.0, 24.0, -90.0), (-15.0, 24.0, 90.0), 10.5, 10.5),
    ("portal", (8.0, 2.0, -40.0), (-24.0, -6.0, -6.0), 7.0, 6.5),
    ("portal", (-24.0, -6.0, -6.0), (-52.0, 6.0, -2.0), 6.0, 4.5),
    ("portal", (-52.0, 6.0, -2.0), (-78.0, 26.0, -14.0), 4.0, 2.4),
    ("portal", (-52.0, 6.0, -2.0), (-82.0, -14.0, 12.0), 3.8, 2.4),
    ("portal", (-24.0, -6.0, -6.0), (-8.0, -40.0, 10.0), 4.5, 2.8),
    ("hepatic", (-17.0, 20.0, 52.0), (-80.0, 10.0, 16.0), 5.2, 2.6),
    ("hepatic", (-17.0, 20.0, 52.0), (-48.0, -42.0, 14.0), 5.0, 2.4),
    ("hepatic", (-17.0, 20.0, 52.0), (4.0, -44.0, 28.0), 4.4, 2.2),
    ("hepatic", (-44.0, 16.0, 36.0), (-62.0, 40.0, -16.0), 3.6, 2.0),
)


Box = tuple[slice, slice, slice]

# How far beyond the field of view a cylinder is followed.
_BEYOND_MM = 40.0


@dataclass
class Canvas:
    """A volume that organs are painted on.

    Parameters
    ----------
    axes : sequence of 3 ndarrays
        Positions of the voxels along x, y and z of the scanner, in millimetres of the patient.
    edge_mm : float
        Width over which a border is blended: about a voxel.
    motion : Motion
        How the patient lies in the scanner.
    """

    axes: Sequence[NDArray[np.float64]]
    edge_mm: float
    motion: Motion = STILL

    def __post_init__(self) -> None:
        self.volume: Volume = np.zeros([len(axis) for axis in reversed(self.axes)], dtype=np.float32)
        x, y, z = self.axes
        # The motion is linear: what each axis adds is added up by broadcasting, not point by point.
        turned = self.motion.rotation
        origin = self.motion.rest(np.zeros((1, 3)))[0]
        self._rest: list[Volume] = [
            (
                z[:, None, None] * turned[2, each]
                + y[None, :, None] * turned[1, each]
                + x * turned[0, each]
                + origin[each]
            ).astype(np.float32)
            for each in range(3)
        ]

    def box(self, low: Triple, high: Triple) -> Box:
        """Return the smallest box of voxels that holds a box of the patient and its soft edge."""
        corners = np.array(list(product(*zip(low, high, strict=True))), dtype=np.float64)
        limit = np.array([0.5 * float(axis[-1] - axis[0]) + _BEYOND_MM for axis in self.axes])
        moved = self.motion.moved(np.clip(corners, -limit, limit))
        spans = [
            slice(*np.searchsorted(axis, (start - self.edge_mm, stop + self.edge_mm)))
            for axis, start, stop in zip(self.axes, moved.min(axis=0), moved.max(axis=0), strict=True)
        ]
        return spans[2], spans[1], spans[0]

    def rest_points(self, box: Box) -> tuple[Volume, Volume, Volume]:
        """Return x, y and z of the patient at rest at the voxels of a box, each of the box's shape."""
        x, y, z = self._rest
        return x[box], y[box], z[box]

    def ellipsoid(self, centre: Triple, semi_axes: Triple) -> tuple[Box, Volume]:
        """Return the box that holds an ellipsoid and its weight, 0 outside to 1 inside, on that box."""
        low: Triple = (centre[0] - semi_axes[0], centre[1] - semi_axes[1], centre[2] - semi_axes[2])
        high: Triple = (centre[0] + semi_axes[0], centre[1] + semi_axes[1], centre[2] + semi_axes[2])
        box = self.box(low, high)
        x, y, z = self.rest_points(box)
        relative = np.sqrt(
            ((x - centre[0]) / semi_axes[0]) ** 2
            + ((y - centre[1]) / semi_axes[1]) ** 2
            + ((z - centre[2]) / semi_axes[2]) ** 2
        )
        return box, np.clip((1.0 - relative) * (min(semi_axes) / self.edge_mm) + 0.5, 0.0, 1.0)

    def tube(self, start: Triple, end: Triple, radius: float, end_radius: float) -> tuple[Box, Volume]:
        """Return the box that holds a tapering tube and its weight on that box."""
        widest = max(radius, end_radius)
        pairs = list(zip(start, end, strict=True))
        low: Triple = (min(pairs[0]) - widest, min(pairs[1]) - widest, min(pairs[2]) - widest)
        high: Triple = (max(pairs[0]) + widest, max(pairs[1]) + widest, max(pairs[2]) + widest)
        box = self.box(low, high)
        dx, dy, dz = (at - begin for at, begin in zip(self.rest_points(box), start, strict=True))
        ax, ay, az = (stop - begin for begin, stop in pairs)
        along = np.clip((dx * ax + dy * ay + dz * az) / (ax * ax + ay * ay + az * az), 0.0, 1.0)
        distance = np.sqrt((dx - along * ax) ** 2 + (dy - along * ay) ** 2 + (dz - along * az) ** 2)
        return box, np.clip((radius + along * (end_radius - radius) - distance) / self.edge_mm + 0.5, 0.0, 1.0)

    def paint(self, where: tuple[Box, Volume], signal: float | Volume) -> None:
        """Blend a signal into the volume by weight."""
        box, weight = where
        self.volume[box] += weight * (signal - self.volume[box])


def paint_abdomen(
    canvas: Canvas,
    phase: str,
    liver_texture: Callable[[NDArray[np.float32]], NDArray[np.float32]],
    lesion_room: tuple[Triple, float],
) -> None:
    """Paint body, organs, liver and vessels of one phase on a canvas.

    Parameters
    ----------
    canvas : Canvas
        Painted in place.
    phase : str
        AP, PVP or DP.
    liver_texture : callable
        Returns the relative deviation of the liver's signal at points (n, 3) of the patient at rest.
    lesion_room : tuple of (centre, radius)
        Sphere that is liver whatever the organs' outlines say, so that a large lesion bulges the liver.
    """
    column = PHASES.index(phase)
    for tissue, centre, semi_axes in _ORGANS:
        canvas.paint(canvas.ellipsoid(centre, semi_axes), SIGNALS[tissue][column])
    centre, radius = lesion_room
    lobes = ((LIVER_CENTRE_MM, LIVER_SEMI_AXES_MM), *_OTHER_LOBES, (centre, (radius, radius, radius)))
    weighted = [canvas.ellipsoid(*lobe) for lobe in lobes]
    is_liver = np.zeros(canvas.volume.shape, dtype=bool)
    for box, weight in weighted:
        is_liver[box] |= weight > 0.0
    everywhere = (slice(None), slice(None), slice(None))
    points = np.stack([at[is_liver] for at in canvas.rest_points(everywhere)], axis=1)
    texture = np.zeros(canvas.volume.shape, dtype=np.float32)
    texture[is_liver] = liver_texture(points)
    for box, weight in weighted:
        canvas.paint((box, weight), SIGNALS["liver"][column] * (1.0 + texture[box]))
    canvas.paint(canvas.ellipsoid(*_GALLBLADDER), SIGNALS["gallbladder"][column])
    for tissue, start, end, radius, end_radius in _VESSELS:
        canvas.paint(canvas.tube(start, end, radius, end_radius), SIGNALS[tissue][column])
