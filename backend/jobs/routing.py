"""Sends work that a graphics card does many times faster to workers that have one, and back when none lives.

Such work has two queues: one for every worker, and one (`….card`) that only workers with a card take from. A job is put
into one of them when it is queued and, while it waits, moved when workers come and go.
"""

from datetime import timedelta

from django.db import connection, transaction

from backend.core.clock import now
from backend.jobs.models import Job, WorkerBeat

CARD = ".card"
LANE_OF = {"encode": "bulk", "urgent": "urgent"}  # the queues that are doubled, and the lane that serves each
AWAY_SECONDS = 30.0  # a worker that was silent for longer is taken for dead
URGENT_PATIENCE_SECONDS = 3.0  # a click waits no longer for a card that is not free


def queues_of(queues: tuple[str, ...], *, card: bool) -> list[str]:
    """The queues that a worker takes from: with a card also those that are meant for it."""
    return [*queues, *(queue + CARD for queue in queues if card and queue in LANE_OF)]


def queue_for(queue: str, needs: str) -> str:
    """Where work goes now that needs this model; urgent work goes to a card only where one is free for it."""
    if queue not in LANE_OF:
        return queue
    cards = len(cards_alive(LANE_OF[queue], needs))
    if not cards or (queue == "urgent" and _under_way(queue + CARD) >= cards):
        return queue
    return queue + CARD


def cards_alive(lane: str, needs: str) -> list[str]:
    """The workers that serve a lane, live, and run this model on a graphics card."""
    alive = WorkerBeat.objects.filter(seen_at__gt=now() - timedelta(seconds=AWAY_SECONDS))
    return [beat.name for beat in alive if lane in beat.queues and needs in (beat.can or {}).get("card_models", ())]


def reroute() -> int:
    """Moves bulk work that waits to where it is done best now; how many jobs were moved."""
    waiting = dict.fromkeys(_waiting("encode"), "encode") | dict.fromkeys(_waiting("encode" + CARD), "encode" + CARD)
    needs = dict(Job.objects.filter(engine_job_id__in=list(waiting)).values_list("engine_job_id", "params__needs"))
    moved = 0
    for number, queue in waiting.items():
        best = queue_for("encode", needs.get(number) or "")
        if best != queue:
            moved += _move(number, queue, best)
    return moved


def rescue_urgent() -> int:
    """Gives clicks that wait for a card to every worker; how many there were."""
    return sum(
        _move(number, "urgent" + CARD, "urgent") for number in _waiting("urgent" + CARD, URGENT_PATIENCE_SECONDS)
    )


def _under_way(queue: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM procrastinate_jobs WHERE queue_name = %s AND status IN ('todo', 'doing')", [queue]
        )
        return int(cursor.fetchone()[0])


def _waiting(queue: str, seconds: float = 0.0) -> list[int]:
    """Jobs that have waited in a queue for so long without anything having happened to them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM procrastinate_jobs AS job WHERE queue_name = %s AND status = 'todo' AND NOT EXISTS ("
            " SELECT 1 FROM procrastinate_events WHERE job_id = job.id AND at > now() - make_interval(secs => %s)"
            ") ORDER BY id LIMIT 1000",
            [queue, seconds],
        )
        return [int(number) for (number,) in cursor.fetchall()]


def _move(number: int, queue: str, to: str) -> int:
    """Moves a job that still waits, and wakes who serves the other queue as the engine itself does at an insert."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE procrastinate_jobs SET queue_name = %s WHERE id = %s AND queue_name = %s AND status = 'todo'",
            [to, number, queue],
        )
        moved = int(cursor.rowcount)
        if moved:
            cursor.execute(
                "SELECT pg_notify('procrastinate_queue_v1#' || %s, "
                "json_build_object('type', 'job_inserted', 'job_id', %s::bigint)::text)",
                [to, number],
            )
        return moved
