"""Roads and streams become lines along their middle, as wide as they are, that meet each other."""

import math
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import affinity
from shapely.geometry import LineString, MultiLineString, Point, Polygon, box

from ml.vectorize import Outlined, Placing, Recipe, outline
from ml.vectorize.centreline import Centreline, centreline_of
from tests.unit.ml.test_outlining import HALF_METRE, iou, logits_of, made

BENT = LineString([(100, 100), (400, 150), (600, 500), (900, 620)])
LONG = LineString([(100, 500), (900, 520)])
SIDE = LineString([(500, 510), (520, 900)])
OVER = LineString([(450, 100), (560, 900)])


def road(line: LineString, width: float) -> Polygon:
    return line.buffer(width / 2, cap_style="flat")


def lined(shape: Polygon, **more: Any) -> Centreline:
    found = centreline_of(shape, 2.0, 0.5, **more)
    assert found is not None
    return found


def ends(found: Any) -> list[tuple[float, float]]:
    return [place for line in found.lines for place in (line.coords[0], line.coords[-1])]


@pytest.mark.parametrize("width", [12, 24, 60])
def test_a_road_is_the_line_it_was_made_from_as_wide_as_it_is(width: float) -> None:
    found = lined(road(BENT, width))

    (line,) = found.lines
    assert line.hausdorff_distance(BENT) < 0.2 * width  # bends are rounded
    assert {tuple(np.round(place)) for place in (line.coords[0], line.coords[-1])} == {(100, 100), (900, 620)}
    assert found.widths == pytest.approx([width], rel=0.03)
    assert len(line.coords) < 25
    assert iou(found.ground(), road(BENT, width)) > 0.95


def test_where_roads_meet_their_lines_share_a_point_and_each_has_its_width() -> None:
    found = lined(road(LONG, 30).union(road(SIDE, 20)))

    (junction,) = {place for place in ends(found) if ends(found).count(place) == 3}
    assert Point(junction).distance(Point(500, 510)) < 4
    assert len(found.lines) == 3
    assert sorted(found.widths) == pytest.approx([20, 30, 30], rel=0.03)
    assert iou(found.ground(), road(LONG, 30).union(road(SIDE, 20))) > 0.97


def test_a_crossing_is_one_junction_of_four_lines() -> None:
    found = lined(road(LONG, 24).union(road(OVER, 24)))

    (junction,) = {place for place in ends(found) if ends(found).count(place) > 1}
    assert ends(found).count(junction) == 4
    assert Point(junction).distance(LONG.intersection(OVER)) < 3
    assert found.widths == pytest.approx([24] * 4, rel=0.04)


def test_a_ring_road_is_a_line_that_comes_back() -> None:
    found = lined(Point(500, 500).buffer(200).difference(Point(500, 500).buffer(170)))

    (line,) = found.lines
    assert line.is_ring
    distances = np.hypot(*(shapely.get_coordinates(line) - 500).T)
    assert distances == pytest.approx([185] * len(distances), rel=0.03)
    assert found.widths == pytest.approx([30], rel=0.03)


def test_corners_and_wiggles_of_the_outline_are_no_side_roads_but_stubs_longer_than_asked_are() -> None:
    """A lay-by of 20 px on a road of 24."""
    stub = road(LONG, 24).union(road(LineString([(500, 510), (500, 545)]), 14))

    assert len(lined(stub).lines) == 1
    assert len(lined(stub, least=20.0).lines) == 3


def test_a_given_width_replaces_the_measured_one() -> None:
    found = lined(road(BENT, 24), width=10.0)

    assert found.widths == (10.0,)
    assert found.ground().area == pytest.approx(10 * found.lines[0].length, rel=0.05)


@pytest.mark.parametrize(
    "shape",
    [Point(500, 500).buffer(100), box(300, 300, 500, 420), Polygon(), Polygon([(0, 0), (4, 4), (4, 0), (0, 4)])],
    ids=["disc", "box", "empty", "bow-tie"],
)
def test_what_is_no_road_has_no_centreline(shape: Polygon) -> None:
    assert centreline_of(shape, 2.0, 0.5) is None


def test_a_recipe_gives_lines_in_pixels_and_widths_in_metres() -> None:
    logits = logits_of(road(LONG, 30).union(road(SIDE, 20)))

    found = made(logits, Recipe(form="centreline"))

    assert isinstance(found.shape, MultiLineString)
    assert found.formed
    assert sorted(found.widths_m) == pytest.approx([10, 15, 15], rel=0.03)
    assert found.iou > 0.95
    assert found.vertices == sum(len(line.coords) for line in found.lines)


def test_a_recipe_may_ask_for_the_ground_that_the_lines_cover() -> None:
    found = made(logits_of(road(BENT, 24)), Recipe(form="centreline", buffered=True, width_m=6.0))

    assert isinstance(found.shape, Polygon)
    assert found.widths_m == (6.0,)
    assert found.shape.area == pytest.approx(12 * found.lines[0].length, rel=0.05)


def test_what_is_no_road_keeps_its_natural_outline_and_beside_a_road_is_left_out() -> None:
    pond = Point(200, 800).buffer(90)

    alone = made(logits_of(pond), Recipe(form="centreline"))
    beside = made(logits_of(pond.union(road(BENT, 40))), Recipe(form="centreline"))

    assert not alone.formed
    assert alone.lines == ()
    assert iou(alone.shape, pond) > 0.98
    assert isinstance(beside.shape, LineString)


def test_lines_reach_the_rasters_side_and_go_no_further() -> None:
    placing = Placing(0, 0, (4.0, 4.0), 701, 1024, (0.5, 0.5))
    through = LineString([(-100, 300), (1100, 500)])

    found = made(logits_of(road(through, 24)), Recipe(form="centreline"), placing)

    assert found.shape.bounds[0] == pytest.approx(0, abs=1e-6)
    assert found.shape.bounds[2] == pytest.approx(701, abs=1e-6)
    assert box(0, 0, 701, 1024).covers(found.shape)


def test_widths_are_right_on_the_ground_where_pixels_are_not_square() -> None:
    """A pixel is half as wide as high: a road from top to bottom is twice as many pixels wide."""
    placing = Placing(0, 0, (4.0, 4.0), 1024, 1024, (0.5, 1.0))
    down = road(LineString([(500, 100), (500, 900)]), 48)

    found = made(logits_of(down, placing), Recipe(form="centreline"), placing)

    assert found.widths_m == pytest.approx([24], rel=0.03)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), noise=st.floats(0, 12), width=st.sampled_from([6, 16, 50]))
def test_any_road_gives_valid_lines_within_the_raster(seed: int, noise: float, width: float) -> None:
    random = np.random.default_rng(seed)
    turns = np.cumsum(random.normal(0, 0.5, 12)) + random.uniform(0, 2 * math.pi)
    line = LineString(np.cumsum(np.column_stack([np.cos(turns), np.sin(turns)]) * 70, axis=0))
    placed = affinity.translate(line, 512 - line.centroid.x, 512 - line.centroid.y)
    logits = logits_of(road(placed, width)) + random.normal(0, noise, (256, 256)).astype(np.float32)

    found = outline(logits, HALF_METRE, Recipe(form="centreline"))

    assert isinstance(found, Outlined)
    assert found.shape.is_valid
    assert len(found.lines) == len(found.widths_m)
    assert all(len(line.coords) >= 2 and line.length > 0 for line in found.lines)
    assert box(0, 0, 1024, 1024).buffer(1e-9).covers(found.shape)
    assert 0 <= found.iou <= 1
