"""Reads annotations: one, many by filters, counts; and says them as the wire has them."""

import base64
import binascii
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import shapely
from django.contrib.gis.db.models.functions import AsGeoJSON
from django.contrib.gis.geos import GEOSGeometry, Polygon
from django.db.models import Count, Q, QuerySet, Sum, Value
from django.db.models.functions import Coalesce

from backend.accounts.models import User
from backend.annotations.geometry import DECIMALS
from backend.annotations.models import Annotation, Revision, Status
from backend.core.clock import iso
from backend.core.errors import Invalid
from backend.projects.policies import not_found

ORDERS = {"created": "created_at", "updated": "updated_at", "area": "area_m2", "score": "score"}
MAX_LIMIT = 2000
MAX_CURSOR = 200
WORST = float("-inf")  # where work without a score stands among the scored


@dataclass(frozen=True)
class Filters:
    """What to list; an empty field does not narrow.

    `bbox` is (west, south, east, north); with west above east it spans the antimeridian, as in GeoJSON.
    """

    bbox: tuple[float, float, float, float] | None = None
    raster: UUID | None = None
    statuses: Sequence[str] = ()
    classes: Sequence[UUID] = ()
    authors: Sequence[UUID] = ()


@dataclass(frozen=True)
class Page:
    """One page of annotations as JSON, where the next one begins, and how many there are in all."""

    annotations: list[dict[str, Any]]
    next_cursor: str | None
    total: int


def annotation_of(annotation_id: UUID) -> Annotation:
    """The annotation; raises `annotation.not_found`. The caller asks the policy next, for its project."""
    rows = Annotation.objects.select_related("author", "updated_by", "label_class")
    row = rows.filter(id=annotation_id).first()
    if row is None:
        raise not_found("annotation")
    return row


def filtered(project_id: UUID, filters: Filters) -> QuerySet[Annotation]:
    """The project's annotations that are not deleted and pass the filters."""
    rows = Annotation.objects.filter(project_id=project_id, deleted_at__isnull=True)
    if filters.bbox is not None:
        west, south, east, north = filters.bbox
        boxes = [(west, south, east, north)]
        if west > east:
            boxes = [(west, south, 180.0, north), (-180.0, south, east, north)]
        touching = Q()
        for box in boxes:
            touching |= Q(geometry__bboverlaps=Polygon.from_bbox(box))
        rows = rows.filter(touching)
    if filters.raster is not None:
        rows = rows.filter(raster_id=filters.raster)
    if filters.statuses:
        rows = rows.filter(status__in=filters.statuses)
    if filters.classes:
        rows = rows.filter(label_class_id__in=filters.classes)
    if filters.authors:
        rows = rows.filter(author_id__in=filters.authors)
    return rows


def page(project_id: UUID, filters: Filters, order: str, cursor: str, limit: int) -> Page:
    """One page. Raises `annotation.invalid_query` for an unknown order or a cursor that was not given out."""
    sign = "-" if order.startswith("-") else ""
    column = ORDERS.get(order.removeprefix("-"))
    if column is None:
        raise _bad_query(f"Order by one of {', '.join(ORDERS)}, or with - before it.")
    rows = filtered(project_id, filters)
    total = rows.count()
    key = column
    if column == "score":
        rows, key = rows.annotate(rank=Coalesce("score", Value(WORST))), "rank"
    if cursor:
        rows = rows.filter(_after(key, sign == "-", *_read_cursor(column, cursor)))
    ordered = rows.order_by(f"{sign}{key}", f"{sign}id")
    limit = max(1, min(limit, MAX_LIMIT))
    found = list(_with_geojson(ordered)[: limit + 1])
    shown = found[:limit]
    next_cursor = _write_cursor(getattr(shown[-1], key), shown[-1].id) if len(found) > limit else None
    return Page([annotation_json(row) for row in shown], next_cursor, total)


def annotation_json(annotation: Annotation) -> dict[str, Any]:
    """An annotation as the wire has it."""
    said = getattr(annotation, "geojson", None)
    return {
        "id": str(annotation.id),
        "project": str(annotation.project_id),
        "raster": str(annotation.raster_id) if annotation.raster_id else None,
        "label_class": str(annotation.label_class_id),
        "geometry": json.loads(said) if said is not None else geometry_json(annotation.geometry),
        "attributes": annotation.attributes,
        "status": annotation.status,
        "version": annotation.version,
        "author": person_json(annotation.author),
        "updated_by": person_json(annotation.updated_by),
        "created_at": iso(annotation.created_at),
        "updated_at": iso(annotation.updated_at),
        "area_m2": annotation.area_m2,
        "length_m": annotation.length_m,
        "provenance": annotation.provenance,
        "deleted": annotation.deleted_at is not None,
    }


def geometry_json(geometry: GEOSGeometry) -> dict[str, Any]:
    """A stored geometry as GeoJSON, digit for digit as it was taken in."""
    said: dict[str, Any] = json.loads(shapely.to_geojson(shapely.from_wkb(bytes(geometry.wkb))))
    return said


def person_json(user: User) -> dict[str, str]:
    """A user as others in the project see them."""
    return {"id": str(user.id), "display_name": user.display_name or user.username, "colour": user.colour}


def revisions_of(annotation_id: UUID) -> list[dict[str, Any]]:
    """The annotation's history, newest first."""
    rows = Revision.objects.select_related("by").filter(annotation_id=annotation_id).order_by("-version")
    return [
        {
            "version": row.version,
            "at": iso(row.at),
            "by": person_json(row.by),
            "kind": row.kind,
            "geometry": geometry_json(row.geometry),
            "label_class": str(row.label_class_id),
            "attributes": row.attributes,
            "status": row.status,
            "comment": row.comment,
        }
        for row in rows
    ]


def done_before(annotation_id: UUID, edit_id: UUID) -> bool:
    """Whether this edit was stored already: it is being repeated because its answer was lost."""
    return Revision.objects.filter(annotation_id=annotation_id, edit_id=edit_id).exists()


def counts_by_status(project_ids: Iterable[UUID]) -> dict[UUID, dict[str, Any]]:
    """For each project's card: how many annotations stand where."""
    counts = {project_id: dict.fromkeys(Status.values, 0) for project_id in project_ids}
    rows = Annotation.objects.filter(project_id__in=list(counts), deleted_at__isnull=True)
    for row in rows.values("project_id", "status").annotate(count=Count("id")).order_by():
        counts[row["project_id"]][row["status"]] = row["count"]
    return {project_id: {"counts": found} for project_id, found in counts.items()}


def count_of_class(class_id: UUID) -> int:
    """How many annotations, deleted ones too, have this class."""
    return Annotation.objects.filter(label_class_id=class_id).count()


def stats(project_id: UUID) -> dict[str, Any]:
    """Counts by status, class and author."""
    rows = Annotation.objects.filter(project_id=project_id, deleted_at__isnull=True)
    by_class = rows.values("label_class_id").annotate(count=Count("id"), area=Sum("area_m2")).order_by("-count")
    by_author = rows.values("author_id").annotate(count=Count("id")).order_by("-count")
    people = {user.id: user for user in User.objects.filter(id__in=[row["author_id"] for row in by_author])}
    return {
        "by_status": counts_by_status([project_id])[project_id]["counts"],
        "by_class": [
            {"label_class": str(row["label_class_id"]), "count": row["count"], "area_m2": round(row["area"] or 0, 2)}
            for row in by_class
        ],
        "by_author": [{"user": person_json(people[row["author_id"]]), "count": row["count"]} for row in by_author],
    }


def _with_geojson(rows: QuerySet[Annotation]) -> QuerySet[Annotation]:
    """The geometry as text made by PostGIS: far cheaper for a long list than building objects of it."""
    with_text = rows.annotate(geojson=AsGeoJSON("geometry", precision=DECIMALS)).defer("geometry")
    return with_text.select_related("author", "updated_by")


def _after(column: str, descending: bool, value: Any, row_id: UUID) -> Q:
    sign = "lt" if descending else "gt"
    return Q(**{f"{column}__{sign}": value}) | (Q(**{column: value}) & Q(**{f"id__{sign}": row_id}))


def _write_cursor(value: Any, row_id: UUID) -> str:
    said = value.isoformat() if isinstance(value, datetime) else value
    return base64.urlsafe_b64encode(json.dumps([said, str(row_id)]).encode()).decode()


def _read_cursor(column: str, cursor: str) -> tuple[Any, UUID]:
    try:
        said, row_id = json.loads(base64.urlsafe_b64decode(cursor[:MAX_CURSOR].encode("ascii")))
        value = _moment(said) if column.endswith("_at") else float(said)
        return value, UUID(row_id)
    except (ValueError, TypeError, AttributeError, OverflowError, binascii.Error) as error:
        raise _bad_query("This cursor was not given out here. Begin with the first page.") from error


def _moment(said: str) -> datetime:
    moment = datetime.fromisoformat(said)
    if moment.tzinfo is None:
        raise ValueError("a moment without its zone")
    return moment


def _bad_query(message: str) -> Invalid:
    return Invalid(message, code="annotation.invalid_query")
