"""An export's rows: read from one consistent snapshot, in batches of bounded size, with their properties."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib.gis.db.models.functions import AsGeoJSON, AsWKB
from django.db import connection, transaction

from backend.annotations.geometry import DECIMALS
from backend.annotations.selectors import filtered
from backend.core.clock import iso
from backend.exchange.filters import ExportFilters
from backend.projects.models import LabelClass

FETCH_ROWS = 200
BATCH_ROWS, BATCH_BYTES = 2000, 8 * 1024 * 1024
COLUMNS = (
    *("id", "shape", "label_class_id", "attributes", "status", "version", "created_at", "updated_at"),
    *("area_m2", "length_m", "score", "provenance", "raster_id", "raster__name"),
    *("author__display_name", "author__username", "updated_by__display_name", "updated_by__username"),
)
ATTRIBUTE_TYPES = {"text": "string", "choice": "string", "number": "number", "boolean": "boolean"}


@dataclass(frozen=True)
class Feature:
    """One annotation to be written: its shape in lon/lat, as GeoJSON text or as WKB, and its properties."""

    id: str
    shape: str | bytes
    properties: dict[str, Any]


class Snapshot:
    """What an export sees: everything from the same moment, however long it takes and whoever writes meanwhile."""

    def __init__(self, project_id: UUID, filters: ExportFilters) -> None:
        self._project_id = project_id
        self._rows = filtered_rows(project_id, filters)
        self._classes = {row.id: row for row in LabelClass.objects.filter(project_id=project_id)}
        self.total = int(self._rows.count())

    def batches(self, *, as_text: bool) -> Iterator[list[Feature]]:
        """The features, oldest first; their shapes as GeoJSON text, else as WKB. Memory does not grow with them."""
        shape: Any = AsGeoJSON("geometry", precision=DECIMALS) if as_text else AsWKB("geometry")
        rows = self._rows.annotate(shape=shape).order_by("created_at", "id").values_list(*COLUMNS, named=True)
        batch: list[Feature] = []
        size = 0
        for row in rows.iterator(chunk_size=FETCH_ROWS):
            batch.append(self._feature(row))
            size += len(row.shape)
            if len(batch) >= BATCH_ROWS or size >= BATCH_BYTES:
                yield batch
                batch, size = [], 0
        if batch:
            yield batch

    def attribute_types(self) -> dict[str, str]:
        """Each attribute's key with `string`, `number` or `boolean`, in the legend's order.

        What stands in the legend and what is stored must agree, or it is a string: a legend may have changed, and
        two classes may give one key different types.
        """
        types: dict[str, set[str]] = {}
        for label_class in sorted(self._classes.values(), key=lambda row: (row.order, row.name)):
            for entry in label_class.attributes:
                types.setdefault(entry["key"], set()).add(ATTRIBUTE_TYPES.get(entry["type"], "string"))
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT DISTINCT pair.key, jsonb_typeof(pair.value) FROM annotations_annotation AS annotation, "
                "jsonb_each(annotation.attributes) AS pair "
                "WHERE annotation.project_id = %s AND annotation.deleted_at IS NULL ORDER BY 1, 2",
                [self._project_id],
            )
            for key, kind in cursor.fetchall():
                types.setdefault(key, set()).add(kind)
        return {key: kinds.pop() if len(kinds) == 1 else "string" for key, kinds in types.items()}

    def _feature(self, row: Any) -> Feature:
        label_class = self._classes.get(row.label_class_id)
        properties = {
            "class": label_class.name if label_class else "",
            "status": row.status,
            "author": row.author__display_name or row.author__username,
            "updated_by": row.updated_by__display_name or row.updated_by__username,
            "created_at": iso(row.created_at),
            "updated_at": iso(row.updated_at),
            "version": row.version,
            "area_m2": row.area_m2,
            "length_m": row.length_m,
            "source": row.provenance.get("kind"),
            "model": row.provenance.get("model"),
            "score": row.score,
            "raster": row.raster__name,
            "raster_id": str(row.raster_id) if row.raster_id else None,
            **{f"attr_{key}": value for key, value in row.attributes.items()},
        }
        return Feature(str(row.id), row.shape if isinstance(row.shape, str) else bytes(row.shape), properties)


@contextmanager
def snapshot(project_id: UUID, filters: ExportFilters) -> Iterator[Snapshot]:
    """The project at this moment. Nothing else may be written on this thread's connection while it is open."""
    with transaction.atomic(durable=True):
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield Snapshot(project_id, filters)


def filtered_rows(project_id: UUID, filters: ExportFilters) -> Any:
    """The annotations that the filters let through."""
    rows = filtered(project_id, filters.plain)
    if filters.area is not None:
        rows = rows.filter(geometry__intersects=filters.area)
    return rows
