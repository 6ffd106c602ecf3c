"""Where a raster lies: checks its CRS and transform, and tells footprint, pixel size and zoom levels."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from affine import Affine
from pyproj import CRS
from shapely.geometry import Polygon

from backend.rasters.errors import RasterRefusedError
from ml.frames import FrameError, RasterFrame, readable_crs

MAX_CRS_LETTERS = 20_000
MAX_ZOOM = 26
EARTH_RADII_M = (6_300_000, 6_420_000)  # every ellipsoid ever used for the Earth, and not the Moon's or Mars's
WEB_PIXEL_M = 2 * math.pi * 6_378_137 / 256  # one pixel of the tile 0/0/0 at the equator
LAST_LATITUDE = 85.051128  # where the square of Web Mercator ends
# Words by which a CRS makes PROJ open a file of the server. `@null` is in the WKT of old Web Mercators.
FILE_WORDS = re.compile(r"(\+?\binit\s*=)|(grids\s*=\s*(?!@null\b))|(\bfile\s*=)|(PARAMETERFILE)", re.IGNORECASE)


@dataclass(frozen=True)
class Place:
    """A checked place on Earth. `footprint` is lon/lat and may run past ±180 where it crosses the antimeridian."""

    crs: str
    crs_name: str
    epsg: int | None
    footprint: Polygon
    pixel_size_m: tuple[float, float]
    minzoom: int
    maxzoom: int


def place_of(crs: str, transform: Sequence[float], width: int, height: int) -> Place:
    """The place of a raster with this CRS and affine transform. Raises `RasterRefusedError`."""
    try:
        known = earthly_crs(crs)
    except FrameError as error:
        raise RasterRefusedError("raster.unsupported_crs") from error
    frame = RasterFrame(known.to_wkt(), Affine(*transform), width, height)
    try:
        pixel_size = frame.pixel_size_m()
    except FrameError as error:
        raise RasterRefusedError("raster.out_of_world") from error
    try:
        footprint = frame.footprint_lonlat()
    except FrameError as error:
        raise RasterRefusedError("raster.off_earth") from error
    _, south, _, north = footprint.bounds
    if not all(math.isfinite(size) and size > 0 for size in pixel_size) or south < -90.01 or north > 90.01:
        raise RasterRefusedError("raster.out_of_world")
    if footprint.bounds[2] - footprint.bounds[0] > 360.01 or footprint.area == 0:
        raise RasterRefusedError("raster.out_of_world")
    minzoom, maxzoom = zoom_levels(pixel_size, (south + north) / 2, max(width, height))
    return Place(known.to_wkt(), known.name[:200], known.to_epsg(), footprint, _rounded(pixel_size), minzoom, maxzoom)


def earthly_crs(text: str) -> CRS:
    """The CRS of a code, PROJ string or WKT, if it lies on Earth and reads no files. Raises `FrameError`."""
    if len(text) > MAX_CRS_LETTERS or FILE_WORDS.search(text):
        raise FrameError("This coordinate system needs files that are not used here.")
    known = readable_crs(text)
    wkt = known.to_wkt()
    if FILE_WORDS.search(wkt):
        raise FrameError("This coordinate system needs files that are not used here.")
    ellipsoid = known.ellipsoid
    if ellipsoid is None or not EARTH_RADII_M[0] < ellipsoid.semi_major_metre < EARTH_RADII_M[1]:
        raise FrameError("This coordinate system is not one of the Earth.")
    return known


def zoom_levels(pixel_size_m: Sequence[float], latitude: float, longest_px: int) -> tuple[int, int]:
    """The zoom at which the raster fits a tile, and the one whose tiles have about its own pixels."""
    stretched = min(pixel_size_m) / math.cos(math.radians(min(abs(latitude), LAST_LATITUDE)))
    maxzoom = math.ceil(math.log2(WEB_PIXEL_M / stretched) - 0.3)
    minzoom = maxzoom - math.ceil(math.log2(max(longest_px, 256) / 256))
    return max(0, min(minzoom, MAX_ZOOM)), max(0, min(maxzoom, MAX_ZOOM))


def _rounded(size: tuple[float, float]) -> tuple[float, float]:
    return float(f"{size[0]:.6g}"), float(f"{size[1]:.6g}")
