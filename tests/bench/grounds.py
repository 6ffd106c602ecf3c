"""The pictures that clicks are measured on: the demo's village, and real rasters where they are at hand."""

import json
import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import rasterio
import shapely
from rasterio.errors import NotGeoreferencedWarning
from rasterio.warp import transform as warp_points
from rasterio.windows import Window

from tests.bench.harness import ROOT

SIDE = 1024
MARGIN = 20  # px from the sides of the picture, where a click means little
CLICKS_PER_REAL = 15
PADDING = (124, 116, 104)  # the mean colour of SAM 2.1's normalisation, times 255
VILLAGE = ROOT / "fixtures" / "demo" / "edgewick-2025-05.tif"
# Drone, panchromatic 16 bit, Sentinel-2, drone with alpha, Landsat 16 bit: five kinds of picture in four CRSs.
REAL = (
    "buildings-zanzibar-oam/images/tanzania_sample.tif",
    "atlanta-pan-spacenet/sample_geotiff.tif",
    "fields-flanders-s2/input_raster/BEFL-TEST-s2_2023-05-01_2023-07-01_B08-B04-B03_min_byte.tif",
    "uav-rgba-poznan/dummy_fotomap_small.tif",
    "landsat8-60m-landcover/LC08_L1TP_224077_20200518_20200518_01_RT_B2_60m.TIF",
)
NO_REAL = "real rasters: set EDGEWISE_TEST_DATA to the folder that holds them"


@dataclass(frozen=True, eq=False)
class Ground:
    """A raster's first window as uint8 RGB (1024, 1024, 3), padded, and clicks on it.

    `clicks` (N, 2) are in the window's pixels, edge convention; `places` are the same as lon/lat.
    """

    name: str
    path: Path
    pixels: npt.NDArray[np.uint8]
    clicks: npt.NDArray[np.float64]
    places: tuple[tuple[float, float], ...]


def grounds() -> tuple[list[Ground], list[str]]:
    """The village, then each real raster that is there; and what was left out."""
    found = [_village()]
    folder = os.environ.get("EDGEWISE_TEST_DATA", "")
    if folder:
        found += [_real(Path(folder), name, seed) for seed, name in enumerate(REAL) if Path(folder, name).is_file()]
    return found, [] if len(found) > 1 else [NO_REAL]


def _village() -> Ground:
    """A click in each object of the demo's first date that lies in its first window."""
    features = json.loads(VILLAGE.with_suffix(".geojson").read_text())["features"]
    shapes = [shapely.geometry.shape(feature["geometry"]) for feature in features]
    inner = np.array([shape.representative_point().coords[0] for shape in shapes if shape.area > 0])
    with rasterio.open(VILLAGE) as source:
        xs, ys = warp_points("EPSG:4326", source.crs, inner[:, 0], inner[:, 1])
        clicks = np.array([~source.transform @ place for place in zip(xs, ys, strict=True)])
        pixels = source.read([1, 2, 3], window=Window(0, 0, SIDE, SIDE)).transpose(1, 2, 0)
    inside = ((clicks > MARGIN) & (clicks < SIDE - MARGIN)).all(axis=1)
    places = tuple((float(lon), float(lat)) for lon, lat in inner[inside])
    return Ground(VILLAGE.stem, VILLAGE, np.ascontiguousarray(pixels), clicks[inside], places)


def _real(folder: Path, name: str, seed: int) -> Ground:
    """Clicks at random on pixels that show something; the same ones every time."""
    path = folder / name
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path) as source:
            height, width = min(SIDE, source.height), min(SIDE, source.width)
            bands = [1, 2, 3] if source.count >= 3 else [1, 1, 1]
            values = source.read(bands, window=Window(0, 0, width, height))
            shown = source.dataset_mask(window=Window(0, 0, width, height)) > 0
            clicks = _scattered(shown, np.random.default_rng(seed))
            xs, ys = np.array([source.transform @ (x, y) for x, y in clicks]).T
            lons, lats = warp_points(source.crs, "EPSG:4326", xs, ys)
    pixels = np.empty((SIDE, SIDE, 3), np.uint8)
    pixels[:] = PADDING
    pixels[:height, :width] = _stretched(values, shown)
    return Ground(path.relative_to(folder).parts[0], path, pixels, clicks, tuple(zip(lons, lats, strict=True)))


def _scattered(shown: npt.NDArray[np.bool_], rng: np.random.Generator) -> npt.NDArray[np.float64]:
    away = np.zeros_like(shown)
    away[MARGIN:-MARGIN, MARGIN:-MARGIN] = shown[MARGIN:-MARGIN, MARGIN:-MARGIN]
    rows, cols = np.nonzero(away)
    chosen = rng.choice(len(rows), CLICKS_PER_REAL, replace=False)
    return np.column_stack([cols[chosen], rows[chosen]]) + 0.5


def _stretched(values: npt.NDArray[np.generic], shown: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
    """(3, H, W) to uint8 (H, W, 3): bytes stay, all else is stretched between its 2nd and 98th percentile."""
    if values.dtype == np.uint8:
        return values.transpose(1, 2, 0)  # type: ignore[return-value]
    numbers = values.astype(np.float64)
    low, high = np.percentile(numbers[:, shown], (2, 98))
    return np.asarray(np.clip((numbers - low) / max(high - low, 1e-9), 0, 1) * 255, np.uint8).transpose(1, 2, 0)


def names(found: Sequence[Ground]) -> tuple[str, ...]:
    """What the pictures are called, for the record."""
    return tuple(ground.name for ground in found)
