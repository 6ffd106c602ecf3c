"""What the tests of the models share: the shipped model, opened once, and a scene that it understands."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from fixtures.scenes import calibration
from ml.decode import OnnxDecoder
from ml.embeddings import Embedding
from ml.encode import OnnxEncoder
from ml.models import InstalledModel, choose_model
from tests.support.sam2_models import install_downloaded, small_model

SHIPPED = Path(__file__).parents[3] / "fixtures" / "models"


@pytest.fixture(scope="session")
def model() -> InstalledModel:
    return choose_model([SHIPPED])


@pytest.fixture(scope="session")
def encoder(model: InstalledModel) -> OnnxEncoder:
    return OnnxEncoder(model, threads=2)


@pytest.fixture(scope="session")
def decoder(model: InstalledModel) -> OnnxDecoder:
    return OnnxDecoder(model, threads=2)


@pytest.fixture(scope="session")
def scene() -> npt.NDArray[np.uint8]:
    """The calibration scene, (1024, 1024, 3)."""
    return calibration.paint()


@pytest.fixture(scope="session")
def embedding(encoder: OnnxEncoder, scene: npt.NDArray[np.uint8]) -> Embedding:
    return encoder.encode(scene)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> InstalledModel:
    """`sam2.1_hiera_tiny` with random weights, as the command installs it."""
    return install_downloaded(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> InstalledModel:
    """The small architecture with random weights and memory; to it an object is always there."""
    return small_model(tmp_path_factory.mktemp("small") / "small")
