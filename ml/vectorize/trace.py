"""Traces mask logits at sub-pixel accuracy into one valid polygon with its holes."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import contourpy
import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from ml.frames import MODEL_SIZE, pixel_from_model
from ml.vectorize.forms import Forming
from ml.windows import Window

SIMPLIFY_PX = 0.5
MIN_PART_PX2 = 4.0
MIN_PART_SHARE = 0.05  # of the largest part
MIN_HOLE_PX2 = 4.0
MIN_HOLE_SHARE = 0.002  # of its part
MAX_VERTICES = 160  # beyond it the tolerance is raised: nobody edits more by hand, and an answer stays small
MAX_TOLERANCE_PX = 4.0
TOLERANCE_STEP = 2.0
RAW_VERTICES = 16  # so many times what is allowed in the end is not worth tracing: the mask is calmed first
COARSEST = 32  # cells a side
SIDE_SHARE = 0.02  # of an object's side, the root of its area: a tolerance that nobody sees at any size
DETAIL_SIDE = 4.0  # where the tolerance had to be raised, parts and holes of a side below so many tolerances go too

ACCURACY_PX = 2.0  # of an outline, in the model's frame: half a cell of the logits

NOWHERE = -32.0  # as sure a no as SAM's own feedback can be

Floats = npt.NDArray[np.float64]
Kept = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class _Rings:
    """Closed rings in pixel coordinates: `points` (N, 2), ring i from `starts[i]` to `starts[i + 1]`.

    `parts[k]` is the outer ring of part k, the rings up to `parts[k + 1]` are its holes. `areas` (rings,) in px2.
    """

    points: Floats
    starts: npt.NDArray[np.int64]
    parts: npt.NDArray[np.int64]
    areas: Floats

    @property
    def part_of(self) -> npt.NDArray[np.int64]:
        """For each ring the part it is of."""
        return np.repeat(np.arange(len(self.parts) - 1), np.diff(self.parts))


def polygon_from_logits(
    logits: npt.NDArray[np.float32],
    window: Window,
    *,
    width: int,
    height: int,
    points: npt.ArrayLike = (),
    simplify_px: float = SIMPLIFY_PX,
    max_vertices: int = MAX_VERTICES,
    max_tolerance_px: float = MAX_TOLERANCE_PX,
    forming: Forming | None = None,
) -> Polygon | MultiPolygon | None:
    """The mask's outline in raster pixel coordinates, clipped to the raster; None where there is no mask.

    `logits` (n, n) cover the window; above 0 is inside. `points` (N, 2), raster pixels, are the positive prompts:
    the parts that hold them are kept, and every part of at least a twentieth of the largest. The tolerance of the
    simplification (Douglas-Peucker) is in raster pixels; it shrinks for small objects (2 % of the side) and grows
    up to `max_tolerance_px` (2 % of the side of large ones) for outlines of more than `max_vertices`; then parts and
    holes of a side below four tolerances go too. A mask of sixteen times as many raw vertices is calmed first, by
    halving its grid. At 0 every vertex stays. `forming` (see `forms`) gives parts that nearly have a form that form.
    """
    known = _within_raster(logits, window, width, height)
    if simplify_px > 0:
        known = _calmed(known, RAW_VERTICES * max_vertices)
    rings = _rings(known, window)
    if rings is None:
        return None
    clicked = _parts_at(rings, np.asarray(points, dtype=np.float64).reshape(-1, 2))
    kept = _kept(rings, clicked)
    if not kept.any():
        return None
    side = math.sqrt(rings.areas[kept].max())
    simple = _simplified(rings, kept, clicked, max_vertices, _tolerances(side, simplify_px, max_tolerance_px))
    if forming is not None:
        formed = forming(_drawn(rings, kept), ACCURACY_PX * window.size / MODEL_SIZE)
        if shapely.get_num_coordinates(formed) <= max_vertices:
            simple = formed
    if forming is not None or window.col + window.size > width or window.row + window.size > height:
        simple = shapely.intersection(simple, shapely.box(0, 0, width, height))
    return _polygons_only(simple)


def _within_raster(logits: npt.NDArray[np.float32], window: Window, width: int, height: int) -> Floats:
    """The logits with nothing beyond the raster, where the window is padding; one cell more, to be cut off later."""
    known = logits.astype(np.float64)
    cells = logits.shape[0] / window.size
    cols, rows = math.ceil((width - window.col) * cells) + 1, math.ceil((height - window.row) * cells) + 1
    known[max(rows, 0) :] = NOWHERE
    known[:, max(cols, 0) :] = NOWHERE
    return known


def _calmed(logits: Floats, most: int) -> Floats:
    """Logits whose outline has at most so many vertices before it is simplified: pairs of cells become their mean."""
    while len(logits) > COARSEST and len(logits) % 2 == 0 and _crossings(logits) > most:
        half = len(logits) // 2
        logits = logits.reshape(half, 2, half, 2).mean(axis=(1, 3))
    return logits


def _crossings(logits: Floats) -> int:
    """How many vertices the outline has: one between each two neighbouring cells of which one is inside."""
    inside = logits > 0
    return int(np.count_nonzero(inside[1:] != inside[:-1]) + np.count_nonzero(inside[:, 1:] != inside[:, :-1]))


def _rings(logits: Floats, window: Window) -> _Rings | None:
    """Each outline with its holes, in pixel coordinates. A mask at the window's side is closed along that side."""
    cell = MODEL_SIZE / logits.shape[0]
    inside = logits > 0
    rows, cols = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    if not len(rows):
        return None
    top, left = max(rows[0] - 1, 0), max(cols[0] - 1, 0)  # one cell around the mask, to end it
    padded = np.pad(logits[top : rows[-1] + 2, left : cols[-1] + 2], 1, mode="edge")
    generator = contourpy.contour_generator(z=padded, fill_type=contourpy.FillType.ChunkCombinedOffsetOffset)
    filled: Any = generator.filled(0.0, np.inf)
    (vertices,), (starts,), (parts,) = filled
    if vertices is None:
        return None
    # Index i of the padded grid is the centre of cell i - 1, which lies at (i - 1 + 0.5) cells.
    origin = np.array([left - 0.5, top - 0.5])
    points = pixel_from_model(window, np.clip((vertices + origin) * cell, 0.0, MODEL_SIZE))
    starts, parts = starts.astype(np.int64), parts.astype(np.int64)
    return _Rings(points, starts, parts, _areas(points, starts))


def _areas(points: Floats, starts: npt.NDArray[np.int64]) -> Floats:
    """The shoelace formula, from each ring's first vertex so that large coordinates lose no digits."""
    x, y = (points - np.repeat(points[starts[:-1]], np.diff(starts), axis=0)).T
    cross = np.zeros(len(points))
    cross[:-1] = x[:-1] * y[1:] - x[1:] * y[:-1]
    cross[starts[1:] - 1] = 0.0  # from the last vertex of a ring no edge leads to the next ring
    found: Floats = np.abs(np.add.reduceat(cross, starts[:-1])) / 2
    return found


def _kept(rings: _Rings, clicked: Kept) -> Kept:
    """The rings worth keeping; small parts and small holes are dropped before any geometry is built."""
    outer = rings.parts[:-1]
    areas = rings.areas[outer]
    kept_parts = (areas >= MIN_PART_PX2) & ((areas >= MIN_PART_SHARE * areas.max()) | clicked)
    kept = rings.areas >= np.maximum(MIN_HOLE_PX2, MIN_HOLE_SHARE * areas)[rings.part_of]
    kept[outer] = True
    kept &= kept_parts[rings.part_of]
    return kept


def _parts_at(rings: _Rings, points: Floats) -> Kept:
    """For each part whether one of the points (N, 2) lies in it, and in none of its holes."""
    outer = rings.parts[:-1]
    found = np.zeros(len(outer), dtype=bool)
    if not len(points):
        return found
    low = np.minimum.reduceat(rings.points, rings.starts[:-1])[outer]
    high = np.maximum.reduceat(rings.points, rings.starts[:-1])[outer]
    within = np.all((points[None] >= low[:, None]) & (points[None] <= high[:, None]), axis=2)
    for part in np.flatnonzero(np.any(within, axis=1) & (rings.areas[outer] >= MIN_PART_PX2)):
        first, last = rings.parts[part], rings.parts[part + 1]
        lines = [rings.points[rings.starts[i] : rings.starts[i + 1]] for i in range(first, last)]
        found[part] = bool(_inside(lines, points).any())
    return found


def _inside(lines: list[Floats], points: Floats) -> Kept:
    """For each point (N, 2) whether a ray to its right crosses the closed lines an odd number of times."""
    a, b = np.concatenate([line[:-1] for line in lines]), np.concatenate([line[1:] for line in lines])
    x, y = points[:, :1], points[:, 1:]
    spans = (a[:, 1] > y) != (b[:, 1] > y)
    with np.errstate(divide="ignore", invalid="ignore"):
        crosses = (b[:, 0] - a[:, 0]) * (y - a[:, 1]) / (b[:, 1] - a[:, 1]) + a[:, 0]
    return np.asarray(np.sum(spans & (x < crosses), axis=1) % 2 == 1)


def _drawn(rings: _Rings, kept: Kept) -> BaseGeometry:
    """The kept rings as one geometry; a part is there when its outer ring is kept."""
    lengths = np.diff(rings.starts)
    counts = np.add.reduceat(kept.astype(np.int64), rings.parts[:-1])
    polygons = shapely.from_ragged_array(
        shapely.GeometryType.POLYGON,
        rings.points[np.repeat(kept, lengths)],
        (np.r_[0, np.cumsum(lengths[kept])], np.r_[0, np.cumsum(counts[counts > 0])]),
    )
    return polygons[0] if len(polygons) == 1 else shapely.multipolygons(polygons)


def _of_size(rings: _Rings, clicked: Kept, least: float) -> Kept:
    """The holes and parts of at least an area in px2; the largest part and those that were clicked always are."""
    outer = rings.parts[:-1]
    large = rings.areas >= least
    part_stays = large[outer] | clicked
    part_stays[rings.areas[outer].argmax()] = True
    stays = large & part_stays[rings.part_of]
    stays[outer] = part_stays
    return stays


def _simplified(
    rings: _Rings, kept: Kept, clicked: Kept, max_vertices: int, tolerances: Iterable[float]
) -> BaseGeometry:
    """Douglas-Peucker at the first of the rising tolerances that leaves few enough vertices, or at the last."""
    whole = simple = _drawn(rings, kept)
    for number, tolerance in enumerate(tolerances):
        if number:
            whole = _drawn(rings, kept & _of_size(rings, clicked, (DETAIL_SIDE * tolerance) ** 2))
        simple = _douglas_peucker(whole, tolerance)
        if shapely.get_num_coordinates(simple) <= max_vertices:
            break
    return simple


def _tolerances(side: float, least: float, most: float) -> Iterator[float]:
    """From the tolerance asked for, less for small objects, to the greatest one, more for large objects."""
    tolerance = min(least, SIDE_SHARE * side)
    while 0 < tolerance <= max(most, SIDE_SHARE * side):
        yield tolerance
        tolerance *= TOLERANCE_STEP


def _douglas_peucker(geometry: BaseGeometry, tolerance: float) -> BaseGeometry:
    """The quick form, which may cross itself or lose small rings; the careful one where it did."""
    quick = shapely.simplify(geometry, tolerance, preserve_topology=False)
    rings = shapely.get_num_geometries(geometry), _holes(geometry)
    if quick.is_valid and (shapely.get_num_geometries(quick), _holes(quick)) == rings:
        return quick
    return shapely.simplify(geometry, tolerance, preserve_topology=True)


def _holes(geometry: BaseGeometry) -> int:
    return int(shapely.get_num_interior_rings(shapely.get_parts(geometry)).sum())


def _polygons_only(geometry: BaseGeometry) -> Polygon | MultiPolygon | None:
    valid = geometry if geometry.is_valid else shapely.make_valid(geometry)
    parts = [part for part in shapely.get_parts(shapely.get_parts(valid)) if isinstance(part, Polygon)]
    parts = [part for part in parts if part.area > 0]
    if not parts:
        return None
    return parts[0] if len(parts) == 1 else MultiPolygon(parts)
