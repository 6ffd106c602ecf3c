"""Gives a building its right angles back: walls along two directions, corners where walls meet."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely
from shapely import affinity
from shapely.geometry import Polygon

Floats = npt.NDArray[np.float64]

FREE_DEGREES = 22.5  # a long side turned further than this from both directions stays as it is
LONG_SHARE = 0.3  # of the square root of the area: shorter turned sides are corners cut off by the mask
LEAST_WALL = 2.0  # tolerances: shorter steps are noise
CORNER_SHARE = 0.15  # of a wall at each end, where masks are round
DETAILS = (1.0, 1.5, 2.25)  # of the tolerance: an outline that keeps crossing itself is tried with less detail
LEAST_STRAIGHT = 0.6  # of the sides, by length, lie in the two directions
LEAST_IOU = 0.85
MOST_OFF = 6.0  # tolerances: how far the result may lie from the outline, or a tenth of the side if that is more


@dataclass(frozen=True)
class _Wall:
    """Points `first` to `last` of a turned ring: along x (`axis` 0), along y (1), or free (2)."""

    axis: int
    length: float
    first: int
    last: int


def right_angled(outline: Polygon, tolerance: float, direction: float | None = None) -> Polygon:
    """The outline with right angles where it nearly has them; the outline itself where that would change too much.

    Coordinates of equal scale along x and y (metres or square pixels), `tolerance` in the same unit: about the
    accuracy of the outline. `direction` in radians, of walls that neighbours share, else the outline's own dominant
    one. The result is a valid polygon: IoU with the outline at least 0.85, no further from it than six tolerances
    or a tenth of its side.
    """
    if not outline.is_valid or outline.area <= 0 or tolerance <= 0:
        return outline
    side, centre = math.sqrt(outline.area), outline.centroid
    for detail in (tolerance * share for share in DETAILS):
        turn = dominant_direction(outline, detail) if direction is None else direction
        turned = affinity.rotate(outline, -turn, origin=centre, use_radians=True)
        squared = _squared_polygon(turned, detail, side)
        if squared is not None:
            found = affinity.rotate(squared, turn, origin=centre, use_radians=True)
            if _close(found, outline, tolerance, side):
                return found
    return outline


def _squared_polygon(turned: Polygon, tolerance: float, side: float) -> Polygon | None:
    rings = [_squared(ring, tolerance, side) for ring in (turned.exterior, *turned.interiors)]
    if rings[0] is None:
        return None
    squared = Polygon(rings[0], [hole for hole in rings[1:] if hole is not None])
    return squared if squared.is_valid and not squared.is_empty else None


def dominant_direction(outline: Polygon, tolerance: float) -> float:
    """Radians in 0..pi/2: where most of the walls point, or across.

    The mean of the sides' angles on the circle of right angles, weighted by length (Mardia and Jupp, "Directional
    Statistics", 2000, section 2.2, for axes that repeat four times); then the turn by which all walls together lie
    best along their points (least squares).
    """
    corners = shapely.get_coordinates(shapely.simplify(outline, tolerance).exterior)
    steps = np.diff(corners, axis=0)
    lengths = np.hypot(*steps.T)
    angles = 4 * np.arctan2(steps[:, 1], steps[:, 0])
    mean = math.atan2(float(lengths**2 @ np.sin(angles)), float(lengths**2 @ np.cos(angles)))
    turned = affinity.rotate(outline, -mean / 4, origin=(0, 0), use_radians=True)
    return (mean / 4 + _slope(shapely.get_coordinates(turned.exterior)[:-1], tolerance)) % (math.pi / 2)


def _slope(dense: Floats, tolerance: float) -> float:
    """Radians by which the walls of a turned ring still lean, walls along x and along y taken together."""
    leaning = spread = 0.0
    for wall in _merged(dense, _walls(dense, tolerance, 0.0), LEAST_WALL * tolerance):
        x, y = _between_corners(dense, wall)
        if wall.axis != 2 and len(x):
            x, y = (x - x.mean(), y - y.mean()) if wall.axis == 0 else (y - y.mean(), x.mean() - x)
            leaning, spread = leaning + float(x @ y), spread + float(x @ x)
    return math.atan2(leaning, spread) if spread > 0 else 0.0


def _close(found: Polygon, outline: Polygon, tolerance: float, side: float) -> bool:
    both = shapely.area(shapely.intersection(found, outline))
    either = found.area + outline.area - both
    off = shapely.hausdorff_distance(found.exterior, outline.exterior)
    return bool(both / either >= LEAST_IOU and off <= max(MOST_OFF * tolerance, 0.1 * side))


def _squared(ring: shapely.LinearRing, tolerance: float, side: float) -> Floats | None:
    """The corners of a turned ring, closed; None where too few walls are left."""
    dense = shapely.get_coordinates(ring)[:-1]
    walls = _merged(dense, _walls(dense, tolerance, side), LEAST_WALL * tolerance)
    straight = sum(wall.length for wall in walls if wall.axis != 2)
    if len(walls) < 4 or straight < LEAST_STRAIGHT * sum(wall.length for wall in walls):
        return None
    corners = [_corner(dense, wall, walls[(i + 1) % len(walls)]) for i, wall in enumerate(walls)]
    if any(corner is None for corner in corners):
        return None
    return np.array([*corners, corners[0]], dtype=np.float64)


def _walls(dense: Floats, tolerance: float, side: float) -> list[_Wall]:
    """The sides of the simplified ring."""
    places = _corner_places(dense, tolerance)
    walls = []
    for first, last in zip(places, [*places[1:], places[0] + len(dense)], strict=True):
        step = dense[last % len(dense)] - dense[first % len(dense)]
        length = float(np.hypot(*step))
        axis = int(abs(step[1]) > abs(step[0]))
        if math.degrees(math.atan2(min(abs(step)), max(abs(step)))) > FREE_DEGREES:
            if length < LONG_SHARE * side:
                continue  # a corner that the mask cut off: its neighbours meet instead
            axis = 2
        walls.append(_Wall(axis, length, first, last))
    return walls


def _between_corners(dense: Floats, wall: _Wall) -> tuple[Floats, Floats]:
    """x and y of a wall's points but for those next to its ends, where masks are round."""
    cut = int(CORNER_SHARE * (wall.last - wall.first))
    points = np.take(dense, np.arange(wall.first + cut, wall.last + 1 - cut), axis=0, mode="wrap")
    return points[:, 0], points[:, 1]


def _at(dense: Floats, wall: _Wall) -> float:
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
    places, at = [], 0
    for corner in kept:
        while not np.array_equal(ring[at], corner):
            at += 1
        places.append(at + start)
    return places


def _merged(dense: Floats, walls: list[_Wall], least: float) -> list[_Wall]:
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


def _joined(walls: list[_Wall], i: int, count: int) -> list[_Wall]:
    """Wall i and the one before it as one."""
    before, after = walls[i - 1], walls[i]
    last = after.last if after.last > before.first else after.last + count
    one = _Wall(before.axis, before.length + after.length, before.first, last)
    if i == 0:
        return [one, *walls[1:-1]]
    return [*walls[: i - 1], one, *walls[i + 1 :]]


def _corner(dense: Floats, one: _Wall, other: _Wall) -> tuple[float, float] | None:
    """Where two walls meet; None for parallel ones."""
    if {one.axis, other.axis} == {0, 1}:
        along, across = (one, other) if one.axis == 0 else (other, one)
        return _at(dense, across), _at(dense, along)
    (a, b), (c, d) = (_line(dense, wall) for wall in (one, other))
    span, reach = b - a, d - c
    cross = float(span[0] * reach[1] - span[1] * reach[0])
    if abs(cross) < 1e-9 * float(np.hypot(*span) * np.hypot(*reach)):
        return None
    share = float((c - a)[0] * reach[1] - (c - a)[1] * reach[0]) / cross
    x, y = a + share * span
    return float(x), float(y)


def _line(dense: Floats, wall: _Wall) -> tuple[Floats, Floats]:
    """Two points of a wall's line."""
    if wall.axis == 2:
        return dense[wall.first % len(dense)], dense[wall.last % len(dense)]
    at = _at(dense, wall)
    if wall.axis == 0:
        return np.array([0.0, at]), np.array([1.0, at])
    return np.array([at, 0.0]), np.array([at, 1.0])
