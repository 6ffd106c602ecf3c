"""Which windows a raster has, and which of them a set of prompts is decoded in."""

import itertools

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ml.windows import (
    COARSEST,
    SNAP,
    WELL_INSIDE_PX,
    Window,
    choose_window,
    count_windows,
    held_by,
    is_window_of,
    plan_windows,
    room_around,
    size_for,
    sizes,
    stride_of,
    window_about,
)

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
    assume((np.ceil(prompts.max(axis=0)) - np.floor(prompts.min(axis=0)) <= 1024).all())  # else no window holds them

    window = choose_window(prompts, width, height)

    assert held_by(window, prompts).all()
    assert window.col >= 0
    assert window.row >= 0
    assert window.col <= max(0, width - 1024)
    assert window.row <= max(0, height - 1024)


@pytest.mark.parametrize("first", [0.5, 1024.5])
def test_prompts_that_fit_between_no_two_whole_pixels_get_a_window_that_holds_the_first(first: float) -> None:
    prompts = [[first, 0.5], [1025.0 - first, 0.5]]

    assert held_by(choose_window(prompts, 1025, 1), prompts)[0]


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


def test_windows_are_offered_up_to_the_first_size_that_covers_the_raster() -> None:
    assert sizes(300, 200) == (1024,)
    assert sizes(1024, 1024) == (1024,)
    assert sizes(1025, 200) == (1024, 2048)
    assert sizes(200, 5000) == (1024, 2048, 4096, 8192)
    assert sizes(10**6, 10**6)[-1] == COARSEST


@given(width=side, height=side, x=st.floats(0, 1), y=st.floats(0, 1), level=st.integers(0, 6))
def test_every_window_that_is_chosen_may_be_encoded(width: int, height: int, x: float, y: float, level: int) -> None:
    offered = sizes(width, height)
    size = offered[min(level, len(offered) - 1)]
    at = [[x * width, y * height]]

    planned = choose_window(at, width, height, size=size, stride=stride_of(size))
    about = window_about(*at, *at, goes_on=((True, False), (False, True)), width=width, height=height, size=size)

    for window in (planned, about):
        assert is_window_of(window, width, height)
        assert held_by(window, at).all()


@pytest.mark.parametrize(
    "window",
    [
        Window(0, 0, 512),
        Window(0, 0, 1500),
        Window(0, 0, 8192),
        Window(-64, 0),
        Window(0, -1),
        Window(2977, 0),
        Window(0, 2000),
        Window(1, 0, 4096),
        Window(0, 0, 2**40),
    ],
)
def test_no_other_window_may_be_encoded(window: Window) -> None:
    assert not is_window_of(window, 4000, 3000)


def test_prompts_further_apart_than_a_window_ask_for_a_larger_one() -> None:
    assert size_for([[100, 100], [1124, 700]], 9000, 9000) == 1024
    assert size_for([[100, 100], [1125, 700]], 9000, 9000) == 2048
    assert size_for([[100, 100], [200, 8000]], 9000, 9000) == 8192
    assert size_for([[0, 0], [10**6, 5]], 10**6, 10**6) == COARSEST


def test_what_goes_on_at_one_side_gets_the_windows_room_there() -> None:
    """Known from 3000 to 3600 px; 64 px of the model's are 128 of the raster's here, and the grid is as wide."""
    known = ([3000, 3000], [3600, 3600])

    def about(before: bool, beyond: bool) -> int:
        sides = ((before, beyond), (False, False))
        return window_about(*known, goes_on=sides, width=20_000, height=20_000, size=2048).col

    assert about(False, False) == about(True, True) == 2304
    assert 3000 - 128 - about(False, True) in range(128)
    assert about(True, False) + 2048 - 3600 - 128 in range(128)


def test_the_room_around_a_box_is_not_counted_at_the_rasters_sides() -> None:
    assert room_around(Window(0, 896), [10, 1000], [900, 1500], 4000, 4000) == 104
    assert room_around(Window(0, 0), [10, 10], [900, 900], 1024, 1000) == np.inf
