"""Reads pixels of a prepared raster: windows for the encoder, tiles for the map; one handle per thread and level."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
from django.conf import settings
from rasterio.enums import ColorInterp, MaskFlags, Resampling
from rasterio.errors import RasterioIOError
from rasterio.windows import Window as RasterioWindow

from backend.rasters.models import Raster
from backend.rasters.recipes import apply_recipe, colour_table
from ml.windows import SIZE, Window

HANDLES_PER_THREAD = 24
_threads = threading.local()


@dataclass(frozen=True, eq=False)
class Pixels:
    """`rgb` uint8 (H, W, 3) through the band recipe, and `valid` bool (H, W)."""

    rgb: npt.NDArray[np.uint8]
    valid: npt.NDArray[np.bool_]


def read_window(raster: Raster, window: Window) -> Pixels:
    """The pixels of an encode window, cut at the raster's right and lower side. Raises rasterio's errors.

    A window of n times 1024 px is read from the overviews, one pixel for n x n: memory and time are those of a small
    one. What is left of the raster beyond the last whole n px is not seen.
    """
    dataset = dataset_of(raster, 0)
    times = max(1, window.size // SIZE)
    width = min(window.size, dataset.width - window.col)
    height = min(window.size, dataset.height - window.row)
    shape = (max(1, height // times), max(1, width // times))
    where = RasterioWindow(window.col, window.row, min(width, shape[1] * times), min(height, shape[0] * times))
    indexes = list(recipe_of(raster)["bands"])
    how = Resampling.nearest if raster.palette or times == 1 else Resampling.average
    values = dataset.read(indexes, window=where, out_shape=(len(indexes), *shape), resampling=how)
    return seen(raster, values, valid_pixels(dataset, indexes, values, window=where))


def read_small(raster: Raster, longest: int) -> Pixels:
    """The whole raster with north up, decimated so that its longer side has `longest` px at most."""
    dataset = dataset_of(raster, 0)
    scale = min(1.0, longest / max(dataset.width, dataset.height))
    shape = (max(1, round(dataset.height * scale)), max(1, round(dataset.width * scale)))
    indexes = list(recipe_of(raster)["bands"])
    how = Resampling.nearest if raster.palette else Resampling.average
    values = dataset.read(indexes, out_shape=(3, *shape), resampling=how)
    whole = seen(raster, values, valid_pixels(dataset, indexes, values))
    down, right = -1 if dataset.transform.e > 0 else 1, -1 if dataset.transform.a < 0 else 1
    return Pixels(whole.rgb[::down, ::right], whole.valid[::down, ::right])


def data_path(relative: str) -> Path:
    """A stored path below the data folder."""
    return Path(settings.DATA_DIR, relative)


def forget_handles() -> None:
    """Closes this thread's open files."""
    kept: OrderedDict[Any, Any] = _threads.__dict__.setdefault("handles", OrderedDict())
    while kept:
        kept.popitem()[1].close()


def dataset_of(raster: Raster, level: int) -> Any:
    """This thread's open handle on the raster at an overview level; 0 is full resolution."""
    kept: OrderedDict[tuple[str, int], Any] = _threads.__dict__.setdefault("handles", OrderedDict())
    key = (raster.cog_path, level)
    if key in kept:
        kept.move_to_end(key)
        return kept[key]
    options = {"overview_level": level - 1} if level else {}
    opened = rasterio.open(data_path(raster.cog_path), driver="GTiff", **options)
    if not level and (opened.width, opened.height, list(opened.transform)[:6]) != _said(raster):
        opened.close()
        raise RasterioIOError("the header is not the one that was written")
    kept[key] = opened
    while len(kept) > HANDLES_PER_THREAD:
        kept.popitem(last=False)[1].close()
    return opened


def valid_pixels(dataset: Any, indexes: Sequence[int], values: npt.NDArray[Any], **where: Any) -> npt.NDArray[np.bool_]:
    """Where there is data (H, W): by alpha, mask or nodata, and nothing infinite; `where` as for `read`.

    An alpha band is read as what it is: GDAL takes it for a mask only beside one or three bands of whole numbers.
    """
    alpha = [
        index for index, kind in zip(dataset.indexes, dataset.colorinterp, strict=True) if kind == ColorInterp.alpha
    ]
    size = values.shape[1:]
    valid = dataset.read(alpha[:1], out_shape=(1, *size), **where)[0] > 0 if alpha else np.ones(size, bool)
    if not alpha or dataset.nodata is not None:
        there = dataset.read_masks(list(indexes), out_shape=(len(indexes), *size), **where) > 0
        # A shared mask counts as it is; separate nodata hides a pixel only where all bands have it.
        shared = any(MaskFlags.per_dataset in flags for flags in dataset.mask_flag_enums)
        valid &= there.all(axis=0) if shared else there.any(axis=0)
    if values.dtype.kind == "f":
        valid &= np.isfinite(values).all(axis=0)
    return np.asarray(valid, dtype=np.bool_)


def seen(raster: Raster, values: npt.NDArray[Any], valid: npt.NDArray[np.bool_]) -> Pixels:
    """Values through the recipe; what the palette calls transparent is not valid either."""
    if raster.palette:
        valid = valid & (colour_table(raster.palette)[values[0], 3] > 0)
    rgb = apply_recipe(values, recipe_of(raster), raster.palette)
    rgb[~valid] = 0
    return Pixels(rgb, valid)


def recipe_of(raster: Raster) -> dict[str, Any]:
    """The raster's band recipe; raises `ValueError` before it is prepared."""
    recipe: dict[str, Any] | None = raster.recipe
    if recipe is None:
        raise ValueError("this raster is not prepared yet")
    return recipe


def _said(raster: Raster) -> tuple[int | None, int | None, list[float]]:
    return raster.width, raster.height, [float(number) for number in raster.transform or []]
