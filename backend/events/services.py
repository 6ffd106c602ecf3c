"""Writes numbered events in the caller's transaction, and announces them when it commits."""

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from backend.core.clock import now
from backend.events.models import Event, ProjectSequence

EVENTS_CHANNEL = "edgewise_events"
HINTS_CHANNEL = "edgewise_hints"
HINT_LIMIT_BYTES = 7500  # PostgreSQL's NOTIFY payload ends at 8000 bytes.


def record(
    project_id: UUID,
    kind: str,
    data: Mapping[str, Any],
    *,
    actor_id: UUID | None,
    subject_id: UUID | None = None,
) -> Event:
    """Appends one event to the project's sequence; must run inside the transaction of the change.

    Raises `TransactionManagementError` outside a transaction: an event without its change must not exist.
    """
    connection.validate_no_broken_transaction()
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("record an event inside the transaction of its change")
    seq = _next_seq(project_id)
    event = Event(project_id=project_id, seq=seq, kind=kind, data=dict(data), actor_id=actor_id, at=now())
    if subject_id is not None:
        event.subject_id = subject_id
    event.save(force_insert=True)
    _notify(EVENTS_CHANNEL, json.dumps({"project": str(project_id), "seq": seq}))
    return event


def hint(project_id: UUID, message: Mapping[str, Any]) -> None:
    """Tells everybody in the project something that may be lost, such as a job's progress.

    Inside a transaction it is sent at commit. A message over the payload limit is dropped: hints may be lost.
    """
    payload = json.dumps({"project": str(project_id), "message": message}, separators=(",", ":"), default=str)
    if len(payload.encode()) <= HINT_LIMIT_BYTES:
        _notify(HINTS_CHANNEL, payload)


def forget_project(project_id: UUID) -> None:
    """Removes a deleted project's events."""
    Event.objects.filter(project_id=project_id).delete()
    ProjectSequence.objects.filter(project_id=project_id).delete()


def _next_seq(project_id: UUID) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO events_projectsequence (project_id, seq) VALUES (%s, 1) "
            "ON CONFLICT (project_id) DO UPDATE SET seq = events_projectsequence.seq + 1 RETURNING seq",
            [project_id],
        )
        return int(cursor.fetchone()[0])


def _notify(channel: str, payload: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, %s)", [channel, payload])
