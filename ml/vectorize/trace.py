"""Traces mask logits at sub-pixel accuracy into one valid polygon with its holes."""

import itertools
import math
from typing import Any

import contourpy
import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from ml.frames import MODEL_SIZE, pixel_from_model
from ml.windows import Window

SIMPLIFY_PX = 0.5
MIN_PART_PX2 = 4.0
MIN_PART_SHARE = 0.05  # of the largest part
MIN_HOLE_PX2 = 4.0
MIN_HOLE_SHARE = 0.002  # of its part
MAX_VERTICES = 160  # beyond it the tolerance is raised: nobody edits more by hand, and an answer stays small
MAX_TOLERANCE_PX = 4.0

NOWHERE = -32.0  # as sure a no as SAM's own feedback can be

Ring = npt.NDArray[np.float64]


def polygon_from_logits(
    logits: npt.NDArray[np.float32],
    window: Window,
    *,
    width: int,
    height: int,
    points: npt.ArrayLike = (),
    simplify_px: float = SIMPLIFY_PX,
    max_vertices: int = MAX_VERTICES,
) -> Polygon | MultiPolygon | None:
    """The mask's outline in raster pixel coordinates, clipped to the raster; None where there is no mask.

    `logits` (n, n) cover the window; above 0 is inside. `points` (N, 2), raster pixels, are the positive prompts:
    the parts that hold them are kept, and every part of at least a twentieth of the largest. The tolerance of the
    simplification (Douglas-Peucker) is in raster pixels; it shrinks for small objects (2 % of the side) and grows
    up to 4 px (2 % of the side of large ones) for outlines of more than `max_vertices`. At 0 every vertex stays.
    """
    known = _within_raster(logits, window, width, height)
    parts = _kept_parts(_rings(known, window), np.asarray(points, dtype=np.float64).reshape(-1, 2))
    if not parts:
        return None
    simple = _simplified(parts, simplify_px, max_vertices)
    if window.col + window.size > width or window.row + window.size > height:
        simple = shapely.intersection(simple, shapely.box(0, 0, width, height))
    return _polygons_only(simple)


def _within_raster(logits: npt.NDArray[np.float32], window: Window, width: int, height: int) -> npt.NDArray[np.float64]:
    """The logits with nothing beyond the raster, where the window is padding; one cell more, to be cut off later."""
    known = logits.astype(np.float64)
    cells = logits.shape[0] / window.size
    cols, rows = math.ceil((width - window.col) * cells) + 1, math.ceil((height - window.row) * cells) + 1
    known[max(rows, 0) :] = NOWHERE
    known[:, max(cols, 0) :] = NOWHERE
    return known


def _rings(logits: npt.NDArray[np.float64], window: Window) -> list[list[Ring]]:
    """Each outline with its holes, in pixel coordinates. A mask at the window's side is closed along that side."""
    cell = MODEL_SIZE / logits.shape[0]
    padded = np.pad(logits, 1, mode="edge")
    generator = contourpy.contour_generator(z=padded, fill_type=contourpy.FillType.OuterOffset)
    filled: Any = generator.filled(0.0, np.inf)
    found = []
    for vertices, bounds in zip(filled[0], filled[1], strict=True):
        # Index i of the padded grid is the centre of cell i - 1, which lies at (i - 1 + 0.5) cells.
        model = np.clip((vertices - 0.5) * cell, 0.0, MODEL_SIZE)
        pixel = pixel_from_model(window, model)
        found.append([pixel[a:b] for a, b in itertools.pairwise(bounds) if b - a >= 4])
    return [rings for rings in found if rings]


def _kept_parts(outlines: list[list[Ring]], points: npt.NDArray[np.float64]) -> list[Polygon]:
    """The parts worth keeping; small ones and small holes are dropped before any geometry is built."""
    areas = [_ring_area(rings[0]) for rings in outlines]
    if not areas:
        return []
    least = max(MIN_PART_PX2, MIN_PART_SHARE * max(areas))
    prompts = shapely.points(points) if len(points) else np.array([])
    kept = []
    for rings, area in zip(outlines, areas, strict=True):
        if area < MIN_PART_PX2:
            continue
        smallest = max(MIN_HOLE_PX2, MIN_HOLE_SHARE * area)
        part = Polygon(rings[0], [hole for hole in rings[1:] if _ring_area(hole) >= smallest])
        if area >= least or bool(shapely.intersects(shapely.make_valid(part), prompts).any()):
            kept.append(part)
    return kept


def _simplified(parts: list[Polygon], tolerance: float, max_vertices: int) -> BaseGeometry:
    side = math.sqrt(max(part.area for part in parts))
    fitting = min(tolerance, 0.02 * side)
    whole: BaseGeometry = MultiPolygon(parts) if len(parts) > 1 else parts[0]
    simple = whole
    while 0 < fitting <= max(MAX_TOLERANCE_PX, 0.02 * side):
        simple = shapely.simplify(whole, fitting, preserve_topology=True)
        if shapely.get_num_coordinates(simple) <= max_vertices:
            break
        fitting *= 1.6
    return simple


def _polygons_only(geometry: BaseGeometry) -> Polygon | MultiPolygon | None:
    valid = geometry if geometry.is_valid else shapely.make_valid(geometry)
    parts = [part for part in shapely.get_parts(shapely.get_parts(valid)) if isinstance(part, Polygon)]
    parts = [part for part in parts if part.area > 0]
    if not parts:
        return None
    return parts[0] if len(parts) == 1 else MultiPolygon(parts)


def _ring_area(ring: Ring) -> float:
    """The shoelace formula, from the first vertex so that large coordinates lose no digits."""
    x, y = (ring - ring[0]).T
    return float(abs(np.dot(x[:-1], y[1:]) - np.dot(x[1:], y[:-1])) / 2)
