"""Joins new lines to those that are there already, in vertices that both have."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry import LineString, Point
from shapely.ops import substring

HAIR = 1e-6  # in the coordinates' unit: nearer places are the same

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Joined:
    """Lines joined to those that were there, and the latter that got a vertex for it, by their place in the list."""

    lines: tuple[LineString, ...]
    neighbours: dict[int, LineString]


def joined(lines: Sequence[LineString], neighbours: Sequence[LineString], tolerance: float) -> Joined:
    """Lines whose ends meet the neighbours that are within the tolerance, in a vertex that both have.

    An end that runs past a neighbour by less than the tolerance is cut off there; one that stops short is led to the
    neighbour's nearest end within the tolerance, else to the nearest place on it. Ends where the lines meet each other
    are not moved. Unit of the coordinates throughout.
    """
    ends = [place for line in lines for place in (line.coords[0], line.coords[-1])]
    there = [np.asarray(line.coords)[:, :2] for line in neighbours]
    found = []
    for line in lines:
        places = np.asarray(line.coords)[:, :2]
        for _ in range(2):
            places = places[::-1]  # each end in its turn is the last one
            if ends.count(tuple(places[-1])) == 1 and there:
                places = _end_joined(places, there, tolerance)
        found.append(LineString(places))
    changed = {
        i: LineString(after)
        for i, (after, before) in enumerate(zip(there, neighbours, strict=True))
        if len(after) != len(before.coords)
    }
    return Joined(tuple(found), changed)


def _end_joined(places: Floats, there: list[Floats], tolerance: float) -> Floats:
    """A line whose last place is on a neighbour where one is near; the neighbour gets a vertex there."""
    line, end = LineString(places), Point(places[-1])
    crossed = _overshoot(line, there, tolerance)
    if crossed is not None:
        at, number = crossed
        kept = shapely.get_coordinates(substring(line, 0, at))
        places, target = kept[:-1], kept[-1]
    else:
        distances = [shapely.distance(LineString(other), end) for other in there]
        number = int(np.argmin(distances))
        if distances[number] > tolerance:
            return places
        other = there[number]
        tips = other[[0, -1]]
        far = np.hypot(*(tips - places[-1]).T)
        on = shapely.get_coordinates(shapely.line_interpolate_point(LineString(other), LineString(other).project(end)))[
            0
        ]
        target = tips[far.argmin()] if far.min() <= tolerance else on
        places = places[:-1] if len(places) > 2 and np.hypot(*(places[-2] - target)) < tolerance else places
    there[number] = _with_vertex(there[number], target)
    if np.array_equal(places[-1], target):
        return places
    return np.vstack([places, target])


def _overshoot(line: LineString, there: list[Floats], tolerance: float) -> tuple[float, int] | None:
    """How far along a line it crosses a neighbour within the tolerance of its end, and which one."""
    tail = substring(line, max(0.0, line.length - tolerance), line.length)
    for number, other in enumerate(there):
        met = shapely.get_coordinates(shapely.intersection(tail, LineString(other)))
        along = [line.project(Point(place)) for place in met]
        if along and min(along) > HAIR:
            return min(along), number
    return None


def _with_vertex(line: Floats, place: Floats) -> Floats:
    """An open line with a vertex at a place on it; the same where it has one there."""
    if (np.hypot(*(line - place).T) <= HAIR).any():
        return line
    begin, step = line[:-1], np.diff(line, axis=0)
    share = np.clip(((place - begin) * step).sum(axis=1) / np.maximum((step**2).sum(axis=1), HAIR**2), 0, 1)
    edge = int(np.hypot(*(begin + share[:, None] * step - place).T).argmin())
    return np.insert(line, edge + 1, place, axis=0)
