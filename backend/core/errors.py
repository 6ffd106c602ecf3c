"""The one base of every error a user or a program of Edgewise can meet."""

from collections.abc import Mapping
from typing import Any, ClassVar


class EdgewiseError(Exception):
    """An error with a stable dotted code and a message that says what to do next.

    `kind` decides the HTTP status (`backend/config/errors.py`); `code` is `noun.reason` and never changes.
    """

    kind: ClassVar[str] = "ours"
    code: str = "server.error"
    message: str = "Something went wrong on the server. Try again; if it stays, tell your administrator."

    def __init__(
        self,
        message: str | None = None,
        *,
        code: str | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        self.code = code or type(self).code
        self.message = message or type(self).message
        self.details: dict[str, Any] = dict(details or {})
        super().__init__(self.message)

    def as_json(self) -> dict[str, Any]:
        """The body sent to a client: `{code, message, details}`."""
        return {"code": self.code, "message": self.message, "details": self.details}


class Invalid(EdgewiseError):
    """The request says something that cannot be done; the user can mend it."""

    kind = "invalid"
    code = "request.invalid"
    message = "The request is not complete or not well formed. Look at the named fields."


class AuthRequired(EdgewiseError):
    """Nobody is signed in."""

    kind = "unauthenticated"
    code = "auth.required"
    message = "Sign in first."


class Forbidden(EdgewiseError):
    """The member's role does not allow this."""

    kind = "forbidden"
    code = "auth.forbidden"
    message = "Your role in this project does not allow this. Ask an owner of the project."


class NotFound(EdgewiseError):
    """No such thing, or not for this user: the two look alike."""

    kind = "not_found"
    code = "request.not_found"
    message = "There is no such thing here, or you are not a member of its project."


class Conflict(EdgewiseError):
    """Somebody else was faster, or the state does not allow this now."""

    kind = "conflict"
    code = "request.conflict"
    message = "This was changed in the meantime. Look at the current state and try again."


class TooLarge(EdgewiseError):
    """More than a stated limit."""

    kind = "too_large"
    code = "request.too_large"
    message = "This is larger than the limit. Send less at once."


class TooMany(EdgewiseError):
    """Too many requests in a short time."""

    kind = "too_many"
    code = "request.too_many"
    message = "Too many requests. Wait a moment and try again."


class Unavailable(EdgewiseError):
    """A part of the system is away for now."""

    kind = "unavailable"
    code = "server.unavailable"
    message = "A part of the server is not available at the moment. Try again in a minute."
