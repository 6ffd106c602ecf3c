"""Fits a new polygon to its neighbours: what they have it yields, and gaps narrower than a tolerance it fills."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

NOISE = 1e-3  # of the tolerance: what the closing leaves along borders that it does not change
PULL = 0.25  # of the tolerance: a corner so near to a neighbour's corner is moved onto it

Floats = npt.NDArray[np.float64]


def fitted(new: BaseGeometry, neighbours: Sequence[BaseGeometry], tolerance: float) -> Polygon | MultiPolygon | None:
    """The new polygon so that it borders on its neighbours without overlap, and without gaps up to the tolerance.

    Neighbours stay as they are: where they overlap the new one yields, and shared borders run through the neighbours'
    own vertices, so a border that was simplified once is not simplified again. Parts of what is left that are
    nowhere wider than the tolerance are slivers and go, unless the new polygon was as thin before. None where nothing
    is left. Planar coordinates of equal scale; valid polygons and multipolygons.
    """
    near = [one for one in neighbours if shapely.dwithin(one, new, tolerance)]
    if not near:
        return _polygons(new)
    taken = shapely.union_all(near)
    gaps = _gaps(new, taken, tolerance)
    whole = shapely.union_all([new, *gaps]) if gaps else new
    left = shapely.difference(_pulled(whole, taken, PULL * tolerance), taken)
    parts = [part for part in shapely.get_parts(left) if isinstance(part, Polygon) and not _thin(part, tolerance)]
    if not parts:
        parts = [part for part in shapely.get_parts(left) if isinstance(part, Polygon) and part.area > new.area / 2]
    return _tidied(shapely.union_all(parts), taken, 4 * NOISE * tolerance) if parts else None


def with_nodes(polygon: BaseGeometry, others: BaseGeometry, reach: float) -> BaseGeometry:
    """The polygon with a vertex at each vertex of the others that lies on one of its sides, to within `reach`.

    Where a border of three polygons meets, the one that runs straight through gets a vertex there too (a T-junction):
    without it, moving or rounding one of them would open a gap. The polygon itself where it has them all.
    """
    vertices = np.unique(shapely.get_coordinates(others), axis=0)
    near = vertices[shapely.dwithin(shapely.points(vertices), polygon, reach)]
    if not len(near):
        return polygon
    parts = []
    for part in shapely.get_parts(polygon):
        shell, *holes = [_noded(shapely.get_coordinates(r), near, reach) for r in (part.exterior, *part.interiors)]
        parts.append(Polygon(shell, holes))
    found = parts[0] if len(parts) == 1 else MultiPolygon(parts)
    if shapely.get_num_coordinates(found) == shapely.get_num_coordinates(polygon) or not found.is_valid:
        return polygon
    return found


def _gaps(new: BaseGeometry, taken: BaseGeometry, tolerance: float) -> list[BaseGeometry]:
    """What lies between the new polygon and its neighbours where they are nearer than the tolerance.

    A closing (buffered outward, then inward, by half the tolerance) of both together, less both; of its pieces those
    that touch both. Edges are mitred, so that straight borders stay straight.
    """
    around = shapely.intersection(taken, shapely.box(*shapely.buffer(new, 4 * tolerance).bounds))
    both = shapely.union_all([new, around])
    half = tolerance / 2
    grown = shapely.buffer(both, half, join_style="mitre", mitre_limit=2.0)
    closed = shapely.buffer(grown, -half, join_style="mitre", mitre_limit=2.0)
    noise = NOISE * tolerance
    found = shapely.buffer(shapely.difference(closed, both), -noise, join_style="mitre")
    regained = shapely.intersection(shapely.buffer(found, 2 * noise, join_style="mitre"), closed)
    pieces = [piece for piece in shapely.get_parts(regained) if isinstance(piece, Polygon)]
    reach = 2 * noise
    return [
        piece
        for piece in pieces
        if not piece.is_empty and shapely.dwithin(piece, new, reach) and shapely.dwithin(piece, taken, reach)
    ]


def _pulled(new: BaseGeometry, taken: BaseGeometry, reach: float) -> BaseGeometry:
    """The new polygon with its corners on the neighbours' where they are very near; itself if that breaks it."""
    corners = shapely.multipoints(shapely.get_coordinates(taken))
    pulled = shapely.snap(new, corners, reach)
    return pulled if pulled.is_valid and not pulled.is_empty else new


def _tidied(left: BaseGeometry, taken: BaseGeometry, least: float) -> Polygon | MultiPolygon | None:
    """Without the corners that fitting left on straight sides; the neighbours' own corners stay."""
    known = {tuple(corner) for corner in shapely.get_coordinates(taken)}
    parts = []
    for part in shapely.get_parts(left):
        rings = [_straightened(shapely.get_coordinates(r), known, least) for r in (part.exterior, *part.interiors)]
        tidy = Polygon(rings[0], rings[1:])
        parts.append(tidy if tidy.is_valid else part)
    return _polygons(parts[0] if len(parts) == 1 else shapely.union_all(parts))


def _straightened(ring: Floats, known: set[tuple[float, ...]], least: float) -> Floats:
    """A closed ring without unknown corners nearer than `least` to the line between those on both sides of them."""
    kept = list(ring[:-1])
    at = 0
    while at < len(kept) and len(kept) > 3:
        before, corner, after = kept[at - 1], kept[at], kept[(at + 1) % len(kept)]
        span, away = after - before, corner - before
        length = float(np.hypot(*span))
        off = abs(float(span[0] * away[1] - span[1] * away[0])) / length if length > 0 else 0.0
        between = 0 <= float(span @ away) <= length**2
        if off < least and between and tuple(corner) not in known:
            del kept[at]
        else:
            at += 1
    return np.array([*kept, kept[0]])


def _thin(part: Polygon, tolerance: float) -> bool:
    return bool(shapely.buffer(part, -tolerance / 2).is_empty)


def _noded(ring: Floats, vertices: Floats, reach: float) -> Floats:
    """A closed ring with those of the vertices (N, 2) that lie on its sides, in their order."""
    known = {tuple(corner) for corner in ring}
    fresh = np.array([vertex for vertex in vertices if tuple(vertex) not in known]).reshape(-1, 2)
    if not len(fresh):
        return ring
    rows: list[Floats] = []
    for a, b in pairwise(ring):
        rows.append(a[None])
        step, length2 = b - a, float((b - a) @ (b - a))
        if length2 == 0:
            continue
        share = (fresh - a) @ step / length2
        off = np.abs((fresh[:, 0] - a[0]) * step[1] - (fresh[:, 1] - a[1]) * step[0]) / np.sqrt(length2)
        margin = reach / np.sqrt(length2)
        on = (off <= reach) & (share > margin) & (share < 1 - margin)
        rows.append(fresh[on][np.argsort(share[on])])
    return np.vstack([*rows, ring[-1:]])


def _polygons(geometry: BaseGeometry) -> Polygon | MultiPolygon | None:
    valid = geometry if geometry.is_valid else shapely.make_valid(geometry)
    parts = [part for part in shapely.get_parts(shapely.get_parts(valid)) if isinstance(part, Polygon)]
    parts = [part for part in parts if part.area > 0]
    if not parts:
        return None
    return parts[0] if len(parts) == 1 else MultiPolygon(parts)
