"""Reads a folder of rasters with polygons as pictures."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyogrio
import rasterio
import shapely
from affine import Affine
from rasterio.features import rasterize
from rasterio.windows import Window as ReadWindow
from shapely.geometry.base import BaseGeometry

from ml.frames import MODEL_SIZE, FrameError, RasterFrame
from ml.quality.pictures import LEAST_PX2, MOST_SHARE, Mask, Picture, QualityError
from ml.windows import SIZE, Window, choose_window

RASTERS = (".tif", ".tiff", ".vrt", ".jp2")
VECTORS = (".geojson", ".json", ".gpkg", ".shp", ".fgb")
PART = 0.25  # of an object has to lie in the raster
WHOLE = 0.9  # of that part has to lie in the window
AREAS = ("Polygon", "Unknown", "Collection")  # in the names of layers' geometry types
COLOURS = ("red", "green", "blue")


@dataclass(frozen=True)
class Pair:
    """A raster, its polygons, and how many of its pixels a window has a side."""

    raster: Path
    polygons: Path
    window: int = SIZE

    def seen_through(self, window: int) -> "Pair":
        """The same through windows of another side."""
        return Pair(self.raster, self.polygons, window)


def pairs_in(folder: Path) -> list[Pair]:
    """Each raster with the vector file of its name anywhere below the folder, or the only raster with the only one.

    Raises `QualityError` when there is no such pair.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    rasters = [path for path in files if path.suffix.lower() in RASTERS]
    vectors = [path for path in files if path.suffix.lower() in VECTORS]
    named = {path.stem: path for path in reversed(vectors)}
    pairs = [Pair(raster, named[raster.stem]) for raster in rasters if raster.stem in named]
    if not pairs and len(rasters) == len(vectors) == 1:
        pairs = [Pair(rasters[0], vectors[0])]
    if not pairs:
        raise QualityError(
            f"{folder.name} holds no raster with polygons. Put beside each raster ({', '.join(RASTERS)}) a file of the "
            f"same name with its polygons ({', '.join(VECTORS)})."
        )
    return pairs


def pictures_of(pair: Pair, most: int, seed: int = 0) -> Iterator[Picture]:
    """The windows of a raster that hold its polygons whole, as Edgewise would choose them; at most `most` objects.

    Raises `QualityError` for a raster without a place or polygons that cannot be read.
    """
    with rasterio.open(pair.raster) as raster:
        if raster.crs is None:
            raise QualityError(f"{pair.raster.name} does not say where it lies. Give it a coordinate system first.")
        frame = RasterFrame(raster.crs.to_wkt(), raster.transform, raster.width, raster.height)
        shapes = _shapes(pair.polygons, frame)
        by_window: dict[Window, list[Mask]] = {}
        for index in np.random.default_rng(seed).permutation(len(shapes)):
            placed = _placed(shapes[index], frame, pair.window)
            if placed is not None:
                by_window.setdefault(placed[0], []).append(placed[1])
            if sum(map(len, by_window.values())) == most:
                break
        bands, ranges = look_of(raster)
        for window, masks in sorted(by_window.items(), key=lambda item: item[0]):
            pixels = read_window(raster, window, bands, ranges)
            kept = tuple(mask[: pixels.shape[0], : pixels.shape[1]] for mask in masks)
            yield Picture(f"{pair.raster.stem} {window.col},{window.row}", pixels, tuple(m for m in kept if m.any()))


def _shapes(path: Path, frame: RasterFrame) -> list[BaseGeometry]:
    """The polygons of the first layer that may have some, in pixels of the raster."""
    try:
        layers = [name for name, kind in pyogrio.list_layers(path) if kind and any(form in kind for form in AREAS)]
        meta, _, geometries, _ = pyogrio.raw.read(path, layer=layers[0] if layers else 0, columns=[])
    except (pyogrio.errors.DataSourceError, ValueError) as error:
        raise QualityError(f"{path.name} cannot be read as polygons. Choose another file.") from error
    found: list[BaseGeometry] = []
    theirs = RasterFrame(meta["crs"] or "EPSG:4326", Affine.identity(), 1, 1)  # its coordinates as if they were pixels
    for geometry in shapely.force_2d(shapely.from_wkb(geometries)):
        if geometry is None or geometry.is_empty or shapely.get_dimensions(geometry) != 2:
            continue
        try:
            lonlat = shapely.transform(shapely.make_valid(geometry), theirs.lonlat_from_pixel)
            shape = frame.pixel_geometry_from_lonlat(lonlat)
        except FrameError:
            continue
        found += [part for part in shapely.get_parts(shape) if part.geom_type == "Polygon" and part.area > 0]
    return found


def _placed(shape: BaseGeometry, frame: RasterFrame, size: int) -> tuple[Window, Mask] | None:
    """The window of a shape and its mask there in the model's frame; None where too little of it is seen."""
    inside = shapely.intersection(shape, shapely.box(0, 0, frame.width, frame.height))
    if inside.area < PART * shape.area:
        return None
    west, north, east, south = inside.bounds
    window = choose_window([(west, north), (east, south)], frame.width, frame.height, size=size)
    scale = MODEL_SIZE / window.size
    placed = shapely.transform(inside, lambda xy: (xy - (window.col, window.row)) * scale)
    mask = rasterize([(placed, 1)], (MODEL_SIZE, MODEL_SIZE), dtype="uint8").astype(bool)
    area = int(mask.sum())
    if area < max(LEAST_PX2, WHOLE * inside.area * scale**2) or area > MOST_SHARE * MODEL_SIZE**2:
        return None
    return window, mask


def look_of(raster: Any) -> tuple[list[int], list[tuple[float, float]]]:
    """Bands and their ranges, chosen as a raster's first recipe chooses them."""
    names = [interpretation.name for interpretation in raster.colorinterp]
    usable = [band for band, name in enumerate(names, 1) if name != "alpha"] or list(raster.indexes)
    in_colour = all(colour in names for colour in COLOURS)
    if in_colour:
        bands = [names.index(colour) + 1 for colour in COLOURS]
    else:
        bands = usable[:3] if len(usable) >= 3 else [usable[0]] * 3
    if in_colour and all(raster.dtypes[band - 1] == "uint8" for band in bands):
        return bands, [(0.0, 255.0)] * 3
    return bands, [_stretch(raster.read(band, masked=True)) for band in bands]


def _stretch(values: Any) -> tuple[float, float]:
    """From the 2nd to the 98th percentile of what is there."""
    there = np.asarray(values.compressed(), np.float64)
    low, high = np.percentile(there, [2, 98]) if len(there) else (0.0, 1.0)
    return float(low), float(high) if high > low else float(low) + 1


def read_window(
    raster: Any, window: Window, bands: Sequence[int], ranges: Sequence[tuple[float, float]]
) -> npt.NDArray[np.uint8]:
    """(H, W, 3) in the model's frame, at most 1024 px a side, of a window in a look."""
    wide, high = min(window.size, raster.width - window.col), min(window.size, raster.height - window.row)
    scale = MODEL_SIZE / window.size
    shape = (len(bands), max(1, round(high * scale)), max(1, round(wide * scale)))
    values = raster.read(
        list(bands),
        window=ReadWindow(window.col, window.row, wide, high),
        out_shape=shape,
        resampling=rasterio.enums.Resampling.bilinear,
    ).astype(np.float64)
    low = np.array([low for low, _ in ranges])[:, None, None]
    top = np.array([top for _, top in ranges])[:, None, None]
    scaled = np.clip((np.nan_to_num(values) - low) / (top - low), 0, 1)
    return np.ascontiguousarray(np.round(scaled * 255).astype(np.uint8).transpose(1, 2, 0))
