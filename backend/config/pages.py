"""The page that carries the browser application, and the health answer."""

from functools import lru_cache

from django.conf import settings
from django.db import OperationalError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_safe

from backend.core.clock import iso
from backend.jobs.selectors import worker_seen_at

NOT_BUILT = "The browser application is not built. Run `make run`, or `npm ci && npm run build` in frontend/."


@require_safe
@never_cache
@ensure_csrf_cookie
def app(request: HttpRequest) -> HttpResponse:
    """The single page, with this answer's CSP nonce filled in."""
    page = _index(settings.DEBUG)
    if page is None:
        return HttpResponse(NOT_BUILT, status=503, content_type="text/plain; charset=utf-8")
    nonce = str(request.csp_nonce)  # type: ignore[attr-defined]
    return HttpResponse(page.replace("__CSP_NONCE__", nonce))


@require_safe
@never_cache
def health(request: HttpRequest) -> JsonResponse:
    """Whether the server can work: the database answers; when a worker was last seen."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        seen = worker_seen_at()
    except OperationalError:
        return JsonResponse({"status": "unavailable", "database": False, "worker_seen_at": None}, status=503)
    return JsonResponse({"status": "ok", "database": True, "worker_seen_at": iso(seen) if seen else None})


def _index(fresh: bool) -> str | None:
    return _read_index() if fresh else _kept_index()


def _read_index() -> str | None:
    path = settings.FRONTEND_DIST / "index.html"
    return path.read_text(encoding="utf-8") if path.exists() else None


@lru_cache(maxsize=1)
def _kept_index() -> str | None:
    return _read_index()
