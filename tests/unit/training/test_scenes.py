"""The procedural scenes: repeatable, each object numbered and visible, and every kind as large as life."""

import numpy as np
import pytest

from ml.training.scenes import Scene, make_scene
from ml.training.scenes.canvas import Canvas
from ml.training.scenes.compose import KINDS, MAKERS
from ml.training.scenes.outlines import parcels, rectangle

SIDE = 256


def of_kind(kind: str, seed: int = 5, side: int = SIDE) -> Canvas:
    canvas = Canvas(side, np.random.default_rng(seed))
    canvas.image[:] = 0.5
    MAKERS[kind](canvas)
    return canvas


def test_a_seed_gives_the_same_scene_and_another_seed_another() -> None:
    first, again, other = make_scene(11, SIDE), make_scene(11, SIDE), make_scene(12, SIDE)
    assert (first.image == again.image).all()
    assert (first.objects == again.objects).all()
    assert (first.image != other.image).any()


def test_a_scene_is_a_picture_with_a_number_for_every_pixel() -> None:
    scenes = [make_scene(seed, SIDE) for seed in range(20, 28)]
    assert all(isinstance(scene, Scene) and scene.kind in KINDS for scene in scenes)
    assert all(scene.image.shape == (SIDE, SIDE, 3) and scene.image.dtype == np.uint8 for scene in scenes)
    assert all(scene.objects.shape == (SIDE, SIDE) and scene.objects.dtype == np.uint16 for scene in scenes)
    assert len({scene.kind for scene in scenes}) > 1
    assert np.mean([len(np.unique(scene.objects)) for scene in scenes]) > 10


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_scene_shows_several_objects(kind: str) -> None:
    canvas = of_kind(kind, side=512)
    numbers, areas = np.unique(canvas.objects, return_counts=True)
    assert (areas[numbers > 0] >= 64).sum() >= 3
    assert numbers.max() <= canvas.count


def test_an_object_is_where_its_paint_is() -> None:
    canvas = Canvas(SIDE, np.random.default_rng(1))
    canvas.thing(rectangle((100, 80), 60, 40, 0), np.float32([1, 0, 0]), rough=0.0)
    painted = canvas.image[..., 0] > 0.5
    assert (painted == (canvas.objects == 1)).all()
    rows, cols = np.nonzero(painted)
    assert (rows.min(), rows.max() + 1, cols.min(), cols.max() + 1) == pytest.approx((60, 100, 70, 130), abs=1)


def test_what_lies_on_top_hides_what_is_below() -> None:
    canvas = Canvas(SIDE, np.random.default_rng(1))
    canvas.thing(rectangle((100, 100), 80, 80, 0), np.float32([1, 0, 0]))
    below = int((canvas.objects == 1).sum())
    canvas.thing(rectangle((100, 100), 20, 20, 0), np.float32([0, 1, 0]))
    hidden = int((canvas.objects == 2).sum())
    assert hidden > 0
    assert int((canvas.objects == 1).sum()) == below - hidden


def test_a_shadow_darkens_the_ground_away_from_the_sun_and_is_no_object() -> None:
    canvas = Canvas(SIDE, np.random.default_rng(1))
    canvas.image[:] = 0.8
    canvas.metre, canvas.shade, canvas.sun = 2.0, 0.5, np.array([1.0, 0.0])
    canvas.shadow(rectangle((100, 100), 20, 20, 0), height=10)
    dark = canvas.image.mean(2) < 0.6
    assert not canvas.objects.any()
    assert dark[100, 115:128].all()  # it is thrown 20 px to the right of the thing's side at 110
    assert not dark[100, 60:85].any()
    assert not dark[100, 135:].any()


def test_parcels_share_out_the_whole_of_a_ground() -> None:
    canvas = Canvas(SIDE, np.random.default_rng(4))
    ground = rectangle((128, 128), 200, 120, 0.4)
    found = parcels(canvas, ground, 800)
    areas = [_area(outline) for outline in found]
    assert len(found) > 4
    assert sum(areas) == pytest.approx(200 * 120, rel=1e-6)


def _area(outline: np.ndarray) -> float:
    x, y = outline.T
    return abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))) / 2
