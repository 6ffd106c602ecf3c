"""Outlines that are only looked at: where the mask is, in few vertices."""

import numpy as np
import pytest
import shapely
from shapely.geometry import Polygon

from ml.vectorize import coarse_polygon, hinted, polygon_from_logits
from ml.windows import Window


def disc(radius: float, cells: int = 256, hole: float = 0.0) -> np.ndarray:
    """Logits of a disc about the middle of a window, with a hole; radii in cells."""
    y, x = np.mgrid[:cells, :cells] + 0.5
    away = np.hypot(x - cells / 2, y - cells / 2)
    return np.minimum(radius - away, away - hole).astype(np.float32)


@pytest.mark.parametrize(("radius", "least"), [(3, 0.75), (20, 0.9), (60, 0.95), (110, 0.97)])
def test_a_coarse_outline_lies_where_the_mask_does_at_any_size(radius: float, least: float) -> None:
    logits, window = disc(radius), Window(100, 200)
    coarse = coarse_polygon(logits, window, width=4000, height=4000)
    full = polygon_from_logits(logits, window, width=4000, height=4000, simplify_px=0)

    assert coarse is not None
    assert full is not None
    assert coarse.intersection(full).area / coarse.union(full).area > least
    assert shapely.get_num_coordinates(coarse) <= 48


def test_a_field_and_an_empty_mask_are_taken_too() -> None:
    part = coarse_polygon(disc(20, 64), Window(300, 300, 256), width=4000, height=4000)
    assert part is not None
    assert part.bounds == pytest.approx((348, 348, 508, 508), abs=3)
    assert coarse_polygon(disc(-5, 64), Window(0, 0), width=4000, height=4000) is None


def test_a_hint_is_the_largest_part_in_at_most_sixteen_vertices() -> None:
    large = shapely.Point(50, 50).buffer(40, 32).difference(shapely.Point(50, 50).buffer(10))
    hint = hinted(shapely.MultiPolygon([Polygon([(200, 0), (210, 0), (210, 10)]), large]))

    assert isinstance(hint, Polygon)
    assert hint.is_valid
    assert not hint.interiors
    assert shapely.get_num_coordinates(hint) <= 16
    assert hint.intersection(large.convex_hull).area / hint.union(large.convex_hull).area > 0.85
