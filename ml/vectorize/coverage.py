"""Lets neighbours share their borders: a new polygon is cut and stretched to those that are there already."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from ml.vectorize.borders import noded, put_back, simplified_alike, straightened
from ml.vectorize.simplify import polygons_only

GRID = (
    1e-4  # of the gap: shapes are laid over each other on a grid of this width, so that no thread of rounding is left
)
ALONG = 1 / 3  # of its outline a thin piece has along neighbours where it is a sliver and no part of the shape

Shape: TypeAlias = Polygon | MultiPolygon


class CoverageError(ValueError):
    """Shapes that cannot be fitted to each other: one is invalid or empty."""


@dataclass(frozen=True, eq=False)
class Fitted:
    """A polygon fitted to its neighbours; None where they cover all of it.

    `neighbours` are those that changed, by their place in the list that was given: they got vertices where the new
    border meets theirs, or lost some on the border shared with it. `cut` and `filled` are areas, in the square of
    the coordinates' unit: what the shape gave up to its neighbours, and what it gained in gaps between them.
    """

    shape: Shape | None
    neighbours: dict[int, Shape]
    cut: float
    filled: float


def fitted(
    shape: Shape, neighbours: Sequence[Shape], *, gap: float, tolerance: float = 0.0, fixed: bool = False
) -> Fitted:
    """A new shape that neither overlaps its neighbours nor leaves a gap or sliver narrower than `gap` beside them.

    Neighbours win: what overlaps them is cut off the new shape, and gaps between it and them become its own; what is
    left of it alongside them and narrower than `gap` goes, as do corners on what has become a straight side. Their
    outlines stay where they are, since they were drawn, simplified and perhaps reviewed before; they only get a vertex
    wherever the new border ends on theirs, so that both have the same. With a `tolerance` the borders that both share
    are simplified once for both (Douglas-Peucker), for neighbours that were not simplified yet. With `fixed` no
    neighbour changes at all; then a border that ends on a neighbour's side has a vertex there on the new shape's side
    only.

    Coordinates of equal scale along x and y (raster pixels, metres), `gap` and `tolerance` in the same unit. Shapes
    and neighbours are valid polygons or multipolygons; raises `CoverageError` for others. Neighbours that overlap
    each other or have gaps between them are left so.
    """
    _refuse_unsound([shape, *neighbours])
    near = [i for i, there in enumerate(neighbours) if shapely.dwithin(shape, there, gap)]
    if not near:
        return Fitted(shape, {}, 0.0, 0.0)
    around = shapely.union_all([neighbours[i] for i in near])
    cut = _without_slivers(shapely.difference(shape, around, grid_size=GRID * gap), around, gap, shape.area / 2)
    if cut is None:
        return Fitted(None, {}, float(shape.area), 0.0)
    whole = polygons_only(shapely.union_all([cut, *_gaps(cut, around, gap)], grid_size=GRID * gap))
    if whole is None:
        return Fitted(None, {}, float(shape.area), 0.0)
    whole = straightened(put_back(whole, [shape, around], 2 * GRID * gap), shape, around, 2 * GRID * gap)
    beside = [neighbours[i] for i in near]
    new, *moved = noded(whole, beside, 2 * GRID * gap, fixed=fixed)
    if not fixed:
        new, *moved = _matched(new, moved, beside, 2 * GRID * gap)
    if tolerance > 0 and not fixed:
        new, *moved = simplified_alike(new, moved, tolerance)
    changed = {i: after for i, before, after in zip(near, beside, moved, strict=True) if after is not before}
    return Fitted(new, changed, float(shape.area - cut.area), float(new.area - cut.area))


def covering(shapes: Sequence[Shape], *, gap: float, tolerance: float = 0.0) -> list[Shape | None]:
    """All shapes fitted to each other, the first ones first; None for those that earlier ones cover.

    With a `tolerance` all borders are then simplified, shared ones once (Visvalingam). Units as for `fitted`.
    """
    found: list[Shape | None] = []
    for shape in shapes:
        there = [i for i, other in enumerate(found) if other is not None]
        one = fitted(shape, [found[i] for i in there], gap=gap)
        for place, other in one.neighbours.items():
            found[there[place]] = other
        found.append(one.shape)
    kept = [i for i, shape in enumerate(found) if shape is not None]
    if tolerance > 0 and kept:
        for i, simple in zip(kept, simplified([found[i] for i in kept], tolerance), strict=True):
            found[i] = simple
    return found


def simplified(shapes: Sequence[Shape], tolerance: float) -> list[Shape]:
    """A coverage with all its borders simplified, shared ones once (Visvalingam, GEOS).

    Shapes whose borders do not match vertex by vertex are cleaned first, as simplification would tear them apart.
    """
    _refuse_unsound(shapes)
    matched: npt.NDArray[np.object_] = np.asarray(shapes, dtype=object)
    if not shapely.coverage_is_valid(matched):
        matched = shapely.coverage_clean(matched, merge_strategy="min_index")
    return list(shapely.coverage_simplify(matched, tolerance))


def _refuse_unsound(shapes: Iterable[Shape]) -> None:
    for shape in shapes:
        if not isinstance(shape, Polygon | MultiPolygon) or shape.is_empty or not shape.is_valid:
            raise CoverageError("Only valid polygons can share borders. Repair the shape first.")


def _without_slivers(cut: BaseGeometry, around: BaseGeometry, gap: float, most: float) -> Shape | None:
    """What is left of a shape without the thin pieces and tails along its neighbours.

    Thin is what vanishes when the shape is opened (eroded by half a gap and grown again). A thin piece stays where it
    does not lie along neighbours: it is a part of the object. So is all of a shape that was as thin before: slivers
    are at most an area of `most` where nothing else is left.
    """
    grid = GRID * gap
    body = shapely.buffer(cut, -gap / 2, join_style="mitre")
    opened = shapely.buffer(body, gap / 2, join_style="mitre")
    thin = _pieces(shapely.difference(cut, opened, grid_size=grid))
    slivers = [piece for piece in thin if _along(piece, around, grid) > ALONG]
    left = shapely.difference(cut, shapely.union_all(slivers), grid_size=grid) if slivers else cut
    found = polygons_only(left)
    return polygons_only(cut) if found is None and cut.area > most else found


def _gaps(shape: Shape, around: BaseGeometry, gap: float) -> Iterator[Polygon]:
    """The gaps between a shape and its neighbours that are narrower than `gap`.

    A gap is what closing (growing by half a gap and eroding again) adds to both together and what touches both; of a
    gap between two neighbours only what is next to the shape.
    """
    grid = GRID * gap
    both = shapely.union_all([shape, around])
    grown = shapely.buffer(shapely.intersection(both, _reach(shape, 4 * gap)), gap / 2, join_style="mitre")
    closed = shapely.intersection(shapely.buffer(grown, -gap / 2, join_style="mitre"), _reach(shape, gap))
    for piece in _pieces(shapely.difference(closed, both, grid_size=grid)):
        if _along(piece, shape, grid) > GRID and _along(piece, around, grid) > GRID:
            yield piece


def _matched(shape: Shape, others: list[Shape], before: list[Shape], hair: float) -> list[Shape]:
    """All of them, cleaned by GEOS where noding left something unmatched, which happens at very sharp angles.

    The cleaning may move vertices of the others by a hair; where it would do more, everything stays as it is.
    `before` are the others as they were: what did not match then need not match now.
    """
    whole = [shape, *others]
    if shapely.coverage_is_valid(whole):
        return whole
    if not shapely.coverage_is_valid(before) and all(shapely.coverage_is_valid([shape, other]) for other in others):
        return whole
    clean = shapely.coverage_clean([*others, shape], snapping_distance=0.0, merge_strategy="min_index")
    found = [polygons_only(one) for one in [clean[-1], *clean[:-1]]]
    sound = [one for one in found if one is not None]
    if len(sound) < len(whole):
        return whole
    moved = shapely.area(shapely.symmetric_difference(sound, whole)) > 2 * hair * shapely.length(whole)
    if moved.any():
        return whole
    same = shapely.equals_exact(shapely.normalize(sound), shapely.normalize(whole), 0.0)
    return [was if alike else after for was, after, alike in zip(whole, sound, same, strict=True)]


def _reach(shape: Shape, distance: float) -> BaseGeometry:
    return shapely.buffer(shape, distance, join_style="mitre")


def _along(piece: Polygon, other: BaseGeometry, grid: float) -> float:
    """The share of a piece's outline that lies on another shape's."""
    touching = shapely.intersection(piece.boundary, shapely.buffer(other.boundary, 2 * grid))
    return float(touching.length / piece.length)


def _pieces(geometry: BaseGeometry) -> list[Polygon]:
    return [part for part in shapely.get_parts(geometry) if isinstance(part, Polygon) and part.area > 0]
