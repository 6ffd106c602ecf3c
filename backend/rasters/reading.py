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
from affine import Affine
from django.conf import settings
from rasterio.enums import ColorInterp, MaskFlags, Resampling
from rasterio.transform import from_bounds
from rasterio.vrt import WarpedVRT
from rasterio.warp import calculate_default_transform
from rasterio.windows import Window as RasterioWindow

from backend.rasters.models import Raster
from backend.rasters.recipes import apply_recipe
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
    wanted = (bounds.right - bounds.left) / size
    if not _touches(raster, bounds):
        return None
    dataset = _dataset(raster, _level(full, wanted / _web_resolution(raster)))
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


def zoom_range(crs: str, transform: Affine, width: int, height: int) -> tuple[int, int]:
    """The zoom whose tiles have about the raster's own pixels, and the one at which it fits a tile."""
    west, south, east, north = _bounds(transform, width, height)
    fitted, fit_width, fit_height = calculate_default_transform(crs, WEB, width, height, west, south, east, north)
    resolution = abs(fitted.a)
    world = 2 * math.pi * 6378137.0
    maxzoom = math.ceil(math.log2(world / 256 / resolution) - 0.3)
    minzoom = maxzoom - math.ceil(math.log2(max(fit_width or 1, fit_height or 1, 256) / 256))
    return max(0, min(minzoom, 24)), max(0, min(maxzoom, 24))


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


def _web_resolution(raster: Raster) -> float:
    known: dict[tuple[Any, int], float] = _threads.__dict__.setdefault("resolutions", {})
    key = (raster.id, raster.version)
    if key not in known:
        full = _dataset(raster, 0)
        fitted, _, _ = calculate_default_transform(
            full.crs, WEB, full.width, full.height, *_bounds(full.transform, full.width, full.height)
        )
        known[key] = abs(fitted.a)
    return known[key]


def _bounds(transform: Affine, width: int, height: int) -> tuple[float, float, float, float]:
    corners = [transform @ corner for corner in ((0, 0), (width, 0), (0, height), (width, height))]
    xs, ys = [x for x, _ in corners], [y for _, y in corners]
    return min(xs), min(ys), max(xs), max(ys)


def _touches(raster: Raster, bounds: Any) -> bool:
    if raster.footprint is None:
        return True
    west, south = GRID.lnglat(bounds.left, bounds.bottom)
    east, north = GRID.lnglat(bounds.right, bounds.top)
    left, low, right, high = raster.footprint.extent
    return bool(west <= right and east >= left and south <= high and north >= low)


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
