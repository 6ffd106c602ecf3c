"""How long an edit takes from being sent until the last of many browsers, at two web processes, has heard of it."""

import asyncio
import json
import tempfile
import time
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from tests.bench.harness import Gate, Row, bootstrap, percentile
from tests.support.server import Stack, free_port, running_stack
from tests.support.ws_client import Browser, connected

VIEWERS, EDITS, WARM_UP = 20, 200, 10
GOAL_MS = 1000.0
SQUARE = {"type": "Polygon", "coordinates": [[[10, 50], [10.001, 50], [10.001, 50.001], [10, 50.001], [10, 50]]]}
SETUP = """
import json
from backend.accounts.services import create_token
from tests.support.worlds import make_world
world = make_world("Bench")
tokens = [create_token(user, "t", None)[1] for user in world.users().values() if user != world.stranger]
print(json.dumps({"project": str(world.project.id), "field": str(world.field.id), "tokens": tokens}))
"""


def run() -> tuple[list[Row], list[str]]:
    """The row `events.commit_to_browser_p99_ms`; the edit's own way over HTTP is within it."""
    with tempfile.TemporaryDirectory() as folder, running_stack(Path(folder) / "data", worker=False) as first:
        second = Stack(first.database_url, first.data_dir, free_port(), first.settings)
        second.start_web()
        try:
            delays, edits, lost = asyncio.run(_measure((first, second), json.loads(first.python(SETUP))))
        finally:
            second.stop()
    p99 = partial(percentile, share=0.99)
    row = Row(
        name="events.commit_to_browser_p99_ms",
        value=p99(delays),
        goal=GOAL_MS,
        better="lower",
        unit="ms",
        n=len(delays),
        spread=bootstrap(delays, p99),
        gates=(Gate("events lost or out of order", lost, 0, "lower"),),
        extra={
            "browsers": VIEWERS,
            "web_processes": 2,
            "p50_ms": percentile(delays, 0.5),
            "edit_answered_p50_ms": percentile(edits, 0.5),
        },
    )
    return [row], []


async def _measure(servers: tuple[Stack, Stack], facts: dict[str, Any]) -> tuple[list[float], list[float], int]:
    """Milliseconds from an edit's sending to its event in the last browser; of each edit itself; events amiss."""
    tokens, project = facts["tokens"], facts["project"]
    async with AsyncExitStack() as stack:
        browsers = [
            await stack.enter_async_context(connected(servers[n % 2].url, tokens[n % len(tokens)], project))
            for n in range(VIEWERS)
        ]
        headers = {"Authorization": f"Bearer {tokens[0]}"}
        http = await stack.enter_async_context(httpx.AsyncClient(base_url=servers[0].url, headers=headers, timeout=30))
        first = browsers[0].heard[0]["seq"]
        delays, edits = [], []
        for edit in range(WARM_UP + EDITS):
            hearing = [asyncio.create_task(_hear(browser, first + edit + 1)) for browser in browsers]
            body = {"project": project, "label_class": facts["field"], "geometry": SQUARE, "attributes": {}}
            began = time.perf_counter()
            answer = await http.put(f"/api/annotations/{uuid4()}", json={**body, "provenance": {"kind": "drawn"}})
            answered = time.perf_counter()
            answer.raise_for_status()
            heard = await asyncio.gather(*hearing)
            if edit >= WARM_UP:
                delays.append((max(heard) - began) * 1000)
                edits.append((answered - began) * 1000)
        wanted = list(range(first + 1, first + WARM_UP + EDITS + 1))
        lost = sum(_seqs(browser) != wanted for browser in browsers)
    return delays, edits, lost


async def _hear(browser: Browser, seq: int) -> float:
    await browser.wait_for(lambda m: m["type"] == "event" and m["event"]["seq"] >= seq, 30)
    return time.perf_counter()


def _seqs(browser: Browser) -> list[int]:
    return [message["event"]["seq"] for message in browser.heard if message["type"] == "event"]
