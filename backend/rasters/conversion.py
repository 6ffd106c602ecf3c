"""Makes a COG of a file in a process of its own: `python -m backend.rasters.conversion ORDER.json`.

The order names source, target, CRS and transform to use, and the data type. Every block of the source is read, so a
damaged file is found here. Memory is bounded by GDAL's block cache, whatever the raster's size.
"""

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

from backend.rasters import sandbox

CACHE_MB = 256
BLOCK = 512
FILE_AT_FAULT = 3  # the exit status that says: the source, and not this program, is to blame


def convert(order: dict[str, Any]) -> None:
    """Writes the COG aside and renames it. Raises rasterio's errors when the source cannot be read."""
    import rasterio
    import rasterio.shutil

    target = Path(order["target"])
    target.parent.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(dir=target.parent, prefix=".making-") as folder,
        rasterio.Env(
            GDAL_CACHEMAX=CACHE_MB,
            GDAL_DISABLE_READDIR_ON_OPEN="FALSE",
            GDAL_TIFF_OVR_BLOCKSIZE=BLOCK,
            CHECK_DISK_FREE_SPACE="TRUE",
            CPL_TMPDIR=folder,
        ),
    ):
        view = _view(order, Path(folder) / "source.vrt")
        aside = Path(folder) / "cog.tif"
        rasterio.shutil.copy(str(view), str(aside), driver="COG", **_options(order))
        with aside.open("rb") as file:
            os.fsync(file.fileno())
        aside.replace(target)


def _view(order: dict[str, Any], path: Path) -> Path:
    """The source under the right CRS, transform and data type, without copying it."""
    import rasterio
    import rasterio.shutil

    with rasterio.open(order["source"], driver="GTiff") as source:
        rasterio.shutil.copy(source, str(path), driver="VRT")
    tree = Xml.parse(path)  # noqa: S314
    root = tree.getroot()
    for name in ("SRS", "GeoTransform", "GCPList", "Metadata"):
        for element in root.findall(name):
            root.remove(element)
    Xml.SubElement(root, "SRS").text = order["crs"]
    a, b, c, d, e, f = order["transform"]
    Xml.SubElement(root, "GeoTransform").text = ", ".join(repr(float(v)) for v in (c, a, b, f, d, e))
    for band in root.findall("VRTRasterBand"):
        for element in band.findall("Metadata"):  # old statistics, and odd numbers of bits
            band.remove(element)
        if order.get("as_float32"):
            band.set("dataType", "Float32")
    tree.write(path)
    return path


def _options(order: dict[str, Any]) -> dict[str, Any]:
    options: dict[str, Any] = {
        "BLOCKSIZE": BLOCK,
        "BIGTIFF": "IF_SAFER",
        "SPARSE_OK": "TRUE",
        "NUM_THREADS": "1",
        "OVERVIEWS": "IGNORE_EXISTING",
        "OVERVIEW_RESAMPLING": "NEAREST" if order.get("palette") else "AVERAGE",
        "WARP_RESAMPLING": "NEAREST",
    }
    if order.get("jpeg"):
        return {**options, "COMPRESS": "JPEG", "QUALITY": 90, "OVERVIEW_QUALITY": 85}
    return {**options, "COMPRESS": "DEFLATE", "LEVEL": 4, "PREDICTOR": "YES"}


if __name__ == "__main__":
    import rasterio.shutil  # noqa: F401  (before the doors are shut)

    given = json.loads(Path(sys.argv[1]).read_text())
    sandbox.enter(
        read=[Path(given["source"]).parent],
        write=[Path(given["target"]).parent],
        memory_mb=4096,
        cpu_seconds=24 * 3600,
        file_mb=4 * 1024 * 1024,
        niceness=10,
    )
    try:
        convert(given)
    except Exception as error:
        if not type(error).__module__.startswith("rasterio"):
            raise
        print(error, error.__cause__)
        sys.exit(FILE_AT_FAULT)
