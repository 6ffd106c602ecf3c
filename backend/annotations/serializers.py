"""Parses what is said about annotations; geometry, attributes and provenance are checked by their own modules."""

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from uuid import UUID

from django.http import QueryDict
from rest_framework import serializers

from backend.annotations.models import Status
from backend.annotations.selectors import Filters
from backend.core.errors import Invalid

T = TypeVar("T")


class NewAnnotation(serializers.Serializer[Any]):
    """The body of a `PUT`."""

    project = serializers.UUIDField()
    raster = serializers.UUIDField(required=False, allow_null=True)
    label_class = serializers.UUIDField()
    geometry = serializers.DictField()
    attributes = serializers.DictField(required=False)
    provenance = serializers.DictField(required=False, allow_null=True)
    status = serializers.ChoiceField(choices=Status.choices, required=False)


class Fitting(serializers.Serializer[Any]):
    """A shape that is asked about before it is saved; `annotation` is the one it would replace."""

    label_class = serializers.UUIDField()
    geometry = serializers.DictField()
    annotation = serializers.UUIDField(required=False, allow_null=True)


class Guard(serializers.Serializer[Any]):
    """The version a change was made on, and its own id."""

    version = serializers.IntegerField(min_value=1)
    edit_id = serializers.UUIDField()


class Change(Guard):
    """The body of a `PATCH`."""

    geometry = serializers.DictField(required=False)
    label_class = serializers.UUIDField(required=False)
    attributes = serializers.DictField(required=False)


def read_filters(query: QueryDict) -> Filters:
    """The filters of a list's address. Raises `annotation.invalid_query` naming the parameter."""
    unknown = sorted(set(query) - {"bbox", "raster", "status", "label_class", "author", "order", "cursor", "limit"})
    if unknown:
        raise _bad(f"There is no parameter {unknown[0][:40]!r}.")
    statuses = query.getlist("status")
    if not set(statuses) <= set(Status.values):
        raise _bad(f"status is one of {', '.join(Status.values)}.")
    return Filters(
        bbox=read_bbox(str(query["bbox"])) if query.get("bbox") else None,
        raster=_each("raster", query.getlist("raster")[:1], UUID)[0] if query.get("raster") else None,
        statuses=statuses,
        classes=_each("label_class", query.getlist("label_class"), UUID),
        authors=_each("author", query.getlist("author"), UUID),
    )


def read_bbox(said: str) -> tuple[float, float, float, float]:
    """`west,south,east,north` in degrees, west above east across the antimeridian.

    Raises `annotation.invalid_query`.
    """
    parts = _each("bbox", said.split(","), float)
    if len(parts) != 4 or not all(math.isfinite(part) for part in parts):
        raise _bad("bbox is west,south,east,north.")
    west, south, east, north = parts
    if not (max(abs(west), abs(east)) <= 180 and -90 <= south <= north <= 90):
        raise _bad("bbox is west,south,east,north, within the world.")
    return west, south, east, north


def read_number(query: QueryDict, name: str, default: int) -> int:
    """A whole number of the address. Raises `annotation.invalid_query`."""
    said = query.get(name, "")
    return _each(name, [said], int)[0] if said else default


def _each(name: str, values: Sequence[str], kind: Callable[[str], T]) -> list[T]:
    try:
        return [kind(value) for value in values]
    except ValueError as error:
        raise _bad(f"{name} is not well formed.") from error


def _bad(message: str) -> Invalid:
    return Invalid(message, code="annotation.invalid_query")
