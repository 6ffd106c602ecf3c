"""Models in a browser: an owner chooses another one, the old one answers meanwhile, an administrator removes it."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from playwright.sync_api import Page, expect

from ml.models.default import set_default
from tests.support.browser import come_to_rest, new_project, shoot
from tests.support.onnx_models import install
from tests.support.rasters import make_tif
from tests.support.server import Stack

SLOW = 90_000
PLACE = Affine(0.5, 0, 664_000, 0, -0.5, 5_902_000)
FIRST, OTHER = "edgewise-nano", "flat"
ADMIN = "from backend.accounts.models import User; User.objects.filter(username='olivia').update(is_staff={})"


@pytest.fixture
def other(stack: Stack) -> Iterator[None]:
    """A second model, installed beside the one that comes along, which stays the default; olivia administers."""
    home = stack.data_dir / "models"
    set_default(home, FIRST)
    install(home / OTHER)
    stack.python(ADMIN.format(True))
    yield
    stack.python(ADMIN.format(False))
    shutil.rmtree(home)
    if stack.worker is None:
        stack.start_worker()


@pytest.mark.timeout(400)
def test_a_projects_model_is_changed_while_the_old_one_answers_and_then_removed(
    other: None, stack: Stack, sign_in: Callable[..., Page], tmp_path: Path
) -> None:
    olivia = sign_in("olivia")
    _project_with_an_encoded_raster(olivia, tmp_path)
    stack.kill_worker()  # so that the new model has encoded nothing yet when somebody clicks

    olivia.get_by_test_id("nav-settings").click()
    olivia.get_by_test_id("settings-tab-model").click()
    expect(olivia.get_by_test_id("model-choices")).to_contain_text("1 of 1 windows encoded")
    olivia.get_by_test_id(f"model-{OTHER}").check()
    expect(olivia.get_by_test_id("model-cost")).to_contain_text("1 window is encoded again in the background")
    shoot(olivia, "model-choice")
    olivia.get_by_test_id("model-save").click()
    expect(olivia.get_by_test_id("model-progress")).to_contain_text(f"0 of 1 windows are encoded with {OTHER}")

    _click_the_middle(olivia)
    expect(olivia.get_by_test_id("draft-model")).to_have_text(
        f"Outlined by {FIRST}: {OTHER} has not encoded this place yet"
    )
    shoot(olivia, "model-instead-of")
    olivia.keyboard.press("Escape")

    stack.start_worker()
    olivia.get_by_test_id("nav-settings").click()
    olivia.get_by_test_id("settings-tab-model").click()
    ready = olivia.get_by_test_id("model-choices").get_by_text("1 of 1 windows encoded")
    expect(ready).to_have_count(2, timeout=SLOW)
    expect(olivia.get_by_test_id("model-progress")).to_be_hidden()
    _click_the_middle(olivia)
    expect(olivia.get_by_test_id("draft-model")).to_be_hidden()
    assert olivia.evaluate("edgewise.state().draft.model.name") == OTHER

    olivia.goto("/models")
    installed = olivia.get_by_test_id(f"installed-{OTHER}")
    expect(installed).to_contain_text("Own models")
    expect(olivia.get_by_test_id(f"installed-{FIRST}")).to_contain_text("Default")
    expect(olivia.get_by_test_id("models-published")).to_contain_text(
        "7402e0d864fa82708a20fbd15bc84245c2f26dff0eb43a4b5b93452deb34be69"
    )
    shoot(olivia, "models-page")
    expect(olivia.get_by_test_id("workers")).to_contain_text("ONNX Runtime, processor")
    expect(olivia.get_by_test_id("workers-none")).to_be_hidden()
    olivia.get_by_test_id(f"remove-{OTHER}").click()
    expect(olivia.get_by_role("dialog")).to_contain_text("1 project has this model: Own models")
    shoot(olivia, "models-remove")
    olivia.get_by_test_id("remove-confirm").click()
    expect(installed).to_be_hidden()
    assert not (stack.data_dir / "models" / OTHER).exists()


def test_the_page_of_models_shows_nothing_to_who_is_no_administrator(sign_in: Callable[..., Page]) -> None:
    anton = sign_in("anton")
    anton.get_by_test_id("user-menu").click()
    expect(anton.get_by_test_id("user-menu-account")).to_be_visible()
    expect(anton.get_by_test_id("user-menu-models")).to_be_hidden()
    anton.goto("/models")
    expect(anton.get_by_test_id("models-admins-only")).to_be_visible()
    expect(anton.get_by_test_id("models-installed")).to_be_hidden()
    expect(anton.get_by_test_id("workers")).to_be_hidden()
    assert anton.request.get("/api/models").status == 403
    assert anton.request.get("/api/workers").status == 403


def _project_with_an_encoded_raster(page: Page, folder: Path) -> None:
    new_project(page, "Own models")
    page.get_by_test_id("nav-settings").click()
    page.get_by_test_id("settings-tab-classes").click()
    page.get_by_role("button", name="Add class").first.click()
    page.get_by_test_id("class-name").fill("Roof")
    page.get_by_test_id("class-save").click()
    page.get_by_test_id("nav-data").click()
    values = np.random.default_rng(3).integers(60, 120, (3, 700, 700), np.uint8)
    values[:, 300:400, 300:400] = 230
    page.get_by_test_id("raster-file-input").set_input_files(
        make_tif(folder / "roof.tif", values, crs="EPSG:32630", transform=PLACE)
    )
    card = page.locator("[data-raster-name]")
    expect(card).to_have_attribute("data-state", "viewable", timeout=SLOW)
    card.get_by_test_id("raster-encode").click()
    page.get_by_test_id("encode-start").click()
    expect(card).to_contain_text("Fully encoded", timeout=SLOW)


def _click_the_middle(page: Page) -> None:
    page.get_by_test_id("nav-map").click()
    page.wait_for_function("() => edgewise.state().rasters.some(raster => raster.state === 'viewable')")
    come_to_rest(page)
    page.keyboard.press("s")
    box = page.get_by_test_id("map").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_function("() => edgewise.state().draft?.phase === 'shown'", timeout=SLOW)
