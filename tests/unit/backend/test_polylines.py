"""Encoded polylines: there and back within the stated precision, and the published example."""

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from backend.segmentation.polylines import decode_line, encode_line, encode_rings

places = st.tuples(st.floats(-180, 180), st.floats(-90, 90))


@given(st.lists(places, min_size=1, max_size=40))
def test_a_line_comes_back_within_half_a_step(line: list[tuple[float, float]]) -> None:
    there = encode_line(np.array(line))

    assert there.isascii()
    assert np.abs(decode_line(there) - np.array(line)).max() <= 0.5e-8 + 1e-13


def test_a_number_is_written_as_the_published_algorithm_writes_it() -> None:
    # The published worked example encodes -17998321 as `~oia@ with a leading backtick.
    assert encode_line(np.array([[-17998321e-8, 0.0]])) == "`~oia@?"


@pytest.mark.parametrize("cut", ["`~oia", "?", "`~oia@?`"])
def test_a_cut_off_text_is_refused(cut: str) -> None:
    with pytest.raises(ValueError, match="cut off"):
        decode_line(cut)


def test_holes_and_parts_keep_their_places() -> None:
    ring = shapely.box(10, 50, 10.01, 50.01)
    holed = shapely.difference(ring, shapely.box(10.004, 50.004, 10.006, 50.006))
    both = shapely.MultiPolygon([holed, shapely.box(11, 50, 11.01, 50.01)])

    parts = encode_rings(both)

    assert [len(rings) for rings in parts] == [2, 1]
    hole = shapely.Polygon(decode_line(parts[0][1]))
    assert hole.equals_exact(
        shapely.box(10.004, 50.004, 10.006, 50.006).normalize(), 1e-8
    ) or hole.area == pytest.approx(4e-6, rel=1e-5)
