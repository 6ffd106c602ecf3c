"""Reads pixels of a prepared raster: windows for the encoder, tiles for the map; one handle per thread and level."""

import math
import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import morecantile
import numpy as np
import numpy.typing as npt
import rasterio
from django.conf import settings
from rasterio.enums import ColorInterp, MaskFlags, Resampling
from rasterio.transform import from_bounds
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window as RasterioWindow

from backend.rasters.models import Raster
from backend.rasters.placing import LAST_LATITUDE
from backend.rasters.recipes import apply_recipe
from backend.rasters.selectors import raster_frame
from ml.frames import FrameError
from ml.windows import Window

WEB = rasterio.CRS.from_epsg(3857)
GRID = morecantile.tms.get("WebMercatorQuad")
HANDLES_PER_THREAD = 24
OVERVIEW_SLACK = 1.2  # the coarsest overview that is at most this much coarser than wanted
_threads = threading.local()


@dataclass(frozen=True, eq=False)
class Pixels:
    """`rgb` uint8 (H, W, 3) through the band recipe, and `valid` bool (H, W)."""

    rgb: npt.NDArray[np.uint8]
    valid: npt.NDArray[np.bool_]


def read_window(raster: Raster, window: Window) -> Pixels:
    """The pixels of an encode window, cut at the raster's right and lower side. Raises rasterio's errors."""
    dataset = _dataset(raster, 0)
    width = min(window.size, dataset.width - window.col)
    height = min(window.size, dataset.height - window.row)
    where = RasterioWindow(window.col, window.row, width, height)
    indexes = list(_recipe(raster)["bands"])
    values = dataset.read(indexes, window=where)
    valid = _valid(dataset, dataset.read_masks(indexes, window=where), values)
    return Pixels(_rgb(raster, values, valid), valid)


def read_tile(raster: Raster, x: int, y: int, z: int, size: int = 256) -> Pixels | None:
    """The pixels of a Web Mercator tile; None where the tile lies outside the raster.

    The overview is chosen here and warped straight to the tile's grid: the same pixels as a warp of the full
    resolution, for far less work.
    """
    bounds = GRID.xy_bounds(morecantile.Tile(x, y, z))
    full = _dataset(raster, 0)
    if not _touches(raster, bounds):
        return None
    dataset = _dataset(raster, _level(full, _pixels_per_pixel(raster, bounds, size)))
    indexes = list(_recipe(raster)["bands"])
    options: dict[str, Any] = {
        "crs": WEB,
        "transform": from_bounds(*bounds, size, size),
        "width": size,
        "height": size,
        "resampling": Resampling.nearest if raster.palette else Resampling.bilinear,
    }
    if full.nodata is None and not _has_alpha(full):
        options["add_alpha"] = True
    with WarpedVRT(dataset, **options) as view:
        values = view.read(indexes)
        valid = _valid(view, view.read_masks(indexes), values)
    if not valid.any():
        return None
    return Pixels(_rgb(raster, values, valid), valid)


def read_small(raster: Raster, longest: int) -> Pixels:
    """The whole raster, decimated so that its longer side has `longest` px at most."""
    dataset = _dataset(raster, 0)
    scale = min(1.0, longest / max(dataset.width, dataset.height))
    shape = (max(1, round(dataset.height * scale)), max(1, round(dataset.width * scale)))
    indexes = list(_recipe(raster)["bands"])
    how = Resampling.nearest if raster.palette else Resampling.average
    values = dataset.read(indexes, out_shape=(3, *shape), resampling=how)
    valid = _valid(dataset, dataset.read_masks(indexes, out_shape=(3, *shape)), values)
    return Pixels(_rgb(raster, values, valid), valid)


def data_path(relative: str) -> Path:
    """A stored path below the data folder."""
    return Path(settings.DATA_DIR, relative)


def forget_handles() -> None:
    """Closes this thread's open files."""
    kept: OrderedDict[Any, Any] = _threads.__dict__.setdefault("handles", OrderedDict())
    while kept:
        kept.popitem()[1].close()


def _dataset(raster: Raster, level: int) -> Any:
    """This thread's open handle on the raster at an overview level; 0 is full resolution."""
    kept: OrderedDict[tuple[str, int], Any] = _threads.__dict__.setdefault("handles", OrderedDict())
    key = (raster.cog_path, level)
    if key in kept:
        kept.move_to_end(key)
        return kept[key]
    options = {"overview_level": level - 1} if level else {}
    opened = rasterio.open(data_path(raster.cog_path), driver="GTiff", **options)
    kept[key] = opened
    while len(kept) > HANDLES_PER_THREAD:
        kept.popitem(last=False)[1].close()
    return opened


def _level(full: Any, factor: float) -> int:
    best = 0
    for level, overview in enumerate(full.overviews(1), start=1):
        if overview <= factor * OVERVIEW_SLACK:
            best = level
    return best


def _pixels_per_pixel(raster: Raster, bounds: Any, size: int) -> float:
    """How many of the raster's pixels, along its finer side, make one pixel of the tile at the tile's centre."""
    frame = raster_frame(raster)
    step = (bounds.right - bounds.left) / size
    x, y = (bounds.left + bounds.right) / 2, (bounds.bottom + bounds.top) / 2
    places = [GRID.lnglat(x, y), GRID.lnglat(x + step, y), GRID.lnglat(x, y + step)]
    try:
        centre, across, up = frame.pixel_from_lonlat(places)
    except FrameError:  # the tile's centre lies where the raster's CRS ends
        metres = step * math.cos(math.radians(places[0][1]))
        return float(metres / min(raster.pixel_size_m or [metres]))
    return float(min(np.hypot(*(across - centre)), np.hypot(*(up - centre))))


def _touches(raster: Raster, bounds: Any) -> bool:
    if raster.footprint is None:
        return True
    west, south = GRID.lnglat(bounds.left, bounds.bottom)
    east, north = GRID.lnglat(bounds.right, bounds.top)
    left, low, right, high = raster.footprint.extent
    if north >= LAST_LATITUDE:
        north = 90
    if south <= -LAST_LATITUDE:
        south = -90
    if not (south <= high and north >= low):
        return False
    return any(west + turn <= right and east + turn >= left for turn in (-360, 0, 360))


def _valid(dataset: Any, masks: npt.NDArray[np.uint8], values: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    seen: npt.NDArray[np.bool_] = masks > 0
    valid: npt.NDArray[np.bool_] = np.asarray(seen.all(axis=0) if _all_must(dataset) else seen.any(axis=0))
    if values.dtype.kind == "f":
        valid &= np.isfinite(values).all(axis=0)
    return valid


def _all_must(dataset: Any) -> bool:
    """A shared mask or alpha counts as it is; separate nodata per band hides a pixel only where all bands have it."""
    return any(MaskFlags.per_dataset in flags for flags in dataset.mask_flag_enums)


def _has_alpha(dataset: Any) -> bool:
    return ColorInterp.alpha in dataset.colorinterp


def _rgb(raster: Raster, values: npt.NDArray[Any], valid: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
    rgb = apply_recipe(values, _recipe(raster), raster.palette)
    rgb[~valid] = 0
    return rgb


def _recipe(raster: Raster) -> dict[str, Any]:
    recipe: dict[str, Any] | None = raster.recipe
    if recipe is None:
        raise ValueError("this raster is not prepared yet")
    return recipe
