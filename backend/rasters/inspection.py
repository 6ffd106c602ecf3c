"""Looks at a file's header in a process of its own with hard limits: `python -m backend.rasters.inspection FILE`.

Nothing but GDAL's GeoTIFF driver opens the file, and only after its first bytes are those of a TIFF. Prints one JSON
object: what the header says, or `{"refused": code}`.
"""

import json
import math
import sys
from datetime import date
from pathlib import Path
from typing import Any

from backend.rasters import sandbox

TIFF_MAGIC = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
MAX_SIDE = 400_000
MAX_PIXELS = 100_000_000_000
MAX_BANDS = 20
MAX_BLOCK_BYTES = 256 * 1024 * 1024
MAX_BLOCKS = 40_000_000
MAX_OVERVIEWS = 32
MAX_CLAIM_PER_BYTE = 1_000_000  # claimed pixel bytes per byte of the file: sparse files are fine, absurd ones not
DTYPES = {"uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64"}
KEPT_DTYPES = {"uint8", "uint16", "int16", "float32"}


def inspect(path: str, given_crs: str = "") -> dict[str, Any]:
    """What the header says, or `{"refused": code}`; reads no pixels."""
    with Path(path).open("rb") as file:
        if file.read(4) not in TIFF_MAGIC:
            return {"refused": "raster.not_geotiff"}
    import rasterio
    from rasterio.errors import RasterioIOError

    try:
        # Sidecars (.aux.xml, .prj, .tfw) are only found when the folder may be listed.
        with (
            rasterio.Env(GDAL_DISABLE_READDIR_ON_OPEN="FALSE", GDAL_CACHEMAX=64),
            rasterio.open(path, driver="GTiff") as dataset,
        ):
            return _header(dataset, Path(path).stat().st_size, given_crs)
    except (RasterioIOError, MemoryError):
        return {"refused": "raster.corrupt"}


def _header(dataset: Any, size: int, given_crs: str) -> dict[str, Any]:
    problem = _link_problem(dataset) or _size_problem(dataset, size) or _kind_problem(dataset)
    if problem:
        return {"refused": problem}
    transform = dataset.transform
    placed = all(math.isfinite(value) for value in transform) and not transform.is_identity
    if not placed or transform.determinant == 0:
        return {"refused": "raster.only_gcps" if dataset.gcps[0] else "raster.no_georeference"}
    crs = given_crs or (dataset.crs.to_wkt() if dataset.crs else "")
    if not crs:
        return {"refused": "raster.no_crs"}
    return {"crs": crs, **_facts(dataset)}


def _link_problem(dataset: Any) -> str | None:
    """Whether its metadata names another file as its overviews, which GDAL would open: any path, any address."""
    linked = any(key.startswith("OVERVIEW_FILE") for key in dataset.tags(ns="OVERVIEWS"))
    return "raster.reaches_out" if linked else None


def _size_problem(dataset: Any, size: int) -> str | None:
    width, height, count = dataset.width, dataset.height, dataset.count
    if count > MAX_BANDS:
        return "raster.too_many_bands"
    if max(width, height) > MAX_SIDE or width * height > MAX_PIXELS:
        return "raster.too_large"
    item = max(_item_bytes(dtype) for dtype in dataset.dtypes)
    block_rows, block_cols = dataset.block_shapes[0]
    blocks = math.ceil(width / block_cols) * math.ceil(height / block_rows)
    if block_rows * block_cols * item * count > MAX_BLOCK_BYTES or blocks > MAX_BLOCKS:
        return "raster.too_demanding"
    if len(dataset.overviews(1)) > MAX_OVERVIEWS:
        return "raster.too_demanding"
    if width * height * item * count > MAX_CLAIM_PER_BYTE * max(size, 1):
        return "raster.too_large"
    return None


def _kind_problem(dataset: Any) -> str | None:
    if dataset.count == 0:
        return "raster.corrupt"
    if not set(dataset.dtypes) <= DTYPES:
        return "raster.unsupported_dtype"
    return None


def _facts(dataset: Any) -> dict[str, Any]:
    from rasterio.enums import ColorInterp

    palette = None
    if dataset.count == 1 and dataset.dtypes[0] == "uint8" and dataset.colorinterp[0] == ColorInterp.palette:
        palette = {str(index): list(colour) for index, colour in dataset.colormap(1).items()}
    return {
        "width": dataset.width,
        "height": dataset.height,
        "transform": list(dataset.transform)[:6],
        "bands": [
            {
                "index": index,
                "dtype": dtype,
                "interpretation": interpretation.name,
                "nodata": _plain(nodata),
                "stats": None,
            }
            for index, dtype, interpretation, nodata in zip(
                dataset.indexes, dataset.dtypes, dataset.colorinterp, dataset.nodatavals, strict=True
            )
        ],
        "palette": palette,
        "compression": dataset.compression.value if dataset.compression else None,
        "acquired_on": _acquired(dataset.tags()),
    }


def _item_bytes(dtype: str) -> int:
    digits = "".join(letter for letter in dtype if letter.isdigit())
    return max(1, int(digits) // 8) if digits else 16


def _plain(value: float | None) -> float | None:
    """NaN and infinities have no place in JSON; that NaN is no data goes without saying."""
    return value if value is not None and math.isfinite(value) else None


def _acquired(tags: dict[str, str]) -> str | None:
    """The day of TIFFTAG_DATETIME (`2016:08:16 10:00:00`), where the file says it."""
    try:
        day = date.fromisoformat(tags.get("TIFFTAG_DATETIME", "")[:10].replace(":", "-"))
    except ValueError:
        return None
    return day.isoformat() if 1900 < day.year < 2100 else None


if __name__ == "__main__":
    import rasterio  # noqa: F401  (before the doors are shut)

    sandbox.enter(read=[Path(sys.argv[1]).parent], write=[], memory_mb=2048, cpu_seconds=20, file_mb=1)
    print(json.dumps(inspect(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "")))
