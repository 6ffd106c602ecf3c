"""The outline of a mask that is only looked at: few vertices, whatever the mask, and little work."""

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from ml.vectorize.outlining import polygon_from_logits
from ml.vectorize.trace import halved
from ml.windows import Window

SIMPLIFY_PX, MAX_TOLERANCE_PX = 2.0, 16.0
MAX_VERTICES = 48
MOST_CELLS = 48  # a side of the mask: what has more is seen as well in half as many
FEWEST_VERTICES = 16


def coarse_polygon(
    logits: npt.NDArray[np.float32], window: Window, *, width: int, height: int, points: npt.ArrayLike = ()
) -> Polygon | MultiPolygon | None:
    """See `polygon_from_logits`, with at most some 48 vertices; large masks are traced in fewer, larger cells."""
    return polygon_from_logits(
        _in_fewer_cells(logits),
        window,
        width=width,
        height=height,
        points=points,
        simplify_px=SIMPLIFY_PX,
        max_vertices=MAX_VERTICES,
        max_tolerance_px=MAX_TOLERANCE_PX,
    )


def hinted(shape: BaseGeometry) -> BaseGeometry:
    """Where a shape lies and little more: its largest part without holes, in at most 16 vertices."""
    largest = max(shapely.get_parts(shape), key=lambda part: float(part.area))
    outer = Polygon(largest.exterior)
    tolerance = SIMPLIFY_PX
    simple = outer
    while shapely.get_num_coordinates(simple) > FEWEST_VERTICES and tolerance < outer.length:
        simple = shapely.simplify(outer, tolerance, preserve_topology=True)
        tolerance *= 2
    return simple


def _in_fewer_cells(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    inside = logits > 0
    rows, cols = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    side = float(max(np.ptp(rows), np.ptp(cols))) if len(rows) else 0.0
    while side > MOST_CELLS and len(logits) % 2 == 0:
        logits, side = halved(logits), side / 2
    return logits
