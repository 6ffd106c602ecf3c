"""A real web server under sockets that mean harm: foreign pages, floods, readers that never read (hazards 15-17)."""

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.support.raw import PING, TEXT, Raw, frame
from tests.support.server import Stack, running_stack
from tests.support.worlds import PASSWORD
from tests.support.ws_client import connected

SETUP = """
import json, sys
from pathlib import Path
from backend.accounts.services import create_token
from tests.support.scenes import make_scene
from tests.support.worlds import make_world
world = make_world("Siege")
scene = make_scene(world.project, world.owner, Path(sys.argv[1]))
tokens = {name: create_token(user, "t", None)[1] for name, user in world.users().items()}
names = {name: user.username for name, user in world.users().items()}
print(json.dumps({"project": str(world.project.id), "tokens": tokens, "names": names, **scene.as_json()}))
"""
EVENTS = """
import sys
from uuid import UUID
from django.db import transaction
from backend.events.services import record
project, count = UUID(sys.argv[1]), int(sys.argv[2])
for start in range(0, count, 500):
    with transaction.atomic():
        for number in range(start, start + 500):
            data = {"project": {"id": str(project), "name": f"{number}", "description": "d" * 2000}}
            record(project, "project.changed", data, actor_id=None)
"""
EVENTS_COUNT = 10_000
GROWTH_MB = 60.0


class Siege:
    """The server, what is in it, and how much memory it has taken since it was warm."""

    def __init__(self, stack: Stack, facts: dict[str, Any]) -> None:
        self.stack, self.facts = stack, facts
        self.path = f"/ws/projects/{facts['project']}"

    def bearer(self, who: str) -> list[tuple[str, str]]:
        """The header of a script."""
        return [("Authorization", f"Bearer {self.facts['tokens'][who]}")]

    def enter(self, who: str, **options: Any) -> Raw:
        """A member's raw socket."""
        raw = Raw(self.stack.port, **options)
        assert raw.upgrade(self.path, self.bearer(who)).startswith("HTTP/1.1 101")
        return raw

    def memory_mb(self) -> float:
        """What the server process holds now."""
        assert self.stack.web is not None
        return int(Path(f"/proc/{self.stack.web.pid}/statm").read_text().split()[1]) * 4096 / 1e6


@pytest.fixture(scope="module")
def siege(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Siege]:
    folder = tmp_path_factory.mktemp("siege")
    with running_stack(folder / "data", worker=False) as stack:
        siege = Siege(stack, json.loads(stack.python(SETUP, str(folder))))

        async def warm_up() -> None:
            async with connected(stack.url, siege.facts["tokens"]["owner"], siege.facts["project"]) as browser:
                for roof in siege.facts["roofs"]:
                    await browser.click(siege.facts["raster"], (*roof, 1))

        asyncio.run(warm_up())
        yield siege
        assert "Traceback" not in stack.log("web")


def prompt(siege: Siege, seq: int) -> bytes:
    lon, lat = siege.facts["roofs"][seq % 4]
    said = {
        "type": "prompt.submit", "promptSeq": seq, "draft": str(uuid4()), "raster": siege.facts["raster"],
        "points": [{"lon": lon, "lat": lat, "label": 1}], "box": None, "hover": seq % 2 == 0, "feedback": True,
    }  # fmt: skip
    return frame(TEXT, json.dumps(said).encode())


@pytest.fixture(scope="module")
def cookie(siege: Siege) -> str:
    """The cookie of a browser in which the annotator has signed in."""
    with httpx.Client(base_url=siege.stack.url) as browser:
        browser.get("/api/session")
        token = browser.cookies["csrftoken"]
        said = {"username": siege.facts["names"]["annotator"], "password": PASSWORD}
        answer = browser.post("/api/session", json=said, headers={"X-CSRFToken": token, "Origin": siege.stack.url})
        assert answer.status_code == 200, answer.text
        return f"sessionid={browser.cookies['sessionid']}"


@pytest.mark.parametrize(
    ("origin", "opens"),
    [
        ("own", True), ("http://evil.example", False), ("null", False), (None, False), ("", False),
        ("http://127.0.0.1:1", False), ("http://127.0.0.1.evil.example", False),
    ],
)  # fmt: skip
def test_a_page_of_another_site_cannot_use_the_browsers_cookie(
    siege: Siege, cookie: str, origin: str | None, opens: bool
) -> None:
    said = "http://127.0.0.1" if origin == "own" else origin
    with Raw(siege.stack.port) as raw:
        headers = [("Cookie", cookie)] + ([("Origin", said)] if said is not None else [])
        answer = raw.upgrade(siege.path, headers)
        assert answer.startswith("HTTP/1.1 101" if opens else "HTTP/1.1 403")
        assert opens or raw.gone()


def test_a_member_of_another_project_gets_a_code_and_not_a_word(siege: Siege) -> None:
    with siege.enter("stranger") as raw:
        raw.send(prompt(siege, 1))
        assert raw.close_code() == 4403


async def test_a_flood_of_prompts_is_one_users_own_trouble(siege: Siege) -> None:
    before = siege.memory_mb()
    with siege.enter("annotator") as raw:
        async with connected(siege.stack.url, siege.facts["tokens"]["reviewer"], siege.facts["project"]) as other:
            flood = [prompt(siege, seq) for seq in range(10_000)]
            sent = asyncio.get_running_loop().run_in_executor(None, raw.send, *flood)
            for roof in siege.facts["roofs"]:
                answer, took = await other.click(siege.facts["raster"], (*roof, 1), seconds=20)
                assert answer["type"] == "suggestion"
                assert took < 5000
            await sent
        assert await asyncio.to_thread(raw.close_code) in (4429, None)
    assert siege.memory_mb() - before < GROWTH_MB


def test_a_flood_of_nonsense_closes_the_socket_at_its_first_frame(siege: Siege) -> None:
    with siege.enter("annotator") as raw:
        raw.send(*[frame(TEXT, b"[" * 100)] * 10_000)
        assert raw.close_code() in (4400, 4429, None)


def test_a_user_cannot_hold_more_than_a_few_sockets(siege: Siege) -> None:
    with ExitStack() as held:
        codes = []
        for _ in range(23):
            raw = held.enter_context(siege.enter("colleague", seconds=3))
            kind, content = raw.frame() or (0, b"")
            codes.append(int.from_bytes(content[:2], "big") if kind == 8 else 0)
        assert codes == [0] * 20 + [4429] * 3
    end = time.monotonic() + 5
    while True:  # those that are gone are given back
        with siege.enter("colleague", seconds=3) as raw:
            kind, _ = raw.frame() or (0, b"")
        if kind == TEXT:
            break
        assert time.monotonic() < end


async def test_readers_that_never_read_cost_little_and_lose_nothing_and_others_hear_all(siege: Siege) -> None:
    token, project = siege.facts["tokens"]["owner"], siege.facts["project"]
    before = siege.memory_mb()
    with ExitStack() as held:
        deaf = [held.enter_context(siege.enter("annotator", small=True)) for _ in range(10)]
        async with connected(siege.stack.url, token, project) as other:
            since = other.heard[0]["seq"]
            writing = asyncio.create_task(asyncio.to_thread(siege.stack.python, EVENTS, project, str(EVENTS_COUNT)))
            await other.wait_for(lambda m: m["type"] == "event" and m["event"]["seq"] == since + EVENTS_COUNT, 120)
            await writing
            seqs = [m["event"]["seq"] for m in other.heard if m["type"] == "event"]
            assert seqs == list(range(since + 1, since + EVENTS_COUNT + 1))
        grown = siege.memory_mb() - before
        assert grown < GROWTH_MB, "ten readers that never read, twenty megabytes of events each"

        seen = [since]
        while (found := deaf[0].frame()) is not None and found[0] in (TEXT, PING):
            message = json.loads(found[1]) if found[0] == TEXT else {"type": "ping"}
            if message["type"] == "event":
                seen.append(message["event"]["seq"])
        assert seen == list(range(since, since + len(seen))), "what was sent has no gap"
        assert len(seen) < EVENTS_COUNT, "it was let go before the end"
        assert found is None or int.from_bytes(found[1][:2], "big") == 1013

    with httpx.Client(base_url=siege.stack.url, headers=dict(siege.bearer("annotator")), timeout=30) as http:
        while True:
            page = http.get(f"/api/projects/{project}/events", params={"since": seen[-1], "limit": 500}).json()
            seen += [event["seq"] for event in page["events"]]
            if not page["more"]:
                break
    assert seen == list(range(since, since + EVENTS_COUNT + 1)), "all of it is there to be asked for"
