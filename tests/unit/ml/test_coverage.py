"""Neighbours share their borders: no overlap, no gap, no sliver, and nothing else changes."""

import math
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import affinity
from shapely.geometry import LineString, MultiPolygon, Point, Polygon, box

from ml.vectorize.borders import noded, simplified_alike
from ml.vectorize.coverage import CoverageError, covering, fitted, simplified

LEFT, RIGHT = box(0, 0, 100, 100), box(102, 0, 200, 100)


def corners(shape: Any) -> set[tuple[float, float]]:
    return {(float(x), float(y)) for x, y in shapely.get_coordinates(shape)}


def gap_between(shape: Any, others: list[Any], width: float) -> float:
    """The area of what lies between a shape and the others and is narrower than a width."""
    around = shapely.union_all(others)
    both = shapely.union_all([shape, around])
    closed = both.buffer(width / 2, join_style="mitre").buffer(-width / 2 * 1.001, join_style="mitre")
    between = shapely.get_parts(shapely.difference(closed, both))
    hair = width / 1000
    touching = [
        piece for piece in between if piece.distance(shape) < hair and piece.distance(around) < hair
        and piece.boundary.intersection(shape.buffer(hair)).length > width / 10
        and piece.boundary.intersection(around.buffer(hair)).length > width / 10
    ]  # fmt: skip
    return float(sum(piece.area for piece in touching))


def test_what_overlaps_a_neighbour_is_cut_off() -> None:
    found = fitted(box(90, 0, 200, 100), [LEFT], gap=2)

    assert found.shape is not None
    assert found.shape.equals(box(100, 0, 200, 100))
    assert (found.cut, found.filled) == (pytest.approx(1000), pytest.approx(0))
    assert found.neighbours == {}


def test_a_narrow_gap_becomes_the_new_shapes_and_a_wide_one_stays() -> None:
    narrow, wide = fitted(RIGHT, [LEFT], gap=3), fitted(RIGHT, [LEFT], gap=1)

    assert narrow.shape is not None
    assert narrow.shape.equals_exact(box(100, 0, 200, 100), 1e-6, normalize=True), "without the corners it had there"
    assert narrow.filled == pytest.approx(200, abs=0.05)
    assert wide.shape is RIGHT


def test_a_wedge_is_filled_as_far_as_it_is_narrow() -> None:
    leaning = Polygon([(100, 0), (200, 0), (200, 100), (110, 100)])

    found = fitted(leaning, [LEFT], gap=2)

    assert found.shape is not None
    assert gap_between(found.shape, [LEFT], 1.9) < 1e-6
    assert 10 < found.filled < 20  # at most the triangle of 20 by 2 px whose mouth is as wide as the gap


def test_a_notch_of_the_shape_alone_or_of_its_neighbours_alone_stays() -> None:
    notched = box(100, 0, 200, 100).difference(box(150, 50, 151, 101))
    others = [box(0, 0, 100, 49), box(0, 50, 100, 100)]

    found = fitted(notched, others, gap=2)

    assert found.shape is not None
    assert not found.shape.contains(Point(150.5, 80))
    assert not found.shape.contains(Point(50, 49.5))
    assert found.shape.intersection(box(0, 49, 100, 50)).length < 10  # but for its mouth


def test_slivers_along_neighbours_go_and_thin_parts_elsewhere_stay() -> None:
    """The new shape reaches a little past its neighbour, in a thin tail; a path of its own leads off."""
    tail, path = box(60, 100, 100, 100.5), box(150, 100, 151, 140)
    shape = shapely.union_all([box(100, 0, 200, 100.5), tail, path])

    found = fitted(shape, [LEFT], gap=2)

    assert found.shape is not None
    assert found.shape.intersection(tail).area < 0.6
    assert found.shape.intersection(path).area == pytest.approx(path.area, rel=0.02)


def test_a_shape_between_two_neighbours_reaches_both() -> None:
    found = fitted(box(103, 0, 147, 100), [LEFT, box(150, 0, 250, 100)], gap=5)

    assert found.shape is not None
    assert found.shape.equals_exact(box(100, 0, 150, 100), 1e-6, normalize=True)
    assert found.neighbours == {}, "they had all vertices before"


def test_a_ragged_border_beside_a_straight_one_takes_the_straight_one() -> None:
    random = np.random.default_rng(3)
    ragged = np.column_stack([101.5 + random.uniform(-1.4, 1.4, 40), np.linspace(90, 10, 40)])

    found = fitted(Polygon([(200, 10), (200, 90), *ragged]), [LEFT], gap=5)

    assert found.shape is not None
    assert found.shape.area == pytest.approx(100 * 80, abs=4.0)
    assert shapely.get_num_coordinates(found.shape) <= 9, "the forty ragged corners are gone"


def test_vertices_on_straight_sides_and_those_away_from_neighbours_stay_to_the_last_digit() -> None:
    third = 1 / 3
    shape = Polygon([(103, 0), (150 + third, 0), (200 + third, 0), (200 + third, 100 + third), (103, 100 + third)])

    found = fitted(shape, [LEFT], gap=5)

    assert found.shape is not None
    assert {(150 + third, 0), (200 + third, 0), (200 + third, 100 + third)} < corners(found.shape)
    assert (103.0, 0.0) not in corners(found.shape), "it lies on a straight side only since the gap was filled"


def test_a_strip_that_is_narrower_than_the_gap_is_no_sliver() -> None:
    beside, apart = (fitted(box(x, 0, 103, 100), [LEFT], gap=5).shape for x in (100, 101))

    assert beside is not None and apart is not None
    assert beside.equals(box(100, 0, 103, 100))
    assert apart.equals(box(100, 0, 103, 100))


def test_what_neighbours_cover_is_nothing() -> None:
    assert fitted(box(20, 20, 102, 60), [LEFT], gap=5).shape is None, "nor is a sliver at the rim anything"
    assert fitted(box(10, 10, 90, 90), [LEFT], gap=2).shape is None
    assert fitted(box(-0.5, -0.5, 100.5, 100.5), [LEFT], gap=2).shape is None
    assert fitted(LEFT, [LEFT], gap=2).shape is None


@pytest.mark.parametrize("seed", range(40))
def test_whatever_the_shapes_nothing_overlaps_all_match_and_neighbours_stay(seed: int) -> None:
    """Star-shaped outlines with ragged corners, one after another."""
    random = np.random.default_rng(seed)
    gap, there = random.uniform(1, 8), list[Any]()
    for _ in range(6):
        angles = np.sort(random.uniform(0, 2 * np.pi, int(random.integers(5, 60))))
        radius = random.uniform(30, 70) * np.clip(1 + 0.1 * random.standard_normal(len(angles)), 0.5, 1.5)
        star = np.column_stack([np.cos(angles), np.sin(angles)]) * radius[:, None]
        new = Polygon(random.uniform(0, 200, 2) + star)
        if not new.is_valid:
            continue
        found = fitted(new, there, gap=gap)
        after = [found.neighbours.get(i, shape) for i, shape in enumerate(there)]
        assert max(shapely.hausdorff_distance(there, after), default=0.0) < 1e-9
        assert found.shape is None or max(shapely.area(shapely.intersection(after, found.shape)), default=0.0) < 1e-6
        there = after if found.shape is None else [*after, found.shape]
        assert shapely.is_valid(there).all()
        assert shapely.coverage_is_valid(there)
    assert len(there) >= 2


def test_a_neighbour_within_becomes_a_hole_with_the_same_corners() -> None:
    pond = Point(50, 50).buffer(20)

    found = fitted(LEFT, [pond], gap=2)

    assert isinstance(found.shape, Polygon)
    assert corners(found.shape.interiors[0]) == corners(pond)


def test_where_borders_meet_both_sides_have_a_vertex() -> None:
    """The new shape's corners lie on the middle of the neighbour's side, at odd places."""
    leaning = affinity.rotate(box(95, 31, 160, 72), 11, origin=(100, 50))

    found = fitted(leaning, [LEFT], gap=1)

    assert found.shape is not None
    after = found.neighbours[0]
    assert len(corners(after)) == len(corners(LEFT)) + 2
    assert corners(after) - corners(LEFT) <= corners(found.shape)
    assert after.symmetric_difference(LEFT).area < 1e-6
    assert shapely.coverage_is_valid([found.shape, after])


def test_a_straight_side_gets_the_vertices_that_lie_on_it_in_their_order() -> None:
    after = fitted(box(100, 20, 200, 70), [LEFT], gap=1).neighbours[0]

    assert isinstance(after, Polygon)
    assert after.equals(LEFT)
    assert list(after.exterior.coords) == [(100, 0), (100, 20), (100, 70), (100, 100), (0, 100), (0, 0), (100, 0)]


def test_vertices_go_to_the_part_and_the_hole_they_lie_on() -> None:
    both = MultiPolygon([LEFT.difference(box(40, 40, 60, 60)), box(200, 0, 210, 10)])
    tips = MultiPolygon([Polygon([(50, 45), (60, 50), (50, 55)]), Polygon([(200, 20), (205, 10), (210, 20)])])

    _, after = noded(tips, [both], 1e-6, fixed=False)

    assert shapely.get_num_coordinates(after) == shapely.get_num_coordinates(both) + 2
    assert {(60.0, 50.0), (205.0, 10.0)} < corners(after)
    assert after.equals(both)


def test_a_neighbours_corner_on_the_new_side_is_a_vertex_of_the_new_one() -> None:
    found = fitted(box(99, -50, 200, 150), [LEFT], gap=1)

    assert found.shape is not None
    assert {(100.0, 0.0), (100.0, 100.0)} <= corners(found.shape)
    assert shapely.coverage_is_valid([found.shape, found.neighbours[0]])


def test_fixed_neighbours_never_change() -> None:
    leaning = affinity.rotate(box(95, 31, 160, 72), 11, origin=(100, 50))

    loose, fixed = fitted(leaning, [LEFT], gap=1), fitted(leaning, [LEFT], gap=1, fixed=True, tolerance=5)

    assert fixed.neighbours == {}
    assert fixed.shape is not None
    assert loose.shape is not None
    assert fixed.shape.equals(loose.shape)


def test_far_neighbours_are_not_looked_at() -> None:
    far = box(500, 500, 600, 600)

    found = fitted(RIGHT, [far, LEFT], gap=3)

    assert set(found.neighbours) <= {1}
    assert fitted(RIGHT, [far], gap=3).shape is RIGHT


def test_shared_borders_are_simplified_once_for_both_and_others_are_not() -> None:
    y = np.linspace(0, 100, 51)
    wavy = np.column_stack([100 + 0.4 * np.sin(y), y])
    left = Polygon([*wavy, (0, 100), *np.column_stack([np.sin(y[::-1][1:-1]), y[::-1][1:-1]]), (0, 0)])

    found = fitted(box(90, 0, 200, 100), [left], gap=1, tolerance=1.0)

    assert found.shape is not None
    after = found.neighbours[0]
    shared = LineString([(100, 0), (100, 100)]).buffer(1)
    assert len(corners(left.intersection(shared))) > 50
    assert len([c for c in corners(after) if shared.contains(Point(c))]) <= 6
    assert len([c for c in corners(after) if not shared.contains(Point(c))]) == 51
    assert shapely.coverage_is_valid([found.shape, after])
    assert after.symmetric_difference(left).area < 100 * 0.5


def test_a_vertex_where_three_meet_is_never_simplified_away() -> None:
    below, above = box(0, 0, 100, 50), box(0, 50, 100, 100)
    new = Polygon([(100, 0), (200, 0), (200, 100), (100, 100), (100, 75), (100.01, 60), (100, 50), (100, 25)])

    shape, first, second = simplified_alike(new, [below, above], 1.0)

    assert (100.0, 50.0) in corners(shape) & corners(first) & corners(second)


def test_a_vertex_that_a_third_shape_touches_is_never_simplified_away() -> None:
    """The third shape's tip reaches the border of the other two through a cleft of one of them."""
    tip = Polygon([(50, 0.1), (45, -50), (55, -50)])
    left = Polygon([(0, 0), (0, -50), (45, -50), (50, 0.1), (25, 0.1)])
    right = Polygon([(100, 0), (100, -50), (55, -50), (50, 0.1), (75, 0.1)])
    above = Polygon([(0, 0), (25, 0.1), (50, 0.1), (75, 0.1), (100, 0), (100, 50), (0, 50)])

    shape, *_ = simplified_alike(above, [MultiPolygon([left, right]), tip], 1.0)

    assert (50.0, 0.1) in corners(shape)
    assert not {(25.0, 0.1), (75.0, 0.1)} & corners(shape)


def test_a_simplification_that_would_cross_something_is_not_done() -> None:
    """The shared border bends around a third shape's tip, which a straight one would cut."""
    path = [(0, 0), (50, 10), (100, 0)]
    upper, lower = Polygon([*path, (100, 50), (0, 50)]), Polygon([*path[::-1], (0, -50), (100, -50)])
    hole = Polygon([(40, 4), (60, 4), (50, 7)])
    holed = lower.difference(hole)

    shape, first = simplified_alike(upper, [holed], 20.0)

    assert shape is upper
    assert first is holed


@pytest.mark.parametrize("shape", [Polygon(), Polygon([(0, 0), (4, 4), (4, 0), (0, 4)]), Point(0, 0)])
def test_what_is_no_valid_polygon_is_refused(shape: Any) -> None:
    with pytest.raises(CoverageError, match="Only valid polygons can share borders"):
        fitted(shape, [LEFT], gap=1)
    with pytest.raises(CoverageError):
        fitted(LEFT, [shape], gap=1)


def test_simplification_cleans_what_does_not_match_before_it_simplifies() -> None:
    """Without the vertex at (100, 50) on the left side, each side would be simplified alone and a gap would open."""
    unmatched = [LEFT, Polygon([(100, 0), (200, 0), (200, 100), (100, 100), (100, 50)])]

    found = simplified(unmatched, 5.0)

    assert shapely.coverage_is_valid(found)
    assert [shape.area for shape in found] == pytest.approx([10_000, 10_000])


def wobbly(cell: Polygon, random: np.random.Generator, height: float) -> Polygon:
    """A cell as a mask of its own shows it: its outline in small steps, moved by a slow noise."""
    places = np.arange(0, cell.exterior.length, 4.0)
    points = shapely.get_coordinates(shapely.line_interpolate_point(cell.exterior, places))
    phases = random.uniform(0, 2 * math.pi, (2, 3))
    waves = [sum(np.sin(places / (9 + 7 * k) + axis[k]) for k in range(3)) for axis in phases]
    return Polygon(points + height / 3 * np.column_stack(waves))


def cells(seed: int, height: float) -> list[Polygon]:
    """Three by three fields, each outlined for itself, turned; the middle one last."""
    random = np.random.default_rng(seed)
    edges = np.cumsum(random.uniform(50, 110, (2, 4)), axis=1)
    order = [(i, j) for i in range(3) for j in range(3) if (i, j) != (1, 1)] + [(1, 1)]
    plain = [box(edges[0, i], edges[1, j], edges[0, i + 1], edges[1, j + 1]) for i, j in order]
    turn = random.uniform(0, 90)
    drawn = [wobbly(affinity.rotate(one, turn, origin=(0, 0)), random, height) for one in plain]
    return [one.buffer(0) if not one.is_valid else one for one in drawn]


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), height=st.sampled_from([0.0, 0.3, 1.0, 2.0]), fixed=st.booleans())
def test_fields_outlined_one_by_one_become_a_coverage(seed: int, height: float, fixed: bool) -> None:
    gap = 6.0
    *around, middle = cells(seed, height)
    neighbours = [shape for shape in covering(around, gap=gap) if shape is not None]

    found = fitted(middle, neighbours, gap=gap, fixed=fixed)

    new = found.shape
    assert new is not None
    assert new.is_valid
    union = shapely.union_all(neighbours)
    grain = 2e-4 * gap * new.length  # the grid on which shapes are laid over each other, along the outline
    assert new.intersection(union).area < grain
    assert gap_between(new, neighbours, 0.9 * gap) < grain
    # nothing thin is left along the neighbours
    thin = new.difference(new.buffer(-0.45 * gap, join_style="mitre").buffer(0.46 * gap, join_style="mitre"))
    assert thin.area < gap**2
    # its area is what it was, less what was cut, and what was filled; nothing was filled away from it
    assert new.area == pytest.approx(middle.area - found.cut + found.filled, rel=1e-9)
    assert new.difference(middle.buffer(1.5 * gap, join_style="mitre")).area < 1e-6
    assert middle.difference(union).difference(new).buffer(-0.51 * gap).is_empty
    after = [found.neighbours.get(i, there) for i, there in enumerate(neighbours)]
    assert found.neighbours == {} or not fixed
    assert all(a.is_valid and a.symmetric_difference(b).area < grain for a, b in zip(after, neighbours, strict=True))
    if not fixed:
        assert shapely.coverage_is_valid([*after, new])


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), height=st.sampled_from([0.3, 1.0, 2.0]))
def test_a_whole_class_becomes_a_coverage_that_can_be_simplified(seed: int, height: float) -> None:
    drawn = cells(seed, height)

    found = [shape for shape in covering(drawn, gap=6.0, tolerance=2.0) if shape is not None]

    assert len(found) == 9
    assert shapely.coverage_is_valid(found)
    assert sum(len(corners(shape)) for shape in found) < 0.6 * sum(len(corners(shape)) for shape in drawn)
    assert shapely.union_all(found).area == pytest.approx(sum(shape.area for shape in found), rel=1e-9)
    assert sum(shape.area for shape in found) == pytest.approx(shapely.union_all(drawn).area, rel=0.03)


def test_parts_are_fitted_too() -> None:
    both = MultiPolygon([RIGHT, box(300, 0, 400, 100)])

    found = fitted(both, [LEFT, box(401, 0, 500, 100)], gap=3)

    assert isinstance(found.shape, MultiPolygon)
    assert found.shape.area == pytest.approx(both.area + 200 + 100, abs=0.2)
