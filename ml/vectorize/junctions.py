"""Joins new lines to those that are there already, in vertices that both have."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry import LineString, Point
from shapely.ops import substring

HAIR = 2e-4  # in the coordinates' unit: nearer places are the same; nine decimals of a degree are half of it in metres
ON = 0.01  # of the tolerance: an end so near to a line lies on it already
PULL = 0.25  # of the tolerance: a vertex so near is taken, and an end that is so near is moved instead of led on
SHORT = 4.0  # tolerances: a shorter line does not become a loop

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Joined:
    """Lines joined to those that were there, and the latter that got a vertex for it, by their place in the list."""

    lines: tuple[LineString, ...]
    neighbours: dict[int, LineString]


def joined(lines: Sequence[LineString], neighbours: Sequence[LineString], tolerance: float) -> Joined:
    """Lines whose ends meet the neighbours that are within the tolerance, in a vertex that both have.

    An end that runs past a neighbour by less than the tolerance is cut off there; one that stops short is led to the
    nearest end within the tolerance that lies on its nearest neighbour, else to the nearest place on that one. Vertices
    within a quarter of the tolerance are taken instead of new ones. An end on a neighbour stays where it is, ends where
    the lines meet each other are not moved, and no line shrinks to a place. Where a neighbour ends within the tolerance
    of a line's way, the line leads through that end: what is there already stays. Unit of the coordinates throughout.
    """
    ends = [place for line in lines for place in (line.coords[0], line.coords[-1])]
    tips = [np.asarray(line.coords[index])[:2] for line in neighbours for index in (0, -1) if not line.is_ring]
    there = [np.asarray(line.coords)[:, :2] for line in neighbours]
    found = []
    for line in lines:
        places = np.asarray(line.coords)[:, :2]
        for _ in range(2):
            places = places[::-1]  # each end in its turn is the last one
            if ends.count(tuple(places[-1])) == 1 and there:
                places = _end_joined(places, there, tolerance)
        for tip in tips:
            places = _through(places, tip, tolerance)
        found.append(LineString(places))
    changed = {
        i: LineString(after)
        for i, (after, before) in enumerate(zip(there, neighbours, strict=True))
        if len(after) != len(before.coords)
    }
    return Joined(tuple(found), changed)


def _end_joined(places: Floats, there: list[Floats], tolerance: float) -> Floats:
    """A line whose last place is on a neighbour where one is near; the neighbour gets a vertex there."""
    end = places[-1]
    distances = shapely.distance([LineString(other) for other in there], Point(end))
    number = int(np.argmin(distances))
    on_it = distances[number] <= ON * tolerance
    crossed = None if on_it else _overshoot(places, there, tolerance)
    if on_it:
        place = end if distances[number] <= HAIR else _place_on(there[number], end)
        target = _vertex_near(there[number], place, ON * tolerance)
        after = _ending(places[:-1], target)
    elif crossed is not None:
        number, kept = crossed
        target = _vertex_near(there[number], kept[-1], PULL * tolerance)
        after = _ending(kept[:-1], target)
    elif distances[number] <= tolerance:
        target = _target(end, there, number, tolerance)
        after = _led(places, target, tolerance)
    else:
        return places
    line = LineString(after)
    if line.length <= HAIR or (_apart(after[0], after[-1]) <= HAIR and line.length < SHORT * tolerance):
        return places
    there[number] = _with_vertex(there[number], target)
    return after


def _through(places: Floats, tip: Floats, tolerance: float) -> Floats:
    """A line that leads through an end of another where that is near its way, and not near its own ends."""
    line, place = LineString(places), Point(tip)
    at = line.project(place)
    if line.distance(place) > tolerance or not tolerance < at < line.length - tolerance:
        return places
    if line.distance(place) <= HAIR:
        return _with_vertex(places, tip)
    along = np.r_[0.0, np.cumsum(np.hypot(*np.diff(places, axis=0).T))]
    near = np.abs(along - at) <= tolerance  # a bend there would become a hook
    return np.vstack([places[~near & (along < at)], tip, places[~near & (along > at)]])


def _overshoot(places: Floats, there: list[Floats], tolerance: float) -> tuple[int, Floats] | None:
    """Which neighbour a line crosses within the tolerance of its end, the last of several, and the line up to there."""
    line = LineString(places)
    begin = max(0.0, line.length - tolerance)
    tail = substring(line, begin, line.length)
    crossed: list[tuple[float, int]] = []
    for number, other in enumerate(there):
        met = shapely.get_coordinates(shapely.intersection(tail, LineString(other)))
        along = [begin + tail.project(Point(place)) for place in met]
        if along and min(along) > HAIR:
            crossed.append((min(along), number))
    if not crossed:
        return None
    at, number = max(crossed)
    return number, shapely.get_coordinates(substring(line, 0, at))


def _target(end: Floats, there: list[Floats], number: int, tolerance: float) -> Floats:
    """Where on its nearest neighbour an end goes: to an end that lies there, to a vertex, else to the nearest place."""
    tips = np.vstack([line[[0, -1]] for line in there])
    tips = tips[shapely.dwithin(shapely.points(tips), LineString(there[number]), HAIR)]
    far = np.hypot(*(tips - end).T)
    if far.min() <= tolerance:
        return np.asarray(tips[far.argmin()])
    return _vertex_near(there[number], _place_on(there[number], end), PULL * tolerance)


def _led(places: Floats, target: Floats, tolerance: float) -> Floats:
    """A line that ends at a place within the tolerance of its end, without a hook there."""
    before, end = places[-2], places[-1]
    if len(places) > 2 and _apart(before, target) < tolerance:
        return _ending(places[:-1], target)
    back = float((end - before) @ (target - end)) < 0
    moved = back or _apart(end, target) < PULL * tolerance
    return _ending(places[:-1] if moved else places, target)


def _ending(places: Floats, target: Floats) -> Floats:
    return places if len(places) > 1 and np.array_equal(places[-1], target) else np.vstack([places, target])


def _place_on(line: Floats, place: Floats) -> Floats:
    """The place on a line that is nearest to another."""
    whole = LineString(line)
    return np.asarray(shapely.get_coordinates(whole.interpolate(whole.project(Point(place))))[0])


def _vertex_near(line: Floats, place: Floats, reach: float) -> Floats:
    """A line's vertex within the reach of a place on it, or a hair off it, else the place."""
    far = np.hypot(*(line - place).T)
    return np.asarray(line[far.argmin()]) if far.min() <= max(reach, HAIR) else place


def _with_vertex(line: Floats, place: Floats) -> Floats:
    """An open line with a vertex at a place on it; the same where it has one there."""
    if (np.hypot(*(line - place).T) <= HAIR).any():
        return line
    begin, step = line[:-1], np.diff(line, axis=0)
    share = np.clip(((place - begin) * step).sum(axis=1) / np.maximum((step**2).sum(axis=1), HAIR**2), 0, 1)
    edge = int(np.hypot(*(begin + share[:, None] * step - place).T).argmin())
    return np.insert(line, edge + 1, place, axis=0)


def _apart(one: Floats, other: Floats) -> float:
    return float(np.hypot(*(one - other)))
