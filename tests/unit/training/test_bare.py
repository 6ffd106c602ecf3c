"""Real pictures without labels as training scenes, and what the model's own masks are cleaned to there."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from ml.quality.pictures import QualityError

pytest.importorskip("torch", reason="torch is not installed: .venv/bin/pip install '.[torch,train]' and sam2")
pytest.importorskip("sam2", reason="the package sam2 is not installed: see CONTRIBUTING.md")

from ml.training.bare import cleaned, make_bare_pool
from ml.training.samples import Pool


def raster(path: Path, width: int, height: int, value: int = 90) -> None:
    path.parent.mkdir(exist_ok=True)
    shape = {"driver": "GTiff", "width": width, "height": height, "count": 3, "dtype": "uint8", "photometric": "RGB"}
    with rasterio.open(path, "w", **shape, crs="EPSG:32633", transform=Affine(1, 0, 500_000, 0, -1, 4_000_000)) as file:
        file.write(np.full((3, height, width), value, np.uint8))


def test_windows_of_rasters_are_scenes_without_objects(tmp_path: Path) -> None:
    raster(tmp_path / "in" / "wide.tif", 1324, 600)
    raster(tmp_path / "in" / "small.tif", 100, 100)
    assert make_bare_pool(tmp_path / "pool", [tmp_path / "in"]) == 2
    pool = Pool(tmp_path / "pool")
    assert pool.images.shape == (2, 1024, 1024, 3)
    assert (pool.images == 90).all()  # mirrored, not padded with nothing
    assert not pool.objects.any()
    raster(tmp_path / "in" / "more.tif", 300, 300)
    assert make_bare_pool(tmp_path / "pool", [tmp_path / "in"]) == 2


def test_a_folder_without_rasters_to_learn_from_is_refused(tmp_path: Path) -> None:
    raster(tmp_path / "in" / "small.tif", 100, 100)
    with pytest.raises(QualityError, match=r"no raster of 200 px a side\. Name others"):
        make_bare_pool(tmp_path / "pool", [tmp_path / "in"])
    assert not (tmp_path / "pool").exists()


def logits(*boxes: tuple[int, int, int, int]) -> np.ndarray:
    found = np.full((64, 64), -4.0, np.float32)
    for top, left, bottom, right in boxes:
        found[top:bottom, left:right] = 4.0
    return found


def click(row: int, col: int) -> np.ndarray:
    return np.array([4 * col + 2, 4 * row + 2], np.float32)


def test_a_guess_is_what_was_clicked_on_without_dust_and_small_holes() -> None:
    seen = logits((10, 10, 30, 30), (40, 40, 60, 60), (5, 50, 6, 51))
    seen[20, 20] = -4.0  # one cell of 400
    seen[12:18, 12:18] = -4.0  # 36 of 400: a courtyard
    found = cleaned(seen, click(25, 25))
    assert found is not None
    assert found[20, 20]
    assert not found[14, 14]
    assert int(found.sum()) == 400 - 36


@pytest.mark.parametrize(
    ("seen", "place"),
    [
        pytest.param(logits((10, 10, 30, 30)), click(50, 50), id="beside the mask"),
        pytest.param(logits((10, 10, 12, 13)), click(11, 11), id="dust"),
        pytest.param(logits((0, 0, 64, 40)), click(11, 11), id="the ground between things"),
    ],
)
def test_what_is_no_thing_is_no_guess(seen: np.ndarray, place: np.ndarray) -> None:
    assert cleaned(seen, place) is None
