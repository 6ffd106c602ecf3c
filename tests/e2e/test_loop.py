"""The whole loop in a real browser: sign in, click, accept, submit, review as another, export, open the export."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyogrio
import pyogrio.raw
import pytest
import rasterio
import shapely
from PIL import Image
from playwright.sync_api import Page
from rasterio.features import rasterize, shapes
from shapely.geometry import shape as geometry_of

from ml.decode import WHOLE, Asked, OnnxDecoder, PromptSet, Seen, decode_nearby
from ml.encode import OnnxEncoder
from ml.frames import RasterFrame
from ml.models import choose_model
from tests.support.browser import annotations, click_map, open_project, saved, shoot
from tests.support.server import ROOT

CALIBRATION = ROOT / "fixtures" / "calibration"
NAMES = ("tilted", "t-shape", "u-shape")  # which the shipped model outlines well
FORMATS = {"geojson": "GeoJSON", "gpkg": "GeoPackage"}
SHOWN = "() => edgewise.state().draft?.phase === 'shown'"


@pytest.mark.timeout(240)
def test_three_clicked_shapes_go_through_review_into_an_export(sign_in: Callable[..., Page], tmp_path: Path) -> None:
    truth = _truth()
    anton = sign_in("anton")
    open_project(anton, "Calibration")
    for name in NAMES:
        click_map(anton, *truth[name]["click"])
        anton.wait_for_function(SHOWN, timeout=30_000)
        if name == NAMES[0]:
            shoot(anton, "draft-with-candidates")
        anton.keyboard.press("Enter")
        saved(anton)
        anton.get_by_test_id("action-submit").click()
        saved(anton)
    mine = {row["id"]: row for row in annotations(anton)}
    assert len(mine) == 3
    assert {row["status"] for row in mine.values()} == {"submitted"}
    assert all(row["provenance"]["kind"] == "suggested" for row in mine.values())
    _compare_with_python(list(mine.values()), truth)
    shoot(anton, "three-submitted")

    rita = sign_in("rita")
    open_project(rita, "Calibration", "review")
    for left in (2, 1, 0):
        rita.keyboard.press("a")
        rita.wait_for_function(
            "left => [...edgewise.state().annotations.values()].filter(a => a.status === 'submitted').length === left",
            arg=left,
        )
    saved(rita)
    shoot(rita, "review-done")
    anton.wait_for_function(
        "() => [...edgewise.state().annotations.values()].every(a => a.status === 'accepted')", timeout=5_000
    )

    for kind in FORMATS:
        file = _export(rita, kind, tmp_path)
        assert pyogrio.read_info(file)["driver"] == {"geojson": "GeoJSON", "gpkg": "GPKG"}[kind]
        meta, _, geometry, fields = pyogrio.raw.read(str(file))
        assert len(geometry) == 3
        rows = dict(zip(meta["fields"], fields, strict=True))
        assert set(rows["status"]) == {"accepted"}
        exported = shapely.union_all(shapely.from_wkb(geometry))
        stored = shapely.union_all([geometry_of(row["geometry"]) for row in mine.values()])
        assert exported.symmetric_difference(stored).area < 1e-4 * stored.area
    shoot(rita, "exports")


def _export(page: Page, kind: str, folder: Path) -> Path:
    page.get_by_test_id("nav-data").click()
    page.get_by_test_id("data-tab-exports").click()
    page.get_by_test_id("export-create").first.click()
    page.get_by_test_id("export-format").get_by_text(FORMATS[kind], exact=True).click()
    page.get_by_test_id("export-submit").click()
    row = page.get_by_test_id("export-list").locator("[data-state=done]").filter(has_text=f".{kind}")
    with page.expect_download() as started:
        row.get_by_test_id("export-download").click()
    target = folder / f"out.{kind}"
    started.value.save_as(target)
    return target


def _truth() -> dict[str, Any]:
    said = json.loads((CALIBRATION / "calibration.geojson").read_text())
    return {
        feature["properties"]["name"]: {"geometry": geometry_of(feature["geometry"]), **feature["properties"]}
        for feature in said["features"]
    }


def _compare_with_python(rows: list[dict[str, Any]], truth: dict[str, Any]) -> None:
    """Against the mask decoded from the same pixels and prompts, looked at as a click does, and the true shapes."""
    with rasterio.open(CALIBRATION / "calibration.tif") as dataset:
        pixels = dataset.read([1, 2, 3]).transpose(1, 2, 0)
        frame = RasterFrame(dataset.crs.to_wkt(), dataset.transform, dataset.width, dataset.height)
    model = choose_model([ROOT / "fixtures" / "models"])
    embedding, decoder = OnnxEncoder(model).encode(pixels), OnnxDecoder(model)
    for row in rows:
        prompts = row["provenance"]["prompts"]
        at = frame.pixel_from_lonlat([[prompt["lon"], prompt["lat"]] for prompt in prompts])
        asked = Asked(PromptSet(at, np.array([prompt["label"] for prompt in prompts])))
        decoded = decode_nearby(decoder, embedding, asked)
        seen = Seen(decoded.candidates[0].logits, decoded.field).over(WHOLE)
        logits = Image.fromarray(seen).resize((1024, 1024), Image.Resampling.BILINEAR)
        mask = _hanging_together(np.asarray(logits) > 0, at[0])
        polygon = frame.pixel_geometry_from_lonlat(geometry_of(row["geometry"]))
        drawn = rasterize([(polygon, 1)], (1024, 1024), dtype="uint8").astype(bool)
        assert (mask & drawn).sum() / (mask | drawn).sum() >= 0.93  # with half the vertices of the mask's own edge
        true = frame.pixel_geometry_from_lonlat(_clicked(row, truth))
        assert polygon.intersection(true).area / polygon.union(true).area >= 0.85


def _hanging_together(mask: npt.NDArray[np.bool_], at: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """What of a mask hangs together with a click; its specks elsewhere are no part of an outline."""
    parts = [part for part, inside in shapes(mask.astype(np.uint8)) if inside]
    (part,) = (part for part in parts if geometry_of(part).contains(shapely.Point(at)))
    return rasterize([part], mask.shape, dtype="uint8").astype(bool)


def _clicked(row: dict[str, Any], truth: dict[str, Any]) -> Any:
    prompt = row["provenance"]["prompts"][0]
    at = shapely.Point(prompt["lon"], prompt["lat"])
    return next(entry["geometry"] for entry in truth.values() if entry["geometry"].contains(at))
