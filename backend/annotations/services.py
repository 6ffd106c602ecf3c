"""Every write to annotations: one transaction with the row, its revision and its event; guarded by version."""

import hashlib
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib.gis.geos import GEOSGeometry
from django.db import IntegrityError, transaction
from django.db.models import F

from backend.annotations.geometry import Shape, canonical, parse_geometry
from backend.annotations.models import Annotation, Revision, Status
from backend.annotations.policies import require_may_edit, status_after_edit
from backend.annotations.provenance import clean_provenance
from backend.annotations.selectors import annotation_json, done_before
from backend.core.clock import now
from backend.core.errors import Conflict, Invalid
from backend.events import services as events
from backend.projects.attributes import clean_values
from backend.projects.models import LabelClass, Member
from backend.projects.policies import not_found
from backend.rasters.models import Raster


@dataclass(frozen=True)
class Edit:
    """One change: the version it was made on, and an id that makes repeating it harmless."""

    version: int
    edit_id: UUID


def create(annotation_id: UUID, said: dict[str, Any], *, member: Member) -> tuple[Annotation, bool]:
    """Stores a new annotation; the same content under the same id again changes nothing (False).

    Raises `annotation.id_taken`, `annotation.invalid_*`, `class.not_found`, `raster.not_found`.
    """
    said_hash = hashlib.sha256(canonical({**said, "project": str(member.project_id)}).encode()).hexdigest()
    known = _said_before(annotation_id, said_hash, member)
    if known is not None:
        return known, False
    label_class = _label_class(member.project_id, said["label_class"])
    shape = parse_geometry(said["geometry"], label_class.geometry_type)
    status = said.get("status", Status.DRAFT)
    if status not in (Status.DRAFT, Status.SUBMITTED):
        raise Invalid("A new annotation is a draft or submitted.", code="annotation.invalid_status")
    provenance = clean_provenance(said.get("provenance"))
    moment = now()
    annotation = Annotation(
        id=annotation_id,
        project_id=member.project_id,
        raster=_raster(member.project_id, said.get("raster")),
        label_class=label_class,
        attributes=clean_values(label_class.attributes, said.get("attributes") or {}, complete=status != Status.DRAFT),
        status=status,
        author=member.user,
        updated_by=member.user,
        created_at=moment,
        updated_at=moment,
        score=provenance.get("score"),
        provenance=provenance,
        said_hash=said_hash,
        **_columns(shape),
    )
    try:
        with transaction.atomic():
            annotation.save(force_insert=True)
            _revise(annotation, annotation_id, "created", member)
            _tell(annotation, "annotation.created", member, annotation_id)
    except IntegrityError:
        known = _said_before(annotation_id, said_hash, member)  # the same was said twice at once
        if known is None:
            raise
        return known, False
    return annotation, True


def edit(annotation_id: UUID, guard: Edit, fields: dict[str, Any], *, member: Member) -> Annotation:
    """Changes geometry, class or attributes. Raises `annotation.conflict`, `annotation.invalid_*` and others."""
    annotation = _current(annotation_id, member)
    require_may_edit(member, annotation)
    label_class = annotation.label_class
    if "label_class" in fields:
        label_class = _label_class(member.project_id, fields["label_class"])
        if label_class.geometry_type != annotation.label_class.geometry_type and "geometry" not in fields:
            raise Invalid("This class has another kind of geometry.", code="annotation.wrong_geometry_type")
    changes: dict[str, Any] = {"label_class": label_class, "status": status_after_edit(annotation, member)}
    if "geometry" in fields:
        changes.update(_columns(parse_geometry(fields["geometry"], label_class.geometry_type)))
    if "attributes" in fields or label_class != annotation.label_class:
        given = fields.get("attributes", annotation.attributes)
        if "attributes" not in fields:
            keys = {entry["key"] for entry in label_class.attributes}
            given = {key: value for key, value in given.items() if key in keys}
        complete = annotation.status != Status.DRAFT and "attributes" in fields
        changes["attributes"] = clean_values(label_class.attributes, given, complete=complete)
    return _change(annotation, guard, "updated", changes, member=member)


def delete(annotation_id: UUID, guard: Edit, *, member: Member) -> Annotation:
    """Takes an annotation off the map; it can be restored. Raises `annotation.conflict` and others."""
    annotation = _current(annotation_id, member)
    require_may_edit(member, annotation)
    return _change(annotation, guard, "deleted", {"deleted_at": now()}, member=member)


def restore(annotation_id: UUID, guard: Edit, *, member: Member) -> Annotation:
    """Puts a deleted annotation back. Raises `annotation.conflict` and others."""
    annotation = _current(annotation_id, member)
    require_may_edit(member, annotation)
    return _change(annotation, guard, "restored", {"deleted_at": None}, member=member)


def set_status(annotation_id: UUID, guard: Edit, status: str, *, member: Member, comment: str = "") -> Annotation:
    """Stores a review status; who may move it where is decided by the review room, which calls this.

    Raises `annotation.conflict`, and `annotation.invalid_attributes` when a required attribute is missing.
    """
    annotation = _current(annotation_id, member)
    if status != Status.DRAFT:
        clean_values(annotation.label_class.attributes, annotation.attributes, complete=True)
    return _change(annotation, guard, "status_changed", {"status": status}, member=member, comment=comment)


def _change(
    annotation: Annotation,
    guard: Edit,
    kind: str,
    changes: dict[str, Any],
    *,
    member: Member,
    comment: str = "",
) -> Annotation:
    """The one guarded write: `UPDATE … WHERE id AND version`, then revision and event, all or nothing."""
    deleted_now = annotation.deleted_at is not None
    with transaction.atomic():
        if done_before(annotation.id, guard.edit_id):
            return _current(annotation.id, member)
        changed = Annotation.objects.filter(
            id=annotation.id, version=guard.version, deleted_at__isnull=kind != "restored"
        ).update(**changes, version=F("version") + 1, updated_by=member.user, updated_at=now())
        current = _current(annotation.id, member)
        if not changed:
            if done_before(annotation.id, guard.edit_id):
                return current
            message = (
                "This was deleted in the meantime. Restore it first."
                if deleted_now
                else "Somebody else changed this in the meantime. Look at both versions and choose."
            )
            raise Conflict(message, code="annotation.conflict", details={"current": annotation_json(current)})
        _revise(current, guard.edit_id, kind, member, comment)
        _tell(current, f"annotation.{kind}", member, guard.edit_id)
        return current


def _revise(annotation: Annotation, edit_id: UUID, kind: str, member: Member, comment: str = "") -> None:
    Revision.objects.create(
        annotation=annotation,
        version=annotation.version,
        edit_id=edit_id,
        kind=kind,
        at=annotation.updated_at,
        by=member.user,
        geometry=annotation.geometry,
        label_class_id=annotation.label_class_id,
        attributes=annotation.attributes,
        status=annotation.status,
        comment=comment,
    )


def _tell(annotation: Annotation, kind: str, member: Member, edit_id: UUID) -> None:
    events.record(
        annotation.project_id,
        kind,
        {"annotation": annotation_json(annotation), "edit_id": str(edit_id)},
        actor_id=member.user_id,
        subject_id=annotation.id,
    )


def _current(annotation_id: UUID, member: Member) -> Annotation:
    rows = Annotation.objects.select_related("author", "updated_by", "label_class")
    row = rows.filter(id=annotation_id, project_id=member.project_id).first()
    if row is None:
        raise not_found("annotation")
    return row


def _said_before(annotation_id: UUID, said_hash: str, member: Member) -> Annotation | None:
    row = Annotation.objects.select_related("author", "updated_by", "label_class").filter(id=annotation_id).first()
    if row is None:
        return None
    if row.said_hash != said_hash or row.project_id != member.project_id or row.author_id != member.user_id:
        raise Conflict("Another annotation has this id. Save it under a new one.", code="annotation.id_taken")
    return row


def _label_class(project_id: UUID, class_id: UUID) -> LabelClass:
    row = LabelClass.objects.filter(id=class_id, project_id=project_id).first()
    if row is None:
        raise not_found("class")
    return row


def _raster(project_id: UUID, raster_id: UUID | None) -> Raster | None:
    if raster_id is None:
        return None
    row = Raster.objects.filter(id=raster_id, project_id=project_id).first()
    if row is None:
        raise not_found("raster")
    return row


def _columns(shape: Shape) -> dict[str, Any]:
    return {
        "geometry": GEOSGeometry(shape.wkb, srid=4326),
        "area_m2": round(shape.area_m2, 4),
        "length_m": round(shape.length_m, 4),
    }
