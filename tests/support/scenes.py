"""A small scene of roofs on rough ground, prepared and encoded with the installed model: something to click on."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

from backend.accounts.models import User
from backend.encoding.engine import default_model
from backend.encoding.services import encode_window
from backend.projects.models import Project
from backend.rasters.models import Raster
from ml.windows import Window
from tests.support.rasters import lonlat_of, make_tif, prepared

WIDTH, HEIGHT = 1500, 1024
ENCODED, NOT_ENCODED = Window(0, 0, 1024), Window(476, 0, 1024)
ROOFS = [(250, 250), (500, 300), (300, 600), (600, 700)]  # pixel centres, in the window that is encoded
FAR_ROOF = (1350, 500)  # in the window that is not


@dataclass(frozen=True)
class Scene:
    """A viewable raster, and where its roofs are in lon/lat."""

    raster: Raster
    roofs: list[tuple[float, float]]
    far_roof: tuple[float, float]

    def as_json(self) -> dict[str, Any]:
        """What a test in another process needs of it."""
        return {"raster": str(self.raster.id), "roofs": self.roofs, "far_roof": self.far_roof}


def make_scene(project: Project, user: User, folder: Path) -> Scene:
    """Draws it, prepares it by the real job and encodes the first of its two windows."""
    raster = prepared(project, user, make_tif(folder / "roofs.tif", draw()))
    assert raster.state == "viewable", raster.error
    assert encode_window(raster, ENCODED, default_model()) == "ready"
    return Scene(raster, [lonlat_of(raster, *at) for at in ROOFS], lonlat_of(raster, *FAR_ROOF))


def bare_raster(project: Project, user: User) -> Raster:
    """A row without a file, of half a metre a pixel: what is outlined from a kept mask, or measured, needs no more."""
    place = {"crs": "EPSG:32632", "transform": [0.5, 0, 500_000, 0, -0.5, 5_500_000], "width": 1024, "height": 1024}
    return Raster.objects.create(project=project, name="r", state="viewable", source_path="", created_by=user, **place)


def draw() -> npt.NDArray[np.uint8]:
    """Bands, rows, columns: L-shaped and turned roofs of several colours on mottled green."""
    rng = np.random.default_rng(7)
    ground = Image.fromarray(rng.integers(60, 120, (HEIGHT // 8, WIDTH // 8, 3), dtype=np.uint8))
    image = ground.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(image)
    for index, (x, y) in enumerate([*ROOFS, FAR_ROOF]):
        shape = np.array([(-90, -60), (90, -60), (90, 10), (20, 10), (20, 70), (-90, 70)], float)
        angle = 0.3 * index
        turned = shape @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) + (x, y)
        pen.polygon(
            [tuple(corner) for corner in turned], fill=[(200, 70, 60), (225, 220, 210), (70, 70, 90)][index % 3]
        )
    blurred = image.filter(ImageFilter.GaussianBlur(1))
    noisy = np.asarray(blurred, np.int16) + rng.integers(-6, 7, (HEIGHT, WIDTH, 3))
    return np.clip(noisy, 0, 255).astype(np.uint8).transpose(2, 0, 1)
