"""Masks to try a recipe on before there is any work: one for each kind of thing that is mapped."""

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import shapely
from shapely import affinity
from shapely.geometry import LineString, Point, Polygon, box
from shapely.geometry.base import BaseGeometry

from ml.vectorize import Placing

CELLS = 256
CELL_PX = 4.0  # as in a window of 1024 px
STEEPNESS = 1.6  # logits per cell across an edge
ROUGHNESS = 1.1  # logits: how uneven a model's masks are
NOISE_CELLS = 8  # the size of the unevenness

Logits = npt.NDArray[np.float32]


@lru_cache(maxsize=8)
def sample(name: str) -> tuple[Logits, Placing, tuple[float, float]]:
    """Logits (256, 256) of a worn mask, where they lie, and a place (raster px) that was clicked on.

    Raises `KeyError` for a name that is none of `NAMES`. The same at any time: the noise is seeded.
    """
    shape, pixel_m = SAMPLES[name]
    drawn = shape()
    side = np.arange(CELLS) + 0.5
    cells = shapely.points(*np.meshgrid(side, side))
    inside = np.asarray(shapely.contains(drawn, cells))
    away = np.asarray(shapely.distance(drawn.boundary, cells))
    logits = np.where(inside, away, -away) * STEEPNESS + _noise(len(name))
    placing = Placing(0, 0, (CELL_PX, CELL_PX), int(CELLS * CELL_PX), int(CELLS * CELL_PX), (pixel_m, pixel_m))
    clicked = shapely.get_coordinates(drawn.representative_point())[0] * CELL_PX
    return np.clip(logits, -16, 16).astype(np.float32), placing, (float(clicked[0]), float(clicked[1]))


def _noise(seed: int) -> npt.NDArray[np.float64]:
    """Smooth unevenness: random heights every few cells, with straight ways between them."""
    knots = CELLS // NOISE_CELLS + 1
    coarse = np.random.default_rng(seed).normal(0.0, ROUGHNESS, (knots, knots))
    at, places = np.arange(CELLS) / NOISE_CELLS, np.arange(knots)
    rows = np.array([np.interp(at, places, row) for row in coarse])
    return np.array([np.interp(at, places, column) for column in rows.T]).T


def _building() -> BaseGeometry:
    house = shapely.union_all([box(60, 80, 190, 140), box(60, 80, 115, 200)])
    yard = box(135, 100, 152, 118)
    return affinity.rotate(house.difference(yard), 17, origin=(128, 128))


def _field() -> BaseGeometry:
    outer = Polygon([(30, 60), (120, 38), (222, 66), (214, 150), (190, 214), (96, 220), (42, 190)])
    return outer.difference(Point(150, 120).buffer(5))


def _water() -> BaseGeometry:
    lake = LineString([(50, 190), (80, 120), (140, 110), (190, 60)]).buffer(26)
    return lake.union(Point(190, 70).buffer(38)).difference(Point(185, 75).buffer(9))


def _forest() -> BaseGeometry:
    turns = np.linspace(0, 2 * math.pi, 15, endpoint=False)
    crowns = [Point(128 + 62 * math.cos(a), 128 + 50 * math.sin(a)).buffer(22 + 8 * math.sin(5 * a)) for a in turns]
    lone = Point(228, 40).buffer(9)
    return shapely.union_all([*crowns, Point(128, 128).buffer(55), lone])


def _tank() -> BaseGeometry:
    return Point(128, 128).buffer(78)


def _road() -> BaseGeometry:
    through = LineString([(0, 60), (70, 90), (150, 96), (255, 150)])
    branch = LineString([(118, 94), (104, 160), (130, 255)])
    return shapely.union_all([through, branch]).buffer(7)


# For each kind its shape in cells, and the size of a pixel in metres that suits it.
SAMPLES: dict[str, tuple[Callable[[], BaseGeometry], float]] = {
    "building": (_building, 0.03),
    "field": (_field, 0.5),
    "water": (_water, 0.3),
    "forest": (_forest, 0.2),
    "tank": (_tank, 0.05),
    "road": (_road, 0.3),
}
NAMES = tuple(SAMPLES)
