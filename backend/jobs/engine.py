"""Speaks to procrastinate for those who put jobs into a queue."""

from collections.abc import Mapping
from typing import Any

from procrastinate.contrib.django import app as current_app

from backend.jobs import routing


def defer(name: str, args: Mapping[str, Any], *, priority: int = 0, lock: str | None = None, needs: str = "") -> int:
    """Puts a job into its queue inside the current transaction; gives the engine's number for it.

    `needs` is the model that it works with, by which workers with a graphics card are preferred.
    """
    queue = routing.queue_for(current_app.tasks[name].queue, needs)
    task = current_app.configure_task(name=name, allow_unknown=False, priority=priority, lock=lock, queue=queue)
    return int(task.defer(**args))


def abort(engine_job_id: int) -> None:
    """Takes a queued job back, or asks a running one to stop."""
    current_app.job_manager.cancel_job_by_id(engine_job_id, abort=True)
