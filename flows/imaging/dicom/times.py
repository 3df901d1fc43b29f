"""The volumes of a dynamic series: which slices were acquired together, in which order, and which one is chosen."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import pairwise

from flows.imaging.dicom.clock import are_comparable
from flows.imaging.dicom.frames import Frame
from flows.imaging.dicom.pixels import has_same_pixels
from flows.imaging.dicom.stacks import places_of
from schemas.errors import ContractError
from schemas.study.dicom_parts import SeriesRule

__all__ = ["chosen_volume", "volumes_of"]

Volume = tuple[Frame, ...]
"""A frame at each place, from the lowest to the highest."""

_MOST_SHOWN = 12


def chosen_volume(frames: Sequence[Frame], rule: SeriesRule) -> Volume:
    """Return the slices of the volume that a rule asks for.

    Parameters
    ----------
    frames : sequence of Frame
        Of one series and one orientation.
    rule : SeriesRule
        Its ``time`` and ``seconds`` choose one of several volumes.

    Raises
    ------
    ContractError
        When the series holds several volumes and the rule chooses none or several of them, or cannot be applied.
    """
    volumes = volumes_of(frames)
    if rule.time is not None and rule.time > len(volumes):
        has = "one volume" if len(volumes) == 1 else f"{len(volumes)} volumes"
        raise ContractError(f"time = {rule.time} is asked for, and the series has {has}")
    if rule.seconds is not None:
        return volumes[_place_within(volumes, rule.seconds, rule.time)]
    if rule.time is None and len(volumes) > 1:
        raise ContractError(
            f"is a dynamic series of {len(volumes)} times of {len(volumes[0])} slices, and the rule chooses none",
            hint="write time = 1 for the first of them, 2 for the second",
        )
    return volumes[(rule.time or 1) - 1]


def _place_within(volumes: Sequence[Volume], seconds: tuple[float, float], time: int | None) -> int:
    """Return the place of the one volume that began in a window of seconds, which ``time`` names where it is given."""
    delays = [delay for delay in map(_delay, volumes) if delay is not None]
    if len(delays) < len(volumes):
        raise ContractError(
            "seconds are asked for, and its header lacks ContrastBolusStartTime or AcquisitionTime: when the contrast "
            "agent was given is not known",
            hint="choose by time, order, number or description instead",
        )
    window = f"within {seconds[0]:g} to {seconds[1]:g} seconds of the contrast agent"
    fitting = [place for place, delay in enumerate(delays) if seconds[0] <= delay <= seconds[1]]
    if time is not None:
        if time - 1 in fitting:
            return time - 1
        raise ContractError(f"volume {time} did not begin {window}: it began at {delays[time - 1]:g} s")
    if len(fitting) == 1:
        return fitting[0]
    many = "no volume" if not fitting else f"{len(fitting)} volumes"
    listed = ", ".join(f"{delay:g}" for delay in delays[:_MOST_SHOWN]) + (", ..." if len(delays) > _MOST_SHOWN else "")
    raise ContractError(
        f"{many} of the series began {window}, and one must be left; its {len(delays)} began at {listed} s"
    )


def _delay(volume: Volume) -> float | None:
    """Return the seconds from the contrast agent's start to the first slice, None where some slice does not say."""
    delays = [frame.delay for frame in volume if frame.delay is not None]
    return min(delays) if len(delays) == len(volume) else None


def volumes_of(frames: Sequence[Frame]) -> tuple[Volume, ...]:
    """Return the volumes of a series in order of time: one where it has one slice at each place.

    Several slices at each place are told apart by the first of these that gives each volume one slice at each place:
    the numbers of `Frame.order`, then AcquisitionTime, then ContentTime, the n-th in time at each place.

    Raises
    ------
    ContractError
        When places have different counts of slices, slices at one place differ in more than time or are duplicates,
        or nothing in the headers tells their times apart.
    """
    places = places_of(frames)
    count = max(len(place) for place in places)
    if count == 1:
        return (tuple(place[0] for place in places),)
    _refuse_other_kinds(places)
    fewer = [place for place in places if len(place) < count]
    if fewer:
        _refuse_duplicates(places)
        raise ContractError(
            f"has {count} different slices at {len(places) - len(fewer)} of its {len(places)} places and fewer at the "
            "others: it is neither one volume nor several",
            where=str(fewer[0][0].file),
        )
    for position in range(len(frames[0].order)):
        if volumes := _numbered(places, position):
            return volumes
    timed: tuple[Callable[[Frame], float | None], ...] = (lambda each: each.acquired, lambda each: each.content)
    for time_of in timed:
        if volumes := _in_time(places, time_of):
            return volumes
    _refuse_duplicates(places)
    raise ContractError(
        f"has {count} different slices at each of its {len(places)} places, and nothing tells their times apart: "
        "neither a temporal position, AcquisitionNumber, TriggerTime, AcquisitionTime nor ContentTime splits them into "
        "volumes that follow one another"
    )


def _refuse_duplicates(places: Sequence[Sequence[Frame]]) -> None:
    for place in places:
        if len(place) > 1 and has_same_pixels(place[0], place[1]):
            raise ContractError(
                "is a duplicate: another file has the same pixels at the same place under another SOPInstanceUID",
                where=str(place[1].file),
                hint="remove one of the two",
            )


def _refuse_other_kinds(places: Sequence[Sequence[Frame]]) -> None:
    """Refuse slices at one place that are no times: a dynamic series differs in time alone."""
    for place in places:
        for (keyword, value), *others in zip(*(frame.kind for frame in place), strict=True):
            if any(other != value for _, other in others):
                raise ContractError(
                    f"has slices at one place that differ in {keyword}: they are echoes, weightings or "
                    "reconstructions, not times",
                    where=str(place[1].file),
                    hint="give each its own series",
                )


def _numbered(places: Sequence[Sequence[Frame]], position: int) -> tuple[Volume, ...] | None:
    """Return the volumes that one number of each frame tells apart, None where it does not."""
    by_number: dict[float, list[Frame]] = defaultdict(list)
    for place in places:
        numbers = [frame.order[position][1] for frame in place]
        if len(set(numbers)) != len(place):
            return None
        for frame, number in zip(place, numbers, strict=True):
            if number is None:
                return None
            by_number[number].append(frame)
    if any(len(volume) != len(places) for volume in by_number.values()):
        return None
    volumes = tuple(tuple(by_number[number]) for number in sorted(by_number))
    starts = [_start(volume) for volume in volumes]
    known = [start for start in starts if start is not None]
    if are_comparable(known) and known != sorted(known):
        keyword = places[0][0].order[position][0]
        raise ContractError(f"the order of its volumes by {keyword} contradicts that of AcquisitionTime")
    return volumes


def _start(volume: Volume) -> float | None:
    times = [frame.acquired for frame in volume if frame.acquired is not None]
    return min(times) if len(times) == len(volume) else None


def _in_time(places: Sequence[Sequence[Frame]], time_of: Callable[[Frame], float | None]) -> tuple[Volume, ...] | None:
    """Return the n-th slices in time at each place, None where volumes do not follow one another."""
    if not are_comparable(time_of(frame) or 0.0 for place in places for frame in place):
        return None
    ordered = []
    for place in places:
        times = [time_of(frame) for frame in place]
        if None in times or len(set(times)) != len(times):
            return None
        ordered.append(sorted(place, key=lambda frame: time_of(frame) or 0.0))
    volumes = tuple(zip(*ordered, strict=True))
    for earlier, later in pairwise(volumes):
        if max(time_of(frame) or 0.0 for frame in earlier) >= min(time_of(frame) or 0.0 for frame in later):
            return None
    return volumes
