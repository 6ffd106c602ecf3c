"""Reads a project's events."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from backend.core.clock import iso
from backend.events.models import Event, ProjectSequence


def last_seq(project_id: UUID) -> int:
    """The number of the project's newest event; 0 before the first."""
    row = ProjectSequence.objects.filter(project_id=project_id).values_list("seq", flat=True).first()
    return int(row or 0)


def events_since(project_id: UUID, since: int, limit: int) -> Sequence[Event]:
    """Events with a number above `since`, in order, at most `limit`."""
    rows = Event.objects.filter(project_id=project_id, seq__gt=since).select_related("actor").order_by("seq")
    return list(rows[:limit])


def event_json(event: Event) -> dict[str, Any]:
    """The event as the wire has it."""
    actor = event.actor
    return {
        "seq": event.seq,
        "kind": event.kind,
        "at": iso(event.at),
        "actor": {"id": str(actor.id), "display_name": actor.display_name} if actor else None,
        "data": event.data,
    }
