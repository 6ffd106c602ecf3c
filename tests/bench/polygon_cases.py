"""Buildings with their true outline and a worn mask: made ones, and the labels of real imagery.

Each kind comes in two halves: what is tuned is tuned on one, and only the other is reported.
"""

import math
import os
import warnings
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyogrio
import shapely
from pyproj import Transformer
from shapely import affinity
from shapely.geometry import Polygon, box

SIDE = 1024
CELL_PX = 4.0
CELLS = (np.arange(256) + 0.5) * CELL_PX
SUREST = 6.0  # logits: cells of distance beyond which a mask is no surer
LEAST_PX2, MOST_PX = 256.0, 900.0
LEAST_CELLS = 12
NO_LABELS = "polygons.real.*: set EDGEWISE_TEST_DATA to the folder that holds the labelled buildings"


class Half(IntEnum):
    """Which half: of labels every other building, of made ones the first or second seeds."""

    TUNED = 0
    REPORTED = 1


@dataclass(frozen=True, eq=False)
class Case:
    """A building in the pixels of a window, and the logits of its mask."""

    truth: Polygon
    logits: npt.NDArray[np.float32]


@dataclass(frozen=True)
class Labels:
    """A file of labelled buildings: the pixel in metres at which they are seen, how many are taken, and which."""

    name: str
    file: str
    layer: str | None
    pixel_m: float
    count: int
    where: str | None = None


# the pixel is that of the imagery beside the labels; 0.3 m where there is none
REAL = (
    Labels("zanzibar", "buildings-zanzibar-oam/labels/tanzania_sample.geojson", None, 0.077, 120),
    Labels("kampala", "kampala-oam-tiles/labels.geojson", None, 0.149, 120),
    Labels("atlanta", "atlanta-pan-spacenet/geotiff_labels.geojson", None, 0.5, 120),
    Labels("vegas", "vegas-multiclass-spacenet/tiff_3channel_uint8.geojson", None, 0.3, 120, "label = 1"),
    Labels("swellendam", "buildings-swellendam-gpkg/training_data.gpkg", "buildings", 0.3, 120),
    Labels("bangladesh", "two-annotators-bangladesh/matt-labels.geojson", None, 0.3, 120),
)


def synthetic(count: int, half: Half) -> list[Case]:
    """Boxes, L, T and U shapes."""
    return [_made(seed) for seed in range(count * half, count * (half + 1))]


def real(half: Half) -> dict[str, list[Case]]:
    """By the name of their labels, cases of those files that are there."""
    folder = os.environ.get("EDGEWISE_TEST_DATA", "")
    there = [labels for labels in REAL if folder and Path(folder, labels.file).is_file()]
    return {labels.name: _labelled(Path(folder), labels)[half::2] for labels in there}


def worn(truth: Polygon, seed: int) -> npt.NDArray[np.float32]:
    """The mask that a model might make: round corners, and an outline that wanders by a few px.

    The distance to the outline on the grid of the logits, 4 px, blurred by a cell, and noise of that grain.
    """
    random = np.random.default_rng(seed)
    field = np.full((len(CELLS), len(CELLS)), -SUREST)
    west, south, east, north = truth.buffer(SUREST * CELL_PX).bounds
    cols, rows = (np.flatnonzero((low < CELLS) & (high > CELLS)) for low, high in ((west, east), (south, north)))
    grid = shapely.points(*np.meshgrid(CELLS[cols], CELLS[rows]))
    shapely.prepare([truth, truth.boundary])
    distance = shapely.distance(truth.boundary, grid) / CELL_PX
    field[np.ix_(rows, cols)] = np.clip(np.where(shapely.contains(truth, grid), distance, -distance), -SUREST, SUREST)
    noise = low_pass(random.standard_normal(field.shape), 1.5)
    return (low_pass(field, 1.0) + 0.5 * noise / noise.std()).astype(np.float32)


def low_pass(field: npt.NDArray[np.float64], sigma: float) -> npt.NDArray[np.float64]:
    """A Gaussian blur of `sigma` cells, by its transfer function."""
    along, across = np.fft.fftfreq(field.shape[0])[:, None], np.fft.rfftfreq(field.shape[1])[None]
    passed = np.exp(-2 * (np.pi * sigma) ** 2 * (along**2 + across**2))
    return np.asarray(np.fft.irfft2(np.fft.rfft2(field) * passed, s=field.shape))


def _made(seed: int) -> Case:
    """A building of 40 to 300 px, turned."""
    random = np.random.default_rng(seed)
    wide = math.exp(random.uniform(math.log(40), math.log(300)))
    deep = wide * random.uniform(0.4, 1)
    base = box(-wide / 2, -deep / 2, wide / 2, deep / 2)
    forms = [
        base,
        base.difference(box(0, 0, wide, deep)),
        base.union(box(-0.15 * wide, deep / 2 - 1, 0.2 * wide, 0.95 * deep)),
        base.difference(box(-0.2 * wide, 0, 0.2 * wide, deep)),
    ]
    turned = affinity.rotate(forms[seed % len(forms)], random.uniform(0, 90), origin=(0, 0))
    truth = affinity.translate(turned, *(SIDE / 2 + random.uniform(-5, 5, 2)))
    return Case(truth, worn(truth, seed + 10_000))


def _labelled(folder: Path, labels: Labels) -> list[Case]:
    """Buildings of one part that are neither too small for the logits' grid nor too large for a window."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        info, _, geometry, _ = pyogrio.raw.read(
            folder / labels.file, layer=labels.layer, columns=[], force_2d=True, where=labels.where
        )
    shapes = shapely.from_wkb(geometry)
    shapes = [part for shape in shapes if shape is not None for part in shapely.get_parts(shape)]
    there: Any = shapely.union_all([box(*shape.bounds) for shape in shapes if not shape.is_empty])
    middle = shapely.get_coordinates(there.centroid)[0]
    lon, lat = Transformer.from_crs(info["crs"], 4326, always_xy=True).transform(*middle)
    ground = Transformer.from_crs(info["crs"], f"+proj=aeqd +lat_0={lat} +lon_0={lon} +units=m", always_xy=True)
    cases: list[Case] = []
    for number, shape in enumerate(shapes):
        if len(cases) == labels.count:
            break
        seen = shapely.transform(shape, lambda xy: np.column_stack(ground.transform(*xy.T)) / labels.pixel_m)
        seen = shapely.simplify(seen, 0.0)  # vertices on a straight side are no corners
        west, south, east, north = seen.bounds if not seen.is_empty else (0.0,) * 4
        if not seen.is_valid or seen.area < LEAST_PX2 or max(east - west, north - south) > MOST_PX:
            continue
        truth = affinity.translate(seen, SIDE / 2 - (west + east) / 2, SIDE / 2 - (south + north) / 2)
        logits = worn(truth, number)
        if np.count_nonzero(logits[112:144, 112:144] > 0) >= LEAST_CELLS:  # else the wear has worn it away
            cases.append(Case(truth, logits))
    return cases
