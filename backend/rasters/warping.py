"""Reads one Web Mercator tile: the right overview, warped straight to the tile's own grid."""

import math
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from rasterio.enums import ColorInterp, Resampling
from rasterio.vrt import WarpedVRT

from backend.rasters.models import Raster
from backend.rasters.reading import Pixels, dataset_of, recipe_of, seen, valid_pixels
from backend.rasters.selectors import raster_frame
from ml.frames import FrameError, RasterFrame, lonlat_from_map

WEB = rasterio.CRS.from_epsg(3857)
# The same, but its longitudes run on past 180: for rasters in degrees that do so too.
WEB_OVER = rasterio.CRS.from_proj4("+proj=merc +a=6378137 +b=6378137 +units=m +nadgrids=@null +over +no_defs")
HALF_WORLD_M = math.pi * 6_378_137
OVERVIEW_SLACK = 1.2  # the coarsest overview that is at most this much coarser than wanted
TOLERANCE_PX = 0.05  # how far GDAL's quick transform may stray, in pixels of the tile
FARTHEST = 1e-9
KEPT_LOOKS = 200
_threads = threading.local()


@dataclass(frozen=True)
class _Look:
    """What every tile of one version of a raster needs to know of it."""

    frame: RasterFrame
    extent: tuple[float, float, float, float]
    factors: tuple[int, ...]
    add_alpha: bool


def read_tile(raster: Raster, x: int, y: int, z: int, size: int = 256) -> Pixels | None:
    """The pixels of a Web Mercator tile; None where the tile lies outside the raster.

    The same pixels as a warp of the full resolution, for far less work.
    """
    look = _look_at(raster)
    tile_m = 2 * HALF_WORLD_M / 2**z
    left, top = x * tile_m - HALF_WORLD_M, HALF_WORLD_M - y * tile_m
    turns = _turns(look.extent, left, top, tile_m)
    if not turns:
        return None
    step = tile_m / size
    level = _level(look, _pixels_per_pixel(look.frame, left + tile_m / 2, top - tile_m / 2, step))
    indexes = list(recipe_of(raster)["bands"])
    bands = list(dict.fromkeys(indexes))
    options: dict[str, Any] = {
        "width": size,
        "height": size,
        "resampling": Resampling.nearest if raster.palette else Resampling.bilinear,
        "tolerance": TOLERANCE_PX,
    }
    if look.add_alpha:
        options["add_alpha"] = True
    values, valid = np.zeros((len(bands), size, size), np.uint8), np.zeros((size, size), bool)
    for turn in turns if look.frame.centre_degrees is not None else [0]:
        options["transform"] = Affine(step, 0, left + turn * 2 * HALF_WORLD_M, 0, -step, top)
        with WarpedVRT(dataset_of(raster, level), crs=WEB_OVER if turn else WEB, **options) as view:
            more = view.read(bands)
            there = valid_pixels(view, bands, more)
        values, valid = (np.where(there, more, values), valid | there) if valid.any() else (more, there)
    if not valid.any():
        return None
    return seen(raster, values if bands == indexes else values[[bands.index(band) for band in indexes]], valid)


def _look_at(raster: Raster) -> _Look:
    kept: OrderedDict[tuple[Any, int], _Look] = _threads.__dict__.setdefault("looks", OrderedDict())
    key = (raster.id, raster.version)
    if key not in kept:
        full = dataset_of(raster, 0)
        extent = raster.footprint.extent if raster.footprint else (-180.0, -90.0, 180.0, 90.0)
        shared = full.nodata is None and ColorInterp.alpha not in full.colorinterp
        kept[key] = _Look(raster_frame(raster), extent, tuple(full.overviews(1)), shared)
        while len(kept) > KEPT_LOOKS:
            kept.popitem(last=False)
    return kept[key]


def _level(look: _Look, factor: float) -> int:
    """0 for full resolution, else the overview counted from 1."""
    wanted = [level for level, overview in enumerate(look.factors, start=1) if overview <= factor * OVERVIEW_SLACK]
    return wanted[-1] if wanted else 0


def _pixels_per_pixel(frame: RasterFrame, x: float, y: float, step: float) -> float:
    """How many of the raster's pixels, along its finer side, make one pixel of the tile at the tile's centre."""
    places = lonlat_from_map([[x, y], [x + step, y], [x, y + step]])
    try:
        centre, across, up = frame.pixel_from_lonlat(places)
    except FrameError:  # the tile's centre lies where the raster's CRS ends
        return step * math.cos(math.radians(places[0, 1])) / max(min(frame.pixel_size_m()), FARTHEST)
    return float(min(np.hypot(*(across - centre)), np.hypot(*(up - centre))))


def _turns(extent: tuple[float, float, float, float], left: float, top: float, tile_m: float) -> list[int]:
    """Moved by how many turns around the world the tile meets the raster."""
    (west, south), (east, north) = lonlat_from_map([[left, top - tile_m], [left + tile_m, top]])
    low_west, low_south, high_east, high_north = extent
    if top >= HALF_WORLD_M:
        north = 90.0
    if top - tile_m <= -HALF_WORLD_M:
        south = -90.0
    if south > high_north or north < low_south:
        return []
    return [turn for turn in (-1, 0, 1) if west + 360 * turn <= high_east and east + 360 * turn >= low_west]
