"""Real labelled pictures as training scenes: objects lie on their pixels, tiles where their names say."""

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from pyproj import Transformer

torch = pytest.importorskip("torch", reason="torch is not installed: .venv/bin/pip install '.[torch,train]' and sam2")
pytest.importorskip("sam2", reason="the package sam2 is not installed: see CONTRIBUTING.md")

from ml.quality.pictures import QualityError  # noqa: E402
from ml.training import samples  # noqa: E402
from ml.training.real import HALF_WORLD_M, make_real_pool  # noqa: E402
from ml.training.run import REAL, _scenes  # noqa: E402

TO_LONLAT = Transformer.from_crs("EPSG:3857", "EPSG:4326", always_xy=True)
TILE = (619212, 523272, 20)
PIXEL = 2 * HALF_WORLD_M / (256 << TILE[2])
LEFT, TOP = 256 * TILE[0] * PIXEL - HALF_WORLD_M, HALF_WORLD_M - 256 * TILE[1] * PIXEL


def squares(path: Path, *bounds: tuple[int, int, int, int]) -> None:
    """Polygons of pixels x_min, y_min, x_max, y_max from the corner of `TILE`."""
    features = []
    for x_min, y_min, x_max, y_max in bounds:
        ring = [(x_min, y_min), (x_max, y_min), (x_max, y_max), (x_min, y_max), (x_min, y_min)]
        places = [TO_LONLAT.transform(LEFT + x * PIXEL, TOP - y * PIXEL) for x, y in ring]
        geometry = {"type": "Polygon", "coordinates": [places]}
        features.append({"type": "Feature", "properties": {}, "geometry": geometry})
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))


def picture(wide: int, high: int, *bright: tuple[int, int, int, int]) -> np.ndarray:
    pixels = np.full((3, high, wide), 40, np.uint8)
    for x_min, y_min, x_max, y_max in bright:
        pixels[:, y_min:y_max, x_min:x_max] = 200
    return pixels


def write(path: Path, pixels: np.ndarray, *, placed: bool) -> None:
    place = {"crs": "EPSG:3857", "transform": Affine(PIXEL, 0, LEFT, 0, -PIXEL, TOP)} if placed else {}
    shape = {"count": 3, "height": pixels.shape[1], "width": pixels.shape[2], "dtype": "uint8"}
    with rasterio.open(path, "w", driver="GTiff" if placed else "PNG", **shape, **place) as file:
        if placed:
            file.colorinterp = [rasterio.enums.ColorInterp[name] for name in ("red", "green", "blue")]
        file.write(pixels)


def test_objects_of_a_raster_lie_on_its_pixels_and_what_is_mirrored_is_none(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    roofs = ((20, 30, 90, 80), (120, 40, 160, 130))
    write(source / "a.tif", picture(300, 200, *roofs), placed=True)
    squares(source / "a.geojson", *roofs)
    assert make_real_pool(tmp_path / "pool", [source]) == 1
    pool = samples.Pool(tmp_path / "pool")
    assert pool.images.shape == (1, 1024, 1024, 3)
    assert ((pool.objects[0, :200, :300] > 0) == (pool.images[0, :200, :300, 0] == 200)).all()
    assert set(np.unique(pool.objects)) == {0, 1, 2}
    assert (pool.images[0, 200:, :300, 0] == 200).any()
    assert not pool.objects[0, 200:].any()


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_map_tiles_are_placed_by_their_names_in_blocks_that_touch(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    roof, far = (200, 40, 330, 120), (256 * 40 + 30, 20, 256 * 40 + 90, 70)
    whole = picture(512, 256, roof)
    x, y, z = TILE
    write(source / f"map-{x}-{y}-{z}.png", whole[:, :, :256], placed=False)
    write(source / f"map-{x + 1}-{y}-{z}.png", whole[:, :, 256:], placed=False)
    write(source / f"map-{x + 40}-{y}-{z}.png", picture(256, 256, (30, 20, 90, 70)), placed=False)
    squares(source / "labels.geojson", roof, far)
    assert make_real_pool(tmp_path / "pool", [source]) == 2
    pool = samples.Pool(tmp_path / "pool")
    for image, objects, wide in zip(pool.images, pool.objects, (512, 256), strict=True):
        assert np.array_equal(objects[:256, :wide] > 0, image[:256, :wide, 0] == 200)
    sizes = sorted(int(np.count_nonzero(one)) for one in pool.objects)
    assert sizes == [60 * 50, 130 * 80]


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_a_folder_without_labelled_pictures_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "notes.txt").write_text("nothing here")
    with pytest.raises(QualityError, match="holds no raster with polygons"):
        make_real_pool(tmp_path / "pool", [source])
    assert not (tmp_path / "pool").exists()
    write(source / "map-1-2-3.png", picture(256, 256), placed=False)
    with pytest.raises(QualityError, match="map tiles and 0 files of polygons"):
        make_real_pool(tmp_path / "pool", [source])
    assert not (tmp_path / "pool").exists()


def test_a_run_takes_some_of_its_crops_from_real_pictures_where_it_has_them(tmp_path: Path) -> None:
    for name, value in (("pool-0", 10), (REAL, 250)):
        (tmp_path / name).mkdir()
        np.save(tmp_path / name / "images.npy", np.full((1, 64, 64, 3), value, np.uint8))
        np.save(tmp_path / name / "objects.npy", np.ones((1, 64, 64), np.uint16))
    scenes, random = _scenes(tmp_path, 0), np.random.default_rng(4)
    bright = [scenes.crop(random, 32, (1.0, 1.0))[0].mean() > 0.5 for _ in range(300)]
    assert 0.04 < np.mean(bright) < 0.2
    (tmp_path / REAL).rename(tmp_path / "elsewhere")
    scenes = _scenes(tmp_path, 0)
    assert not any(scenes.crop(random, 32, (1.0, 1.0))[0].mean() > 0.5 for _ in range(50))
