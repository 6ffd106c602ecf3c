"""What hangs together, how deep a cell lies, and grids that are laid over grids."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ml.spanning.agreement import Known, agreement
from ml.spanning.borders import exits
from ml.spanning.masks import depth, reached, spread_out, widened
from ml.spanning.parts import Part, joined, resampled
from ml.windows import Window

masks = arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12)))


@given(mask=masks, row=st.integers(0, 11), col=st.integers(0, 11))
def test_what_is_reached_is_what_a_walk_by_sides_reaches(mask: npt.NDArray[np.bool_], row: int, col: int) -> None:
    seeds = np.zeros(mask.shape, bool)
    seeds[row % mask.shape[0], col % mask.shape[1]] = True
    walk, waiting = set(), [tuple(cell) for cell in np.argwhere(seeds & mask)]
    while waiting:
        cell = waiting.pop()
        if cell in walk:
            continue
        walk.add(cell)
        for step in ((0, 1), (0, -1), (1, 0), (-1, 0)):
            near = (cell[0] + step[0], cell[1] + step[1])
            if 0 <= near[0] < mask.shape[0] and 0 <= near[1] < mask.shape[1] and mask[near]:
                waiting.append(near)

    assert {tuple(cell) for cell in np.argwhere(reached(mask, seeds))} == walk


def test_depth_counts_steps_to_what_is_not_the_mask_or_not_there() -> None:
    mask = np.ones((5, 7), bool)
    mask[2, 0] = False

    assert depth(mask).tolist() == [
        [1, 1, 1, 1, 1, 1, 1],
        [1, 2, 2, 2, 2, 2, 1],
        [0, 1, 2, 3, 3, 2, 1],
        [1, 2, 2, 2, 2, 2, 1],
        [1, 1, 1, 1, 1, 1, 1],
    ]
    assert depth(mask, most=2).max() == 2


def test_a_cell_is_widened_to_the_eight_around_it() -> None:
    mask = np.zeros((4, 4), bool)
    mask[0, 1] = True

    assert widened(mask).astype(int).tolist() == [[1, 1, 1, 0], [1, 1, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0]]


def test_places_are_spread_out_deepest_first() -> None:
    depths = np.zeros((1, 10), np.int64)
    depths[0, [1, 2, 5, 8]] = [5, 6, 2, 3]

    assert spread_out(depths, 3, 3.0) == [(0, 2), (0, 8)]
    assert spread_out(depths, 1, 3.0) == [(0, 2)]


def test_values_are_resampled_bilinearly_where_the_grids_meet() -> None:
    """A slope of one a pixel in x, 4 px cells, over a grid that begins 6 px further and is half beyond it."""
    slope = np.tile((np.arange(8) + 0.5) * 4, (8, 1))

    found, rows, cols = resampled(slope, Window(100, 200, 32), Window(106, 200, 32), 8)

    assert (rows, cols) == (slice(0, 8), slice(0, 7))
    assert found[0, :6].tolist() == pytest.approx([8, 12, 16, 20, 24, 28])


def test_windows_that_share_no_cell_give_nothing() -> None:
    found, rows, cols = resampled(np.ones((8, 8)), Window(0, 0, 32), Window(500, 0, 32), 8)

    assert found.size == 0
    assert (rows, cols) == (slice(0, 8), slice(0, 0))


def test_the_overlap_goes_smoothly_from_one_window_to_the_next() -> None:
    left = Part(Window(0, 0), np.full((256, 256), 4, np.float32), np.ones((256, 256), bool))
    right = Part(Window(896, 0), np.full((256, 256), 12, np.float32), np.ones((256, 256), bool))

    mosaic = joined((left, right), 1920, 1024)

    assert (mosaic.frame, mosaic.logits.shape) == (Window(0, 0, 1920), (480, 480))
    across = mosaic.logits[100]
    assert (across[:224] == 4).all()
    assert (across[256:] == 12).all()
    assert np.abs(np.diff(across)).max() < 0.3
    assert across[239:241].mean() == pytest.approx(8, abs=1e-4)
    assert not mosaic.seen[256:].any()
    assert (mosaic.logits[256:] == -32).all()


@pytest.mark.parametrize(("shift", "agrees"), [(0, 1.0), (1, 1.0), (6, 0.5)])
def test_a_cells_width_is_forgiven_and_no_more(shift: int, agrees: float) -> None:
    known, mask = np.zeros((256, 256), bool), np.zeros((256, 256), bool)
    known[100:110, 100:110] = True
    mask[100 + shift : 110 + shift, 100:110] = True

    assert agreement(mask, Known(np.ones((256, 256), bool), known)) == agrees


def test_what_lies_where_nothing_was_seen_does_not_count_nor_does_what_hangs_together_elsewhere() -> None:
    known, mask = np.zeros((256, 256), bool), np.zeros((256, 256), bool)
    seen = np.zeros((256, 256), bool)
    seen[:, :32] = True
    known[50:90, :32] = True
    mask[50:90, :] = mask[50:200, 40:60] = mask[160:200, :60] = True

    assert agreement(mask, Known(seen, known)) == 1.0
    assert agreement(mask, Known(seen, np.zeros((256, 256), bool))) == 0.0


def test_exits_are_runs_along_sides_beyond_which_the_raster_goes_on() -> None:
    there = np.zeros((256, 256), bool)
    there[0, 10:20] = there[100:103, -1] = there[50, -1] = there[-1, :] = True
    part = Part(Window(896, 896), np.zeros((256, 256), np.float32), there)

    found = exits(part, 4000, 1920)

    assert [len(run) for run in found] == [10, 3], "the raster ends below; one cell is dust"
    assert found[0][0].tolist() == [896 + 42, 894]
    assert found[1].tolist() == [[1922, 1298], [1922, 1302], [1922, 1306]]
    assert [len(run) for run in exits(part, 4000, 1920, [Window(1792, 896)])] == [10]
