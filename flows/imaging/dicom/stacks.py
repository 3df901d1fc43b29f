"""Slices in order along their normal, and the grid that they make, or why they make none."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from flows.imaging.dicom.frames import Frame
from flows.imaging.grids import DIRECTION_ROUNDING, Grid
from flows.imaging.image_limits import refuse_extreme_grid
from schemas.errors import ContractError

__all__ = ["PLACE_MM", "Stack", "places_of", "refuse_mixed", "stack_of"]

PLACE_MM = 0.01
"""Slices that lie no further apart are at one place: headers round to hundredths at worst."""

_UNEVEN = 0.01
_SIDEWAYS = 0.1
"""Shares: of the distance of slices that one may be off, of the smaller pixel spacing that a stack may lean."""

Floats = NDArray[np.float64]


class Stack(NamedTuple):
    """Frames from the first slice to the last, and their grid."""

    frames: tuple[Frame, ...]
    grid: Grid


def refuse_mixed(frames: Sequence[Frame]) -> None:
    """Refuse frames that are no slices of one grid: they differ in size, pixel spacing or orientation.

    Raises
    ------
    ContractError
        With the first frame that differs from the first of all.
    """
    first = frames[0]
    _refuse_no_rotation(first)
    for each in frames[1:]:
        for what, ours, theirs, allowed in (
            ("rows and columns", (first.rows, first.columns), (each.rows, each.columns), 0.0),
            ("pixel spacing in mm", first.spacing, each.spacing, DIRECTION_ROUNDING * min(first.spacing)),
            ("orientation", first.orientation, each.orientation, DIRECTION_ROUNDING),
        ):
            if max(abs(a - b) for a, b in zip(ours, theirs, strict=True)) > allowed:
                raise ContractError(
                    f"its slices differ in {what}: {_listed(theirs)} against {_listed(ours)}", where=str(each.file)
                )


def _refuse_no_rotation(frame: Frame) -> None:
    row, column = _axes(frame)
    lengths = np.array([row @ row, column @ column])
    if np.abs(lengths - 1).max() > 2e-3 or abs(row @ column) > 1e-3:
        raise ContractError(
            "ImageOrientationPatient is no rotation: its two directions are not of length 1 at right angles",
            where=str(frame.file),
        )


def places_of(frames: Sequence[Frame]) -> tuple[tuple[Frame, ...], ...]:
    """Return the frames at each place along the normal, the place of the lowest projection first.

    Parameters
    ----------
    frames : sequence of Frame
        Of one orientation, in any order.
    """
    offsets = _offsets(frames)
    order = np.argsort(offsets, kind="stable")
    places: list[list[Frame]] = []
    start = -math.inf
    for index in order:
        if offsets[index] - start > PLACE_MM:
            places.append([])
            start = float(offsets[index])
        places[-1].append(frames[int(index)])
    return tuple(tuple(place) for place in places)


def stack_of(frames: Sequence[Frame]) -> Stack:
    """Return slices in order, with their grid.

    Parameters
    ----------
    frames : sequence of Frame
        As `refuse_mixed` accepts them, one at each place, from the lowest projection to the highest.

    Returns
    -------
    Stack
        The third axis of its grid is the normal of the slices (the cross product of row and column, DICOM PS3.3,
        section C.7.6.2.1.1), its spacing the mean distance along it.

    Raises
    ------
    ContractError
        When a slice is missing, the distances differ, the stack leans (a tilted gantry), or its numbers are beyond
        what images have.
    """
    first = frames[0]
    offsets = _offsets(frames)
    if len(frames) == 1:
        if first.thickness is None or first.thickness <= 0:
            raise ContractError(
                "is a single slice without SpacingBetweenSlices or SliceThickness: how thick its voxels are is not "
                "known",
                where=str(first.file),
            )
        distance = first.thickness
    else:
        distance = float(offsets[-1] - offsets[0]) / (len(frames) - 1)
        _refuse_uneven(frames, offsets, distance)
        _refuse_leaning(frames, offsets)
    row, column = _axes(first)
    row = row / np.linalg.norm(row)
    normal = np.cross(row, column)
    normal = normal / np.linalg.norm(normal)
    direction = np.stack([row, np.cross(normal, row), normal], axis=1)
    grid = Grid(
        size=(first.columns, first.rows, len(frames)),
        spacing=(first.spacing[1], first.spacing[0], distance),
        origin=tuple(first.position),
        direction=tuple(float(each) for each in direction.ravel()),
    )
    refuse_extreme_grid(grid.spacing, grid.origin, grid.direction)
    return Stack(tuple(frames), grid)


def _refuse_uneven(frames: Sequence[Frame], offsets: Floats, distance: float) -> None:
    gaps = np.diff(offsets)
    usual = float(np.median(gaps))
    if np.abs(offsets - offsets[0] - distance * np.arange(len(offsets))).max() <= max(_UNEVEN * distance, PLACE_MM):
        return
    widest = int(np.argmax(np.abs(gaps - usual)))
    where = str(frames[widest + 1].file)
    between = f"between the slices {widest + 1} and {widest + 2} of {len(frames)}"
    steps = gaps[widest] / usual
    if len(gaps) > 1 and steps > 1.5 and abs(steps - round(steps)) < 0.1:
        count = round(steps) - 1
        missing = "a slice is missing" if count == 1 else f"{count} slices are missing"
        raise ContractError(
            f"{missing} {between}: they lie {gaps[widest]:.4g} mm apart, the others {usual:.4g} mm", where=where
        )
    raise ContractError(
        f"its slices are unevenly spaced: {gaps[widest]:.4g} mm {between}, usually {usual:.4g} mm, and at most "
        f"{_UNEVEN:.0%} is accepted",
        where=where,
    )


def _refuse_leaning(frames: Sequence[Frame], offsets: Floats) -> None:
    positions = np.array([each.position for each in frames])
    aside = positions - positions[0] - np.outer(offsets - offsets[0], _normal(frames[0]))
    distances = np.linalg.norm(aside, axis=1)
    worst = int(np.argmax(distances))
    allowed = max(_SIDEWAYS * min(frames[0].spacing), PLACE_MM)
    if distances[worst] > allowed:
        angle = math.degrees(math.atan2(distances[worst], abs(offsets[worst] - offsets[0]) or math.inf))
        raise ContractError(
            f"the slices are shifted sideways by {distances[worst]:.3g} mm ({angle:.2g} degrees; at most {allowed:.2g} "
            "mm is accepted): the gantry was tilted, and the voxels are not at right angles",
            where=str(frames[worst].file),
            hint="resample the series to a straight grid, or choose a straight one",
        )


def _axes(frame: Frame) -> tuple[Floats, Floats]:
    return np.array(frame.orientation[:3]), np.array(frame.orientation[3:])


def _normal(frame: Frame) -> Floats:
    normal = np.cross(*_axes(frame))
    return np.asarray(normal / np.linalg.norm(normal))


def _offsets(frames: Sequence[Frame]) -> Floats:
    return np.array([each.position for each in frames]) @ _normal(frames[0])


def _listed(values: Sequence[Any]) -> str:
    return "(" + ", ".join(f"{each:.6g}" for each in values) + ")"
