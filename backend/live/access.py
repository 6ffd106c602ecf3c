"""Who may open a socket, and whether who has one may keep it."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.http import parse_cookie
from django.utils.crypto import constant_time_compare

from backend.accounts.authentication import token_of
from backend.accounts.models import ApiToken, User
from backend.projects.models import Member


@dataclass(frozen=True)
class Who:
    """A user and what proves it: a session's key or a token's id."""

    user: User
    session_key: str = ""
    token_id: UUID | None = None


def identify(scope: dict[str, Any]) -> Who | None:
    """Who opens the socket: a bearer token, or a session cookie together with this site's own Origin."""
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    authorization = headers.get("authorization", "")
    if authorization.lower().startswith("bearer "):
        token = token_of(authorization[7:].strip())
        return Who(token.user, token_id=token.id) if token else None
    if not own_origin(headers):
        return None
    key = parse_cookie(headers.get("cookie", "")).get(settings.SESSION_COOKIE_NAME, "")
    user = _user_of_session(key) if key else None
    return Who(user, session_key=key) if user else None


def own_origin(headers: dict[str, str]) -> bool:
    """Whether the page that opens the socket is ours: a browser sends its Origin, and cannot be made to lie."""
    origin = urlsplit(headers.get("origin", ""))
    if origin.scheme not in {"http", "https"} or not origin.hostname:
        return False
    if origin.netloc == headers.get("host", ""):
        return True
    if f"{origin.scheme}://{origin.netloc}" in settings.CSRF_TRUSTED_ORIGINS:
        return True
    return settings.DEBUG and origin.hostname in {"localhost", "127.0.0.1"}


def membership(user_id: UUID, project_id: UUID) -> str | None:
    """The user's role in the project; None when there is none."""
    return Member.objects.filter(project_id=project_id, user_id=user_id).values_list("role", flat=True).first()


def still_valid(who: Who, project_id: UUID) -> str | None:
    """The role that a socket's owner has now; None when signed out, barred, or no longer a member."""
    if who.token_id is not None:
        if not ApiToken.objects.filter(id=who.token_id, user__is_active=True).exists():
            return None
    elif _user_of_session(who.session_key) != who.user:
        return None
    return membership(who.user.id, project_id)


def _user_of_session(key: str) -> User | None:
    session = SessionStore(session_key=key).load()
    user_id = session.get(SESSION_KEY)
    user = User.objects.filter(id=user_id, is_active=True).first() if user_id else None
    if user is None:
        return None
    proof = session.get(HASH_SESSION_KEY, "")
    return user if constant_time_compare(proof, user.get_session_auth_hash()) else None
