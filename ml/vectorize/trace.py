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


def polygon_from_logits(
    logits: npt.NDArray[np.float32],
    window: Window,
    *,
    width: int,
    height: int,
    points: npt.ArrayLike = (),
    simplify_px: float = SIMPLIFY_PX,
) -> Polygon | MultiPolygon | None:
    """The mask's outline in raster pixel coordinates, clipped to the raster; None where there is no mask.

    `logits` (n, n) cover the window; above 0 is inside. `points` (N, 2), raster pixels, are the positive prompts:
    the parts that hold them are kept, and every part of at least a twentieth of the largest. The tolerance of the
    simplification (Douglas-Peucker) is in raster pixels and shrinks for small objects, 2 % of the side.
    """
    traced = _trace(logits, window)
    if traced is None:
        return None
    inside = shapely.intersection(traced, shapely.box(0, 0, width, height))
    kept = _kept_parts(inside, np.asarray(points, dtype=np.float64).reshape(-1, 2))
    if not kept:
        return None
    simplified = [_simplified(part, simplify_px) for part in kept]
    merged = shapely.union_all(simplified) if len(simplified) > 1 else simplified[0]
    return merged if isinstance(merged, Polygon | MultiPolygon) and merged.is_valid else _polygons_only(merged)


def _trace(logits: npt.NDArray[np.float32], window: Window) -> BaseGeometry | None:
    """Contours on the padded grid: a mask that touches the window's side is closed along that side."""
    cell = MODEL_SIZE / logits.shape[0]
    padded = np.pad(logits.astype(np.float64), 1, mode="edge")
    generator = contourpy.contour_generator(z=padded, fill_type=contourpy.FillType.OuterOffset)
    filled: Any = generator.filled(0.0, np.inf)
    polygons, offsets = filled[0], filled[1]
    found = []
    for vertices, bounds in zip(polygons, offsets, strict=True):
        # Index i of the padded grid is the centre of cell i - 1, which lies at (i - 1 + 0.5) cells.
        model = np.clip((vertices - 0.5) * cell, 0.0, MODEL_SIZE)
        pixel = pixel_from_model(window, model)
        rings = [pixel[a:b] for a, b in itertools.pairwise(bounds) if b - a >= 4]
        if rings:
            found.append(Polygon(rings[0], rings[1:]))
    if not found:
        return None
    return shapely.union_all([shapely.make_valid(polygon) for polygon in found])


def _kept_parts(geometry: BaseGeometry, points: npt.NDArray[np.float64]) -> list[Polygon]:
    parts = [part for part in shapely.get_parts(geometry) if isinstance(part, Polygon)]
    if not parts:
        return []
    largest = max(part.area for part in parts)
    prompts = shapely.points(points) if len(points) else np.array([])
    kept = [
        part
        for part in parts
        if part.area >= MIN_PART_PX2
        and (part.area >= MIN_PART_SHARE * largest or bool(shapely.intersects(part, prompts).any()))
    ]
    return [Polygon(part.exterior, [h for h in part.interiors if Polygon(h).area >= MIN_HOLE_PX2]) for part in kept]


def _simplified(part: Polygon, tolerance: float) -> BaseGeometry:
    fitting = min(tolerance, 0.02 * math.sqrt(part.area))
    simple = shapely.simplify(part, fitting, preserve_topology=True)
    if simple.is_valid and not simple.is_empty and isinstance(simple, Polygon):
        return simple
    return part


def _polygons_only(geometry: BaseGeometry) -> Polygon | MultiPolygon | None:
    valid = shapely.make_valid(geometry)
    parts = [part for part in shapely.get_parts(shapely.get_parts(valid)) if isinstance(part, Polygon)]
    parts = [part for part in parts if part.area > 0]
    if not parts:
        return None
    return parts[0] if len(parts) == 1 else MultiPolygon(parts)
