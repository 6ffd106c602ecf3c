"""Tracks drawn in the browser join those that are there, and one step takes back what was drawn."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from ml.frames import RasterFrame
from tests.support.browser import annotations, click_map, come_to_rest, new_project, saved, shoot
from tests.support.rasters import NORTH_UP, UTM33, make_tif

SIDE = 240
FRAME = RasterFrame(UTM33, NORTH_UP, SIDE, SIDE)
SLOW = 90_000


@pytest.mark.timeout(300)
def test_a_track_that_ends_near_another_meets_it_in_a_vertex_of_both(
    sign_in: Callable[..., Page], tmp_path: Path
) -> None:
    page = sign_in("olivia")
    new_project(page, "Tracks")
    make_class(page)
    show_raster(page, tmp_path)

    main = draw(page, (20, 120), (220, 120))
    side = draw(page, (120, 30), (118, 112))  # four metres short of it
    shoot(page, "track-joined")

    now = {row["id"]: row for row in annotations(page)}
    (meeting,) = set(places(now[main["id"]])) - set(places(main))
    assert places(side)[-1] == meeting
    assert now[main["id"]]["version"] == 2
    page.wait_for_function(
        "id => edgewise.state().annotations.get(id).geometry.coordinates.length === 3", arg=main["id"]
    )

    page.keyboard.press("v")
    page.keyboard.press("Control+z")
    saved(page)
    (left,) = annotations(page)
    assert places(left) == places(now[main["id"]]), "the main track stays as it is"


def make_class(page: Page) -> None:
    """A class of lines as the dialog offers it: ends join within five metres."""
    page.get_by_test_id("nav-settings").click()
    page.get_by_test_id("settings-tab-classes").click()
    page.get_by_role("button", name="Add class").first.click()
    page.get_by_test_id("class-name").fill("Track")
    page.get_by_text("Line", exact=True).click()
    expect(page.get_by_test_id("shares-borders")).to_be_checked()
    expect(page.get_by_test_id("border-tolerance")).to_have_value("5 m")
    expect(page.get_by_test_id("recipe-vertices")).to_be_visible(timeout=SLOW)
    shoot(page, "class-track")
    page.get_by_test_id("class-save").click()
    expect(page.get_by_test_id("class-row-Track")).to_be_visible(timeout=SLOW)


def show_raster(page: Page, folder: Path) -> None:
    """Plain ground of 120 m a side, seen on the map."""
    page.get_by_test_id("nav-data").click()
    file = make_tif(folder / "ground.tif", np.full((3, SIDE, SIDE), 120, np.uint8))
    page.get_by_test_id("raster-file-input").set_input_files(file)
    expect(page.locator("[data-raster-name]")).to_have_attribute("data-state", "viewable", timeout=SLOW)
    page.get_by_test_id("nav-map").click()
    page.wait_for_function("() => edgewise.state().classes.length === 1 && edgewise.state().activeRaster !== null")
    come_to_rest(page)


def draw(page: Page, *pixels: tuple[float, float]) -> dict[str, Any]:
    """A line of the raster's pixels, drawn click by click; as the server has it."""
    before = {row["id"] for row in annotations(page)}
    page.keyboard.press("l")
    for lon, lat in FRAME.lonlat_from_pixel(pixels):
        click_map(page, float(lon), float(lat))
    page.keyboard.press("Enter")
    saved(page)
    (new,) = [row for row in annotations(page) if row["id"] not in before]
    return new


def places(row: dict[str, Any]) -> list[tuple[float, ...]]:
    return [tuple(place) for place in row["geometry"]["coordinates"]]
