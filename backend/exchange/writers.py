"""Writes features to GeoJSON and GeoPackage, batch by batch."""

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio.raw
import shapely
from pyproj import CRS
from shapely.geometry import MultiLineString, MultiPolygon
from shapely.geometry.base import BaseGeometry

from backend.exchange.features import LONLAT, Feature

LONLAT_DECIMALS, METRE_DECIMALS = 9, 4
Tick = Callable[[int], None]

# Columns of a GeoPackage that every export has, with the kind of their values.
COLUMNS: dict[str, type] = {
    "id": str,
    "class": str,
    "status": str,
    "author": str,
    "updated_by": str,
    "created_at": str,
    "updated_at": str,
    "version": int,
    "area_m2": float,
    "length_m": float,
    "source": str,
    "model": str,
    "score": float,
    "raster": str,
}
ATTRIBUTE_KINDS: dict[str, type] = {"text": str, "choice": str, "number": float, "boolean": bool}
LAYERS = {"Polygon": "polygons", "LineString": "lines", "Point": "points"}


def write_geojson(path: Path, batches: Iterable[list[Feature]], crs: str, name: str, tick: Tick) -> None:
    """A FeatureCollection: RFC 7946 in lon/lat; in another CRS with the `crs` member of GeoJSON 2008."""
    lonlat = crs == LONLAT
    with path.open("w", encoding="utf-8") as file:
        file.write('{"type":"FeatureCollection","name":' + json.dumps(name) + ",")
        if not lonlat:
            urn = "urn:ogc:def:crs:" + "::".join(crs.split(":", 1)) if crs.count(":") == 1 else crs
            file.write('"crs":' + json.dumps({"type": "name", "properties": {"name": urn}}) + ",")
        file.write('"features":[\n')
        first = True
        for batch in batches:
            for feature in batch:
                file.write(("" if first else ",\n") + _geojson(feature, LONLAT_DECIMALS if lonlat else METRE_DECIMALS))
                first = False
            tick(len(batch))
        file.write("\n]}\n")


def write_gpkg(path: Path, batches: Iterable[list[Feature]], crs: str, attributes: dict[str, str], tick: Tick) -> None:
    """A GeoPackage with a layer for each kind of geometry, and a column for each attribute of the legend.

    `attributes` maps the legend's keys to their types; a key that two classes give different types becomes text.
    """
    columns = {**COLUMNS, **{f"attr_{key}": ATTRIBUTE_KINDS.get(kind, str) for key, kind in attributes.items()}}
    known = CRS.from_user_input(crs)
    srs = ":".join(known.to_authority() or ()) or known.to_wkt()
    written: set[str] = set()
    for batch in batches:
        for kind, members in _by_kind(batch):
            _append(path, kind, members, columns, srs, append=kind in written)
            written.add(kind)
        tick(len(batch))
    if not written:
        _append(path, "Polygon", [], columns, srs, append=False)


def _geojson(feature: Feature, decimals: int) -> str:
    geometry = shapely.set_precision(feature.geometry, 0)
    rounded = shapely.transform(geometry, lambda xy: np.round(xy, decimals))
    body = {"type": "Feature", "id": feature.id, "geometry": None, "properties": feature.properties}
    said = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return said.replace('"geometry":null', '"geometry":' + shapely.to_geojson(rounded), 1)


def _by_kind(batch: list[Feature]) -> Iterator[tuple[str, list[Feature]]]:
    for kind in LAYERS:
        members = [feature for feature in batch if feature.geometry.geom_type.removeprefix("Multi") == kind]
        if members:
            yield kind, members


def _append(
    path: Path, kind: str, features: list[Feature], columns: dict[str, type], srs: str, *, append: bool
) -> None:
    values, masks = [], []
    for name, wanted in columns.items():
        cells = [_cell({**feature.properties, "id": feature.id}.get(name), wanted) for feature in features]
        masks.append(np.array([cell is None for cell in cells], bool))
        empty: Any = {str: "", int: 0, float: np.nan, bool: False}[wanted]
        dtype: Any = {str: object, int: np.int64, float: np.float64, bool: bool}[wanted]
        values.append(np.array([empty if cell is None else cell for cell in cells], dtype))
    pyogrio.raw.write(
        str(path),
        np.array([shapely.to_wkb(_multi(feature.geometry)) for feature in features], object),
        field_data=values,
        fields=np.array(list(columns), object),
        field_mask=masks,
        layer=LAYERS[kind],
        driver="GPKG",
        geometry_type=kind if kind == "Point" else f"Multi{kind}",
        crs=srs,
        append=append,
    )


def _cell(value: Any, wanted: type) -> Any:
    if value is None:
        return None
    if wanted is str:
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if wanted is bool:
        return value if isinstance(value, bool) else None
    return wanted(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _multi(geometry: BaseGeometry) -> BaseGeometry:
    if geometry.geom_type == "Polygon":
        return MultiPolygon([geometry])
    if geometry.geom_type == "LineString":
        return MultiLineString([geometry])
    return geometry
