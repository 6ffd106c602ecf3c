"""An export's rows: read from one consistent snapshot, in batches, reprojected, with their properties."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
import shapely
from django.db import connection, transaction
from pyproj import CRS, Transformer
from shapely.geometry.base import BaseGeometry

from backend.annotations.models import Annotation
from backend.annotations.selectors import filtered
from backend.core.clock import iso
from backend.exchange.filters import ExportFilters
from backend.projects.models import LabelClass

BATCH = 500
LONLAT = "EPSG:4326"
CURVED_EDGE_DEGREES = 0.01  # about 1 km: longer edges are densified before they are reprojected


@dataclass(frozen=True)
class Feature:
    """One annotation ready to be written: its id, its geometry in the export's CRS, its properties."""

    id: str
    geometry: BaseGeometry
    properties: dict[str, Any]


def count(project_id: UUID, filters: ExportFilters) -> int:
    """How many annotations the filters let through."""
    return int(filtered_rows(project_id, filters).count())


def features(project_id: UUID, filters: ExportFilters, crs: str) -> Iterator[list[Feature]]:
    """Batches of features, all from the same moment however long it takes; memory does not grow with their number."""
    classes = {row.id: row.name for row in LabelClass.objects.filter(project_id=project_id)}
    project = projector(crs)
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        rows = filtered_rows(project_id, filters).select_related("author", "updated_by").order_by("created_at", "id")
        batch: list[Feature] = []
        for row in rows.iterator(chunk_size=BATCH):
            batch.append(_feature(row, classes, project))
            if len(batch) == BATCH:
                yield batch
                batch = []
        if batch:
            yield batch


def filtered_rows(project_id: UUID, filters: ExportFilters) -> Any:
    """The annotations that the filters let through."""
    rows = filtered(project_id, filters.plain)
    if filters.area is not None:
        rows = rows.filter(geometry__intersects=filters.area)
    return rows


def projector(crs: str) -> Any:
    """A function from lon/lat geometries to the CRS; the same geometry for lon/lat itself."""
    if CRS.from_user_input(crs).equals(CRS.from_epsg(4326)):
        return lambda geometry: geometry
    transformer = Transformer.from_crs(LONLAT, crs, always_xy=True)

    def project(geometry: BaseGeometry) -> BaseGeometry:
        dense = shapely.segmentize(geometry, CURVED_EDGE_DEGREES)
        return shapely.transform(dense, lambda xy: np.column_stack(transformer.transform(xy[:, 0], xy[:, 1])))

    return project


def _feature(row: Annotation, classes: dict[UUID, str], project: Any) -> Feature:
    provenance = row.provenance or {}
    properties = {
        "class": classes.get(row.label_class_id, ""),
        "status": row.status,
        "author": row.author.display_name or row.author.username,
        "updated_by": row.updated_by.display_name or row.updated_by.username,
        "created_at": iso(row.created_at),
        "updated_at": iso(row.updated_at),
        "version": row.version,
        "area_m2": row.area_m2,
        "length_m": row.length_m,
        "source": provenance.get("kind", ""),
        "model": provenance.get("model"),
        "score": row.score,
        "raster": str(row.raster_id) if row.raster_id else None,
        **{f"attr_{key}": value for key, value in row.attributes.items()},
    }
    return Feature(str(row.id), project(shapely.from_wkb(bytes(row.geometry.wkb))), properties)
