"""Encoded polylines: there and back within the stated precision, and the published example."""

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from backend.segmentation.polylines import decode_line, digits_for, encode_line, encode_rings

places = st.tuples(st.floats(-180, 180), st.floats(-90, 90))


@given(st.lists(places, min_size=1, max_size=40))
def test_a_line_comes_back_within_half_a_step(line: list[tuple[float, float]]) -> None:
    there = encode_line(np.array(line), 8)

    assert there.isascii()
    assert np.abs(decode_line(there, 8) - np.array(line)).max() <= 0.5e-8 + 1e-13


def test_a_number_is_written_as_the_published_algorithm_writes_it() -> None:
    # The published worked example encodes -17998321 as `~oia@ with a leading backtick.
    assert encode_line(np.array([[-17998321e-8, 0.0]]), 8) == "`~oia@?"


@pytest.mark.parametrize("cut", ["`~oia", "?", "`~oia@?`"])
def test_a_cut_off_text_is_refused(cut: str) -> None:
    with pytest.raises(ValueError, match="cut off"):
        decode_line(cut, 8)


def test_holes_and_parts_keep_their_places() -> None:
    ring = shapely.box(10, 50, 10.01, 50.01)
    holed = shapely.difference(ring, shapely.box(10.004, 50.004, 10.006, 50.006))
    both = shapely.MultiPolygon([holed, shapely.box(11, 50, 11.01, 50.01)])

    parts = encode_rings(both, 8)

    assert [len(rings) for rings in parts] == [2, 1]
    hole = shapely.Polygon(decode_line(parts[0][1], 8))
    assert hole.equals_exact(
        shapely.box(10.004, 50.004, 10.006, 50.006).normalize(), 1e-8
    ) or hole.area == pytest.approx(4e-6, rel=1e-5)


@pytest.mark.parametrize("pixel_m", [0.001, 0.02, 0.3, 10.0, 500.0])
def test_no_coordinate_is_off_by_more_than_a_twentieth_of_a_pixel(pixel_m: float) -> None:
    """On the sphere whose radius is the earth's greatest, 6,378,137 m."""
    step_m = np.radians(10.0 ** -digits_for(pixel_m)) * 6_378_137

    assert step_m / 2 <= pixel_m / 20 * 1.001 or digits_for(pixel_m) == 9
    assert digits_for(pixel_m) <= digits_for(pixel_m / 2)


def test_rounding_leaves_a_polygon_valid() -> None:
    """A needle between two vertices that round to the same place."""
    thin = shapely.Polygon([(0, 0), (1, 0), (1, 1), (0.500001, 0.2), (0.5, 1), (0.499999, 0.2), (0, 1)])
    crossing = shapely.Polygon([(0, 0), (1, 0), (1, 1), (0.52, 0.04), (0.5, 1), (0.48, 0.0451), (0, 1)])

    for geometry in (thin, crossing):
        for digits in range(1, 6):
            for rings in encode_rings(geometry, digits):
                outer, *holes = [decode_line(ring, digits) for ring in rings]
                assert shapely.Polygon(outer, holes).is_valid
