"""Brings lon/lat shapes into the CRS of an export; edges that would curve are densified first."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from pyproj import CRS, Transformer
from pyproj.exceptions import ProjError

from backend.core.errors import Invalid

LONLAT = "EPSG:4326"
# About 500 m: between its ends a straight edge bends by less than a centimetre in the usual projections.
LONGEST_EDGE_DEGREES = 0.005
MOST_ADDED = 20_000  # vertices for one shape, so that one around the world does not fill the memory

Shapes = npt.NDArray[np.object_]


def projector(crs: str) -> Callable[[Sequence[bytes], Sequence[str]], Shapes]:
    """A function from WKB in lon/lat, with the ids to name, to shapes in the CRS.

    It raises `export.outside_crs` for a shape that the CRS has no coordinates for.
    """
    if is_lonlat(crs):
        return lambda wkb, ids: shapely.from_wkb(np.array(wkb, object))
    target = CRS.from_user_input(crs)
    transformer = Transformer.from_crs(LONLAT, target, always_xy=True)

    def convert(lonlat: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.column_stack(transformer.transform(lonlat[:, 0], lonlat[:, 1]))

    def project(wkb: Sequence[bytes], ids: Sequence[str]) -> Shapes:
        shapes = shapely.from_wkb(np.array(wkb, object))
        if not target.is_geographic:
            shapes = densified(shapes)
        try:
            projected: Any = shapely.transform(shapes, convert)
        except ProjError as error:
            raise _outside(crs, ids[0]) from error
        bounds = shapely.bounds(projected)
        lost = ~np.isfinite(bounds).all(axis=1)
        if lost.any():
            raise _outside(crs, ids[int(np.argmax(lost))])
        return np.asarray(projected, object)

    return project


def densified(shapes: Shapes) -> Shapes:
    """The shapes with vertices on their long edges, never more than `MOST_ADDED` on one shape."""
    longest = np.maximum(LONGEST_EDGE_DEGREES, shapely.length(shapes) / MOST_ADDED)
    return np.asarray(shapely.segmentize(shapes, longest), object)


def is_lonlat(crs: str) -> bool:
    """Whether the CRS is the one in which shapes are stored."""
    return crs in (LONLAT, "OGC:CRS84")


def _outside(crs: str, annotation_id: str) -> Invalid:
    return Invalid(
        f"{crs} has no coordinates for where annotation {annotation_id} lies. Choose a coordinate system for that "
        "region, or leave the annotation out by class, status or area.",
        code="export.outside_crs",
    )
