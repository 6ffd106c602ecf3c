"""The committed scenes are what their scripts make, and serve what they are for."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import rasterio
import shapely
from rasterio.warp import transform

from fixtures.make_demo import HERE, make
from ml.decode import WHOLE, Asked, Look, OnnxDecoder, PromptSet, Seen, decode_nearby, tokens_of
from ml.encode import OnnxEncoder
from ml.models import load_model
from ml.vectorize import polygon_from_logits
from ml.windows import Window, plan_windows

SCENES = ("demo/edgewick-2025-05", "demo/edgewick-2025-10", "calibration/calibration")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything made anew."""
    folder = tmp_path_factory.mktemp("fixtures")
    make(folder)
    return folder


def pixels(path: Path) -> npt.NDArray[np.uint8]:
    with rasterio.open(path) as dataset:
        values: npt.NDArray[np.uint8] = dataset.read()
    return values


def features(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((HERE / f"{name}.geojson").read_text())["features"]
    return found


def pixel_outline(name: str, feature: dict[str, Any]) -> Any:
    """The feature in the raster's pixels, by GDAL."""
    with rasterio.open(HERE / f"{name}.tif") as dataset:
        back = ~dataset.transform
        crs = dataset.crs

    def moved(lonlat: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        x, y = transform("EPSG:4326", crs, lonlat[:, 0], lonlat[:, 1])
        return np.column_stack(back @ (np.asarray(x), np.asarray(y)))

    return shapely.transform(shapely.from_geojson(json.dumps(feature["geometry"])), moved)


@pytest.mark.parametrize("name", SCENES)
def test_the_true_shapes_made_anew_are_the_committed_ones(made: Path, name: str) -> None:
    assert json.loads((made / f"{name}.geojson").read_text()) == json.loads((HERE / f"{name}.geojson").read_text())


@pytest.mark.parametrize("name", SCENES)
def test_the_pixels_made_anew_are_the_committed_ones(made: Path, name: str) -> None:
    fresh, committed = made / f"{name}.tif", HERE / f"{name}.tif"
    difference = np.abs(pixels(fresh).astype(int) - pixels(committed).astype(int))
    assert difference.mean() < 0.5
    assert np.percentile(difference, 99.9) <= 8
    with rasterio.open(fresh) as one, rasterio.open(committed) as other:
        assert (one.crs, one.transform, one.overviews(1)) == (other.crs, other.transform, other.overviews(1))


@pytest.mark.parametrize("name", SCENES)
def test_every_true_shape_is_valid_and_lies_in_its_picture(name: str) -> None:
    with rasterio.open(HERE / f"{name}.tif") as dataset:
        frame = shapely.box(-0.01, -0.01, dataset.width + 0.01, dataset.height + 0.01)
    outlines = [pixel_outline(name, feature) for feature in features(name)]
    assert len(outlines) >= 14
    assert all(outline.is_valid and frame.covers(outline) for outline in outlines)


def test_the_second_date_has_two_new_buildings_one_less_and_a_larger_pond() -> None:
    spring, autumn = (features(name) for name in SCENES[:2])

    def buildings(found: list[dict[str, Any]]) -> set[str]:
        return {json.dumps(one["geometry"]) for one in found if one["properties"]["class"] == "Building"}

    def pond(name: str, found: list[dict[str, Any]]) -> float:
        (only,) = [one for one in found if one["properties"].get("kind") == "pond"]
        return float(pixel_outline(name, only).area)

    assert len(buildings(autumn) - buildings(spring)) == 2
    assert len(buildings(spring) - buildings(autumn)) == 1
    assert pond(SCENES[1], autumn) > 1.5 * pond(SCENES[0], spring)


def test_a_building_of_the_demo_fits_into_no_single_encode_window() -> None:
    windows = [shapely.box(w.col, w.row, w.col + w.size, w.row + w.size) for w in plan_windows(1920, 1600)]
    outlines = [
        pixel_outline(SCENES[0], feature)
        for feature in features(SCENES[0])
        if feature["properties"]["class"] == "Building"
    ]
    assert any(not any(window.covers(outline) for window in windows) for outline in outlines)


def test_one_click_gives_each_calibration_shape() -> None:
    """A guard against a broken export, and against weights or looks that lose plain shapes: asked as a click asks."""
    (folder,) = (manifest.parent for manifest in (HERE / "models").glob("*/model.json"))
    model = load_model(folder)
    embedding = OnnxEncoder(model).encode(pixels(HERE / "calibration" / "calibration.tif").transpose(1, 2, 0))
    decoder, window = OnnxDecoder(model), Window(0, 0)
    reached = {}
    for feature in features(SCENES[2]):
        click = np.array([feature["properties"]["click_pixel"]])
        true = pixel_outline(SCENES[2], feature)
        decoded = decode_nearby(decoder, embedding, Asked(PromptSet(click, np.array([1]))))
        seen = Seen(decoded.candidates[0].logits, decoded.field).over(WHOLE)
        found = polygon_from_logits(seen, window, width=1024, height=1024, points=click)
        assert found is not None, feature["properties"]["name"]
        reached[feature["properties"]["name"]] = found.intersection(true).area / found.union(true).area
    assert len(reached) == 14
    assert min(reached.values()) >= 0.85, reached


def test_what_is_drawn_of_a_window_holds_the_masks_of_all_the_villages_objects() -> None:
    """One cell of each token tells where masks are: none loses a cell by it, dust aside, and little else is drawn."""
    (folder,) = (manifest.parent for manifest in (HERE / "models").glob("*/model.json"))
    model = load_model(folder)
    whole_raster = pixels(HERE / f"{SCENES[0]}.tif").transpose(1, 2, 0)
    embedding = OnnxEncoder(model).encode(np.ascontiguousarray(whole_raster[:1024, :1024, :3]))
    decoder = OnnxDecoder(model)
    drawn = []
    for feature in features(SCENES[0]):
        place = pixel_outline(SCENES[0], feature).representative_point()
        if not (20 < place.x < 1004 and 20 < place.y < 1004):
            continue
        prompts = PromptSet(np.array([[place.x, place.y]]), np.array([1]))
        all_of_it = decoder.decode(embedding, prompts)
        some = decoder.decode(embedding, prompts, None, Look(least=tokens_of(prompts, WHOLE)))
        assert [one.index for one in some.candidates] == [one.index for one in all_of_it.candidates]
        first, mine = all_of_it.candidates[0], Seen(some.candidates[0].logits, some.field)
        assert not (Seen(first.logits).inside & ~(mine.over(WHOLE) > 0)).any(), feature["properties"]
        assert mine.stability() == pytest.approx(Seen(first.logits).stability(), abs=0.02)
        drawn.append(some.field.cols * some.field.rows / 64**2)
    assert len(drawn) >= 20
    assert float(np.median(drawn)) < 0.5, "else little is saved"
