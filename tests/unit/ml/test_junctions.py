"""New lines meet those that are there in vertices of both, and stay where they do already."""

import math

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import LineString

from ml.vectorize.junctions import joined

STREET = LineString([(0, 0), (100, 0)])


def test_an_end_that_stops_short_is_led_onto_the_line_there_and_both_have_the_vertex() -> None:
    found = joined([LineString([(50, 60), (50, 30), (50, 3)])], [STREET], 5)

    assert found.lines[0].coords[-1] == (50, 0)
    assert list(found.neighbours[0].coords) == [(0, 0), (50, 0), (100, 0)]


def test_an_end_that_runs_past_is_cut_off_there() -> None:
    found = joined([LineString([(50, 60), (50, -4)])], [STREET], 5)

    assert list(found.lines[0].coords) == [(50, 60), (50, 0)]
    assert list(found.neighbours[0].coords) == [(0, 0), (50, 0), (100, 0)]


def test_an_end_near_an_end_goes_there_and_nothing_else_changes() -> None:
    found = joined([LineString([(103, 60), (103, 30), (102, 2)])], [STREET], 5)

    assert found.lines[0].coords[-1] == (100, 0)
    assert found.neighbours == {}


def test_ends_further_than_the_tolerance_and_ends_that_meet_each_other_stay() -> None:
    lines = [LineString([(50, 60), (50, 6)]), LineString([(10, 60), (20, 3)]), LineString([(20, 3), (30, 60)])]

    found = joined(lines, [STREET], 5)

    assert [list(line.coords) for line in found.lines] == [list(line.coords) for line in lines]
    assert found.neighbours == {}


def test_two_ends_on_one_line_give_it_two_vertices() -> None:
    lines = [LineString([(x, 60), (x, 2)]) for x in (70, 30)]

    found = joined(lines, [LineString([(0, 500), (1, 500)]), STREET], 5)

    assert list(found.neighbours[1].coords) == [(0, 0), (30, 0), (70, 0), (100, 0)]
    assert set(found.neighbours) == {1}


def places(line: LineString) -> list[tuple[float, ...]]:
    return list(line.coords)


def test_a_line_leads_through_an_end_that_is_there_beside_its_way() -> None:
    way = [LineString([(0, 0), (40, 0), (52, 0), (100, 0)])]
    lane = LineString([(50, 60), (50, 3)])
    assert places(joined(way, [lane], 5).lines[0]) == [(0, 0), (40, 0), (50, 3), (100, 0)]
    assert joined(way, [lane], 5).neighbours == {}

    touching = LineString([(50, 60), (50, 0)])
    assert places(joined(way, [touching], 5).lines[0]) == [(0, 0), (40, 0), (50, 0), (52, 0), (100, 0)]

    for tip in ((50, 6), (96, 4)):  # too far from the way; beside the line's own end
        assert places(joined(way, [LineString([(tip[0], 60), tip])], 5).lines[0]) == places(way[0])


def test_a_closed_line_there_has_no_ends_to_lead_through() -> None:
    ring = LineString([(50, 3), (60, 20), (40, 20), (50, 3)])
    way = LineString([(0, 0), (100, 0)])
    assert places(joined([way], [ring], 5).lines[0]) == places(way)


def test_an_end_just_beside_a_line_is_moved_onto_it_and_one_further_off_is_led_there() -> None:
    near, far = LineString([(50, 60), (50, 1)]), LineString([(50, 60), (50, 3)])

    assert places(joined([near], [STREET], 5).lines[0]) == [(50, 60), (50, 0)]
    assert places(joined([far], [STREET], 5).lines[0]) == [(50, 60), (50, 3), (50, 0)]


def test_a_line_does_not_turn_back_to_reach_another() -> None:
    """It passes the street's end by and would come back to it."""
    past = joined([LineString([(60, 3), (102, 3)])], [STREET], 5)

    assert places(past.lines[0])[-2:] == [(60, 3), (100, 0)]


def test_a_vertex_of_the_neighbour_that_is_near_is_taken_instead_of_a_new_one() -> None:
    bent = LineString([(0, 0), (49, 0), (100, 0)])

    short, over = (joined([LineString([(50, 60), (50, end)])], [bent], 5) for end in (3, -3))

    assert short.lines[0].coords[-1] == over.lines[0].coords[-1] == (49, 0)
    assert short.neighbours == over.neighbours == {}


def test_a_junction_that_is_there_is_taken_though_it_is_no_end_of_the_nearest_line() -> None:
    through, branch = LineString([(0, 0), (50, 0), (100, 0)]), LineString([(50, 0), (50, -60)])

    found = joined([LineString([(47, 60), (47, 2)])], [through, branch], 5)

    assert found.lines[0].coords[-1] == (50, 0)
    assert found.neighbours == {}


@pytest.mark.parametrize("swapped", [False, True])
def test_of_two_lines_that_are_crossed_near_the_end_the_one_nearest_to_it_is_met(swapped: bool) -> None:
    pair = [STREET, LineString([(0, 2), (100, 2)])]

    found = joined([LineString([(50, 60), (50, -1)])], pair[::-1] if swapped else pair, 5)

    assert found.lines[0].coords[-1] == (50, 0)


def test_an_end_on_a_line_stays_there_beside_a_junction_and_after_a_crossing() -> None:
    branch, across = LineString([(50, 0), (50, -60)]), LineString([(0, 2), (100, 2)])
    line = LineString([(52, 60), (52, 0.01)])  # as far off as rounding leaves it, from a line that may not change

    found = joined([line], [STREET, branch, across], 5)

    assert places(found.lines[0]) == [(52, 60), (52, 0)]


def test_a_short_line_does_not_shrink_to_a_place_nor_close_to_a_loop() -> None:
    for line in (LineString([(99, 1), (99, 2)]), LineString([(98, 1), (103, 3), (101, 2)])):
        for found in (
            joined([line], [STREET], 5).lines[0],
            joined([LineString(line.coords[::-1])], [STREET], 5).lines[0],
        ):
            assert found.is_valid
            assert found.length > 0.5
            assert found.coords[0] != found.coords[-1]


def test_a_long_way_around_may_begin_and_end_at_the_same_end() -> None:
    around = LineString([(101, 1), (140, 40), (140, -40), (101, -1)])

    found = joined([around], [STREET], 5).lines[0]

    assert found.coords[0] == found.coords[-1] == (100, 0)


def roads(random: np.random.Generator, count: int) -> list[LineString]:
    """Bent lines across a square of 300."""
    turns = np.cumsum(random.normal(0, 0.5, (count, 5)), axis=1) + random.uniform(0, 2 * math.pi, (count, 1))
    steps = np.stack([np.cos(turns), np.sin(turns)], axis=2) * random.uniform(1, 80, (count, 5, 1))
    return [LineString(np.round(line, 4)) for line in np.cumsum(steps, axis=1) + random.uniform(0, 300, (count, 1, 2))]


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), tolerance=st.sampled_from([0.01, 2.0, 25.0]), may=st.booleans())
def test_joining_twice_is_joining_once_and_neighbours_keep_their_course(seed: int, tolerance: float, may: bool) -> None:
    """Without `may` the neighbours get no vertex, as accepted ones do not."""
    line, *others = roads(np.random.default_rng(seed), 7)

    once = joined([line], others, tolerance)
    there = [once.neighbours.get(i, other) if may else other for i, other in enumerate(others)]
    again = joined(once.lines, there, tolerance)

    (found,) = once.lines
    assert found.is_valid
    assert shapely.hausdorff_distance(found, line) <= 2 * tolerance + 1e-6
    assert shapely.equals_exact(again.lines[0], found, 1e-9)
    assert again.neighbours == {} or not may
    for i, after in once.neighbours.items():
        assert shapely.hausdorff_distance(after, others[i]) < 1e-3
        assert {found.coords[0], found.coords[-1]} & set(after.coords)
    alone = [place for place in (found.coords[0], found.coords[-1]) if place in line.coords]
    for place in alone:
        apart = min(shapely.distance(shapely.points(place), other) for other in there)
        assert apart > tolerance or apart <= 0.01 * tolerance or found.length < 8 * tolerance
