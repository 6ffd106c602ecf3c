"""The directions of the walls around a click, of stored shapes of its class; read beside the decode, never waited for.

What is read is kept for each cell of the ground as long as nobody changes an annotation.
"""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from uuid import UUID

import numpy as np
import shapely
from django.db import connections
from shapely.geometry import MultiPolygon, Point, Polygon
from shapely.geometry.base import BaseGeometry

from backend.rasters.models import Raster
from backend.rasters.selectors import raster_frame
from backend.segmentation.prompting import Pixels, Placed
from backend.segmentation.remembered import Remembered
from ml.frames import FrameError, RasterFrame
from ml.vectorize import Direction, Recipe, wall_directions

REACH_M = 100.0  # neighbours further from the click are of another group
MOST = 12  # so many of the nearest count
CELL_M = 50.0  # what is read once serves all clicks in a square of this side
MOST_READ = 64  # shapes for a cell
LATE_SECONDS = 0.2  # after its masks an answer waits no longer for a busy database, and goes without

log = logging.getLogger(__name__)

Bounds = tuple[float, float, float, float]
ShapesNear = Callable[[UUID, UUID, Bounds, int, UUID | None], Sequence[BaseGeometry]]

# The room above says which shapes in lon/lat a project has of a class within bounds (w, s, e, n): so many, those that
# are nearest to the middle, but for one annotation.
shapes_near: list[ShapesNear] = []


@dataclass(frozen=True, eq=False)
class Neighbour:
    """A part of a stored shape on the ground (the raster's pixels times their size in metres), and its walls."""

    ground: Polygon
    walls: Direction


_kept: Remembered[tuple[Neighbour, ...]] = Remembered()
_reading = ThreadPoolExecutor(2, thread_name_prefix="groups")


def follows(recipe: Recipe | None) -> bool:
    """Whether a recipe draws walls that follow those of neighbours."""
    return recipe is not None and recipe.group_directions and recipe.form == "right_angles"


def asked_beside(raster: Raster, label_class: UUID | None, prompts: Placed) -> Callable[[], list[Direction]]:
    """Begins to read the walls near a click, and gives what collects them, nearest first.

    Where the database is late or fails there are none: an answer matters more than the last degree of a wall.
    """
    if label_class is None or not shapes_near:
        return list
    frame = raster_frame(raster)
    place = _middle(prompts) * frame.pixel_size_m()
    cell = (int(place[0] // CELL_M), int(place[1] // CELL_M))
    key = (raster.project_id, label_class, raster.id, cell)
    middle = (np.array(cell) + 0.5) * CELL_M
    make = partial(_read, raster.project_id, label_class, frame, middle, reach=REACH_M + CELL_M / 2)
    known = _kept.known(key, make)
    found = beside(lambda: _kept.get(key, make)) if known is None else None

    def collect() -> list[Direction]:
        if found is None:
            return _nearest(known[0] if known else (), place)
        try:
            return _nearest(found.result(LATE_SECONDS), place)
        except Exception:
            log.warning("The walls of neighbours could not be read in time", exc_info=True)
            return []

    return collect


def walls_around(
    project_id: UUID, label_class: UUID, frame: RasterFrame, prompts: Placed, *, but: UUID
) -> list[Direction]:
    """The walls of stored shapes near prompts, as they are now, but for one annotation; nearest first."""
    place = _middle(prompts) * frame.pixel_size_m()
    return _nearest(_read(project_id, label_class, frame, place, reach=REACH_M, but=but), place)


def forget_shapes() -> None:
    """After a change of annotations."""
    _kept.forget()


def beside(read: Callable[[], tuple[Neighbour, ...]]) -> "Future[tuple[Neighbour, ...]]":
    """Reads on another thread, which gives its database connection back."""

    def work() -> tuple[Neighbour, ...]:
        try:
            return read()
        finally:
            connections.close_all()

    return _reading.submit(work)


def _middle(prompts: Placed) -> Pixels:
    """What a click is about: the first place of the object, else the middle of the box."""
    place: Pixels = prompts.positive[0] if len(prompts.positive) else prompts.around.mean(axis=0)
    return place


def _nearest(neighbours: Sequence[Neighbour], place: Pixels) -> list[Direction]:
    far = shapely.distance([one.ground for one in neighbours], Point(place)) if neighbours else np.empty(0)
    return [neighbours[i].walls for i in np.argsort(far, kind="stable")[:MOST] if far[i] <= REACH_M]


def _read(
    project_id: UUID, label_class: UUID, frame: RasterFrame, middle: Pixels, *, reach: float, but: UUID | None = None
) -> tuple[Neighbour, ...]:
    """The parts of the shapes within a square of the ground about a place, and where their walls point."""
    pixel_m = np.asarray(frame.pixel_size_m())
    square = (middle + reach * np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)])) / pixel_m
    try:
        corners = frame.lonlat_from_pixel(square)
        bounds = (*corners.min(axis=0).tolist(), *corners.max(axis=0).tolist())
        shapes = [shape for near in shapes_near for shape in near(project_id, label_class, bounds, MOST_READ, but)]
        parts = [part for part in shapely.get_parts(shapes) if isinstance(part, Polygon)]
        pixels = frame.pixel_geometry_from_lonlat(MultiPolygon(parts))
    except FrameError:  # at the rim of what the raster's CRS can say
        return ()
    ground = shapely.get_parts(shapely.transform(pixels, lambda xy: xy * pixel_m))
    ground = [part for part in ground if part.area > 0]
    return tuple(map(Neighbour, ground, wall_directions(MultiPolygon(ground), (1.0, 1.0))))
