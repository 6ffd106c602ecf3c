"""A real server and worker with the demo in it, browsers of its people, and what people do in them."""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Response, expect, sync_playwright

from backend.config.demo import DEMO_PASSWORD
from tests.support.server import ROOT, Stack, running_stack

ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run", "--disable-component-update",
    "--disable-sync", "--disable-quic",
]  # fmt: skip
PICTURES = ROOT / "var" / "screenshots"


@dataclass
class Watch:
    """What pages complain about; while an outage is made, that is expected."""

    complaints: list[str] = field(default_factory=list)
    outage: bool = False

    def over(self, page: Page) -> None:
        """Listens to a page's errors and to answers of 500 and above."""
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._on_console)
        page.on("response", self._on_response)

    def _on_console(self, message: ConsoleMessage) -> None:
        # A refused request is seen as a response already.
        if message.type == "error" and "Failed to load resource" not in message.text and not self.outage:
            self.complaints.append(message.text)

    def _on_response(self, response: Response) -> None:
        if response.status >= 500 and not self.outage:
            self.complaints.append(f"{response.status} {response.url}")


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Edgewise as people run it, over a database of its own, with the demo loaded."""
    if not (ROOT / "frontend" / "dist" / "index.html").is_file():
        pytest.fail("The frontend is not built. `make test` builds it; so does `npm run build` in frontend/.")
    with running_stack(tmp_path_factory.mktemp("e2e")) as running:
        running.manage("load_demo")
        yield running


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The Chromium that `make test` names, the distribution's, or the driver's own."""
    named = os.environ.get("EDGEWISE_CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=named, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def watch() -> Iterator[Watch]:
    """A test in which a page complains fails."""
    watching = Watch()
    yield watching
    assert watching.complaints == [], "\n".join(watching.complaints)


@pytest.fixture
def sign_in(
    stack: Stack, chromium: Browser, watch: Watch, request: pytest.FixtureRequest
) -> Iterator[Callable[..., Page]]:
    """Gives a person of the demo a browser of their own, signed in, at the list of projects."""
    pages: list[Page] = []

    def open_browser(username: str) -> Page:
        context = chromium.new_context(
            viewport={"width": 1440, "height": 900}, base_url=stack.url, accept_downloads=True
        )
        page = context.new_page()
        page.set_default_timeout(30_000)
        watch.over(page)
        pages.append(page)
        page.goto("/signin")
        page.get_by_test_id("signin-username").fill(username)
        page.get_by_test_id("signin-password").fill(DEMO_PASSWORD)
        page.get_by_test_id("signin-submit").click()
        page.get_by_test_id("project-list").wait_for()
        return page

    yield open_browser
    for number, page in enumerate(pages, 1):
        shoot(page, f"{request.node.name[5:45]}-end-{number}")
        page.context.close()


def shoot(page: Page, name: str) -> None:
    """Keeps what is seen now, to be looked at."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"{name}.png")


def open_project(page: Page, name: str, screen: str = "map") -> None:
    """From the list of projects to a screen of one, with all it holds loaded and its imagery on the map."""
    page.get_by_test_id("project-list").get_by_role("link", name=re.compile(name)).first.click()
    page.wait_for_function("() => edgewise.state().loaded && edgewise.state().connection === 'open'")
    if screen != "map":
        page.get_by_test_id(f"nav-{screen}").click()
    if screen == "review":
        page.locator("[data-testid=review-queue] [aria-current=true]").wait_for()
    if screen in {"map", "review"}:
        page.wait_for_function(
            "() => edgewise.state().rasters.some(raster => raster.state === 'viewable')", timeout=60_000
        )
        come_to_rest(page)


def new_project(page: Page, name: str) -> None:
    """From the list of projects to a new one of the person's own."""
    page.get_by_test_id("project-create").click()
    page.get_by_test_id("project-name").fill(name)
    page.get_by_test_id("project-create-submit").click()


def come_to_rest(page: Page) -> None:
    """Waits until the map stands still."""
    old = ""
    for _ in range(40):
        page.wait_for_timeout(200)
        new = page.get_by_test_id("status-zoom").inner_text() + str(page.evaluate("edgewise.toScreen([0, 0])"))
        if new == old:
            return
        old = new
    raise AssertionError("the map does not come to rest")


def at(page: Page, lon: float, lat: float) -> tuple[float, float]:
    """Where a place is on the page."""
    box = page.get_by_test_id("map").bounding_box()
    found = page.evaluate("place => edgewise.toScreen(place)", [lon, lat])
    assert box is not None
    assert 0 <= found["x"] <= box["width"] and 0 <= found["y"] <= box["height"], "the place is not in view"
    return box["x"] + found["x"], box["y"] + found["y"]


def click_map(page: Page, lon: float, lat: float, **how: Any) -> None:
    """Clicks a place of the map as a hand does: moves there, then presses."""
    x, y = at(page, lon, lat)
    page.mouse.move(x, y)
    page.mouse.click(x, y, **how)


def saved(page: Page) -> None:
    """Waits until the server has acknowledged every change."""
    expect(page.get_by_test_id("save-state")).to_have_attribute("data-state", "saved")


def accept_draft(page: Page) -> dict[str, Any]:
    """The annotation that the draft becomes, as the server has it."""
    before = {row["id"] for row in annotations(page)}
    page.keyboard.press("Enter")
    saved(page)
    (new,) = [row for row in annotations(page) if row["id"] not in before]
    return new


def annotations(page: Page) -> list[dict[str, Any]]:
    """What the server has of the page's project, asked with the page's session."""
    project = re.search(r"/projects/([0-9a-f-]+)", page.url)
    assert project is not None
    answer = page.request.get(f"/api/projects/{project[1]}/annotations?limit=500")
    assert answer.ok, answer.text()
    found: list[dict[str, Any]] = answer.json()["annotations"]
    return found
