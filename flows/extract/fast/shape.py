"""Shape of a mask: 14 features of its surface as a triangle mesh, and of where its voxels lie.

The mesh is that of marching cubes on the mask with one layer of empty voxels around it: each cube of eight neighbouring
voxels has a piece of the surface that depends on which of them are inside. Symbols: ``A`` is the surface's area, ``V``
its volume.

References
----------
Lorensen and Cline 1987, doi:10.1145/37402.37422; IBSI reference manual, chapter 3.1, doi:10.1148/radiol.2020191145;
formulas and the triangles of each cube: pyradiomics 3.0.1, doi:10.1158/0008-5472.CAN-17-0339.
"""

from __future__ import annotations

import math
from functools import lru_cache, partial, reduce

import numpy as np
from numpy.typing import NDArray
from radiomics import cShape

from flows.extract.fast.hulls import largest_square, planar_hulls
from flows.extract.fast.levels import DegenerateMaskError

__all__ = ["shape_features"]

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

# The corners of a cube, z, y, x, in the order of the bits of its number: any order would do.
_CORNERS = [(z, y, x) for z in (0, 1) for y in (0, 1) for x in (0, 1)]
_EMPTY, _FULL = 0, 255


def shape_features(inside: Mask, spacing_mm: tuple[float, float, float]) -> dict[str, float]:
    """Return the shape features of a mask.

    Parameters
    ----------
    inside : ndarray of bool of shape (z, y, x)
        The mask.
    spacing_mm : tuple of float
        Of its voxels, z, y, x.

    Raises
    ------
    DegenerateMaskError
        When rounding makes the variances along the axes complex.
    """
    padded = np.pad(inside, 1)
    A, V = _area_and_volume(padded, spacing_mm)
    widest, slice_, column, row = _diameters(padded, spacing_mm)
    # Laid out axis by axis, as pyradiomics has them: of a flat mask rounding decides the least axis.
    voxels = np.array(np.nonzero(padded)).T
    least, minor, major = _axes(voxels, spacing_mm)
    return {
        "Elongation": _root(minor / major) if major > 0 else math.nan,
        "Flatness": _root(least / major) if major > 0 else math.nan,
        "LeastAxisLength": 4 * _root(least),
        "MajorAxisLength": 4 * _root(major),
        "Maximum2DDiameterColumn": column,
        "Maximum2DDiameterRow": row,
        "Maximum2DDiameterSlice": slice_,
        "Maximum3DDiameter": widest,
        "MeshVolume": V,
        "MinorAxisLength": 4 * _root(minor),
        "Sphericity": (36 * math.pi * V**2) ** (1 / 3) / A,
        "SurfaceArea": A,
        "SurfaceVolumeRatio": A / V,
        "VoxelVolume": len(voxels) * math.prod(spacing_mm),
    }


def _root(value: float) -> float:
    return math.sqrt(value) if value >= 0 else math.nan


def _area_and_volume(padded: Mask, spacing_mm: tuple[float, float, float]) -> tuple[float, float]:
    """Return the sums over all cubes of their pieces' area and of the volume between piece and origin."""
    numbers = _cube_numbers(padded)
    places = np.argwhere((numbers != _EMPTY) & (numbers != _FULL))
    of_place = numbers[tuple(places.T)]
    area = float(_areas(spacing_mm)[of_place].sum())
    at_origin, by_step = _volumes()
    # In steps of a voxel; the volume of a voxel brings it to mm3.
    volume = float(at_origin[of_place].sum() + np.sum(by_step[of_place] * places))
    return area, volume * math.prod(spacing_mm)


def _cube_numbers(mask: Mask) -> NDArray[np.uint8]:
    """Return for each cube of eight neighbouring voxels which of them are inside, a bit each."""
    depth, height, width = (length - 1 for length in mask.shape)
    numbers = np.zeros((depth, height, width), np.uint8)
    for bit, (z, y, x) in enumerate(_CORNERS):
        numbers |= mask[z : z + depth, y : y + height, x : x + width].astype(np.uint8) << bit
    return numbers


@lru_cache(maxsize=32)
def _areas(spacing_mm: tuple[float, float, float]) -> Floats:
    """Return the area of the surface in each of the 256 cubes: of a mask that is this cube and nothing else."""
    return np.array([_asked(_cube(number), spacing_mm)[0] for number in range(256)])


@lru_cache(maxsize=1)
def _volumes() -> tuple[Floats, Floats]:
    """Return for each of the 256 cubes the volume between its piece of surface and the origin.

    The first array is of the cube at the origin, the second, of shape (256, 3), what a step along each axis adds: the
    volume of a tetrahedron is linear in where its face lies.
    """
    unit = (1.0, 1.0, 1.0)
    at_origin = np.array([_asked(_cube(number), unit)[1] for number in range(256)])
    by_step = np.zeros((256, 3))
    for number in range(256):
        for axis in range(3):
            moved = np.insert(_cube(number), 0, False, axis=axis)
            before = np.moveaxis(moved, axis, 0)[:2]
            rest = _asked(np.ascontiguousarray(np.moveaxis(before, 0, axis)), unit)[1]
            by_step[number, axis] = _asked(moved, unit)[1] - rest - at_origin[number]
    return at_origin, by_step


def _cube(number: int) -> Mask:
    cube = np.zeros((2, 2, 2), dtype=bool)
    for bit, corner in enumerate(_CORNERS):
        cube[corner] = bool(number >> bit & 1)
    return cube


def _asked(mask: Mask, spacing_mm: tuple[float, float, float]) -> tuple[float, float]:
    """Return what pyradiomics' marching cubes give: the triangles of a cube are its own."""
    area, volume, _ = cShape.calculate_coefficients(mask, np.array(spacing_mm))
    return float(area), float(volume)


def _diameters(padded: Mask, spacing_mm: tuple[float, float, float]) -> tuple[float, float, float, float]:
    """Return the largest distance of two vertices of the mesh: of all, and within planes across z, y and x.

    A vertex lies halfway between a voxel inside and its neighbour outside; places count in half voxels. Two vertices
    that are farthest apart are corners of the convex hull, and so are they in each plane through them.
    """
    vertices = []
    for axis in range(3):
        ahead, behind = (np.moveaxis(padded, axis, 0)[part] for part in (slice(1, None), slice(None, -1)))
        between = np.argwhere(np.moveaxis(ahead != behind, 0, axis)) * 2
        between[:, axis] += 1
        vertices.append(between)
    points = np.ascontiguousarray(np.concatenate(vertices), dtype=np.int32)
    sizes, steps = np.array(padded.shape, dtype=np.int64) * 2, np.array(spacing_mm) / 2
    of_plane, hulls = zip(*(planar_hulls(points, axis, sizes, steps) for axis in range(3)), strict=True)
    places = [np.unique(np.ravel_multi_index(tuple(corners.T), tuple(sizes))) for corners in hulls]
    of_all = reduce(partial(np.intersect1d, assume_unique=True), places)
    candidates = np.ascontiguousarray(np.transpose(np.unravel_index(of_all, tuple(sizes))) * steps)
    longest, slice_, column, row = (math.sqrt(each) for each in (largest_square(candidates), *of_plane))
    return longest, slice_, column, row


def _axes(voxels: NDArray[np.int64], spacing_mm: tuple[float, float, float]) -> tuple[float, float, float]:
    """Return the variances of the voxels' places along their principal axes, rising; those 0 but for rounding are 0."""
    places = voxels * np.array(spacing_mm)
    places -= places.mean(axis=0)
    places /= np.sqrt(len(places))
    variances = np.linalg.eigvals(places.T.copy() @ places)
    if np.iscomplexobj(variances):
        # By rounding, of a matrix that is symmetric: pyradiomics ends there.
        raise DegenerateMaskError
    variances[(variances < 0) & (variances > -1e-10)] = 0
    variances.sort()
    least, minor, major = (float(each) for each in variances)
    return least, minor, major
