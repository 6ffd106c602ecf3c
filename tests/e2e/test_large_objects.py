"""Objects larger than a window in a real browser: one click, one polygon, which grows while windows are encoded."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from affine import Affine
from playwright.sync_api import Page, expect
from rasterio.features import rasterize
from rasterio.warp import transform
from shapely.geometry import LineString, Polygon, box
from shapely.geometry import shape as geometry_of

from ml.frames import RasterFrame
from tests.support.browser import accept_draft, click_map, come_to_rest, new_project, shoot
from tests.support.rasters import make_tif
from tests.support.spanning import iou

SLOW = 90_000
WIDTH, HEIGHT = 4000, 1800
UTM30 = "EPSG:32630"
PLACE = Affine(0.5, 0, 664_000, 0, -0.5, 5_902_000)
FIELD = box(600, 200, 1300, 380)
ALONG = np.linspace(0, 1, 120)
RIVER = LineString(np.column_stack([-10 + (WIDTH + 20) * ALONG, 1250 + 200 * np.sin(7 * ALONG)])).buffer(45)
DARK, GROUND = (16, 76, 136), (110, 105, 100)  # two plain colours
SHOWN = "() => edgewise.state().draft?.phase === 'shown'"
WHOLE = "() => edgewise.state().draft?.phase === 'shown' && !edgewise.state().draft.growing"


@pytest.fixture
def olivia(sign_in: Callable[..., Page], tmp_path: Path) -> Page:
    """The owner of a project with a field and a river of which nothing is encoded."""
    page = sign_in("olivia")
    new_project(page, "Large objects")
    page.get_by_test_id("nav-data").click()
    there = rasterize([(FIELD, 1), (RIVER, 1)], (HEIGHT, WIDTH), dtype="uint8").astype(bool)
    pixels = np.where(there, np.array(DARK)[:, None, None], np.array(GROUND)[:, None, None]).astype(np.uint8)
    file = make_tif(tmp_path / "valley.tif", pixels, crs=UTM30, transform=PLACE, compress="deflate", tiled=True)
    page.get_by_test_id("raster-file-input").set_input_files(file)
    expect(page.locator("[data-raster-name]")).to_have_attribute("data-state", "viewable", timeout=SLOW)
    made = page.evaluate(
        """async () => {
            const [project] = location.pathname.match(/[0-9a-f-]{36}/);
            const token = document.cookie.match(/csrftoken=([^;]+)/)[1];
            const body = {name: "Field", colour: "#e0b020", geometry_type: "polygon", attributes: []};
            const headers = {"X-CSRFToken": token, "Content-Type": "application/json"};
            const how = {method: "POST", headers, body: JSON.stringify(body)};
            return (await fetch(`/api/projects/${project}/classes`, how)).status;
        }"""
    )
    assert made == 201
    page.get_by_test_id("nav-map").click()
    page.wait_for_function("() => edgewise.state().classes.length > 0 && edgewise.state().activeRaster !== null")
    come_to_rest(page)
    return page


@pytest.mark.timeout(400)
def test_one_click_on_a_field_over_two_windows_gives_one_polygon_that_grew(olivia: Page) -> None:
    click(olivia, 750, 290)
    olivia.wait_for_function(SHOWN, timeout=SLOW)
    shoot(olivia, "large-growing")
    olivia.wait_for_function(WHOLE, timeout=SLOW)
    shoot(olivia, "large-field")

    assert windows(olivia) == [(0, 0, 1024), (896, 0, 1024)]
    expect(olivia.get_by_test_id("status-hint")).to_contain_text("Joined from 2 windows")
    row = accept_draft(olivia)
    assert row["provenance"]["windows"] == [{"col": 0, "row": 0, "size": 1024}, {"col": 896, "row": 0, "size": 1024}]
    assert isinstance(geometry_of(row["geometry"]), Polygon)
    assert iou(in_pixels(row), FIELD) > 0.9

    click(olivia, 2000, 1250 + 200 * float(np.sin(3.5)))
    olivia.wait_for_function(SHOWN, timeout=SLOW)
    olivia.wait_for_function(WHOLE, timeout=3 * SLOW)
    shoot(olivia, "large-river")
    assert max(size for _, _, size in windows(olivia)) > 1024
    river = in_pixels(accept_draft(olivia))
    assert isinstance(river, Polygon)
    assert iou(river, RIVER.intersection(box(0, 0, WIDTH, HEIGHT))) > 0.7


def click(page: Page, col: float, row: float) -> None:
    x, y = PLACE @ (col, row)
    (lon,), (lat,) = transform(UTM30, "EPSG:4326", [x], [y])
    click_map(page, lon, lat)


def windows(page: Page) -> list[tuple[int, int, int]]:
    """The windows that the draft is joined from."""
    found: list[list[int]] = page.evaluate("edgewise.state().draft.windows.map(one => [one.col, one.row, one.size])")
    return sorted((col, row, size) for col, row, size in found)


def in_pixels(row: dict[str, Any]) -> shapely.Geometry:
    frame = RasterFrame(UTM30, PLACE, WIDTH, HEIGHT)
    return frame.pixel_geometry_from_lonlat(geometry_of(row["geometry"]))
