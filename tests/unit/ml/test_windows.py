"""Which windows a raster has, and which of them a set of prompts is decoded in."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.windows import SNAP, WELL_INSIDE_PX, Window, choose_window, count_windows, held_by, plan_windows

side = st.integers(1, 6000)


@given(width=side, height=side, size=st.sampled_from([256, 1024]), share=st.floats(0.1, 1))
def test_planned_windows_cover_every_pixel_and_none_reaches_out_of_a_larger_raster(
    width: int, height: int, size: int, share: float
) -> None:
    stride = max(1, int(size * share))

    windows = plan_windows(width, height, size, stride)

    for length, starts in ((width, {w.col for w in windows}), (height, {w.row for w in windows})):
        along = sorted(starts)
        assert along[0] == 0
        assert all(after - before <= stride for before, after in itertools.pairwise(along))
        assert along[-1] == max(0, length - size)
    assert len(set(windows)) == len(windows) == count_windows(width, height, size, stride)
    assert {w.size for w in windows} == {size}


def test_the_last_row_and_column_are_moved_inward() -> None:
    assert plan_windows(2000, 1024) == (Window(0, 0), Window(896, 0), Window(976, 0))


def test_a_raster_that_a_window_just_covers_has_one() -> None:
    assert plan_windows(1024, 1024) == (Window(0, 0),)
    assert plan_windows(1025, 1024) == (Window(0, 0), Window(1, 0))


def test_a_raster_smaller_than_a_window_has_one_that_reaches_past_it() -> None:
    assert plan_windows(300, 77) == (Window(0, 0, 1024),)


def test_windows_are_listed_row_by_row() -> None:
    assert plan_windows(1920, 1920) == (Window(0, 0), Window(896, 0), Window(0, 896), Window(896, 896))


@pytest.mark.parametrize("stride", [0, -5, 1025])
def test_a_stride_that_leaves_gaps_is_refused(stride: int) -> None:
    with pytest.raises(ValueError, match="stride"):
        plan_windows(2000, 2000, 1024, stride)


@pytest.mark.parametrize(("width", "height"), [(0, 10), (10, 0), (-1, 10)])
def test_a_raster_without_pixels_is_refused(width: int, height: int) -> None:
    with pytest.raises(ValueError, match="without pixels"):
        plan_windows(width, height)


@given(
    width=st.integers(1, 5000),
    height=st.integers(1, 5000),
    shares=st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=5),
    spread=st.floats(0.001, 1),
)
def test_the_chosen_window_holds_all_prompts_that_fit_into_one(
    width: int, height: int, shares: list[tuple[float, float]], spread: float
) -> None:
    extent = np.minimum((width, height), 1024 * spread)
    corner = ((width, height) - extent) * shares[0]
    prompts = corner + np.array(shares) * extent

    window = choose_window(prompts, width, height)

    assert held_by(window, prompts).all()
    assert window.col >= 0
    assert window.row >= 0
    assert window.col <= max(0, width - 1024)
    assert window.row <= max(0, height - 1024)


@given(x=st.floats(0, 5000), y=st.floats(0, 4000))
def test_one_click_gets_a_planned_window_with_room_around_it(x: float, y: float) -> None:
    """With a stride of 896, a place is at least 64 px from the side of the best window, or at the raster's end."""
    window = choose_window([[x, y]], 5000, 4000)

    assert window in plan_windows(5000, 4000)
    for place, start, length in ((x, window.col, 5000), (y, window.row, 4000)):
        assert place - start >= 64 or start == 0
        assert start + 1024 - place >= 64 or start + 1024 == length


def test_a_ready_window_is_taken_when_the_prompts_lie_well_inside_it() -> None:
    """2000 px wide: windows begin at 0, 896 and 976; a click at 1200 has more room in the second."""
    assert choose_window([[1200, 500]], 2000, 1024) == Window(896, 0)
    assert choose_window([[1200, 500]], 2000, 1024, ready={Window(976, 0)}) == Window(976, 0)
    assert choose_window([[976 + WELL_INSIDE_PX, 500]], 2000, 1024, ready={Window(976, 0)}) == Window(976, 0)


def test_a_ready_window_is_not_taken_when_the_prompts_lie_at_its_side() -> None:
    near_its_side = [[976 + WELL_INSIDE_PX - 1, 500]]

    assert choose_window(near_its_side, 2000, 1024, ready={Window(976, 0)}) == Window(896, 0)
    assert choose_window([[1000, 500]], 2000, 1024, ready={Window(0, 0)}) == Window(896, 0)


def test_the_side_of_the_raster_is_no_side_of_a_window() -> None:
    assert choose_window([[3, 5]], 4000, 4000) == Window(0, 0)
    assert choose_window([[3998, 3999]], 4000, 4000) == Window(2976, 2976)


def test_prompts_that_no_planned_window_holds_together_get_one_about_them() -> None:
    prompts = [[700, 500], [1500, 500]]

    window = choose_window(prompts, 5000, 1024)

    assert window not in plan_windows(5000, 1024)
    assert held_by(window, prompts).all()
    assert window.col % SNAP == 0
    assert window == choose_window([[705, 500], [1495, 500]], 5000, 1024)


def test_prompts_as_wide_as_a_window_are_held_off_the_grid() -> None:
    prompts = [[701, 500], [1724.5, 500]]

    assert held_by(choose_window(prompts, 5000, 1024), prompts).all()


def test_prompts_further_apart_than_a_window_get_the_one_of_the_first() -> None:
    prompts = [[2000, 500], [200, 500]]

    window = choose_window(prompts, 5000, 1024)

    assert held_by(window, prompts).tolist() == [True, False]
    assert abs(window.col + 512 - 2000) <= SNAP / 2


def test_windows_sort_and_serve_as_keys() -> None:
    assert sorted({Window(10, 0), Window(0, 5), Window(10, 0)}) == [Window(0, 5), Window(10, 0)]
