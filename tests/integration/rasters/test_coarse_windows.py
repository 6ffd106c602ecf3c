"""Windows larger than 1024 px, as the encoder sees them: decimated from the overviews."""

from pathlib import Path

import numpy as np
import pytest

from backend.rasters import reading
from ml.windows import Window
from tests.support.rasters import make_tif, prepared
from tests.support.worlds import World, make_world

pytestmark = pytest.mark.django_db

HEIGHT, WIDTH = 2100, 2503


@pytest.fixture
def world() -> World:
    return make_world()


def test_one_pixel_stands_for_the_mean_of_many_and_lies_where_they_lie(world: World, tmp_path: Path) -> None:
    rows, cols = np.indices((HEIGHT, WIDTH))
    values = np.stack([cols * 200 // WIDTH, rows * 200 // HEIGHT, (cols + rows) % 2 * 100]).astype(np.uint8)
    raster = prepared(world.project, world.owner, make_tif(tmp_path / "slopes.tif", values))
    fine = reading.read_window(raster, Window(0, 0, 1024)).rgb.astype(float)

    coarse = reading.read_window(raster, Window(0, 0, 4096))

    assert coarse.rgb.shape == (525, 625, 3), "the 3 px beyond the last whole 4 are left out"
    assert coarse.valid.all()
    means = fine.reshape(256, 4, 256, 4, 3).mean(axis=(1, 3))
    assert np.abs(coarse.rgb[:256, :256] - means).max() <= 3


def test_a_larger_window_may_begin_anywhere(world: World, tmp_path: Path) -> None:
    values = np.zeros((3, HEIGHT, WIDTH), np.uint8)
    values[:, 300:1300, 455:1455] = 255
    raster = prepared(world.project, world.owner, make_tif(tmp_path / "square.tif", values))

    seen = reading.read_window(raster, Window(455, 52, 2048)).rgb[:, :, 0] > 127

    assert seen.shape == (1024, 1024)
    found = np.argwhere(seen)
    assert np.abs(found.min(axis=0) - (124, 0)).max() <= 1
    assert np.abs(found.max(axis=0) - (623, 499)).max() <= 1


def test_what_is_nodata_stays_so_and_colours_of_a_palette_are_not_mixed(world: World, tmp_path: Path) -> None:
    values = np.ones((1, HEIGHT, WIDTH), np.uint8)
    values[:, :, 1200:] = 2
    mask = np.ones((HEIGHT, WIDTH), bool)
    mask[:, :400] = False
    palette = {1: (255, 0, 0, 255), 2: (0, 0, 255, 255)}
    raster = prepared(world.project, world.owner, make_tif(tmp_path / "map.tif", values, mask=mask, palette=palette))

    seen = reading.read_window(raster, Window(0, 0, 4096))

    assert not seen.valid[:, :100].any()
    assert seen.valid[:, 101:].all()
    assert {tuple(colour) for colour in seen.rgb[seen.valid].tolist()} == {(255, 0, 0), (0, 0, 255)}


def test_a_low_raster_is_seen_too(world: World, tmp_path: Path) -> None:
    raster = prepared(world.project, world.owner, make_tif(tmp_path / "low.tif", np.full((3, 3, 2100), 90, np.uint8)))

    assert reading.read_window(raster, Window(0, 0, 4096)).rgb.shape == (1, 525, 3)
