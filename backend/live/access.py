"""Who may open a socket, and whether those who have one may keep it."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.models import Session
from django.db.models import Q
from django.http import parse_cookie
from django.http.request import split_domain_port, validate_host
from django.utils.crypto import constant_time_compare

from backend.accounts.authentication import token_of
from backend.accounts.models import ApiToken, User
from backend.core.clock import now
from backend.projects.models import Member

SINGLE_HEADERS = ("authorization", "origin", "host")  # said twice, they may mean one thing to a proxy and another here


@dataclass(frozen=True)
class Who:
    """A user and what proves it: a session's key or a token's id."""

    user: User
    session_key: str = ""
    token_id: UUID | None = None


@dataclass(frozen=True)
class Standing:
    """What a socket's owner is now: still signed in, and which role in the project, if any."""

    signed_in: bool
    role: str | None = None


@dataclass(frozen=True)
class Admission:
    """Who opens a socket and their role in the project; without `who`, whether it is a page of ours that asks."""

    who: Who | None = None
    role: str | None = None
    own_page: bool = False


def admit(scope: Mapping[str, Any], project_id: UUID) -> Admission:
    """By a bearer token, or by a session cookie together with this site's own Origin."""
    said = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]]
    counts = Counter(name for name, _ in said)
    if any(counts[name] > 1 for name in SINGLE_HEADERS):
        return Admission()
    headers = dict(said)
    scheme, _, secret = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        token = token_of(secret.strip())
        return _with_role(Who(token.user, token_id=token.id), project_id) if token else Admission()
    if not own_origin(headers):
        return Admission()
    key = parse_cookie(headers.get("cookie", "")).get(settings.SESSION_COOKIE_NAME, "")
    user = _users_of_sessions([key]).get(key) if key else None
    return _with_role(Who(user, session_key=key), project_id) if user else Admission(own_page=True)


def own_origin(headers: Mapping[str, str]) -> bool:
    """Whether the page that opens the socket is ours: a browser sends its Origin, and cannot be made to lie."""
    try:
        origin = urlsplit(headers.get("origin", "").lower())
    except ValueError:  # half an IPv6 address
        return False
    host = headers.get("host", "").lower()
    if origin.scheme not in {"http", "https"} or not origin.hostname:
        return False
    if not validate_host(split_domain_port(host)[0], settings.ALLOWED_HOSTS):
        return False
    if origin.netloc == host:
        return True
    if f"{origin.scheme}://{origin.netloc}" in settings.CSRF_TRUSTED_ORIGINS:
        return True
    return settings.DEBUG and origin.hostname in {"localhost", "127.0.0.1"}


def standings(asked: Iterable[tuple[Who, UUID]]) -> list[Standing]:
    """What each socket's owner is now, in three queries for all sockets of the process."""
    pairs = list(asked)
    sessions = _users_of_sessions([who.session_key for who, _ in pairs if who.token_id is None])
    tokens = _live_tokens({who.token_id for who, _ in pairs if who.token_id is not None})
    members = Member.objects.filter(
        user_id__in={who.user.id for who, _ in pairs}, project_id__in={project_id for _, project_id in pairs}
    )
    roles = {(user, project): role for user, project, role in members.values_list("user_id", "project_id", "role")}
    found = []
    for who, project_id in pairs:
        signed_in = who.token_id in tokens if who.token_id else sessions.get(who.session_key) == who.user
        found.append(Standing(signed_in, roles.get((who.user.id, project_id)) if signed_in else None))
    return found


def _with_role(who: Who, project_id: UUID) -> Admission:
    member = Member.objects.filter(project_id=project_id, user_id=who.user.id)
    return Admission(who, member.values_list("role", flat=True).first())


def _live_tokens(ids: set[UUID]) -> set[UUID]:
    live = ApiToken.objects.filter(Q(expires_at=None) | Q(expires_at__gt=now()), id__in=ids, user__is_active=True)
    return set(live.values_list("id", flat=True))


def _users_of_sessions(keys: list[str]) -> dict[str, User]:
    """The active user of each session that is valid: not ended, and not from before a change of password."""
    said = {
        row.session_key: row.get_decoded()
        for row in Session.objects.filter(session_key__in=keys, expire_date__gt=now())
    }
    ids = {str(session[SESSION_KEY]) for session in said.values() if SESSION_KEY in session}
    users = {str(user.id): user for user in User.objects.filter(id__in=ids, is_active=True)}
    found = {}
    for key, session in said.items():
        user = users.get(str(session.get(SESSION_KEY)))
        if user and constant_time_compare(session.get(HASH_SESSION_KEY, ""), user.get_session_auth_hash()):
            found[key] = user
    return found
