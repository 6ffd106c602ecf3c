"""How near an outline is to the truth: the measures that papers on building outlines publish."""

import math

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry import Polygon

BOUNDARY_SHARE = 0.02  # of the diagonal: how wide the band of boundary IoU is
TANGENT_STEP = 1.0  # px between the places where tangents are compared
LEAST_STRETCH = 0.5  # steps that the projection shortens more are at corners and say nothing


def measures(found: Polygon, truth: Polygon) -> dict[str, float]:
    """Of an outline in pixels, holes left out of all but the areas.

    `iou`; `c_iou`, IoU less for too many or too few vertices (Zorzi et al., PolyWorld, CVPR 2022); `boundary_iou`
    within 2 % of the diagonal (Cheng et al., CVPR 2021); `polis_px` (Avbelj et al., IEEE GRSL 12(1), 2015);
    `hausdorff_px`; `n_ratio`, vertices over the truth's; `mta_deg`, the greatest angle between a tangent and that of
    the truth beside it (Girard et al., Frame Field Learning, CVPR 2021).
    """
    vertices, true = len(found.exterior.coords) - 1, len(truth.exterior.coords) - 1
    shared = _iou(found, truth)
    diagonal = math.dist(truth.bounds[:2], truth.bounds[2:])
    width = BOUNDARY_SHARE * diagonal
    return {
        "iou": shared,
        "c_iou": shared * (1 - abs(vertices - true) / (vertices + true)),
        "boundary_iou": _iou(_band(found, width), _band(truth, width)),
        "polis_px": (_away(found, truth) + _away(truth, found)) / 2,
        "hausdorff_px": float(shapely.hausdorff_distance(found.exterior, truth.exterior)),
        "n_ratio": vertices / true,
        "mta_deg": _tangents(found, truth),
    }


def _iou(one: shapely.Geometry, other: shapely.Geometry) -> float:
    return float(shapely.area(shapely.intersection(one, other)) / shapely.area(shapely.union(one, other)))


def _band(shape: Polygon, width: float) -> shapely.Geometry:
    return shapely.intersection(shape, shapely.buffer(shape.boundary, width))


def _away(one: Polygon, other: Polygon) -> float:
    """The mean distance of a polygon's corners from the other's outline."""
    corners = shapely.points(shapely.get_coordinates(one.exterior)[:-1])
    return float(np.mean(shapely.distance(corners, other.exterior)))


def _tangents(found: Polygon, truth: Polygon) -> float:
    """Degrees; steps along the outline against the steps between the nearest places on the truth."""
    ring = found.exterior
    count = max(8, math.ceil(ring.length / TANGENT_STEP))
    places = shapely.line_interpolate_point(ring, np.linspace(0, ring.length, count + 1))
    beside = shapely.line_interpolate_point(truth.exterior, shapely.line_locate_point(truth.exterior, places))
    steps, others = (np.diff(shapely.get_coordinates(points), axis=0) for points in (places, beside))
    lengths, stretched = _lengths(steps), _lengths(others)
    fair = stretched > LEAST_STRETCH * lengths
    if not fair.any():
        return 90.0
    cosine = np.abs((steps * others).sum(axis=1)[fair]) / (lengths * stretched)[fair]
    return float(np.degrees(np.arccos(np.clip(cosine.min(), 0.0, 1.0))))


def _lengths(steps: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.hypot(*steps.T)
