"""Who may do what in a project: the one place that compares roles."""

from typing import Any
from uuid import UUID

from django.contrib.auth.models import AnonymousUser

from backend.accounts.models import User
from backend.core.errors import AuthRequired, Forbidden, NotFound
from backend.projects.models import Member, Role

RANK = {Role.VIEWER: 0, Role.ANNOTATOR: 1, Role.REVIEWER: 2, Role.OWNER: 3}


def at_least(role: str, needed: Role) -> bool:
    """Whether a role includes what another allows."""
    return RANK[Role(role)] >= RANK[needed]


def require_member(
    user: User | AnonymousUser | Any, project_id: UUID, needed: Role = Role.VIEWER, *, noun: str = "project"
) -> Member:
    """The user's membership with at least this role.

    Raises `auth.required` for a stranger, `<noun>.not_found` for who is no member (as if it did not exist),
    `auth.forbidden` for a member whose role is too low.
    """
    if not isinstance(user, User):
        raise AuthRequired()
    member = Member.objects.select_related("project", "user").filter(project_id=project_id, user=user).first()
    if member is None:
        raise not_found(noun)
    if not at_least(member.role, needed):
        raise Forbidden()
    return member


def require_staff(user: User | AnonymousUser | Any) -> User:
    """The user, who is an administrator of this server. Raises `auth.required`, `auth.forbidden`."""
    if not isinstance(user, User):
        raise AuthRequired()
    if not user.is_staff:
        raise Forbidden("Only administrators of this server may see this. Ask one of them.")
    return user


def not_found(noun: str) -> NotFound:
    """The one answer for "does not exist" and "not yours"."""
    return NotFound(
        f"There is no such {noun.replace('_', ' ')}, or you are not a member of its project.",
        code=f"{noun}.not_found",
    )
