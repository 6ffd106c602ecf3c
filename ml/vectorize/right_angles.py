"""Gives a building its right angles back: walls along two directions, corners where walls meet."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from shapely import affinity
from shapely.geometry import Polygon
from shapely.geometry.base import BaseGeometry

from ml.vectorize.walls import LEAST_WALL, Floats, Manner, between_corners, laid, merged, walled

RIGHT = Manner(free_degrees=30.0, long_share=0.25, least_straight=0.6)
STRAIGHT = Manner(free_degrees=10.0, long_share=0.0, least_straight=0.0)
DETAILS = (1.0, 1.5, 2.25)  # of the tolerance: an outline that keeps crossing itself is tried with less detail
LEAST_IOU = (0.8, 0.85)  # with the outline: of small ones, which wander by more of their side, and of large ones
WANDERS = 3.0  # tolerances of the side: how much of the IoU goes where an outline is off by a tolerance
MOST_OFF = 6.0  # tolerances: how far the result may lie from the outline, or a tenth of the side if that is more
SURE_IOU, SURE_OFF = 0.96, 2.5  # what is nearer by either (the second in tolerances) is not compared with anything
BETTER_IOU, BETTER_OFF = 0.04, 1.0  # by so much, straight walls of any direction must be nearer than right angles
ROUGH = (2.0, 1.0)  # of the tolerance, for walls of any direction: with more detail they follow the noise
GROUP_DEGREES = 10.0  # neighbours whose walls are turned by more than this are of another group
GROUP_WEIGHT = 4.0  # how much a group counts at most, in weights of the building's own


@dataclass(frozen=True)
class Direction:
    """Where walls point: radians in 0..pi/2, or across, from x towards y in raster pixels on the ground; and how sure.

    The weight is the length of the walls in metres, less for walls that disagree.
    """

    radians: float
    weight: float


def right_angled(
    outline: Polygon, tolerance: float, direction: float | None = None, group: Sequence[Direction] = ()
) -> Polygon:
    """The outline with right angles where it nearly has them; the outline itself where that would change too much.

    Coordinates of equal scale along x and y (metres or square pixels), `tolerance` in the same unit: about the
    accuracy of the outline. `direction` in radians, of the walls, else the outline's own dominant one, drawn towards
    those of its `group` that are turned by less than 10 degrees. Walls that are turned from both directions, like a
    bay's at 45 degrees, stay so; where straight walls of any direction are clearly nearer to the outline than right
    angles, they are taken. The result is a valid polygon: IoU with the outline at least 0.85 (0.8 for small
    ones), no further from it than six tolerances or a tenth of its side.
    """
    if not outline.is_valid or outline.area <= 0 or tolerance <= 0:
        return outline
    if direction is None and group:
        direction = _drawn_towards(_weighed(shapely.simplify(outline, tolerance)), group)
    if direction is None:
        direction = dominant_direction(outline, tolerance)
    right = _best(outline, tolerance, direction, RIGHT)
    if right is not None and (right.iou >= SURE_IOU or right.off <= SURE_OFF * tolerance):
        return right.shape
    fits = (_best(outline, rough * tolerance, direction, STRAIGHT) for rough in ROUGH)
    straight = next((fit for fit in fits if fit is not None), None)
    if right is None or straight is None:
        better = right or straight
        return outline if better is None else better.shape
    nearer = straight.iou > right.iou + BETTER_IOU and straight.off < right.off - BETTER_OFF * tolerance
    return straight.shape if nearer else right.shape


def wall_directions(shape: BaseGeometry, pixel_m: tuple[float, float]) -> list[Direction]:
    """The direction of each part's walls; what a group of neighbours shares. `shape` in raster pixels."""
    grounded = shapely.transform(shape, lambda xy: xy * pixel_m)
    return [_weighed(part) for part in shapely.get_parts(grounded) if isinstance(part, Polygon) and part.area > 0]


@dataclass(frozen=True, eq=False)
class _Fit:
    """A shape and how near it is to the outline: IoU, and the greatest distance."""

    shape: Polygon
    iou: float
    off: float


def _best(outline: Polygon, tolerance: float, direction: float, manner: Manner) -> _Fit | None:
    """The first of the details at which the walls are a valid polygon that is near enough to the outline."""
    side, centre = math.sqrt(outline.area), outline.centroid
    least_iou = float(np.clip(1 - WANDERS * tolerance / side, *LEAST_IOU))
    turned = affinity.rotate(outline, -direction, origin=centre, use_radians=True)
    for detail in (tolerance * share for share in DETAILS):
        shape = _walled_polygon(turned, detail, side, manner)
        if shape is not None:
            fit = _fit(affinity.rotate(shape, direction, origin=centre, use_radians=True), outline)
            if fit.iou >= least_iou and fit.off <= max(MOST_OFF * tolerance, 0.1 * side):
                return fit
    return None


def _walled_polygon(turned: Polygon, tolerance: float, side: float, manner: Manner) -> Polygon | None:
    rings = [walled(ring, tolerance, side, manner) for ring in (turned.exterior, *turned.interiors)]
    if rings[0] is None:
        return None
    shape = Polygon(rings[0], [hole for hole in rings[1:] if hole is not None])
    return shape if shape.is_valid and not shape.is_empty else None


def _weighed(outline: Polygon) -> Direction:
    """The mean direction of the sides, by the square of their length."""
    steps = np.diff(shapely.get_coordinates(outline.exterior), axis=0)
    lengths = np.hypot(*steps.T)
    angles = 4 * np.arctan2(steps[:, 1], steps[:, 0])
    along, across = float(lengths**2 @ np.cos(angles)), float(lengths**2 @ np.sin(angles))
    sure = math.hypot(along, across) / float(lengths @ lengths) if len(lengths) else 0.0
    return Direction(math.atan2(across, along) / 4 % (math.pi / 2), sure * float(lengths.sum()))


def _drawn_towards(own: Direction, group: Sequence[Direction]) -> float | None:
    """The mean of a building's own direction and its group's, by weight; None where no neighbour is turned alike."""
    near = [one for one in group if _turned(one.radians, own.radians) <= math.radians(GROUP_DEGREES)]
    total = sum(one.weight for one in near)
    if total <= 0:
        return None
    scale = min(1.0, GROUP_WEIGHT * own.weight / total)
    weighed = [(own.radians, own.weight), *((one.radians, scale * one.weight) for one in near)]
    along = sum(weight * math.cos(4 * angle) for angle, weight in weighed)
    across = sum(weight * math.sin(4 * angle) for angle, weight in weighed)
    return math.atan2(across, along) / 4 % (math.pi / 2)


def _turned(one: float, other: float) -> float:
    """Radians between two directions of walls, at most pi/4."""
    between = abs(one - other) % (math.pi / 2)
    return min(between, math.pi / 2 - between)


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
    for wall in merged(dense, laid(dense, tolerance, 0.0, RIGHT), LEAST_WALL * tolerance):
        x, y = between_corners(dense, wall)
        if wall.axis != 2 and len(x):
            x, y = (x - x.mean(), y - y.mean()) if wall.axis == 0 else (y - y.mean(), x.mean() - x)
            leaning, spread = leaning + float(x @ y), spread + float(x @ x)
    return math.atan2(leaning, spread) if spread > 0 else 0.0


def _fit(found: Polygon, outline: Polygon) -> _Fit:
    both = float(shapely.area(shapely.intersection(found, outline)))
    off = float(shapely.hausdorff_distance(found.exterior, outline.exterior))
    return _Fit(found, both / (found.area + outline.area - both), off)
