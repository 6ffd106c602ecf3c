"""Every write to annotations: one transaction with the row, its revision and its event; guarded by version."""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

import shapely
from django.contrib.gis.geos import GEOSGeometry
from django.db import IntegrityError, connection, transaction
from django.db.models import F

from backend.annotations.borders import Bordered, bordered
from backend.annotations.geometry import Shape, canonical, measured, parse_geometry
from backend.annotations.models import Annotation, Revision, Status
from backend.annotations.policies import require_may_edit, status_after_edit
from backend.annotations.provenance import clean_provenance
from backend.annotations.selectors import annotation_json, done_before
from backend.core.clock import now
from backend.core.errors import Conflict, Invalid
from backend.events import services as events
from backend.projects.attributes import clean_values
from backend.projects.models import LabelClass, Member, Project
from backend.projects.policies import not_found
from backend.rasters.models import Raster


@dataclass(frozen=True)
class Edit:
    """One change: the version it was made on, and an id that makes repeating it harmless."""

    version: int
    edit_id: UUID


def create(annotation_id: UUID, said: dict[str, Any], *, member: Member) -> tuple[Annotation, bool]:
    """Stores a new annotation; the same content under the same id again changes nothing (False).

    In a class that shares borders or joins lines the shape is fitted to its neighbours (`borders`). Raises
    `annotation.id_taken`, `annotation.invalid_*`, `annotation.covered`, `class.not_found`, `raster.not_found`.
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
    )
    try:
        with transaction.atomic():
            _hold(Project, member.project_id, "project")
            _hold(LabelClass, label_class.id, "class")
            if annotation.raster_id is not None:
                _hold(Raster, annotation.raster_id, "raster")
            fit = _fit(annotation_id, label_class, shape, member)
            for column, value in _columns(fit.shape).items():
                setattr(annotation, column, value)
            annotation.save(force_insert=True)
            _revise(annotation, annotation_id, "created", member)
            noded = _give_nodes(fit, annotation_id, member)
            _tell(annotation, "annotation.created", member, annotation_id)
            _tell_each(noded, member, annotation_id)
    except IntegrityError:
        known = _said_before(annotation_id, said_hash, member)  # the same was said twice at once
        if known is None:
            raise
        return known, False
    return annotation, True


def edit(annotation_id: UUID, guard: Edit, fields: dict[str, Any], *, member: Member) -> Annotation:
    """Changes geometry, class or attributes. Raises `annotation.conflict`, `annotation.invalid_*` and others.

    Required attributes are not asked of a draft, nor of work that lacked one before; they can be filled in one by one.
    A new geometry, or one that comes into a class that shares borders or joins lines, is fitted to its neighbours.
    """
    annotation, done = _opened(annotation_id, guard, member)
    if done:
        return annotation
    require_may_edit(member, annotation)
    label_class = annotation.label_class
    if "label_class" in fields:
        label_class = _label_class(member.project_id, fields["label_class"])
        if label_class.geometry_type != annotation.label_class.geometry_type and "geometry" not in fields:
            raise Invalid(
                "This class has another kind of geometry. Draw it anew in that class.",
                code="annotation.wrong_geometry_type",
            )
    changes: dict[str, Any] = {"label_class": label_class, "status": status_after_edit(annotation, member)}
    shape = None
    if "geometry" in fields:
        shape = parse_geometry(fields["geometry"], label_class.geometry_type)
    elif label_class.id != annotation.label_class_id and label_class.shared_border_m is not None:
        shape = _shape(annotation)
    if "attributes" in fields:
        complete = annotation.status != Status.DRAFT and _is_complete(label_class, annotation.attributes)
        changes["attributes"] = clean_values(label_class.attributes, fields["attributes"], complete=complete)
    elif label_class != annotation.label_class:
        changes["attributes"] = _fitting(label_class, annotation.attributes)
    return _change(annotation, guard, "updated", changes, member=member, shape=shape)


def delete(annotation_id: UUID, guard: Edit, *, member: Member) -> Annotation:
    """Takes an annotation off the map; it can be restored. Raises `annotation.conflict` and others."""
    annotation, done = _opened(annotation_id, guard, member)
    if done:
        return annotation
    require_may_edit(member, annotation)
    return _change(annotation, guard, "deleted", {"deleted_at": now()}, member=member)


def restore(annotation_id: UUID, guard: Edit, *, member: Member) -> Annotation:
    """Puts a deleted annotation back; it yields to what its neighbours took since, where its class shares borders.

    Raises `annotation.conflict`, `annotation.covered` and others.
    """
    annotation, done = _opened(annotation_id, guard, member)
    if done:
        return annotation
    require_may_edit(member, annotation)
    shape = None if annotation.label_class.shared_border_m is None else _shape(annotation)
    return _change(annotation, guard, "restored", {"deleted_at": None}, member=member, shape=shape)


def set_status(
    annotation_id: UUID,
    guard: Edit,
    status: str,
    *,
    member: Member,
    require_allowed: Callable[[Annotation], None],
    comment: str = "",
) -> Annotation:
    """Stores a review status; `require_allowed`, the review room's rule, sees the very version that is changed.

    Raises `annotation.conflict`, and `annotation.invalid_attributes` when work without a required attribute
    is submitted or accepted.
    """
    annotation, done = _opened(annotation_id, guard, member)
    if done:
        return annotation
    require_allowed(annotation)
    if status in (Status.SUBMITTED, Status.ACCEPTED):
        schema = annotation.label_class.attributes
        keys = {entry["key"] for entry in schema}
        known = {key: value for key, value in annotation.attributes.items() if key in keys}
        clean_values(schema, known, complete=True)
    return _change(annotation, guard, "status_changed", {"status": status}, member=member, comment=comment)


def _opened(annotation_id: UUID, guard: Edit, member: Member) -> tuple[Annotation, bool]:
    """The annotation at the guarded version, or as it is now and True when this edit was stored before.

    Whatever is decided on this row holds for the row that is written, since its version is the guarded one.
    Raises `annotation.conflict` when it has another version.
    """
    annotation = _current(annotation_id, member)
    if done_before(annotation_id, guard.edit_id):
        return _current(annotation_id, member), True
    if annotation.version != guard.version:
        raise _conflict(annotation)
    return annotation, False


def _change(
    annotation: Annotation,
    guard: Edit,
    kind: str,
    changes: dict[str, Any],
    *,
    member: Member,
    comment: str = "",
    shape: Shape | None = None,
) -> Annotation:
    """The one guarded write: `UPDATE … WHERE id AND version`, then revision and event, all or nothing.

    `shape` is a new geometry, which is fitted to its neighbours where the class shares borders.
    """
    with transaction.atomic():
        label_class = changes.get("label_class", annotation.label_class)
        if shape is not None and label_class.shared_border_m is not None:
            _hold(Project, annotation.project_id, "project")
        if label_class != annotation.label_class:
            _hold(LabelClass, label_class.id, "class")
        fit = None
        if shape is not None:
            fit = _fit(annotation.id, label_class, shape, member)
            changes = {**changes, **_columns(fit.shape)}
        changed = Annotation.objects.filter(
            id=annotation.id, version=guard.version, deleted_at__isnull=kind != "restored"
        ).update(**changes, version=F("version") + 1, updated_by=member.user, updated_at=now())
        current = _current(annotation.id, member)
        if not changed:
            if done_before(annotation.id, guard.edit_id):  # the same was said twice at once
                return current
            raise _conflict(current)
        _revise(current, guard.edit_id, kind, member, comment)
        noded = _give_nodes(fit, guard.edit_id, member)
        _tell(current, f"annotation.{kind}", member, guard.edit_id)
        _tell_each(noded, member, guard.edit_id)
        return current


def _fit(annotation_id: UUID, label_class: LabelClass, shape: Shape, member: Member) -> Bordered:
    """The shape as it fits its neighbours, if its class shares borders: until commit nobody else draws in the class.

    The class row is what they wait for: held exclusively, yet so that others may still refer to it. Without it two
    new neighbours would not see each other.
    """
    if label_class.shared_border_m is None:
        return Bordered(shape)
    _hold(LabelClass, label_class.id, "class", "NO KEY UPDATE")
    return bordered(annotation_id, label_class, shape, member)


def _give_nodes(fit: Bordered | None, edit_id: UUID, member: Member) -> list[Annotation]:
    """Writes the neighbours' new vertices, each with its revision; one that is changed this very moment goes without.

    Their events follow after all rows are written, for the project's number is the last thing that is locked.
    """
    noded = []
    for neighbour, shape in () if fit is None else fit.noded:
        changed = Annotation.objects.filter(id=neighbour.id, version=neighbour.version, deleted_at__isnull=True).update(
            **_columns(shape), version=F("version") + 1, updated_by=member.user, updated_at=now()
        )
        if changed:
            current = _current(neighbour.id, member)
            _revise(current, edit_id, "updated", member, "Vertices where a neighbour meets this one")
            noded.append(current)
    return noded


def _tell_each(noded: list[Annotation], member: Member, edit_id: UUID) -> None:
    for neighbour in noded:
        _tell(neighbour, "annotation.updated", member, edit_id)


def _conflict(current: Annotation) -> Conflict:
    message = (
        "This was deleted in the meantime. Restore it first."
        if current.deleted_at is not None
        else "Somebody else changed this in the meantime. Look at both versions and choose."
    )
    return Conflict(message, code="annotation.conflict", details={"current": annotation_json(current)})


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


def _hold(
    model: type[Project | LabelClass | Raster],
    row_id: UUID,
    noun: str,
    how: Literal["KEY SHARE", "NO KEY UPDATE"] = "KEY SHARE",
) -> None:
    """Keeps a row that is about to be referred to from being removed until this transaction ends.

    Without it the reference would only fail at commit. Raises `<noun>.not_found` when it is gone already.
    """
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT 1 FROM {model._meta.db_table} WHERE id = %s FOR {how}", [row_id])  # noqa: S608
        if cursor.fetchone() is None:
            raise not_found(noun)


def _is_complete(label_class: LabelClass, values: dict[str, Any]) -> bool:
    return all(entry["key"] in values for entry in label_class.attributes if entry.get("required"))


def _fitting(label_class: LabelClass, values: dict[str, Any]) -> dict[str, Any]:
    """Those of the values that the class has an attribute of the same name and kind for."""
    fitting: dict[str, Any] = {}
    for entry in label_class.attributes:
        if entry["key"] in values:
            with suppress(Invalid):
                fitting.update(clean_values([entry], {entry["key"]: values[entry["key"]]}))
    return fitting


def _shape(annotation: Annotation) -> Shape:
    return measured(shapely.from_wkb(bytes(annotation.geometry.wkb)))


def _columns(shape: Shape) -> dict[str, Any]:
    return {
        "geometry": GEOSGeometry(shape.wkb, srid=4326),
        "area_m2": round(shape.area_m2, 4),
        "length_m": round(shape.length_m, 4),
    }
