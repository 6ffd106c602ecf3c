"""Reads annotations: one, its history, those that pass filters, counts; and says them as the wire has them."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import shapely
from django.contrib.gis.geos import GEOSGeometry, Polygon
from django.db import connection
from django.db.models import Count, Q, QuerySet, Sum
from shapely.geometry.base import BaseGeometry

from backend.accounts.models import User
from backend.annotations.models import Annotation, Revision, Status
from backend.core.clock import iso
from backend.projects.policies import not_found

MOST_CORNERS = 400  # of a shape whose walls others follow


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


def annotation_json(annotation: Annotation) -> dict[str, Any]:
    """An annotation as the wire has it."""
    return {
        "id": str(annotation.id),
        "project": str(annotation.project_id),
        "raster": str(annotation.raster_id) if annotation.raster_id else None,
        "label_class": str(annotation.label_class_id),
        "geometry": geometry_json(annotation.geometry),
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
    return shape_json(shapely.from_wkb(bytes(geometry.wkb)))


def shape_json(geometry: BaseGeometry) -> dict[str, Any]:
    """A geometry in lon/lat as GeoJSON."""
    said: dict[str, Any] = json.loads(shapely.to_geojson(geometry))
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


def shapes_near(
    project_id: UUID, class_id: UUID, bounds: tuple[float, float, float, float], most: int, but: UUID | None = None
) -> list[BaseGeometry]:
    """The shapes of a class within bounds (w, s, e, n) that are nearest to their middle, but for one annotation.

    Found by the spatial index. Those of more than `MOST_CORNERS` vertices are left out: they cost much to read.
    """
    west, south, east, north = bounds
    middle = ((west + east) / 2, (south + north) / 2)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT ST_AsBinary(geometry) FROM annotations_annotation"
            " WHERE project_id = %s AND label_class_id = %s AND deleted_at IS NULL AND id IS DISTINCT FROM %s"
            " AND geometry && ST_MakeEnvelope(%s, %s, %s, %s, 4326) AND ST_NPoints(geometry) <= %s"
            " ORDER BY geometry <-> ST_SetSRID(ST_MakePoint(%s, %s), 4326), id LIMIT %s",
            [project_id, class_id, but, *bounds, MOST_CORNERS, *middle, most],
        )
        return [shapely.from_wkb(bytes(row[0])) for row in cursor.fetchall()]


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
