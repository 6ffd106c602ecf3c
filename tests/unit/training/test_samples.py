"""What a training step sees: crops from stored scenes, weather and sensors, prompts that lie on their objects."""

from pathlib import Path

import numpy as np
import pytest

from ml.training import samples
from ml.training.samples import CELL, Pool, make_pool, normalised, prompts_on, seen

SIDE = 256


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Pool:
    folder = tmp_path_factory.mktemp("pool")
    make_pool(folder, 40, 3, SIDE, lambda done: None)
    return Pool(folder)


def three_squares() -> np.ndarray:
    objects = np.zeros((128, 128), np.uint16)
    objects[8:40, 8:40], objects[60:120, 10:50], objects[20:100, 70:120] = 1, 2, 3
    return objects


def test_a_pool_is_made_once_and_holds_the_scenes_of_its_seeds(pool: Pool, tmp_path: Path) -> None:
    from ml.training.scenes import make_scene

    assert (pool.images[1] == make_scene(41, SIDE).image).all()
    told: list[int] = []
    make_pool(tmp_path, 40, 1, 64, told.append)
    before = (tmp_path / "images.npy").stat().st_mtime_ns
    make_pool(tmp_path, 90, 1, 64, told.append)
    assert told == [1]
    assert (tmp_path / "images.npy").stat().st_mtime_ns == before


def test_a_crop_keeps_its_numbers_on_its_pixels(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    tinted = np.stack([pool.objects % 251] * 3, -1).astype(np.uint8)  # the picture tells each pixel's number
    monkeypatch.setattr(pool, "images", tinted)
    random = np.random.default_rng(0)
    for _ in range(12):
        image, objects = pool.crop(random, 128, (1.0, 1.0))
        assert image.shape == (128, 128, 3)
        assert (np.round(image[..., 0] * 255) == objects % 251).all()


@pytest.mark.parametrize("zoom", [(0.5, 0.5), (2.0, 2.0)])
def test_a_crop_has_its_size_at_any_scale(pool: Pool, zoom: tuple[float, float]) -> None:
    image, objects = pool.crop(np.random.default_rng(1), 64, zoom)
    assert image.shape == (64, 64, 3)
    assert objects.shape == (64, 64)


def test_clicks_lie_in_their_masks_and_boxes_around_them() -> None:
    objects = three_squares()
    asked = prompts_on(objects, 60, np.random.default_rng(2), boxes=0.4)
    assert asked is not None
    assert asked.masks.shape == (60, 32, 32)
    kinds = set(map(tuple, asked.labels.tolist()))
    assert kinds == {(1.0, -1.0), (2.0, 3.0)}
    for mask, points, labels in zip(asked.masks, asked.points, asked.labels, strict=True):
        number = objects.reshape(32, CELL, 32, CELL).max((1, 3))[mask].max()
        rows, cols = np.nonzero(objects == number)
        if labels[0] == 1:
            assert objects[int(points[0, 1]), int(points[0, 0])] == number
        else:
            tight = np.array([[cols.min(), rows.min()], [cols.max() + 1, rows.max() + 1]])
            assert (np.abs(points - tight) <= 4 * samples.BOX_JITTER * np.ptp(tight, axis=0)).all()


def test_an_object_in_two_parts_is_asked_for_part_by_part() -> None:
    objects = np.zeros((128, 128), np.uint16)
    objects[10:50, 10:50], objects[70:120, 70:120] = 5, 5
    asked = prompts_on(objects, 20, np.random.default_rng(2), boxes=0.0)
    assert asked is not None
    first, second = asked.masks[:, :15, :15].any((1, 2)), asked.masks[:, 16:, 16:].any((1, 2))
    assert (first ^ second).all()
    assert first.any()
    assert second.any()


def test_prompts_within_a_part_want_whole_objects_and_box_only_those_that_lie_in_it() -> None:
    objects = three_squares()
    part = (slice(0, 64), slice(0, 96))  # all of the first, a corner of the third, of the second next to nothing
    found = prompts_on(objects, 60, np.random.default_rng(4), boxes=0.5, within=part)
    assert found is not None
    cells = objects[2::CELL, 2::CELL]
    asked = [int(np.bincount(cells[mask]).argmax()) for mask in found.masks]
    assert {1, 3} <= set(asked)
    assert all(mask.sum() >= 0.9 * (cells == number).sum() for mask, number in zip(found.masks, asked, strict=True))
    boxed = found.labels[:, 0] == 2
    assert {asked[index] for index in np.flatnonzero(boxed)} == {1}
    clicks = found.points[~boxed, 0]
    assert (clicks < (96, 64)).all()


def test_a_crop_without_objects_is_not_asked_about() -> None:
    assert prompts_on(np.zeros((64, 64), np.uint16), 4, np.random.default_rng(0), boxes=0.0) is None
    speck = np.zeros((64, 64), np.uint16)
    speck[:5, :5] = 1
    assert prompts_on(speck, 4, np.random.default_rng(0), boxes=0.0) is None


def test_other_light_changes_colours_and_stays_within_bounds(pool: Pool) -> None:
    random = np.random.default_rng(3)
    image = pool.images[0].astype(np.float32) / 255
    changed = [seen(image, random) for _ in range(30)]
    assert all(one.shape == image.shape and one.min() >= 0 and one.max() <= 1 for one in changed)
    assert all(np.isfinite(one).all() for one in changed)
    grey = [bool((np.ptp(one, axis=2) < 0.2).mean() > 0.99) for one in changed]
    assert 0 < sum(grey) < 20  # some are of one band, most are in colour
    assert sum(float(np.abs(one - image).mean()) > 0.02 for one in changed) > 20


def test_pixels_are_normalised_as_the_installed_model_normalises_them() -> None:
    from ml.encode.onnx_encoder import prepare
    from ml.models import choose_model

    pixels = np.random.default_rng(0).integers(0, 256, (1024, 1024, 3), dtype=np.uint8)
    model = choose_model([Path(__file__).parents[3] / "fixtures" / "models"])
    ours = normalised(pixels.astype(np.float32) / 255)
    assert np.abs(ours - prepare(pixels, model)[0]).max() < 1e-5
