"""How a job runs: stopping, trying again, and what its visible row says in the end."""

import importlib
import inspect
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from procrastinate import BaseRetryStrategy, JobContext, RetryDecision
from procrastinate.exceptions import JobAborted
from procrastinate.job_context import AbortReason
from procrastinate.jobs import Job as EngineJob

from backend.core.errors import EdgewiseError
from backend.jobs import routing, services

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Entry:
    """One row of the job table: `module:function`, its queue, and how often in all it is tried."""

    target: str
    queue: str
    attempts: int = 1


class JobMoved(Exception):
    """The job goes to the queue of workers with a graphics card."""


class Patience(BaseRetryStrategy):
    """Tries again after a bug or an outage, never after an error that the user must mend.

    A job that was stopped by a shutdown goes back to its queue at once, however often that happens.
    """

    def __init__(self, attempts: int) -> None:
        self.attempts = attempts

    def get_retry_decision(self, *, exception: BaseException, job: EngineJob) -> RetryDecision | None:
        """When to try again; None when this was the last time."""
        if isinstance(exception, JobMoved):
            return RetryDecision(retry_in={"seconds": 0}, queue=f"{job.queue}{routing.CARD}")
        if isinstance(exception, JobAborted):
            return RetryDecision(retry_in={"seconds": 0})
        if is_final(exception, job.attempts, self.attempts):
            return None
        return RetryDecision(retry_in={"seconds": 2 * 3**job.attempts})


def register(app: Any, table: Mapping[str, Entry]) -> None:
    """Makes every job of the table known to the engine under its name.

    A job's function is called with the arguments it was queued with. If it takes `should_abort`, it
    polls that and raises `Stopped` when true: what was done stays done, and it begins again after a restart.
    """
    for name, entry in table.items():
        strategy = Patience(entry.attempts)
        app.task(_runner(entry), name=name, queue=entry.queue, retry=strategy, pass_context=True)


def is_final(error: BaseException, tried_before: int, attempts: int) -> bool:
    """Whether a job that failed so is not tried again."""
    user_must_mend = isinstance(error, EdgewiseError) and error.kind != "ours"
    return user_must_mend or tried_before + 1 >= attempts


def _runner(entry: Entry) -> Callable[..., None]:
    module_name, function_name = entry.target.split(":")

    def run(context: JobContext, **args: Any) -> None:
        function = getattr(importlib.import_module(module_name), function_name)
        given = dict(args)
        if "should_abort" in inspect.signature(function).parameters:
            given["should_abort"] = context.should_abort
        row = UUID(args["job_id"]) if "job_id" in args else None
        try:
            function(**given)
        except services.Stopped as stopped:
            if row is not None and context.abort_reason() == AbortReason.USER_REQUEST:
                services.finish(row)
                raise JobAborted from stopped
            raise (JobMoved if isinstance(stopped, services.Moved) else JobAborted) from stopped
        except Exception as error:
            if row is not None and is_final(error, context.job.attempts, entry.attempts):
                known = error if isinstance(error, EdgewiseError) else EdgewiseError()
                services.finish(row, error={"code": known.code, "message": known.message})
            raise

    return run
