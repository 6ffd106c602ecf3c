"""The job table: which function does each named job, and on which queue."""

from typing import Any

from backend.jobs import engine

# name -> (module:function, queue). The modules are imported by the worker only when a job runs.
JOBS: dict[str, engine.Entry] = {
    "rasters.prepare": engine.Entry("backend.rasters.jobs:prepare", queue="prepare", retries=2),
    "encoding.run": engine.Entry("backend.encoding.jobs:run", queue="encode", retries=3),
    "encoding.urgent": engine.Entry("backend.encoding.jobs:urgent", queue="urgent", retries=1),
    "exchange.export": engine.Entry("backend.exchange.jobs:export", queue="exchange", retries=1),
}


def on_app_ready(app: Any) -> None:
    """Procrastinate's hook: registers every job of the table."""
    engine.register(app, JOBS)
