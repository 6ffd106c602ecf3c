"""Who is asking: a browser's session with CSRF, or a script's bearer token."""

import hashlib
from datetime import timedelta

from rest_framework.authentication import BaseAuthentication, SessionAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from backend.accounts.models import ApiToken, User
from backend.core.clock import now

LAST_USED_GRAIN = timedelta(minutes=1)


class BrowserSession(SessionAuthentication):
    """A signed-in session; writes need the CSRF header. Says 401, not 403, to a stranger."""

    def authenticate_header(self, request: Request) -> str:
        """Makes DRF answer 401."""
        return "Session"


class BearerToken(BaseAuthentication):
    """`Authorization: Bearer ew_…`."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        """The token's user; raises `AuthenticationFailed` for a wrong or expired token."""
        parts = get_authorization_header(request).split()
        if not parts or parts[0].lower() != b"bearer":
            return None
        found = token_of(parts[1].decode("ascii", "ignore")) if len(parts) == 2 else None
        if found is None:
            raise AuthenticationFailed("unknown token")
        return found.user, found


def digest_of(secret: str) -> str:
    """What is stored of a token's secret: SHA-256 in hex (the secret itself has 256 random bits)."""
    return hashlib.sha256(secret.encode()).hexdigest()


def token_of(secret: str) -> ApiToken | None:
    """The live token with this secret, its use noted; None when unknown, expired or of an inactive user."""
    token = ApiToken.objects.select_related("user").filter(digest=digest_of(secret)).first()
    moment = now()
    if token is None or not token.user.is_active or (token.expires_at and token.expires_at < moment):
        return None
    if token.last_used_at is None or moment - token.last_used_at > LAST_USED_GRAIN:
        ApiToken.objects.filter(id=token.id).update(last_used_at=moment)
    return token
