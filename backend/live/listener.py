"""The one connection of a process on which the database tells what others have committed."""

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Any

import psycopg
from django.db import connection

log = logging.getLogger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = 0.25, 5.0
KEEPALIVES = {"keepalives": 1, "keepalives_idle": 20, "keepalives_interval": 5, "keepalives_count": 3}

Heard = Callable[[str, dict[str, Any]], None]


async def listen(channels: tuple[str, ...], up: Callable[[], None], down: Callable[[], None], heard: Heard) -> None:
    """Calls `heard(channel, payload)` for each notice, for ever; `up` and `down` as the connection comes and goes.

    What is sent while it is down is lost: `up` must look for it.
    """
    pause = FIRST_PAUSE
    while True:
        try:
            async with await psycopg.AsyncConnection.connect(**_parameters(), autocommit=True) as db:
                for channel in channels:
                    await db.execute(f"LISTEN {channel}")
                up()
                pause = FIRST_PAUSE
                async for notice in db.notifies():
                    _pass_on(heard, notice.channel, notice.payload)
        except (psycopg.Error, OSError) as error:
            log.warning("The listening connection is gone and is made again: %s", error)
        down()
        await asyncio.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE)


def _pass_on(heard: Heard, channel: str, payload: str) -> None:
    try:
        heard(channel, json.loads(payload))
    except Exception:  # one notice that is not ours must not end the listening
        log.exception("A notice on %s could not be understood", channel)


def _parameters() -> dict[str, Any]:
    parameters = connection.get_connection_params()
    for name in ("cursor_factory", "context", "prepare_threshold", "pool"):
        parameters.pop(name, None)
    return {**parameters, **KEEPALIVES, "connect_timeout": 10}
