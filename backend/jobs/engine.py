"""Speaks to procrastinate, so that nothing else does."""

import importlib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import procrastinate
from procrastinate.contrib.django import app as current_app


@dataclass(frozen=True)
class Entry:
    """One row of the job table: `module:function`, its queue, and how often it is tried again."""

    target: str
    queue: str
    retries: int = 0


def register(app: Any, table: Mapping[str, Entry]) -> None:
    """Makes every job of the table known to the engine under its name."""
    for name, entry in table.items():
        app.task(
            _runner(entry.target),
            name=name,
            queue=entry.queue,
            retry=procrastinate.RetryStrategy(max_attempts=entry.retries, exponential_wait=3),
            pass_context=True,
        )


def defer(name: str, args: Mapping[str, Any], *, priority: int = 0, lock: str | None = None) -> int:
    """Puts a job into its queue inside the current transaction; gives the engine's number for it."""
    task = current_app.configure_task(name=name, allow_unknown=False, priority=priority, lock=lock)
    return int(task.defer(**args))


def abort(engine_job_id: int) -> None:
    """Takes a queued job back, or asks a running one to stop."""
    current_app.job_manager.cancel_job_by_id(engine_job_id, abort=True)


def _runner(target: str) -> Any:
    module_name, function_name = target.split(":")

    def run(context: procrastinate.JobContext, **args: Any) -> None:
        function = getattr(importlib.import_module(module_name), function_name)
        if "should_abort" in inspect.signature(function).parameters:
            args["should_abort"] = context.should_abort
        function(**args)

    return run
