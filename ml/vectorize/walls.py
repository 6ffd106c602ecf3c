"""Lays straight walls along a ring that was turned so that most of them run along x or y; they meet in corners."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely

Floats = npt.NDArray[np.float64]

LEAST_WALL = 2.0  # tolerances: shorter steps are noise
CORNER_SHARE = 0.05  # of a wall at each end, where masks are round
FARTHEST_CORNER = 4.0  # tolerances: walls that meet further from where the outline bends meet there instead
PARALLEL = 0.25  # the sine of the angle below which the place where two walls meet is not sure


@dataclass(frozen=True)
class Manner:
    """How walls are laid.

    Sides turned by more than `free_degrees` from both axes keep their own direction where they are longer than
    `long_share` of the root of the area; shorter ones are corners that the mask cut off. Of the sides, by length,
    `least_straight` must lie along the axes.
    """

    free_degrees: float
    long_share: float
    least_straight: float


@dataclass(frozen=True)
class Wall:
    """Points `first` to `last` of a turned ring: along x (`axis` 0), along y (1), or free (2)."""

    axis: int
    length: float
    first: int
    last: int


def walled(ring: shapely.LinearRing, tolerance: float, side: float, manner: Manner) -> Floats | None:
    """The corners of a turned ring, closed; None where too few walls are left."""
    dense = shapely.get_coordinates(ring)[:-1]
    walls = merged(dense, laid(dense, tolerance, side, manner), LEAST_WALL * tolerance)
    straight = sum(wall.length for wall in walls if wall.axis != 2)
    if len(walls) < 3 or straight < manner.least_straight * sum(wall.length for wall in walls):
        return None
    most = FARTHEST_CORNER * tolerance
    corners = [_corner(dense, wall, walls[(i + 1) % len(walls)], most) for i, wall in enumerate(walls)]
    return np.array([*corners, corners[0]], dtype=np.float64)


def laid(dense: Floats, tolerance: float, side: float, manner: Manner) -> list[Wall]:
    """The sides of the simplified ring."""
    places = _corner_places(dense, tolerance)
    lasts = [*places[1:], places[0] + len(dense)]
    steps = np.take(dense, lasts, axis=0, mode="wrap") - np.take(dense, places, axis=0, mode="wrap")
    lengths, shares = np.hypot(*steps.T), np.abs(steps)
    turned = np.degrees(np.arctan2(shares.min(axis=1), shares.max(axis=1))) > manner.free_degrees
    axes = np.where(turned, 2, shares[:, 1] > shares[:, 0])
    cut_off = turned & (lengths < manner.long_share * side)  # a corner that the mask cut off: its neighbours meet
    walls = zip(axes.tolist(), lengths.tolist(), places, lasts, cut_off.tolist(), strict=True)
    return [Wall(axis, length, first, last) for axis, length, first, last, gone in walls if not gone]


def between_corners(dense: Floats, wall: Wall) -> tuple[Floats, Floats]:
    """x and y of a wall's points but for those next to its ends, where masks are round."""
    cut = int(CORNER_SHARE * (wall.last - wall.first))
    points = np.take(dense, np.arange(wall.first + cut, wall.last + 1 - cut), axis=0, mode="wrap")
    return points[:, 0], points[:, 1]


def _at(dense: Floats, wall: Wall) -> float:
    """Where a wall lies: the mean of the outline between its corners, by length."""
    points = np.take(dense, np.arange(wall.first, wall.last + 1), axis=0, mode="wrap")
    along, across = points[:, wall.axis], points[:, 1 - wall.axis]
    low, high = along.min(), along.max()
    share = np.linspace(CORNER_SHARE, 1 - CORNER_SHARE, 17)
    order = np.argsort(along, kind="stable")
    return float(np.interp(low + share * (high - low), along[order], across[order]).mean())


def _corner_places(dense: Floats, tolerance: float) -> list[int]:
    """Which of the ring's points Douglas-Peucker keeps, from the one farthest from the middle on."""
    start = int(np.argmax(((dense - dense.mean(0)) ** 2).sum(1)))
    ring = np.roll(dense, -start, axis=0)
    closed = shapely.linestrings(np.vstack([ring, ring[:1]]))
    kept = shapely.get_coordinates(shapely.simplify(closed, tolerance, preserve_topology=False))[:-1]
    found = np.isin(ring @ [1, 1j], kept @ [1, 1j])
    return [int(place) + start for place in np.flatnonzero(found)]


def merged(dense: Floats, walls: list[Wall], least: float) -> list[Wall]:
    """One wall where several follow each other in line, and none that is shorter than `least`."""
    while len(walls) > 2:
        pairs = [i for i in range(len(walls)) if walls[i].axis != 2 and walls[i].axis == walls[i - 1].axis]
        if pairs:
            walls = _joined(walls, pairs[0], len(dense))
            continue
        short = min(range(len(walls)), key=lambda i: walls[i].length)
        if walls[short].length >= least:
            break
        walls = walls[:short] + walls[short + 1 :]
    return walls


def _joined(walls: list[Wall], i: int, count: int) -> list[Wall]:
    """Wall i and the one before it as one."""
    before, after = walls[i - 1], walls[i]
    last = after.last if after.last > before.first else after.last + count
    one = Wall(before.axis, before.length + after.length, before.first, last)
    if i == 0:
        return [one, *walls[1:-1]]
    return [*walls[: i - 1], one, *walls[i + 1 :]]


def _corner(dense: Floats, one: Wall, other: Wall, most: float) -> tuple[float, float]:
    """Where two walls meet; where the outline bends, if that is not sure or too far away."""
    if {one.axis, other.axis} == {0, 1}:
        along, across = (one, other) if one.axis == 0 else (other, one)
        return _at(dense, across), _at(dense, along)
    bend = (dense[one.last % len(dense)] + dense[other.first % len(dense)]) / 2
    (a, span), (c, reach) = (_line(dense, wall) for wall in (one, other))
    cross = float(span[0] * reach[1] - span[1] * reach[0])
    if abs(cross) > PARALLEL:
        share = float((c - a)[0] * reach[1] - (c - a)[1] * reach[0]) / cross
        x, y = a + share * span
        if math.hypot(x - bend[0], y - bend[1]) <= most:
            return float(x), float(y)
    return float(bend[0]), float(bend[1])


def _line(dense: Floats, wall: Wall) -> tuple[Floats, Floats]:
    """A point of a wall's line and its direction, of length 1; a free wall's by least squares."""
    if wall.axis == 0:
        return np.array([0.0, _at(dense, wall)]), np.array([1.0, 0.0])
    if wall.axis == 1:
        return np.array([_at(dense, wall), 0.0]), np.array([0.0, 1.0])
    x, y = between_corners(dense, wall)
    middle = np.array([x.mean(), y.mean()])
    (a, b), (_, c) = np.cov(x, y, bias=True) if len(x) > 2 else ((0.0, 0.0), (0.0, 0.0))
    if a + c <= 0:
        step = dense[wall.last % len(dense)] - dense[wall.first % len(dense)]
        return middle, step / np.hypot(*step)
    angle = math.atan2(2 * b, a - c) / 2
    return middle, np.array([math.cos(angle), math.sin(angle)])
