"""Two browsers on one project: each sees the other's work at once, and an outage of the server loses nothing."""

import statistics
import time
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, expect

from tests.support.browser import Watch, annotations, open_project, saved, shoot
from tests.support.server import Stack

HAS_CLASS = "([id, wanted]) => edgewise.state().annotations.get(id)?.label_class === wanted"


def test_each_sees_the_others_edit_within_a_second(sign_in: Callable[..., Page]) -> None:
    anton, rita = sign_in("anton"), sign_in("rita")
    for page in (anton, rita):
        open_project(page, "Edgewick")
    mine, theirs = of_status(anton, "draft")[0], of_status(anton, "submitted")[0]
    took = []
    for author, watcher, shape in ((anton, rita, mine), (rita, anton, theirs)):
        select(author, shape["id"])
        for name in ("Water", "Tree", "Solar"):
            wanted = class_named(author, name)
            began = time.monotonic()
            author.keyboard.press(digit_of(author, name))
            watcher.wait_for_function(HAS_CLASS, arg=[shape["id"], wanted], polling=10)
            took.append(time.monotonic() - began)
            saved(author)
    shoot(rita, "together")
    assert statistics.median(took) < 1, took
    assert {row["id"]: row["version"] for row in annotations(rita)}[mine["id"]] == mine["version"] + 3


def test_an_outage_of_the_server_loses_no_edit_and_doubles_none(
    sign_in: Callable[..., Page], stack: Stack, watch: Watch
) -> None:
    anton, rita = sign_in("anton"), sign_in("rita")
    for page in (anton, rita):
        open_project(page, "Edgewick")
    mine, theirs = of_status(anton, "draft")[1], of_status(anton, "submitted")[1]
    select(anton, mine["id"])
    select(rita, theirs["id"])
    water = class_named(anton, "Water")

    watch.outage = True
    stack.kill_web()
    for page in (anton, rita):
        page.wait_for_function("() => edgewise.state().connection === 'lost'")
        page.keyboard.press(digit_of(page, "Water"))
        expect(page.get_by_test_id("save-state")).to_have_attribute("data-state", "offline")
    expect(anton.get_by_test_id("connection-lost")).to_be_visible()
    shoot(anton, "connection-lost")
    stack.start_web()

    for page, other in ((anton, theirs), (rita, mine)):
        expect(page.get_by_test_id("save-state")).to_have_attribute("data-state", "saved", timeout=40_000)
        page.wait_for_function("() => edgewise.state().connection === 'open'", timeout=40_000)
        page.wait_for_function(HAS_CLASS, arg=[other["id"], water])
    expect(anton.get_by_test_id("connection-lost")).to_be_hidden()
    now = {row["id"]: row for row in annotations(anton)}
    for shape in (mine, theirs):
        assert now[shape["id"]]["label_class"] == water
        assert now[shape["id"]]["version"] == shape["version"] + 1


def of_status(page: Page, status: str) -> list[dict[str, Any]]:
    """Polygons of Anton's with this status, by id so that each test takes the same."""
    lines = class_named(page, "Track")
    found = [row for row in annotations(page) if row["status"] == status and row["label_class"] != lines]
    return sorted(found, key=lambda row: str(row["id"]))


def select(page: Page, annotation_id: str) -> None:
    """Opens the address of a shape, which selects it."""
    page.goto(f"{page.url.split('?')[0]}?shape={annotation_id}")
    expect(page.get_by_test_id("selected-panel")).to_have_attribute("data-annotation", annotation_id)
    page.wait_for_function("() => edgewise.state().connection === 'open'")
    page.keyboard.press("v")


def class_named(page: Page, name: str) -> str:
    """The id of a class of the legend."""
    return str(page.evaluate("name => edgewise.state().classes.find(one => one.name === name).id", name))


def digit_of(page: Page, name: str) -> str:
    """The key of a class of the legend."""
    return str(page.evaluate("name => edgewise.state().classes.find(one => one.name === name).digit", name))
