"""What the decoder looks at: a part of a window token by token, the rest in squares that weigh as their tokens do."""

from typing import Any

import numpy as np
import pytest

from ml.decode import WHOLE, Field, Look, OnnxDecoder
from ml.decode.look import GRID, Tokens, squares_of
from ml.embeddings import Embedding
from ml.models import InstalledModel
from tests.support.sam2_models import with_torch

NEAR = Field(8, 20, 16, 16)
POINTS, LABELS = np.array([[[200.0, 380.0], [260.0, 420.0]]], np.float32), np.array([[1, 0]], np.float32)


@pytest.fixture(scope="module")
def features() -> Embedding:
    rng = np.random.default_rng(3)
    shapes = ((1, 256, 64, 64), (1, 32, 256, 256), (1, 64, 128, 128))
    return Embedding(*(rng.normal(0, 1, shape).astype(np.float32) for shape in shapes))


def test_the_tokens_of_a_look_stand_for_each_token_of_the_window_once() -> None:
    for far, squares in ((2, 1024 - 64), (4, 256 - 16), (0, 0)):
        tokens = Tokens(Look(NEAR, far))
        assert len(tokens.counts) == 256 + squares
        assert (tokens.counts[:256] == 1).all()
        assert tokens.counts.sum() == (GRID * GRID if far else 256)
    assert (Tokens(Look(WHOLE, 4)).counts == np.ones(GRID * GRID)).all()


def test_near_tokens_are_taken_as_they_are_and_squares_are_their_means() -> None:
    grid = np.random.default_rng(1).normal(0, 1, (GRID, GRID, 3)).astype(np.float32)
    taken = Tokens(Look(NEAR, 4)).of(grid.reshape(-1, 3), squares_of(grid, 4).reshape(-1, 3))
    assert np.array_equal(taken[:256].reshape(16, 16, 3), grid[20:36, 8:24])
    assert taken[256] == pytest.approx(grid[:4, :4].mean(axis=(0, 1)), abs=1e-6)
    assert taken[-1] == pytest.approx(grid[-4:, -4:].mean(axis=(0, 1)), abs=1e-6)
    two = Tokens(Look(NEAR, 4)).of(
        np.stack([grid.reshape(-1, 3)] * 2), np.stack([squares_of(grid, 4).reshape(-1, 3)] * 2)
    )
    assert np.array_equal(two[1], taken)


@pytest.mark.parametrize(
    "given", [(Field(1, 0, 16, 16), 2), (Field(0, 0, 15, 16), 2), (Field(2, 0, 16, 16), 4), (NEAR, 3)]
)
def test_squares_that_do_not_fit_around_the_near_part_are_refused(given: Any) -> None:
    with pytest.raises(ValueError, match="do not fit around"):
        Look(*given)


def test_what_lies_outside_the_near_part_cannot_be_asked_for() -> None:
    with pytest.raises(ValueError, match="does not lie within"):
        Look(NEAR, 0, Field(8, 20, 17, 16))


@with_torch
@pytest.mark.timeout(600)
def test_what_is_drawn_of_a_part_is_what_all_of_it_shows_and_elsewhere_there_is_no_mask(
    small: InstalledModel, features: Embedding
) -> None:
    """Tokens near a mask or asked for are drawn as they are; the others have one number below every mask."""
    decoder, least = OnnxDecoder(small), Field(10, 22, 3, 2)
    previous = np.random.default_rng(5).normal(0, 8, (1, 1, 256, 256)).astype(np.float32)
    for near, far, last in (
        (WHOLE, 0, None),
        (NEAR, 0, None),
        (NEAR, 4, None),
        (WHOLE, 0, previous),
        (NEAR, 4, previous),
    ):
        whole = decoder.answer(features, POINTS, LABELS, last, Look(near, far))
        some = decoder.answer(features, POINTS, LABELS, last, Look(near, far, least))
        assert whole.field == near
        assert near.holds(some.field)
        assert some.field.holds(least)
        rows, cols = 4 * (some.field.row - near.row), 4 * (some.field.col - near.col)
        height, width = some.masks.shape[2:]
        assert (width, height) == (4 * some.field.cols, 4 * some.field.rows)
        same = whole.masks[:, :, rows : rows + height, cols : cols + width]
        differ = np.abs(some.masks - same) > 1e-4 * whole.masks.std()
        assert (some.masks[differ] <= -1).all()
        tokens = differ.any(axis=(0, 1)).reshape(height // 4, 4, width // 4, 4).any(axis=(1, 3))
        kept = slice(least.row - some.field.row, None), slice(least.col - some.field.col, None)
        assert not tokens[kept][: least.rows, : least.cols].any(), "asked for"
        first = whole.masks[:, :, 2::4, 2::4].max(axis=(0, 1))
        marked = (first > -1)[some.field.row - near.row :, some.field.col - near.col :]
        assert not (tokens & marked[: tokens.shape[0], : tokens.shape[1]]).any(), "in or near a mask"


@with_torch
@pytest.mark.timeout(600)
def test_nothing_is_drawn_for_a_mask_that_does_not_count(small: InstalledModel, features: Embedding) -> None:
    decoder, look = OnnxDecoder(small), Look(NEAR, 4, Field(10, 22, 3, 2))
    whole = decoder.answer(features, POINTS, LABELS, None, Look(NEAR, 4))
    worst = 1 + int(whole.scores[0, 1:].argmin())
    for counted, those in (
        ([1, 0, 0, 0, 0], [0]),
        ([0, 1, 1, 1, 0], [1, 2, 3]),
        ([1, 1, 1, 1, 1], [index for index in range(4) if index != worst]),
    ):
        some = decoder.answer(features, POINTS, LABELS, None, look, counted=np.array(counted, np.float32))
        first = (whole.masks[0, those, 2::4, 2::4] > -1).any(axis=0)
        first[2:4, 2:5] = True
        near = np.pad(first, 1)
        rows = np.flatnonzero(sum(near[1 + step : 17 + step].any(axis=1) for step in (-1, 0, 1)))
        cols = np.flatnonzero(sum(near[:, 1 + step : 17 + step].any(axis=0) for step in (-1, 0, 1)))
        assert some.field.rows == some.field.cols == max(np.ptp(rows), np.ptp(cols)) + 1
        assert some.field.row - NEAR.row <= rows[0]
        assert rows[-1] < some.field.row - NEAR.row + some.field.rows


@with_torch
@pytest.mark.timeout(600)
def test_a_square_weighs_as_much_as_the_tokens_it_stands_for(small: InstalledModel, features: Embedding) -> None:
    """The same squares as so many tokens of weight 1 give the same masks; weighing 1 each they do not."""
    decoder = OnnxDecoder(small)
    assert decoder._prepared is not None
    look = Look(NEAR, 4)
    taken = decoder._prepared.inputs(features, look)
    prompts = {"point_coords": POINTS, "point_labels": LABELS, "has_mask_input": np.zeros(1, np.float32)}
    prompts |= {
        "mask_features": np.zeros((1, 1, 16), np.float32),
        "least": NEAR.marked_in(NEAR),
        "offered": np.ones(5, np.float32),
    }
    repeats = taken["counts"].astype(int)
    many = {
        name: np.ascontiguousarray(np.repeat(array, repeats, axis=array.ndim - 2))
        for name, array in taken.items()
        if name in ("image", "places", "keys", "values", "queries")
    }
    as_tokens = {**taken, **many, "counts": np.ones(GRID * GRID, np.float32)}
    alike = {**taken, "counts": np.ones(len(repeats), np.float32)}
    squares, tokens, light = (
        decoder._session.run(["low_res_masks"], {**inputs, **prompts})[0] for inputs in (taken, as_tokens, alike)
    )
    assert np.abs(squares - tokens).max() < 1e-4 * tokens.std()
    assert np.abs(light - tokens).max() > 0.01 * tokens.std()


@with_torch
@pytest.mark.timeout(600)
def test_the_last_mask_is_fed_back_far_away_too(small: InstalledModel, features: Embedding) -> None:
    decoder, look = OnnxDecoder(small), Look(NEAR, 4)
    previous = np.full((1, 1, 256, 256), -8, np.float32)
    before = decoder.answer(features, POINTS, LABELS, previous, look).masks
    previous[..., 200:, 200:] = 8
    after = decoder.answer(features, POINTS, LABELS, previous, look).masks
    assert np.abs(after - before).max() > 1e-3 * before.std()
    assert np.array_equal(decoder.answer(features, POINTS, LABELS, previous, Look(NEAR)).masks.shape, (1, 4, 64, 64))
