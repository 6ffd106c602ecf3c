"""Every coordinate conversion there is: lon/lat, a raster's CRS, its pixels, a window and the model's frame.

Arrays of coordinates are float64 of shape (N, 2). Pixel coordinates are (col, row) in the EDGE convention: the
centre of the first pixel is (0.5, 0.5), its outer corner (0, 0). Angles are degrees, x before y everywhere.
"""

import math
import threading
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from affine import Affine
from pyproj import CRS, Geod, Transformer
from pyproj.exceptions import CRSError, ProjError
from shapely.geometry import Polygon
from shapely.geometry.base import BaseGeometry

from ml.windows import Window

MODEL_SIZE = 1024  # SAM 2.1's input frame, sam2.1_hiera_*.yaml: image_size
EARTH_RADIUS_M = 6_371_008.8  # mean radius, IUGG
WEB_RADIUS_M = 6_378_137  # of Web Mercator's sphere
STRAY_PX = 0.05  # what an edge may stray when it is drawn straight in another frame
DENSIFY_ROUNDS = 6
GEOD = Geod(ellps="WGS84")
_transformers = threading.local()

Coordinates = npt.NDArray[np.float64]


class FrameError(ValueError):
    """A CRS that cannot be read, a transform that cannot be inverted, or a place that a CRS cannot express."""


@dataclass(frozen=True)
class RasterFrame:
    """Where a raster lies: its CRS (anything PROJ reads), affine pixel -> CRS transform, width and height in px."""

    crs: str
    transform: Affine
    width: int
    height: int

    def pixel_from_lonlat(self, lonlat: npt.ArrayLike) -> Coordinates:
        """Pixel coordinates of lon/lat; raises `FrameError` where the CRS cannot express the place."""
        coordinates = _project(self._to_raster, lonlat)
        if self.centre_degrees is not None:  # the same place lies at -170 and at 190: take the one in the raster
            coordinates[:, 0] += 360 * np.round((self.centre_degrees - coordinates[:, 0]) / 360)
        return self.pixel_from_raster(coordinates)

    def lonlat_from_pixel(self, pixel: npt.ArrayLike) -> Coordinates:
        """Lon/lat of pixel coordinates; raises `FrameError` where there is none."""
        lonlat = _project(self._to_lonlat, self.raster_from_pixel(pixel))
        beyond = np.abs(lonlat[:, 0]) > 180  # a raster in degrees may run from 0 to 360
        lonlat[beyond, 0] = (lonlat[beyond, 0] + 180) % 360 - 180
        return lonlat

    def raster_from_pixel(self, pixel: npt.ArrayLike) -> Coordinates:
        """Coordinates in the raster's CRS."""
        return _affine(self.transform, pixel)

    def pixel_from_raster(self, coordinates: npt.ArrayLike) -> Coordinates:
        """Pixel coordinates of coordinates in the raster's CRS."""
        return _affine(self._inverse, coordinates)

    def lonlat_geometry_from_pixel(self, geometry: BaseGeometry) -> BaseGeometry:
        """A geometry in pixel coordinates as lon/lat, long edges densified first.

        What crosses the antimeridian is cut there (RFC 7946, 3.1.9). Raises `FrameError` around a pole.
        """
        lonlat = shapely.transform(self._densified(geometry), self.lonlat_from_pixel)
        west, _, east, _ = lonlat.bounds
        return lonlat if not east - west > 180 else _cut_at_antimeridian(lonlat)

    def pixel_geometry_from_lonlat(self, geometry: BaseGeometry) -> BaseGeometry:
        """A lon/lat geometry in pixel coordinates."""
        return shapely.transform(geometry, self.pixel_from_lonlat)

    def footprint_lonlat(self) -> Polygon:
        """The raster's outline in lon/lat, at least 16 points a side.

        It is continuous: where the raster crosses the antimeridian it runs past ±180. Around a pole it is the cap.
        """
        side = max(self.width, self.height) / 16
        outline = shapely.box(0, 0, self.width, self.height)
        dense = shapely.segmentize(outline, max(min(side, self.densify_px), side / 64, 1.0))
        ring = self.lonlat_from_pixel(shapely.get_coordinates(dense))
        lon, lat = np.unwrap(ring[:, 0], period=360), ring[:, 1]
        if abs(lon[-1] - lon[0]) > 180:
            return shapely.box(-180, lat.min(), 180, 90) if lat.mean() > 0 else shapely.box(-180, -90, 180, lat.max())
        lon -= 360 * np.ceil(((lon.min() + lon.max()) / 2 - 180) / 360)  # its middle in (-180, 180]
        return Polygon(np.column_stack([lon, lat]))

    def pixel_size_m(self) -> tuple[float, float]:
        """Width and height of the centre pixel in metres, on the ellipsoid."""
        return self._pixel_size_m

    @cached_property
    def _pixel_size_m(self) -> tuple[float, float]:
        col, row = self.width / 2, self.height / 2
        (a, b), (c, d), (e, f) = self.lonlat_from_pixel([[col, row], [col + 1, row], [col, row + 1]])
        _, _, width = GEOD.inv(a, b, c, d)
        _, _, height = GEOD.inv(a, b, e, f)
        return float(width), float(height)

    @cached_property
    def densify_px(self) -> float:
        """The longest edge in px whose chord strays less than 0.05 px on the sphere: sagitta s = L² / 8R."""
        metres = max(*self.pixel_size_m(), 0.001)
        return max(1.0, math.sqrt(8 * EARTH_RADIUS_M * STRAY_PX / metres))

    def _densified(self, geometry: BaseGeometry) -> BaseGeometry:
        """Points added until the middle of each edge, straight in lon/lat, strays less than 0.05 px."""
        longest = self.densify_px
        dense = shapely.segmentize(geometry, longest)
        for _ in range(DENSIFY_ROUNDS):
            stray = self._stray(dense)
            if stray <= STRAY_PX or longest <= 1:
                break
            longest = max(1.0, longest * 0.9 * math.sqrt(STRAY_PX / stray))
            dense = shapely.segmentize(dense, longest)
        return dense

    def _stray(self, geometry: BaseGeometry) -> float:
        """How far, in px, the middle of an edge that is straight in lon/lat lies from that of the same edge here."""
        corners, line = shapely.get_coordinates(_lines(geometry), return_index=True)
        real = line[1:] == line[:-1]
        begin, end = corners[:-1][real], corners[1:][real]
        if len(begin) == 0:
            return 0.0
        lonlat = self.lonlat_from_pixel(np.vstack([begin, end]))
        half = (lonlat[len(begin) :] - lonlat[: len(begin)]) / 2
        half[:, 0] -= 180 * np.round(half[:, 0] / 180)
        seen = self.pixel_from_lonlat(lonlat[: len(begin)] + half)
        return float(np.hypot(*(seen - (begin + end) / 2).T).max())

    @cached_property
    def centre_degrees(self) -> float | None:
        """The x of the raster's centre when its CRS counts in degrees, else None."""
        if not readable_crs(self.crs).is_geographic:
            return None
        return float(self.raster_from_pixel([[self.width / 2, self.height / 2]])[0, 0])

    @property
    def _to_lonlat(self) -> Transformer:
        return _transformer(self.crs, "EPSG:4326")

    @property
    def _to_raster(self) -> Transformer:
        return _transformer("EPSG:4326", self.crs)

    @cached_property
    def _inverse(self) -> Affine:
        if self.transform.determinant == 0:
            raise FrameError("The raster's transform is degenerate: its pixels have no area.")
        inverse: Affine = ~self.transform
        return inverse


def model_from_pixel(window: Window, pixel: npt.ArrayLike) -> Coordinates:
    """The model's frame (0..1024, edge convention) of raster pixel coordinates, for one window."""
    scale = MODEL_SIZE / window.size
    return (np.asarray(pixel, dtype=np.float64) - (window.col, window.row)) * scale


def pixel_from_model(window: Window, model: npt.ArrayLike) -> Coordinates:
    """Raster pixel coordinates of the model's frame."""
    scale = window.size / MODEL_SIZE
    return np.asarray(model, dtype=np.float64) * scale + (window.col, window.row)


def lonlat_from_map(coordinates: npt.ArrayLike) -> Coordinates:
    """Lon/lat of Web Mercator coordinates (EPSG method 1024, spherical)."""
    angles = np.asarray(coordinates, dtype=np.float64).reshape(-1, 2) / WEB_RADIUS_M
    return np.degrees(np.column_stack([angles[:, 0], 2 * np.arctan(np.exp(angles[:, 1])) - math.pi / 2]))


def geodesic_area_m2(geometry: BaseGeometry) -> float:
    """The area of a lon/lat geometry on the WGS 84 ellipsoid in m², holes taken away; 0 for lines and points."""
    total = 0.0
    for part in shapely.get_parts(geometry):
        if isinstance(part, Polygon):
            area = abs(GEOD.polygon_area_perimeter(*part.exterior.xy)[0])
            holes = sum(abs(GEOD.polygon_area_perimeter(*ring.xy)[0]) for ring in part.interiors)
            total += area - holes
    return float(total)


@lru_cache(maxsize=256)
def readable_crs(crs: str) -> CRS:
    """The CRS that PROJ makes of a text; raises `FrameError`."""
    try:
        return CRS.from_user_input(crs)
    except CRSError as error:
        raise FrameError("PROJ does not know this coordinate system.") from error


def _lines(geometry: BaseGeometry) -> npt.NDArray[np.object_]:
    """Its rings and lines."""
    parts = shapely.get_parts(geometry)
    areas = shapely.get_dimensions(parts) == 2
    return np.concatenate([shapely.get_rings(parts[areas]), parts[~areas]])


def _cut_at_antimeridian(lonlat: BaseGeometry) -> BaseGeometry:
    """The same places in one or several parts, none of which jumps from 180 to -180 degrees."""
    try:
        whole = shapely.transform(lonlat, _unwrapped)
    except shapely.GEOSException as error:  # a ring that does not close any more
        raise FrameError("A shape around a pole has no outline in lon/lat. Draw it in parts.") from error
    sound = whole if whole.is_valid else shapely.make_valid(whole)
    turns = range(math.floor((sound.bounds[0] + 180) / 360), math.ceil((sound.bounds[2] + 180) / 360))
    pieces = [
        shapely.transform(
            shapely.intersection(sound, shapely.box(360 * turn - 180, -90, 360 * turn + 180, 90)),
            lambda coordinates, turn=turn: coordinates - (360 * turn, 0),
        )
        for turn in turns
    ]
    kept = [part for piece in pieces for part in shapely.get_parts(piece)]
    same = [part for part in kept if shapely.get_dimensions(part) == shapely.get_dimensions(lonlat)]
    return shapely.union_all(same)


def _unwrapped(lonlat: Coordinates) -> Coordinates:
    turns = np.round((np.unwrap(lonlat[:, 0], period=360) - lonlat[:, 0]) / 360)  # whole: equal ends stay equal
    return np.column_stack([lonlat[:, 0] + 360 * turns, lonlat[:, 1]])


def _transformer(source: str, target: str) -> Transformer:
    known: dict[tuple[str, str], Transformer] = _transformers.__dict__.setdefault("known", {})
    key = (source, target)
    if key not in known:
        if len(known) > 64:
            known.clear()
        try:
            known[key] = Transformer.from_crs(readable_crs(source), readable_crs(target), always_xy=True)
        except ProjError as error:
            raise FrameError("PROJ has no way from this coordinate system to lon/lat.") from error
    return known[key]


def _project(transformer: Transformer, coordinates: npt.ArrayLike) -> Coordinates:
    array = np.asarray(coordinates, dtype=np.float64).reshape(-1, 2)
    x, y = transformer.transform(array[:, 0], array[:, 1])
    projected = np.column_stack([np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)])
    if not np.isfinite(projected).all():
        raise FrameError("A place lies where the raster's coordinate system has no coordinates.")
    return projected


def _affine(transform: Affine, coordinates: npt.ArrayLike) -> Coordinates:
    array = np.asarray(coordinates, dtype=np.float64).reshape(-1, 2)
    x, y = array[:, 0], array[:, 1]
    matrix: Any = transform
    return np.column_stack([matrix.a * x + matrix.b * y + matrix.c, matrix.d * x + matrix.e * y + matrix.f])
