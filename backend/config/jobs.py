"""The job table: which function does each named job, and on which queue."""

from typing import Any

from backend.jobs import running

# name -> (module:function, queue). The modules are imported by the worker only when a job runs.
JOBS: dict[str, running.Entry] = {
    "rasters.prepare": running.Entry("backend.rasters.jobs:prepare", queue="prepare", attempts=2),
    "encoding.run": running.Entry("backend.encoding.jobs:run", queue="encode", attempts=3),
    "encoding.urgent": running.Entry("backend.encoding.jobs:urgent", queue="urgent", attempts=2),
    "exchange.export": running.Entry("backend.exchange.jobs:export", queue="exchange", attempts=2),
    "administration.work": running.Entry("backend.administration.jobs:work", queue="models", attempts=2),
}


def on_app_ready(app: Any) -> None:
    """Procrastinate's hook: registers every job of the table."""
    running.register(app, JOBS)
