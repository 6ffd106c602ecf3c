"""A mask in a file is the mask that was written, or it is found to be damaged."""

from pathlib import Path

import numpy as np
import pytest

from ml.embeddings import EmbeddingCorruptError, EmbeddingStore, Folder, Mask
from ml.embeddings.masks import mask_path, read_mask, write_mask
from ml.vectorize import Placing, Recipe, outline
from ml.windows import Window
from tests.unit.ml.test_outlining import iou, logits_of, wavy

FRAME = Window(512, 1024, 1024)


def test_a_mask_read_again_has_the_same_cells_inside_and_the_same_outline() -> None:
    logits = logits_of(wavy(7, 25, 100)) + np.random.default_rng(0).normal(0, 1, (256, 256)).astype(np.float32)

    content = write_mask("one", Mask(logits, FRAME))
    found = read_mask("one", memoryview(content))

    assert found.frame == FRAME
    assert ((found.logits > 0) == (logits > 0)).all()
    assert len(content) < 40_000
    placing = Placing(0, 0, (4.0, 4.0), 1024, 1024)
    before, after = (outline(one, placing, Recipe("none")) for one in (logits, found.logits))
    assert before is not None
    assert after is not None
    assert iou(before.shape, after.shape) > 0.998


def test_cells_that_are_barely_inside_or_outside_stay_so() -> None:
    logits = np.array([[1e-9, -1e-9], [0.0, 40.0]], np.float32)

    found = read_mask("one", memoryview(write_mask("one", Mask(logits, FRAME)))).logits

    assert ((found > 0) == (logits > 0)).all()
    assert found[1, 1] == 16


@pytest.mark.parametrize("place", [0, 5, 40, 60, -1])
def test_a_flipped_bit_or_a_cut_file_is_no_mask(place: int) -> None:
    content = bytearray(write_mask("one", Mask(np.ones((8, 8), np.float32), FRAME)))
    cut = bytes(content[:place])
    content[place] ^= 1

    for damaged in (bytes(content), cut):
        with pytest.raises(EmbeddingCorruptError):
            read_mask("one", memoryview(damaged))


def test_the_mask_of_another_shape_is_none() -> None:
    with pytest.raises(EmbeddingCorruptError, match="another"):
        read_mask("other", memoryview(write_mask("one", Mask(np.ones((8, 8), np.float32), FRAME))))


@pytest.mark.parametrize("logits", [np.ones((4, 5)), np.full((4, 4), np.nan), np.ones((0, 0))])
def test_what_is_no_mask_is_not_written(logits: np.ndarray) -> None:
    with pytest.raises(ValueError, match="no mask"):
        write_mask("one", Mask(logits.astype(np.float32), FRAME))


def test_a_mask_is_kept_once_counts_in_the_bound_and_goes_with_its_raster(tmp_path: Path) -> None:
    written: list[int] = []
    store = EmbeddingStore(Folder(tmp_path), wrote=written.append)
    first, second = (Mask(np.full((8, 8), value, np.float32), FRAME) for value in (1.0, -1.0))

    assert store.keep_mask("raster", "one", first)
    assert not store.keep_mask("raster", "one", second)

    found = store.mask_of("raster", "one")
    assert found is not None
    assert (found.logits > 0).all()
    assert written == [(tmp_path / mask_path("raster", "one")).stat().st_size]
    store.delete_raster("raster")
    assert store.mask_of("raster", "one") is None


def test_a_damaged_mask_goes_and_may_be_kept_anew(tmp_path: Path) -> None:
    store = EmbeddingStore(Folder(tmp_path))
    mask = Mask(np.ones((8, 8), np.float32), FRAME)
    store.keep_mask("raster", "one", mask)
    place = tmp_path / mask_path("raster", "one")
    place.write_bytes(place.read_bytes()[:-3])

    assert store.mask_of("raster", "one") is None
    assert not place.exists()
    assert store.keep_mask("raster", "one", mask)
