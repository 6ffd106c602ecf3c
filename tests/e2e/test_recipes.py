"""Classes that draw their shapes in their own way: a building with right angles, a field that ends at its neighbour."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from affine import Affine
from playwright.sync_api import Page, expect
from rasterio.features import rasterize
from rasterio.warp import transform
from shapely.affinity import rotate
from shapely.geometry import Polygon, box, mapping
from shapely.geometry import shape as geometry_of

from ml.frames import RasterFrame
from tests.support.browser import accept_draft, annotations, click_map, come_to_rest, new_project, saved, shoot
from tests.support.rasters import make_tif
from tests.support.spanning import iou

SLOW = 90_000
SIDE = 900
UTM30 = "EPSG:32630"
PLACE = Affine(0.5, 0, 664_000, 0, -0.5, 5_902_000)
FRAME = RasterFrame(UTM30, PLACE, SIDE, SIDE)
ROOF = rotate(box(150, 150, 340, 270), 24)
FIELD = box(420, 480, 780, 760)
BESIDE = box(380, 440, 598, 800)  # somebody's field, which ends in the middle of ours
COLOURS = np.array([(110, 105, 100), (183, 26, 69), (16, 76, 136)], np.uint8)  # plain ones
SHOWN = "() => edgewise.state().draft?.phase === 'shown'"


@pytest.fixture
def olivia(sign_in: Callable[..., Page], tmp_path: Path) -> Page:
    """The owner of a project with a roof and a field, and a class for each."""
    page = sign_in("olivia")
    new_project(page, "Recipes")
    page.get_by_test_id("nav-settings").click()
    page.get_by_test_id("settings-tab-classes").click()
    for name, kind in (("Building", "Building"), ("Field", "Field, parcel")):
        page.get_by_role("button", name="Add class").first.click()
        page.get_by_test_id("class-name").fill(name)
        page.get_by_test_id("recipe-kind").click()
        page.get_by_role("option", name=kind, exact=True).click()
        expect(page.get_by_test_id("recipe-vertices")).to_be_visible(timeout=SLOW)
        shoot(page, f"class-{name.lower()}")
        page.get_by_test_id("class-save").click()
        expect(page.get_by_test_id(f"class-row-{name}")).to_be_visible(timeout=SLOW)
    page.get_by_test_id("nav-data").click()
    there = rasterize([(ROOF, 1), (FIELD, 2)], (SIDE, SIDE), dtype="uint8")
    file = make_tif(tmp_path / "farm.tif", COLOURS[there].transpose(2, 0, 1), crs=UTM30, transform=PLACE)
    page.get_by_test_id("raster-file-input").set_input_files(file)
    expect(page.locator("[data-raster-name]")).to_have_attribute("data-state", "viewable", timeout=SLOW)
    page.get_by_test_id("nav-map").click()
    page.wait_for_function("() => edgewise.state().classes.length === 2 && edgewise.state().activeRaster !== null")
    come_to_rest(page)
    return page


@pytest.mark.timeout(300)
def test_a_building_has_right_angles_and_a_field_ends_at_its_neighbour(olivia: Page) -> None:
    click(olivia, 245, 210)
    olivia.wait_for_function(SHOWN, timeout=SLOW)
    shoot(olivia, "draft-building")
    roof = in_pixels(accept_draft(olivia))
    assert 4 <= len(corners(roof)) <= 8
    assert corners(roof) == pytest.approx([90] * len(corners(roof)), abs=1)
    assert iou(roof, ROOF) > 0.7

    outline_again_as_seen_and_undo(olivia, roof)

    neighbour = put_neighbour(olivia)
    olivia.keyboard.press("2")
    click(olivia, 700, 620)
    olivia.wait_for_function(SHOWN, timeout=SLOW)
    shoot(olivia, "draft-field-beside-its-neighbour")
    field = in_pixels(accept_draft(olivia))
    assert field.intersection(neighbour).area < 1, "square pixels"
    assert iou(field, FIELD.difference(BESIDE)) > 0.6
    shared = field.boundary.intersection(neighbour.boundary.buffer(0.02)).length
    assert shared > 80, "px of one border"
    shoot(olivia, "field-beside-its-neighbour")


def outline_again_as_seen_and_undo(page: Page, roof: Polygon) -> None:
    """From the mask that was kept when the roof was accepted; one edit, which is taken back."""
    page.get_by_test_id("action-outline-again").click()
    expect(page.get_by_test_id("outline-vertices")).to_be_visible(timeout=SLOW)
    expect(page.get_by_test_id("outline-again")).not_to_contain_text("not kept any more")
    page.get_by_test_id("outline-form").get_by_text("As seen").click()
    expect(page.get_by_test_id("outline-use")).to_be_enabled(timeout=SLOW)
    page.wait_for_function("() => edgewise.state().outlined !== null")
    shoot(page, "outline-again")
    page.get_by_test_id("outline-use").click()
    saved(page)
    (row,) = annotations(page)
    assert row["version"] == 2
    assert corners(in_pixels(row)) != pytest.approx([90] * len(corners(in_pixels(row))), abs=1)
    assert iou(in_pixels(row), roof) > 0.85
    page.keyboard.press("Control+z")
    saved(page)
    (row,) = annotations(page)
    assert row["version"] == 3
    assert iou(in_pixels(row), roof) > 0.9999


def put_neighbour(page: Page) -> Polygon:
    """Somebody's field, drawn by hand; as it is stored, in pixels."""
    field = next(one for one in page.evaluate("edgewise.state().classes") if one["name"] == "Field")
    project = page.evaluate("location.pathname.match(/[0-9a-f-]{36}/)[0]")
    token = next(one["value"] for one in page.context.cookies() if one["name"] == "csrftoken")
    body = {
        "project": project,
        "label_class": field["id"],
        "geometry": mapping(FRAME.lonlat_geometry_from_pixel(BESIDE)),
        "attributes": {},
        "provenance": {"kind": "drawn"},
    }
    headers = {"X-CSRFToken": token, "Referer": page.url}
    answer = page.request.put(f"/api/annotations/{uuid4()}", data=body, headers=headers)
    assert answer.status == 201, answer.text()
    page.wait_for_function("() => edgewise.state().annotations.size === 2")
    return in_pixels(answer.json())


def click(page: Page, col: float, row: float) -> None:
    x, y = PLACE @ (col, row)
    (lon,), (lat,) = transform(UTM30, "EPSG:4326", [x], [y])
    click_map(page, lon, lat)


def in_pixels(row: dict[str, Any]) -> Polygon:
    shape = FRAME.pixel_geometry_from_lonlat(geometry_of(row["geometry"]))
    assert isinstance(shape, Polygon)
    return shape


def corners(shape: Polygon) -> list[float]:
    """The angle at each corner, in degrees."""
    places = np.asarray(shape.exterior.coords)[:-1]
    back, on = np.roll(places, 1, axis=0) - places, np.roll(places, -1, axis=0) - places
    cosine = (back * on).sum(1) / (np.linalg.norm(back, axis=1) * np.linalg.norm(on, axis=1))
    return [float(angle) for angle in np.degrees(np.arccos(cosine))]
