"""Every write to a project's legend of label classes."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from backend.accounts.models import User
from backend.core.errors import Conflict, Invalid
from backend.events import services as events
from backend.projects.models import LabelClass
from backend.projects.policies import not_found
from backend.projects.selectors import class_json

# The room above says how many annotations have a class; a class in use is not removed.
uses: list[Callable[[UUID], int]] = []


def create(project_id: UUID, actor: User, fields: dict[str, Any]) -> LabelClass:
    """Adds a class at the end of the legend. Raises `class.taken` for a name or digit in use."""
    fields.setdefault("order", LabelClass.objects.filter(project_id=project_id).count())
    with transaction.atomic():
        label_class = _saved(LabelClass(project_id=project_id, **fields))
        _tell("class.created", label_class, actor)
        return label_class


def change(project_id: UUID, class_id: UUID, actor: User, fields: dict[str, Any]) -> LabelClass:
    """Changes a class. Raises `class.not_found`, `class.taken`; `class.in_use` for a used one's shape."""
    with transaction.atomic():
        label_class = _locked(project_id, class_id)
        if fields.get("geometry_type", label_class.geometry_type) != label_class.geometry_type:
            _refuse_in_use(class_id, "Its geometry type cannot change")
        for field, value in fields.items():
            setattr(label_class, field, value)
        _saved(label_class)
        _tell("class.changed", label_class, actor)
        return label_class


def delete(project_id: UUID, class_id: UUID, actor: User) -> None:
    """Removes a class that nothing uses. Raises `class.not_found`, `class.in_use`."""
    with transaction.atomic():
        label_class = _locked(project_id, class_id)
        _refuse_in_use(class_id, "It cannot be removed")
        label_class.delete()
        events.record(project_id, "class.deleted", {"id": str(class_id)}, actor_id=actor.id, subject_id=class_id)


def _locked(project_id: UUID, class_id: UUID) -> LabelClass:
    row = LabelClass.objects.select_for_update().filter(project_id=project_id, id=class_id).first()
    if row is None:
        raise not_found("class")
    return row


def _saved(label_class: LabelClass) -> LabelClass:
    if label_class.geometry_type == LabelClass.GeometryType.POINT and label_class.shared_border_m is not None:
        message = "Points have neither borders nor ends to join. Choose this for polygons or lines."
        raise Invalid(message, code="class.invalid", details={"fields": {"shared_border_m": [message]}})
    try:
        with transaction.atomic():
            label_class.save()
    except IntegrityError as error:
        raise Conflict("Another class has this name or this digit. Choose another.", code="class.taken") from error
    return label_class


def _refuse_in_use(class_id: UUID, what: str) -> None:
    count = sum(use(class_id) for use in uses)
    if count:
        raise Conflict(
            f"{count} annotations have this class. {what} while they do: give them another class first.",
            code="class.in_use",
            details={"count": count},
        )


def _tell(kind: str, label_class: LabelClass, actor: User) -> None:
    events.record(
        label_class.project_id,
        kind,
        {"label_class": class_json(label_class)},
        actor_id=actor.id,
        subject_id=label_class.id,
    )
