"""Runs the queues in one process: bulk encoding, urgent clicks, all else, and the sweep for dead jobs."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
from collections.abc import Sequence
from typing import Any

from asgiref.sync import sync_to_async
from procrastinate.contrib.django import app as current_app

from backend.jobs import services

log = logging.getLogger(__name__)

# Each line of work has its own slot, so that a long encode never holds up a click or an export.
LANES: dict[str, tuple[str, ...]] = {
    "bulk": ("encode",),
    "urgent": ("urgent",),
    "files": ("prepare", "exchange"),
}
SWEEP_SECONDS = 10.0
BEAT_SECONDS = 10.0
STALE_SECONDS = 30


def run(lanes: Sequence[str]) -> None:
    """Works until SIGTERM or SIGINT; running jobs are asked to stop and go back to their queue."""
    asyncio.run(_run(lanes))


async def _run(lanes: Sequence[str]) -> None:
    connector: Any = current_app.connector  # the Django connector, which its base class does not describe
    app = current_app.with_connector(connector.get_worker_connector())
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop.set)
    async with app.open_async():
        tasks = [
            asyncio.create_task(
                app.run_worker_async(
                    queues=list(LANES[lane]),
                    name=f"{lane}@{socket.gethostname()}:{os.getpid()}",
                    concurrency=1,
                    install_signal_handlers=False,
                    shutdown_graceful_timeout=1,
                    delete_jobs="successful",
                    listen_notify=True,
                ),
                name=lane,
            )
            for lane in lanes
        ]
        helpers = [asyncio.create_task(_sweep(app)), asyncio.create_task(_beat(lanes))]
        waiter = asyncio.create_task(stop.wait())
        done, _ = await asyncio.wait([waiter, *tasks], return_when=asyncio.FIRST_COMPLETED)
        for task in (*tasks, *helpers, waiter):
            task.cancel()
        await asyncio.gather(*tasks, *helpers, waiter, return_exceptions=True)
        for task in done:
            if task is not waiter and not task.cancelled() and (error := task.exception()):
                raise error


async def _beat(lanes: Sequence[str]) -> None:
    name = f"{socket.gethostname()}:{os.getpid()}"
    while True:
        with contextlib.suppress(Exception):
            await sync_to_async(services.beat)(name, list(lanes))
        await asyncio.sleep(BEAT_SECONDS)


async def _sweep(app: Any) -> None:
    """Gives jobs of killed workers back to the queue; one that cannot be retried never blocks the others."""
    while True:
        try:
            stalled = await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=STALE_SECONDS)
            for job in stalled:
                try:
                    await app.job_manager.retry_job(job)
                    log.warning("Job %s of a lost worker goes back to its queue", job.id)
                except Exception:
                    log.exception("Job %s of a lost worker could not be put back", job.id)
        except Exception:
            log.exception("The sweep for lost jobs failed; it is tried again")
        await asyncio.sleep(SWEEP_SECONDS)
