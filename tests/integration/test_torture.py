"""Two scripted browsers edit the same annotations while web server and worker are killed: nothing acknowledged is lost.

1,000 acknowledged edits; the history of the database is then checked against what each browser was told.
"""

import asyncio
import json
import random
from collections import Counter
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
import websockets

from tests.support.server import Stack, running_stack

EDITS = 1000
SHAPES = 12
KILLS = 6
SEED = 20261123

SETUP = """
import json
from backend.accounts.services import create_token
from tests.support.worlds import make_world
world = make_world("Torture")
tokens = [create_token(user, "t", None)[1] for user in (world.owner, world.reviewer)]
print(json.dumps({"project": str(world.project.id), "class": str(world.field.id), "tokens": tokens}))
"""
HISTORY = """
import json, sys
from backend.annotations.models import Annotation, Revision
from backend.events.models import Event
rows = Annotation.objects.filter(project_id=sys.argv[1])
print(json.dumps({
    "versions": {str(row.id): row.version for row in rows},
    "last": {str(row.id): row.geometry.coords[0][0] for row in rows},
    "revisions": [[str(a), v, str(e), g.coords[0][0]] for a, v, e, g in
                  Revision.objects.order_by("annotation_id", "version").values_list(
                      "annotation_id", "version", "edit_id", "geometry")],
    "seqs": list(Event.objects.filter(project_id=sys.argv[1]).order_by("seq").values_list("seq", flat=True)),
    "edits": [e["edit_id"] for e in Event.objects.filter(project_id=sys.argv[1], kind="annotation.updated")
              .order_by("seq").values_list("data", flat=True)],
}))
"""


class Editor:
    """One browser: edits at random, follows the events, keeps what was acknowledged."""

    def __init__(self, stack: Stack, token: str, project: str, label_class: str, seed: int) -> None:
        self.stack, self.token, self.project, self.label_class = stack, token, project, label_class
        self.random = random.Random(seed)
        self.headers = {"Authorization": f"Bearer {token}"}
        self.known: dict[str, dict[str, Any]] = {}
        self.seq = 0
        self.acknowledged: list[tuple[str, str, int, tuple[float, float]]] = []
        self.conflicts = self.repeated = self.reconnects = 0

    async def edit_until(self, count: "asyncio.Semaphore", ids: list[str]) -> None:
        async with httpx.AsyncClient(base_url=self.stack.url, headers=self.headers, timeout=5) as client:
            await self._catch_up(client)
            while not count.locked():
                await self._edit_one(client, count, self.random.choice(ids))

    async def follow(self) -> None:
        """Keeps the socket open as a browser does; after each loss asks for what was missed."""
        address = f"{self.stack.url.replace('http', 'ws')}/ws/projects/{self.project}"
        while True:
            try:
                async with websockets.connect(
                    address, additional_headers=self.headers, compression=None, open_timeout=5
                ) as socket:
                    async for text in socket:
                        message = json.loads(text)
                        if message["type"] == "hello":
                            await self._level()
                        elif message["type"] == "event":
                            await self._take(message["event"])
            except (OSError, websockets.WebSocketException, TimeoutError, httpx.TransportError):
                self.reconnects += 1
                await asyncio.sleep(0.1)

    async def _edit_one(self, client: httpx.AsyncClient, count: "asyncio.Semaphore", shape: str) -> None:
        lon = round(10 + self.random.random() * 0.5, 9)
        ring = [[lon, 50.0], [lon + 0.001, 50.0], [lon + 0.001, 50.001], [lon, 50.001], [lon, 50.0]]
        edit_id = str(uuid4())
        body = {
            "version": self.known[shape]["version"],
            "edit_id": edit_id,
            "geometry": {"type": "Polygon", "coordinates": [ring]},
        }
        while True:
            try:
                answer = await client.patch(f"/api/annotations/{shape}", json=body)
            except httpx.TransportError:
                self.repeated += 1  # the answer is lost: the same edit is said again
                await asyncio.sleep(0.05)
                continue
            if answer.status_code >= 500:
                self.repeated += 1
                await asyncio.sleep(0.05)
                continue
            break
        if answer.status_code == 409:
            self.conflicts += 1
            self._learn(answer.json()["error"]["details"]["current"])
            return
        assert answer.status_code == 200, answer.text
        self._learn(answer.json())
        self.acknowledged.append((shape, edit_id, body["version"] + 1, (lon, 50.0)))
        if not count.locked():
            await count.acquire()

    def _learn(self, annotation: dict[str, Any]) -> None:
        known = self.known.get(annotation["id"])
        if known is None or annotation["version"] > known["version"]:
            self.known[annotation["id"]] = annotation

    async def _take(self, event: dict[str, Any]) -> None:
        if event["seq"] > self.seq + 1:
            await self._level()
        elif event["seq"] == self.seq + 1:
            self._apply(event)

    async def _level(self) -> None:
        async with httpx.AsyncClient(base_url=self.stack.url, headers=self.headers, timeout=5) as client:
            await self._catch_up(client)

    async def _catch_up(self, client: httpx.AsyncClient) -> None:
        while True:
            answer = await client.get(f"/api/projects/{self.project}/events", params={"since": self.seq, "limit": 1000})
            answer.raise_for_status()
            for event in answer.json()["events"]:
                if event["seq"] == self.seq + 1:
                    self._apply(event)
            if not answer.json()["more"]:
                return

    def _apply(self, event: dict[str, Any]) -> None:
        self.seq = event["seq"]
        if event["kind"].startswith("annotation."):
            self._learn(event["data"]["annotation"])


@pytest.mark.timeout(600)
def test_a_thousand_edits_survive_kills_without_loss_or_double(tmp_path: Path) -> None:
    with running_stack(tmp_path) as stack:
        world = json.loads(stack.python(SETUP).splitlines()[-1])
        editors = [
            Editor(stack, token, world["project"], world["class"], SEED + i) for i, token in enumerate(world["tokens"])
        ]
        asyncio.run(_torture(stack, editors, world))
        history = json.loads(stack.python(HISTORY, world["project"]).splitlines()[-1])

    _check(history, editors)
    assert sum(len(editor.acknowledged) for editor in editors) >= EDITS
    assert sum(editor.reconnects for editor in editors) >= KILLS
    assert sum(editor.repeated for editor in editors) > 0, "no answer was lost: nothing was tried"
    assert sum(editor.conflicts for editor in editors) > 0, "the two never met"
    for editor in editors:  # each browser's own picture, made of events alone, is the database's
        assert {shape: known["version"] for shape, known in editor.known.items()} == history["versions"]


def test_the_check_finds_a_lost_a_doubled_and_a_gapped_edit() -> None:
    """The checker itself: each seeded fault in an otherwise sound history is found."""
    shape, first, second = "s", "e1", "e2"
    sound = {
        "versions": {shape: 3},
        "last": {shape: [2.0, 50.0]},
        "revisions": [[shape, 1, shape, [0.0, 50.0]], [shape, 2, first, [1.0, 50.0]], [shape, 3, second, [2.0, 50.0]]],
        "seqs": [1, 2, 3],
        "edits": [first, second],
    }

    class Told:
        acknowledged = [(shape, first, 2, (1.0, 50.0)), (shape, second, 3, (2.0, 50.0))]

    _check(sound, [Told()])
    faults: dict[str, dict[str, Any]] = {
        "lost": {"revisions": [sound["revisions"][0], sound["revisions"][2]]},
        "doubled": {"edits": [first, second, second]},
        "gap": {"seqs": [1, 3]},
        "overwritten": {"last": {shape: [1.0, 50.0]}},
    }
    for fault in faults.values():
        with pytest.raises(AssertionError):
            _check({**sound, **fault}, [Told()])


def _check(history: dict[str, Any], editors: list[Any]) -> None:
    by_shape: dict[str, list[list[Any]]] = {}
    for shape, version, edit_id, place in history["revisions"]:
        by_shape.setdefault(shape, []).append([version, edit_id, place])
    for shape, revisions in by_shape.items():
        versions = [version for version, _, _ in revisions]
        assert versions == list(range(1, history["versions"][shape] + 1)), f"versions of {shape} have gaps"
        assert revisions[-1][2] == history["last"][shape], f"{shape} is not as its last revision says"
    stored = {edit_id: (shape, version, tuple(place)) for shape, version, edit_id, place in history["revisions"]}
    for editor in editors:
        for shape, edit_id, version, place in editor.acknowledged:
            assert stored.get(edit_id) == (shape, version, place), "an acknowledged edit is lost or changed"
    doubled = [edit_id for edit_id, times in Counter(history["edits"]).items() if times > 1]
    assert doubled == [], "an edit was told twice"
    assert history["seqs"] == list(range(1, len(history["seqs"]) + 1)), "event numbers have gaps"


async def _torture(stack: Stack, editors: list[Editor], world: dict[str, Any]) -> None:
    ids = [str(uuid4()) for _ in range(SHAPES)]
    async with httpx.AsyncClient(base_url=stack.url, headers=editors[0].headers, timeout=30) as client:
        for index, shape in enumerate(ids):
            ring = [[10 + index, 50], [10.001 + index, 50], [10.001 + index, 50.001], [10 + index, 50]]
            body = {
                "project": world["project"],
                "label_class": world["class"],
                "geometry": {"type": "Polygon", "coordinates": [ring]},
            }
            (await client.put(f"/api/annotations/{shape}", json=body)).raise_for_status()
    left = asyncio.Semaphore(EDITS)
    followers = [asyncio.create_task(editor.follow()) for editor in editors]
    edits = [asyncio.create_task(editor.edit_until(left, ids)) for editor in editors]
    for kill in range(KILLS):
        target = EDITS - (kill + 1) * EDITS // (KILLS + 1)
        while left._value > target and not all(edit.done() for edit in edits):
            await asyncio.sleep(0.02)
        stack.kill_web()
        if kill % 2:
            stack.kill_worker()
            stack.start_worker()
        await asyncio.to_thread(stack.start_web)
    await asyncio.gather(*edits)
    await asyncio.sleep(0.5)
    async with asyncio.timeout(20):
        while len({editor.seq for editor in editors}) > 1:
            await asyncio.sleep(0.1)
    for follower in followers:
        follower.cancel()
    await asyncio.gather(*followers, return_exceptions=True)
