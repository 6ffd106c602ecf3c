"""Pages of a project's annotations as JSON text, put together from what the database says without building objects.

A model instance and a second parse of each geometry would take ten times as long for a long list.
"""

import base64
import binascii
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.gis.db.models.functions import AsGeoJSON
from django.db.models import F, Q, TextField, Value
from django.db.models.functions import Cast, Coalesce

from backend.accounts.models import User
from backend.annotations.geometry import DECIMALS
from backend.annotations.selectors import Filters, filtered, person_json
from backend.core.clock import iso
from backend.core.errors import Invalid

ORDERS = {"created": "created_at", "updated": "updated_at", "area": "area_m2", "score": "score"}
MAX_LIMIT = 2000
MAX_CURSOR = 200
WORST = float("-inf")  # where work without a score stands among the scored
COLUMNS = (
    *("id", "raster_id", "label_class_id", "geojson", "attributes_text", "status", "version", "author_id"),
    *("updated_by_id", "created_at", "updated_at", "area_m2", "length_m", "provenance_text", "rank"),
)


@dataclass(frozen=True)
class Page:
    """One page: each annotation as JSON text, where the next page begins, and how many there are in all."""

    annotations: list[str]
    next_cursor: str | None
    total: int

    def json(self, seq: int) -> str:
        """The answer as the wire has it."""
        rest = {"seq": seq, "next_cursor": self.next_cursor, "total": self.total}
        return '{"annotations":[' + ",".join(self.annotations) + "]," + json.dumps(rest)[1:]


def page(project_id: UUID, filters: Filters, order: str, cursor: str, limit: int) -> Page:
    """One page. Raises `annotation.invalid_query` for an unknown order or a cursor that was not given out."""
    sign = "-" if order.startswith("-") else ""
    column = ORDERS.get(order.removeprefix("-"))
    if column is None:
        raise _bad_query(f"Order by one of {', '.join(ORDERS)}, or with - before it.")
    place = _read_cursor(column, cursor) if cursor else None
    rows = filtered(project_id, filters)
    total = rows.count()
    rows = rows.annotate(rank=Coalesce("score", Value(WORST)) if column == "score" else F(column))
    if place is not None:
        rows = rows.filter(_after(sign == "-", *place))
    limit = max(1, min(limit, MAX_LIMIT))
    found = list(
        rows.annotate(
            geojson=AsGeoJSON("geometry", precision=DECIMALS),
            attributes_text=Cast("attributes", TextField()),
            provenance_text=Cast("provenance", TextField()),
        )
        .order_by(f"{sign}rank", f"{sign}id")
        .values_list(*COLUMNS, named=True)[: limit + 1]
    )
    shown = found[:limit]
    next_cursor = _write_cursor(shown[-1].rank, shown[-1].id) if len(found) > limit else None
    say = _sayer(project_id, {person for row in shown for person in (row.author_id, row.updated_by_id)})
    return Page([say(row) for row in shown], next_cursor, total)


def _sayer(project_id: UUID, people: set[UUID]) -> Callable[[Any], str]:
    """A function from a row to the same JSON as `selectors.annotation_json`."""
    said = {user.id: json.dumps(person_json(user)) for user in User.objects.filter(id__in=people)}
    project = f'"project":"{project_id}"'

    def say(row: Any) -> str:
        raster = f'"{row.raster_id}"' if row.raster_id else "null"
        return (
            f'{{"id":"{row.id}",{project},"raster":{raster},"label_class":"{row.label_class_id}",'
            f'"geometry":{row.geojson},"attributes":{row.attributes_text},"status":"{row.status}",'
            f'"version":{row.version},"author":{said[row.author_id]},"updated_by":{said[row.updated_by_id]},'
            f'"created_at":"{iso(row.created_at)}","updated_at":"{iso(row.updated_at)}",'
            f'"area_m2":{row.area_m2!r},"length_m":{row.length_m!r},'
            f'"provenance":{row.provenance_text},"deleted":false}}'
        )

    return say


def _after(descending: bool, value: Any, row_id: UUID) -> Q:
    sign = "lt" if descending else "gt"
    return Q(**{f"rank__{sign}": value}) | (Q(rank=value) & Q(**{f"id__{sign}": row_id}))


def _write_cursor(value: Any, row_id: UUID) -> str:
    said = value.isoformat() if isinstance(value, datetime) else value
    return base64.urlsafe_b64encode(json.dumps([said, str(row_id)]).encode()).decode()


def _read_cursor(column: str, cursor: str) -> tuple[Any, UUID]:
    try:
        said, row_id = json.loads(base64.urlsafe_b64decode(cursor[:MAX_CURSOR].encode("ascii")))
        value = _moment(said) if column.endswith("_at") else float(said)
        return value, UUID(row_id)
    except (ValueError, TypeError, AttributeError, OverflowError, binascii.Error) as error:
        raise _bad_query("This cursor was not given out here. Begin with the first page.") from error


def _moment(said: str) -> datetime:
    moment = datetime.fromisoformat(said)
    if moment.tzinfo is None:
        raise ValueError("a moment without its zone")
    return moment


def _bad_query(message: str) -> Invalid:
    return Invalid(message, code="annotation.invalid_query")
