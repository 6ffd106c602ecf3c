"""Turns errors into HTTP answers: the one table from an error's kind to its status."""

import logging
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.core.exceptions import PermissionDenied
from django.db import OperationalError
from django.http import Http404, HttpRequest, JsonResponse
from psycopg.errors import DeadlockDetected
from rest_framework import exceptions as drf
from rest_framework.response import Response
from rest_framework.views import set_rollback

from backend.core import errors

log = logging.getLogger(__name__)

STATUS = {
    "invalid": 422,
    "unauthenticated": 401,
    "forbidden": 403,
    "not_found": 404,
    "conflict": 409,
    "too_large": 413,
    "too_many": 429,
    "unavailable": 503,
    "ours": 500,
}


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's hook: every error leaves as `{"error": {code, message, details}}`."""
    known = translate(error)
    if known is None:
        log.exception("Unhandled error in %s", context.get("view"))
        known = errors.EdgewiseError()
    set_rollback()
    response = Response({"error": known.as_json()}, status=STATUS[known.kind])
    if STATUS[known.kind] == 401:
        response["WWW-Authenticate"] = "Session"
    return response


class ErrorsAsJson:
    """Middleware: an Edgewise error of a view that is not DRF's leaves in the same form."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        """Passes the request on."""
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> JsonResponse | None:
        """Answers for errors that are known; bugs go on to Django's own handler."""
        known = translate(error)
        return JsonResponse({"error": known.as_json()}, status=STATUS[known.kind]) if known else None


def translate(error: Exception) -> errors.EdgewiseError | None:  # noqa: PLR0911
    """The Edgewise error that stands for a framework's error, or None for a bug of ours."""
    if isinstance(error, errors.EdgewiseError):
        return error
    if isinstance(error, drf.ValidationError):
        return errors.Invalid(details={"fields": _fields(error.detail)})
    if isinstance(error, drf.NotAuthenticated | drf.AuthenticationFailed):
        return errors.AuthRequired()
    if isinstance(error, drf.ParseError | drf.UnsupportedMediaType):
        return errors.Invalid("The body could not be read. Send JSON.", code="request.malformed")
    if isinstance(error, drf.PermissionDenied | PermissionDenied):
        if "CSRF" in str(error):
            return errors.Forbidden("The page is out of date. Reload it and try again.", code="auth.csrf")
        return errors.Forbidden()
    if isinstance(error, drf.NotFound | Http404):
        return errors.NotFound()
    if isinstance(error, drf.Throttled):
        return errors.TooMany()
    if isinstance(error, OperationalError) and isinstance(error.__cause__, DeadlockDetected):
        return errors.Unavailable("Two changes stood in each other's way. Try again.", code="server.busy")
    if isinstance(error, drf.MethodNotAllowed):
        return errors.Invalid(f"{error.detail}", code="request.method_not_allowed")
    return None


def csrf_failure(request: HttpRequest, reason: str = "") -> JsonResponse:
    """What Django's CSRF middleware answers with."""
    error = errors.Forbidden("The page is out of date. Reload it and try again.", code="auth.csrf")
    return JsonResponse({"error": error.as_json()}, status=403)


def not_found(request: HttpRequest, exception: Exception | None = None) -> JsonResponse:
    """Any address that no route knows."""
    return JsonResponse({"error": errors.NotFound().as_json()}, status=404)


def server_error(request: HttpRequest) -> JsonResponse:
    """A bug of ours outside DRF."""
    return JsonResponse({"error": errors.EdgewiseError().as_json()}, status=500)


def _fields(detail: Any, prefix: str = "") -> dict[str, list[str]]:
    if isinstance(detail, dict):
        found: dict[str, list[str]] = {}
        for key, value in detail.items():
            found.update(_fields(value, f"{prefix}.{key}" if prefix else str(key)))
        return found
    if isinstance(detail, list):
        if all(not isinstance(item, dict | list) for item in detail):
            return {prefix or "body": [str(item) for item in detail]}
        found = {}
        for index, item in enumerate(detail):
            found.update(_fields(item, f"{prefix}.{index}" if prefix else str(index)))
        return found
    return {prefix or "body": [str(detail)]}
