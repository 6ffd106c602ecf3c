"""Every address with every method, and the least role that may use it: the table behind the access matrix."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

HTTP_METHODS = ("get", "post", "put", "patch", "delete", "head", "options")
# `options` is answered by the framework with a description of the form, never with data.
ANSWERED_ALIKE = {"options", "head"}


@dataclass(frozen=True)
class Access:
    """Who may: `public`, `user` (anybody signed in) or the least role; and a body that is well formed."""

    least: str
    body: Any = None
    query: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str = "application/json"


def routes() -> Iterator[tuple[str, str]]:
    """`(method, route)` of every address of the server, read from its URL configuration."""
    yield from _routes(get_resolver().url_patterns, "")


def _routes(patterns: list[URLPattern | URLResolver], prefix: str) -> Iterator[tuple[str, str]]:
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _routes(pattern.url_patterns, route)
            continue
        view = getattr(pattern.callback, "cls", None) or getattr(pattern.callback, "view_class", None)
        if view is None:
            yield "get", route
            continue
        for method in HTTP_METHODS:
            if hasattr(view, method) and method not in ANSWERED_ALIKE:
                yield method, route
