"""Writes features to GeoJSON and GeoPackage, batch by batch."""

import json
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio.raw
import shapely

from backend.exchange.features import Feature
from backend.exchange.projection import Shapes, is_lonlat, projector

METRE_DECIMALS = 4
UTC_IN_GDAL = 100
NOT_RFC = (
    "This file is not in longitude and latitude, so it is not GeoJSON as RFC 7946 has it: "
    "programs that do not read its crs member will put it in the wrong place."
)
Tick = Callable[[int], None]

# Columns of a GeoPackage that every export has, with the kind of their values.
COLUMNS: dict[str, str] = {
    "id": "string",
    "class": "string",
    "status": "string",
    "author": "string",
    "updated_by": "string",
    "created_at": "time",
    "updated_at": "time",
    "version": "integer",
    "area_m2": "number",
    "length_m": "number",
    "source": "string",
    "model": "string",
    "score": "number",
    "raster": "string",
    "raster_id": "string",
}
# kind -> (numpy's type, what stands under the mask of a missing value)
KINDS: dict[str, tuple[Any, Any]] = {
    "string": (object, None),
    "time": ("datetime64[ms]", np.datetime64("NaT")),
    "integer": (np.int64, 0),
    "number": (np.float64, np.nan),
    "boolean": (bool, False),
}
LAYERS = {"MultiPolygon": "polygons", "MultiLineString": "lines", "Point": "points"}


def write_geojson(path: Path, batches: Iterable[list[Feature]], crs: str, name: str, tick: Tick) -> None:
    """A FeatureCollection: RFC 7946 in lon/lat, from shapes as text; else with the `crs` member of GeoJSON 2008.

    Every feature stands on a line of its own.
    """
    project = None if is_lonlat(crs) else projector(crs)
    with path.open("w", encoding="utf-8") as file:
        file.write('{"type":"FeatureCollection","name":' + _json(name) + ",")
        if project is not None:
            urn = "urn:ogc:def:crs:" + crs.replace(":", "::", 1)
            file.write(f'"crs":{_json({"type": "name", "properties": {"name": urn}})},"warning":{_json(NOT_RFC)},')
        file.write('"features":[')
        comma = "\n"
        for batch in batches:
            shapes = [feature.shape for feature in batch]
            if project is not None:
                shapes = _rounded_text(project(_wkb(batch), _ids(batch)))
            lines = [
                f'{{"type":"Feature","id":"{feature.id}","geometry":{shape!s},'
                f'"properties":{_json({"id": feature.id, **feature.properties})}}}'
                for feature, shape in zip(batch, shapes, strict=True)
            ]
            file.write(comma + ",\n".join(lines))
            comma = ",\n"
            tick(len(batch))
        file.write("\n]}\n")


def write_gpkg(path: Path, batches: Iterable[list[Feature]], crs: str, attributes: dict[str, str], tick: Tick) -> None:
    """A GeoPackage with a layer for each kind of geometry, and a column for each attribute, from shapes as WKB.

    `attributes` maps keys to `string`, `number` or `boolean`.
    """
    columns = {**COLUMNS, **{f"attr_{key}": kind for key, kind in attributes.items()}}
    project = projector(crs)
    written: set[str] = set()
    for batch in batches:
        for kind, features, shapes in _by_kind(batch, project(_wkb(batch), _ids(batch))):
            _append(path, kind, features, shapes, columns, crs=crs, append=kind in written)
            written.add(kind)
        tick(len(batch))
    if not written:
        _append(path, "MultiPolygon", [], np.array([], object), columns, crs=crs, append=False)


def _by_kind(batch: list[Feature], shapes: Shapes) -> Iterator[tuple[str, list[Feature], Shapes]]:
    kinds = np.array(["Multi" + shape.geom_type.removeprefix("Multi") for shape in shapes])
    kinds[kinds == "MultiPoint"] = "Point"
    for kind in LAYERS:
        chosen = np.flatnonzero(kinds == kind)
        if len(chosen):
            yield kind, [batch[index] for index in chosen], shapes[chosen]


def _append(
    path: Path,
    kind: str,
    features: list[Feature],
    shapes: Shapes,
    columns: dict[str, str],
    *,
    crs: str,
    append: bool,
) -> None:
    values, masks = [], []
    for name, wanted in columns.items():
        dtype, empty = KINDS[wanted]
        cells = [_cell(feature.id if name == "id" else feature.properties.get(name), wanted) for feature in features]
        missing = np.array([cell is None for cell in cells], bool)
        values.append(np.array([empty if cell is None else cell for cell in cells], dtype))
        masks.append(missing)
    pyogrio.raw.write(
        str(path),
        shapely.to_wkb(shapes),
        field_data=values,
        fields=np.array(list(columns), object),
        field_mask=masks,
        gdal_tz_offsets={
            name: np.full(len(features), UTC_IN_GDAL) for name, wanted in columns.items() if wanted == "time"
        },
        layer=LAYERS[kind],
        driver="GPKG",
        geometry_type=kind,
        promote_to_multi=kind != "Point",
        crs=crs,
        append=append,
    )


def _cell(value: Any, wanted: str) -> Any:
    if value is None:
        return None
    if wanted == "string":
        return value if isinstance(value, str) else _json(value)
    if wanted == "time":
        return np.datetime64(datetime.fromisoformat(value).replace(tzinfo=None), "ms")
    return value


def _rounded_text(shapes: Shapes) -> list[str | bytes]:
    rounded = shapely.transform(shapes, lambda xy: np.round(xy, METRE_DECIMALS))
    return list(shapely.to_geojson(rounded))


def _wkb(batch: list[Feature]) -> list[bytes]:
    return [feature.shape for feature in batch if isinstance(feature.shape, bytes)]


def _ids(batch: list[Feature]) -> list[str]:
    return [feature.id for feature in batch]


def _json(said: object) -> str:
    return json.dumps(said, ensure_ascii=False, separators=(",", ":"))
