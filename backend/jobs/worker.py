"""Runs the queues in one process: bulk encoding, urgent clicks, all else, and the sweep for dead jobs.

A worker says with each beat what it can encode with; `routing` sends work to those with a graphics card.
"""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import time
from collections.abc import Mapping, Sequence
from typing import Any

from asgiref.sync import sync_to_async
from procrastinate.contrib.django import app as current_app

from backend.jobs import routing, services

log = logging.getLogger(__name__)

# Each line of work has its own slot, so that a long encode never holds up a click or an export.
LANES: dict[str, tuple[str, ...]] = {
    "bulk": ("encode",),
    "urgent": ("urgent",),
    "files": ("prepare", "exchange"),
    "models": ("models",),
}
SWEEP_SECONDS = 10.0
BEAT_SECONDS = 10.0
RESCUE_SECONDS = 1.0
STALE_SECONDS = 30
FROZEN_SECONDS = 20.0  # less than STALE_SECONDS by a beat: nobody has taken this process's jobs before it notices


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
    can = await sync_to_async(abilities)() if {"bulk", "urgent"} & set(lanes) else {}
    card = bool(can.get("card_models"))
    async with app.open_async():
        tasks = [
            asyncio.create_task(
                app.run_worker_async(
                    queues=routing.queues_of(LANES[lane], card=card),
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
        name = f"{socket.gethostname()}:{os.getpid()}"
        helpers = [asyncio.create_task(one) for one in (_sweep(app), _beat(name, lanes, can), _rescue())]
        waiter = asyncio.create_task(stop.wait())
        done, _ = await asyncio.wait([waiter, *tasks], return_when=asyncio.FIRST_COMPLETED)
        for task in (*tasks, *helpers, waiter):
            task.cancel()
        await asyncio.gather(*tasks, *helpers, waiter, return_exceptions=True)
        with contextlib.suppress(Exception):
            await sync_to_async(services.leave)(name)
        for task in done:
            if task is not waiter and not task.cancelled() and (error := task.exception()):
                raise error


def abilities() -> Mapping[str, Any]:
    """What this process can encode with, as the rooms above say it."""
    return {key: value for ability in services.abilities for key, value in ability().items()}


async def _beat(name: str, lanes: Sequence[str], can: Mapping[str, Any]) -> None:
    """Says that this process lives.

    One that could not for long (frozen, or cut off from the database) may have lost its jobs to others, and must not go
    on with them: it ends at once, and whoever watches it starts it afresh.
    """
    last = _uptime()
    while True:
        if _uptime() - last > FROZEN_SECONDS:
            log.error("This worker could not say for %.0f s that it lives, and starts afresh", _uptime() - last)
            os._exit(75)  # EX_TEMPFAIL
        with contextlib.suppress(Exception):
            await sync_to_async(services.beat)(name, list(lanes), can)
            last = _uptime()
        await asyncio.sleep(BEAT_SECONDS)


def _uptime() -> float:
    """Seconds, also those that the machine slept, which others may have counted."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


async def _rescue() -> None:
    """Every worker sees to it that a click does not wait for a card that is busy or gone."""
    while True:
        with contextlib.suppress(Exception):
            await sync_to_async(routing.rescue_urgent)()
        await asyncio.sleep(RESCUE_SECONDS)


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
            await sync_to_async(routing.reroute)()
        except Exception:
            log.exception("The sweep for lost jobs failed; it is tried again")
        await asyncio.sleep(SWEEP_SECONDS)
