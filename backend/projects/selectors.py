"""Reads projects, members, invites and label classes, and says them as the wire has them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from backend.accounts.authentication import digest_of
from backend.accounts.models import User
from backend.accounts.selectors import user_json
from backend.core.clock import iso, now
from backend.core.errors import NotFound
from backend.events.selectors import last_seq
from backend.projects.models import Invite, LabelClass, Member, Project
from ml.vectorize import Recipe

# Rooms above add their counts to the list of projects (see `backend/config/urls.py`): project ids -> counts.
CardCounts = Callable[[Sequence[UUID]], Mapping[UUID, Mapping[str, Any]]]
card_counts: list[CardCounts] = []


def projects_of(user: User) -> list[dict[str, Any]]:
    """The user's projects, newest first, each with the counts that the rooms above add."""
    members = list(Member.objects.select_related("project").filter(user=user).order_by("-project__created_at"))
    ids = [member.project_id for member in members]
    extras = [count(ids) for count in card_counts]
    cards = []
    for member in members:
        card = project_json(member.project, member.role)
        for extra in extras:
            card.update(extra.get(member.project_id, {}))
        cards.append(card)
    return cards


def project_json(project: Project, role: str) -> dict[str, Any]:
    """A project as one of its members sees it."""
    return {
        "id": str(project.id),
        "name": project.name,
        "description": project.description,
        "model": project.model,
        "role": role,
        "created_at": iso(project.created_at),
        "event_seq": last_seq(project.id),
    }


def model_name(project_id: UUID) -> str:
    """The name of the model that the project has chosen; empty for the server's default."""
    return Project.objects.filter(id=project_id).values_list("model", flat=True).first() or ""


def projects_with_model(name: str) -> list[Project]:
    """Projects that have chosen a model by this name, by their own names; for an empty one, those that chose none."""
    return list(Project.objects.filter(model=name).order_by("name", "id"))


def members_of(project_id: UUID) -> list[Member]:
    """The project's members, owners first, then by name."""
    rank = {"owner": 0, "reviewer": 1, "annotator": 2, "viewer": 3}
    rows = Member.objects.select_related("user").filter(project_id=project_id)
    return sorted(rows, key=lambda row: (rank[row.role], row.user.display_name, row.user.username))


def member_json(member: Member) -> dict[str, Any]:
    """A member as the wire has it."""
    return {"user": user_json(member.user), "role": member.role, "joined_at": iso(member.joined_at)}


def open_invites(project_id: UUID) -> list[Invite]:
    """Invites that can still be used."""
    rows = Invite.objects.filter(project_id=project_id, used_at__isnull=True, expires_at__gt=now())
    return list(rows.select_related("created_by").order_by("-created_at"))


def invite_json(invite: Invite) -> dict[str, Any]:
    """An invite without its secret."""
    return {
        "id": str(invite.id),
        "role": invite.role,
        "created_by": invite.created_by.display_name or invite.created_by.username,
        "created_at": iso(invite.created_at),
        "expires_at": iso(invite.expires_at),
    }


def invite_of(token: str) -> Invite:
    """The usable invite with this secret; `invite.not_found`, alike for used, expired and unknown ones."""
    row = Invite.objects.select_related("project", "created_by").filter(digest=digest_of(token)).first()
    if row is None or row.used_at is not None or row.expires_at <= now():
        raise NotFound("This invitation is not valid any more. Ask for a new one.", code="invite.not_found")
    return row


def classes_of(project_id: UUID) -> list[LabelClass]:
    """The legend, in its order."""
    return list(LabelClass.objects.filter(project_id=project_id).order_by("order", "name"))


def class_recipe(project_id: UUID, class_id: UUID) -> Recipe | None:
    """How suggestions of a class become shapes; None for a class of no such project."""
    row = LabelClass.objects.filter(project_id=project_id, id=class_id).first()
    return None if row is None else recipe_of(row)


def recipe_of(label_class: LabelClass) -> Recipe:
    """A class's recipe: of lines always the centreline, of polygons the ground that one covers if it asks for one."""
    recipe = Recipe.from_json(label_class.recipe)
    if label_class.geometry_type == LabelClass.GeometryType.LINE:
        return replace(recipe, form="centreline", buffered=False)
    return replace(recipe, buffered=recipe.form == "centreline")


def class_json(label_class: LabelClass) -> dict[str, Any]:
    """A label class as the wire has it."""
    return {
        "id": str(label_class.id),
        "name": label_class.name,
        "colour": label_class.colour,
        "digit": label_class.digit,
        "geometry_type": label_class.geometry_type,
        "recipe": recipe_of(label_class).as_json(),
        "shared_border_m": label_class.shared_border_m,
        "order": label_class.order,
        "attributes": label_class.attributes,
    }
