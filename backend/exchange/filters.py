"""What of a project is exported, and in which CRS; checked when it is asked for."""

import json
import re
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib.gis.geos import GEOSGeometry

from backend.annotations.geometry import parse_geometry
from backend.annotations.models import Status
from backend.annotations.selectors import Filters
from backend.annotations.serializers import read_bbox
from backend.core.errors import Invalid
from ml.frames import FrameError, readable_crs

KEYS = {"label_class", "status", "bbox", "area", "raster"}
CODE = re.compile(r"[A-Z]{3,8}:[0-9A-Z]{1,12}\Z")


@dataclass(frozen=True)
class ExportFilters:
    """The list's own filters, and an area that shapes must touch."""

    plain: Filters
    area: GEOSGeometry | None = None


def read(said: object) -> ExportFilters:
    """The filters. Raises `export.invalid` and the errors of geometries and boxes."""
    if not isinstance(said, dict) or not set(said) <= KEYS:
        raise _invalid(f"Filters are {', '.join(sorted(KEYS))}.")
    statuses = said.get("status") or []
    if not isinstance(statuses, list) or not set(map(str, statuses)) <= set(Status.values):
        raise _invalid(f"status is a list of {', '.join(Status.values)}.")
    bbox = said.get("bbox")
    area = said.get("area")
    try:
        classes = [UUID(str(item)) for item in said.get("label_class") or []]
        raster = UUID(str(said["raster"])) if said.get("raster") else None
    except (ValueError, TypeError) as error:
        raise _invalid("label_class and raster are ids.") from error
    plain = Filters(
        bbox=read_bbox(",".join(map(str, bbox)) if isinstance(bbox, list) else str(bbox)) if bbox else None,
        raster=raster,
        statuses=statuses,
        classes=classes,
    )
    return ExportFilters(plain, GEOSGeometry(parse_geometry(area, "polygon").wkb, srid=4326) if area else None)


def read_crs(said: object) -> str:
    """A CRS as `AUTHORITY:code`: one on the ground, in degrees or metres or the like. Raises `export.invalid_crs`.

    Only a code is taken: a text for PROJ could name files on the server, and a file's reader may not know it.
    """
    code = said.strip().upper() if isinstance(said, str) else ""
    if not CODE.match(code):
        raise _invalid_crs("Give the coordinate system as a code such as EPSG:32633.")
    try:
        known = readable_crs(code)
    except FrameError as error:
        raise _invalid_crs(f"PROJ does not know {code}. Give a code such as EPSG:32633.") from error
    if len(known.axis_info) != 2 or not (known.is_geographic or known.is_projected):
        raise _invalid_crs(f"{code} is not a two-dimensional system of the ground. Give one such as EPSG:32633.")
    return code


def for_row(said: dict[str, Any]) -> dict[str, Any]:
    """What is kept of the filters in the export's row."""
    kept: dict[str, Any] = json.loads(json.dumps({key: said[key] for key in KEYS if said.get(key)}))
    return kept


def _invalid(message: str) -> Invalid:
    return Invalid(message, code="export.invalid", details={"fields": {"filters": [message]}})


def _invalid_crs(message: str) -> Invalid:
    return Invalid(message, code="export.invalid_crs", details={"fields": {"crs": [message]}})
