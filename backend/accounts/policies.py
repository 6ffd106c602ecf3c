"""Who administers this server."""

from typing import Any

from django.contrib.auth.models import AnonymousUser

from backend.accounts.models import User
from backend.core.errors import AuthRequired, Forbidden


def is_administrator(user: User | AnonymousUser | Any) -> bool:
    """Whether somebody may look after the server itself, whatever their projects."""
    return isinstance(user, User) and user.is_active and (user.is_staff or user.is_superuser)


def require_administrator(user: User | AnonymousUser | Any) -> User:
    """The user, if they may. Raises `auth.required` for a stranger, `auth.forbidden` for everybody else."""
    if not isinstance(user, User):
        raise AuthRequired()
    if not is_administrator(user):
        raise Forbidden("Only administrators of this server can do this. Ask one of them.")
    return user
