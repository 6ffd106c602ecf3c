"""Takes GeoJSON geometries in: counted and bounded before GEOS sees them, valid and measured after."""

import json
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from shapely.geometry import LineString, MultiLineString, MultiPolygon, Point, Polygon
from shapely.geometry.base import BaseGeometry

from backend.core.errors import Invalid, TooLarge
from backend.core.numbers import is_number
from ml.frames import GEOD, geodesic_area_m2

MAX_VERTICES = 50_000
MAX_RINGS = 1_000
MAX_PARTS = 100
TYPES = {
    "polygon": ("Polygon", "MultiPolygon"),
    "line": ("LineString", "MultiLineString"),
    "point": ("Point",),
}
DECIMALS = 9  # about 0.1 mm on the ground
VALID = "Valid Geometry"  # as GEOS says it
REASON = re.compile(r"(?P<what>[^\[]+)\[(?P<lon>\S+) (?P<lat>\S+)\]\Z")  # as GEOS says it


@dataclass(frozen=True)
class Shape:
    """A checked geometry in lon/lat, with its geodesic area (m²) and length (m; a polygon's perimeter)."""

    geometry: BaseGeometry
    area_m2: float
    length_m: float

    @property
    def wkb(self) -> memoryview:
        """For the database."""
        return memoryview(shapely.to_wkb(self.geometry))


def parse_geometry(said: object, geometry_type: str) -> Shape:
    """The shape of a GeoJSON geometry for a label class of this geometry type.

    Raises `annotation.invalid_geometry`, saying what and where, and `annotation.too_large`.
    """
    if not isinstance(said, dict):
        raise _invalid("Give a GeoJSON geometry.")
    kind = said.get("type")
    if kind not in TYPES[geometry_type]:
        raise _invalid(f"This class takes {' or '.join(TYPES[geometry_type])}, not {str(kind)[:40]}.")
    geometry = _build(kind, said.get("coordinates"))
    if geometry.is_empty:
        raise _invalid("The geometry is empty.")
    reason = shapely.is_valid_reason(geometry)  # asked once: with 50,000 vertices it may take a second
    if reason != VALID:
        raise _not_valid(reason)
    shape = measured(geometry)
    if geometry_type == "polygon" and shape.area_m2 <= 0:
        raise _invalid("The polygon has no area.")
    return shape


def measured(geometry: BaseGeometry) -> Shape:
    """A valid geometry in lon/lat with its area and length; outer rings counter-clockwise."""
    if isinstance(geometry, Polygon | MultiPolygon):
        geometry = shapely.orient_polygons(geometry)
    length = 0.0 if isinstance(geometry, Point) else float(abs(GEOD.geometry_length(geometry)))
    return Shape(geometry, geodesic_area_m2(geometry), length)


def _build(kind: str, coordinates: object) -> BaseGeometry:
    if kind == "Point":
        return Point(_position(coordinates))
    if kind == "LineString":
        return LineString(_line(coordinates, _Budget(), 2))
    budget = _Budget()
    if kind == "Polygon":
        return _polygon(coordinates, budget)
    parts = _list(coordinates, "parts")
    if len(parts) > MAX_PARTS:
        raise _too_large(f"{len(parts)} parts; at most {MAX_PARTS}")
    if kind == "MultiLineString":
        return MultiLineString([_line(part, budget, 2) for part in parts])
    return MultiPolygon([_polygon(part, budget) for part in parts])


class _Budget:
    """What may still be taken in; counted before anything is built."""

    def __init__(self) -> None:
        self.vertices, self.rings = MAX_VERTICES, MAX_RINGS

    def take(self, vertices: int) -> None:
        self.vertices -= vertices
        self.rings -= 1
        if self.vertices < 0:
            raise _too_large(f"more than {MAX_VERTICES} vertices")
        if self.rings < 0:
            raise _too_large(f"more than {MAX_RINGS} rings")


def _polygon(coordinates: object, budget: _Budget) -> Polygon:
    rings = _list(coordinates, "rings")
    if not rings:
        raise _invalid("A polygon has at least one ring.")
    if len(rings) > MAX_RINGS:
        raise _too_large(f"more than {MAX_RINGS} rings")
    built = [_line(ring, budget, 4) for ring in rings]
    if any(tuple(ring[0]) != tuple(ring[-1]) for ring in built):
        raise _invalid("A ring must end where it begins.")
    return Polygon(built[0], built[1:])


def _line(coordinates: object, budget: _Budget, least: int) -> Any:
    positions = _list(coordinates, "positions")
    budget.take(len(positions))
    if len(positions) < least:
        raise _invalid(f"A {'ring' if least == 4 else 'line'} has at least {least} positions.")
    return np.array([_position(position) for position in positions])


def _position(said: object) -> tuple[float, float]:
    if not isinstance(said, list | tuple) or not 2 <= len(said) <= 3:
        raise _invalid("A position is [longitude, latitude].")
    lon, lat = said[0], said[1]
    if not (is_number(lon) and is_number(lat)):
        raise _invalid("A position is made of finite numbers.")
    if not (-180 <= lon <= 180 and -90 <= lat <= 90):
        raise _invalid("A position lies within 180 degrees east and west and 90 north and south.")
    return round(float(lon), DECIMALS), round(float(lat), DECIMALS)


def _list(said: object, what: str) -> list[Any]:
    if not isinstance(said, list | tuple):
        raise _invalid(f"The coordinates lack their {what}.")
    return list(said)


def _not_valid(reason: str) -> Invalid:
    found = REASON.match(reason)
    if found is None:
        return _invalid(f"The geometry is not valid: {reason}. Move the vertices apart.")
    where = [float(found["lon"]), float(found["lat"])]
    what = found["what"].strip().lower()
    return _invalid(f"The geometry has a {what} at {where[0]:.6f}, {where[1]:.6f}. Move the vertices there.", where)


def _invalid(message: str, where: list[float] | None = None) -> Invalid:
    details: dict[str, Any] = {"fields": {"geometry": [message]}}
    return Invalid(
        message, code="annotation.invalid_geometry", details={**details, "where": where} if where else details
    )


def _too_large(what: str) -> TooLarge:
    return TooLarge(f"The geometry has {what}. Simplify it or cut it into parts.", code="annotation.too_large")


def canonical(said: object) -> str:
    """JSON that is the same for the same content, for comparing what was said twice; also of what is refused later."""
    return json.dumps(said, sort_keys=True, separators=(",", ":"))
