"""One's own imagery: upload with progress, a refused file with its remedy, encoding with cancel and resume."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from playwright.sync_api import Locator, Page, expect

from tests.support.browser import new_project, shoot
from tests.support.rasters import make_tif

SLOW = 60_000
WIDTH, HEIGHT = 3800, 2900  # 5 x 4 encode windows; 33 MB in four pieces
BYTES_A_SECOND = 6_000_000
UTM30 = "EPSG:32630"
PLACE = Affine(0.5, 0, 664_000, 0, -0.5, 5_902_000)


@pytest.fixture
def olivia(sign_in: Callable[..., Page], request: pytest.FixtureRequest) -> Iterator[Page]:
    """The owner of a project of her own, at its data."""
    page = sign_in("olivia")
    new_project(page, f"Own {request.node.name}"[:60])
    page.get_by_test_id("nav-data").click()
    expect(page.get_by_test_id("data-screen")).to_be_visible()
    yield page


def test_a_raster_is_uploaded_with_progress_and_encoded_with_cancel_and_resume(olivia: Page, tmp_path: Path) -> None:
    values = np.random.default_rng(3).integers(0, 255, (3, HEIGHT // 4, WIDTH // 4), np.uint8)
    file = make_tif(tmp_path / "noise.tif", values.repeat(4, 1).repeat(4, 2), crs=UTM30, transform=PLACE)
    limit_upload(olivia, BYTES_A_SECOND)
    olivia.get_by_test_id("raster-file-input").set_input_files(file)
    upload = olivia.get_by_test_id("upload-noise.tif")
    between = wait_for_share(upload)
    upload.get_by_label("Pause").click()
    expect(upload).to_contain_text("paused")
    shoot(olivia, "upload-paused")
    upload.get_by_label("Go on").click()
    assert 0 < between < 100
    card = olivia.locator("[data-raster-name]")
    expect(card).to_have_attribute("data-state", "viewable", timeout=SLOW)

    card.get_by_test_id("raster-encode").click()
    expect(olivia.get_by_test_id("encode-plan")).to_contain_text("20", timeout=SLOW)
    shoot(olivia, "encode-dialog")
    olivia.get_by_test_id("encode-start").click()
    olivia.get_by_test_id("jobs-menu").click()
    job = olivia.get_by_test_id("jobs-popover").locator("[data-state]").filter(has_text="Encode")
    expect(job).to_contain_text(re.compile(r"\b[1-9]\d* of 20 windows"), timeout=SLOW)
    job.get_by_test_id("job-cancel").click()
    expect(job).to_have_attribute("data-state", "cancelled", timeout=SLOW)
    done = encoded(olivia)
    assert 1 <= done < 20
    job.get_by_test_id("job-retry").click()
    expect(job).to_have_attribute("data-state", "running", timeout=SLOW)
    shoot(olivia, "encoding")
    expect(job).to_have_attribute("data-state", "done", timeout=SLOW)
    assert encoded(olivia) == 20
    olivia.keyboard.press("Escape")
    expect(card).to_contain_text("Fully encoded")
    shoot(olivia, "encoded")


def test_a_file_without_a_coordinate_system_is_refused_with_its_remedy_and_mended(olivia: Page, tmp_path: Path) -> None:
    file = make_tif(tmp_path / "placeless.tif", crs=None, transform=PLACE)
    olivia.get_by_test_id("raster-file-input").set_input_files(file)
    refused = olivia.get_by_test_id("raster-refused")
    expect(refused).to_contain_text("coordinate system", timeout=SLOW)
    shoot(olivia, "refused")
    olivia.get_by_test_id("raster-choose-crs").click()
    olivia.get_by_test_id("crs-input").fill(UTM30)
    olivia.get_by_role("option", name=UTM30).click()
    olivia.get_by_test_id("crs-submit").click()
    expect(olivia.locator("[data-raster-name]")).to_have_attribute("data-state", "viewable", timeout=SLOW)
    expect(refused).to_be_hidden()
    expect(olivia.locator("[data-raster-name]")).to_contain_text(UTM30)


def limit_upload(page: Page, bytes_a_second: int) -> None:
    """A network on which an upload takes its time."""
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.send(
        "Network.emulateNetworkConditions",
        {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": bytes_a_second},
    )


def wait_for_share(upload: Locator) -> float:
    """The first share that the progress bar shows beyond nothing, in per cent."""
    bar = upload.get_by_role("progressbar")
    expect(bar).not_to_have_attribute("aria-valuenow", "0", timeout=SLOW)
    return float(bar.get_attribute("aria-valuenow") or "nan")


def encoded(page: Page) -> int:
    """How many windows of the only raster are ready, by the server."""
    (raster,) = page.evaluate("edgewise.state().rasters.map(one => one.id)")
    answer = page.request.get(f"/api/rasters/{raster}/windows")
    assert answer.ok, answer.text()
    return int(answer.json()["totals"]["ready"])
