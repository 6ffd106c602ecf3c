"""Working by keyboard: draw, undo, redo, and the list of all keys."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect
from pyproj import Geod

from tests.support.browser import annotations, at, open_project, saved, shoot


def test_a_drawn_polygon_is_undone_and_redone_by_keys(sign_in: Callable[..., Page]) -> None:
    anton = sign_in("anton")
    open_project(anton, "Edgewick")
    before = len(annotations(anton))
    anton.keyboard.press("2")
    anton.keyboard.press("p")
    lon, lat = centre_of_view(anton)
    corners = [(lon - 8e-4, lat - 4e-4), (lon + 8e-4, lat - 4e-4), (lon, lat + 6e-4)]
    for corner in corners:
        anton.mouse.click(*at(anton, *corner))
    shoot(anton, "drawing")
    anton.keyboard.press("Enter")
    saved(anton)
    (drawn,) = [row for row in annotations(anton) if row["provenance"]["kind"] == "drawn"]
    meant, _ = Geod(ellps="WGS84").polygon_area_perimeter(*zip(*corners, strict=True))
    assert drawn["area_m2"] == pytest.approx(meant, rel=0.02)  # the mouse meets whole pixels

    for key, count in (("Control+z", before), ("Control+Shift+z", before + 1), ("Control+z", before)):
        anton.keyboard.press(key)
        saved(anton)
        assert len(annotations(anton)) == count
    expect(anton.get_by_test_id("redo")).to_be_enabled()


def test_a_question_mark_lists_every_key_and_escape_closes_the_list(sign_in: Callable[..., Page]) -> None:
    rita = sign_in("rita")
    open_project(rita, "Edgewick")
    rita.keyboard.press("Shift+?")
    expect(rita.get_by_test_id("key-list")).to_be_visible()
    for words in ("Smart click", "Accept", "Undo", "Redo"):
        expect(rita.get_by_test_id("key-list").get_by_text(words).first).to_be_visible()
    shoot(rita, "keys")
    rita.keyboard.press("Escape")
    expect(rita.get_by_test_id("key-list")).to_be_hidden()
    rita.keyboard.press("?")  # as on keyboards that have it without Shift
    expect(rita.get_by_test_id("key-list")).to_be_visible()
    rita.keyboard.press("Escape")
    expect(rita.get_by_test_id("key-list")).to_be_hidden()
    rita.keyboard.press("]")
    expect(rita.get_by_test_id("right-panel")).to_be_hidden()
    rita.keyboard.press("]")
    expect(rita.get_by_test_id("right-panel")).to_be_visible()


def centre_of_view(page: Page) -> tuple[float, float]:
    """The middle of the active raster, which the map was zoomed to on opening."""
    west, south, east, north = page.evaluate(
        "(({ rasters, activeRaster }) => rasters.find((one) => one.id === activeRaster).bbox)(edgewise.state())"
    )
    return (west + east) / 2, (south + north) / 2
