"""A raster of six windows, and a model that sees the same in each."""

from pathlib import Path
from typing import Any

import pytest

from backend.rasters.models import Raster
from ml.encode import OnnxEncoder
from tests.support.encoding import HEIGHT, WIDTH
from tests.support.onnx_models import install
from tests.support.rasters import checks, make_tif, prepared
from tests.support.worlds import World, make_world


@pytest.fixture(autouse=True)
def data(settings: Any, tmp_path: Path) -> Path:
    """A data folder, and a quick model that sees the same in every window."""
    install(tmp_path / "models" / "constant")
    settings.DATA_DIR = tmp_path / "data"
    settings.MODEL_DIRS = [tmp_path / "models"]
    settings.MODEL = ""
    return settings.DATA_DIR


@pytest.fixture
def world() -> World:
    return make_world()


@pytest.fixture
def raster(world: World, tmp_path: Path) -> Raster:
    return prepared(world.project, world.owner, make_tif(tmp_path / "field.tif", checks(HEIGHT, WIDTH)))


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one with each run of the encoder."""
    seen: list[int] = []
    encode = OnnxEncoder.encode

    def counting(self: OnnxEncoder, pixels: Any) -> Any:
        seen.append(int(pixels.shape[1]))
        return encode(self, pixels)

    monkeypatch.setattr(OnnxEncoder, "encode", counting)
    return seen
