"""A project, and a folder whose files may be registered."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.worlds import World, make_world


@pytest.fixture(autouse=True)
def data(settings: Any, tmp_path: Path) -> Path:
    settings.DATA_DIR = tmp_path / "data"
    settings.RASTER_FOLDERS = [tmp_path / "surveys"]
    (tmp_path / "surveys" / "2026").mkdir(parents=True)
    return settings.DATA_DIR


@pytest.fixture
def surveys(tmp_path: Path) -> Path:
    return tmp_path / "surveys"


@pytest.fixture
def world() -> World:
    return make_world()
