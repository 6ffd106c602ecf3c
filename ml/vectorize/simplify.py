"""Takes vertices out of outlines: Douglas-Peucker, and Visvalingam with the area given back."""

import math
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry import LinearRing, MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

SIDE_SHARE = 0.02  # of an object's side, the root of its area: a tolerance that nobody sees at any size
TOLERANCE_STEP = 2.0
SHARPEST = 4.0  # how much further than its sides a corner may be moved
NEWTON_STEPS = 3
SAME = 1e-6  # px

Floats = npt.NDArray[np.float64]


def rising_tolerances(side: float, least: float, most: float) -> Iterator[float]:
    """The tolerance asked for, then greater ones up to the greatest, which is 2 % of the side for large objects."""
    yield least
    while least * TOLERANCE_STEP <= max(most, SIDE_SHARE * side):
        least *= TOLERANCE_STEP
        yield least


def douglas_peucker(geometry: BaseGeometry, tolerance: float) -> BaseGeometry:
    """No vertex left out is further than the tolerance from the outline (Douglas and Peucker, 1973).

    The quick form, which may cross itself or lose small rings; the careful one where it did.
    """
    quick = shapely.simplify(geometry, tolerance, preserve_topology=False)
    rings = shapely.get_num_geometries(geometry), _holes(geometry)
    if quick.is_valid and (shapely.get_num_geometries(quick), _holes(quick)) == rings:
        return quick
    return shapely.simplify(geometry, tolerance, preserve_topology=True)


def visvalingam(geometry: BaseGeometry, tolerance: float, fixed: Polygon | None = None) -> BaseGeometry:
    """Vertices left out whose triangle is smaller than the tolerance squared (Visvalingam and Whyatt, 1993).

    Rings neither cross nor vanish (GEOS, coverage simplification). What the triangles took from each ring's area is
    given back by moving its sides outward alike, at most half a tolerance; vertices on the sides of the box `fixed`
    stay. Coordinates of equal scale along x and y.
    """
    parts = shapely.get_parts(geometry)
    simple = shapely.coverage_simplify(parts, tolerance)
    whole = simple[0] if len(simple) == 1 else shapely.multipolygons(simple)
    return area_given_back(whole, geometry, tolerance / 2, fixed)


def area_given_back(changed: BaseGeometry, whole: BaseGeometry, most: float, fixed: Polygon | None) -> BaseGeometry:
    """`changed` with each ring moved along its normals, at most `most`, until its area is that of the ring it was.

    Both have the same rings in the same order; else, and where the result would not be valid, `changed` itself.
    """
    rings, were = shapely.get_rings(shapely.get_parts(changed)), shapely.get_rings(shapely.get_parts(whole))
    if len(rings) != len(were):
        return changed
    sides = None if fixed is None else fixed.bounds
    areas = shapely.area(shapely.polygons(were))
    moved = iter([_grown(shapely.get_coordinates(r)[:-1], a, most, sides) for r, a in zip(rings, areas, strict=True)])
    parts = [_polygon([next(moved) for _ in range(1 + len(part.interiors))]) for part in shapely.get_parts(changed)]
    found = parts[0] if len(parts) == 1 else MultiPolygon(parts)
    return found if found.is_valid else changed


def only(geometry: BaseGeometry, stays: npt.NDArray[np.bool_]) -> BaseGeometry:
    """Some of its rings, in the order of `shapely.get_rings`; a part stays where its outer ring does."""
    if stays.all():
        return geometry
    marked = iter(zip(shapely.get_rings(shapely.get_parts(geometry)), stays, strict=True))
    rings = [[next(marked) for _ in range(1 + len(part.interiors))] for part in shapely.get_parts(geometry)]
    parts = [_polygon([ring for ring, kept in part if kept]) for part in rings if part[0][1]]
    return parts[0] if len(parts) == 1 else MultiPolygon(parts)


def _polygon(rings: Sequence[Floats | LinearRing]) -> Polygon:
    return Polygon(rings[0], rings[1:])


def _grown(ring: Floats, area: float, most: float, sides: tuple[float, ...] | None) -> Floats:
    """A ring (n, 2), not closed, moved outward by the one distance that gives it an area."""
    steps = _next(ring) - ring
    lengths = np.hypot(*steps.T)
    if len(ring) < 3 or not (lengths > 0).all():
        return ring
    signed = float(_shoelace(ring))
    outward = np.column_stack([steps[:, 1], -steps[:, 0]]) / lengths[:, None] * math.copysign(1.0, signed)
    before = np.concatenate([outward[-1:], outward[:-1]])
    ways = (before + outward) / np.maximum(1 + (before * outward).sum(axis=1), 2 / SHARPEST**2)[:, None]
    if sides is not None:
        ways[on_sides(ring, sides)] = 0.0
    linear = float(_crossed(ring, ways)) * math.copysign(1.0, signed)
    square = float(_shoelace(ways)) * math.copysign(1.0, signed)
    distance = 0.0
    for _ in range(NEWTON_STEPS):
        slope = linear + 2 * square * distance
        if slope <= 0:
            return ring
        distance -= (abs(signed) + linear * distance + square * distance**2 - area) / slope
    moved: Floats = ring + min(max(distance, -most), most) * ways
    return moved


def on_sides(points: Floats, sides: tuple[float, ...]) -> npt.NDArray[np.bool_]:
    """Which points (N, 2) lie on the outline of a box (or beyond it, along one axis)."""
    return np.asarray(((points <= np.add(sides[:2], SAME)) | (points >= np.subtract(sides[2:], SAME))).any(axis=1))


def _shoelace(ring: Floats) -> float:
    x, y = ring[:, 0] - ring[0, 0], ring[:, 1] - ring[0, 1]
    return float(x @ _next(y) - y @ _next(x)) / 2


def _crossed(ring: Floats, ways: Floats) -> float:
    """How the signed area of ring + d * ways grows with d, at d = 0."""
    x, y = ring[:, 0] - ring[0, 0], ring[:, 1] - ring[0, 1]
    u, v = ways.T
    grows = x @ _next(v) + u @ _next(y) - y @ _next(u) - v @ _next(x)
    return float(grows) / 2


def _next(around: Floats) -> Floats:
    """Of each entry around a ring the one after it; `np.roll` takes ten times as long for a short one."""
    return np.concatenate([around[1:], around[:1]])


def polygons_only(geometry: BaseGeometry) -> Polygon | MultiPolygon | None:
    """The valid polygons of a geometry; None where there are none."""
    valid = geometry if geometry.is_valid else shapely.make_valid(geometry)
    parts = [part for part in shapely.get_parts(shapely.get_parts(valid)) if isinstance(part, Polygon)]
    parts = [part for part in parts if part.area > 0]
    if not parts:
        return None
    return parts[0] if len(parts) == 1 else MultiPolygon(parts)


def _holes(geometry: BaseGeometry) -> int:
    return int(shapely.get_num_interior_rings(shapely.get_parts(geometry)).sum())
