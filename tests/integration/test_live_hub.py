"""Two hubs, as two web processes have them, over one database: presence, dead processes, lost notices, restarts."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import pytest

from backend.accounts.models import User
from backend.events import services as events
from backend.live import hub as hubs
from backend.live import presence
from backend.live.access import Standing, Who
from backend.live.hub import Hub
from backend.live.messages import PresenceUpdate
from backend.live.presence import Presence
from backend.live.threads import in_database
from backend.projects import services as projects
from backend.segmentation import groups
from backend.segmentation.remembered import Remembered
from tests.support.worlds import World, make_world, put_annotation

pytestmark = pytest.mark.django_db(transaction=True)


class Someone:
    """A connected browser without a socket."""

    def __init__(self, project_id: UUID, user: User) -> None:
        self.project_id = project_id
        self.who = Who(user, token_id=uuid4())
        self.presence = Presence(uuid4().hex, user, "annotator")
        self.heard: list[dict[str, Any]] = []
        self.standings: list[Standing] = []

    def deliver(self, text: str) -> None:
        """Notes a message."""
        self.heard.append(json.loads(text))

    def stand(self, standing: Standing) -> None:
        """Notes what the user is now."""
        self.standings.append(standing)

    def moved(self, lon: float) -> None:
        """The pointer is there now."""
        self.presence = Presence(
            self.presence.session, self.who.user, "annotator", PresenceUpdate((lon, 50.0), None, None)
        )

    def said(self, kind: str) -> list[dict[str, Any]]:
        """The messages of a kind."""
        return [message for message in self.heard if message["type"] == kind]


@pytest.fixture
def world() -> World:
    return make_world()


@asynccontextmanager
async def process() -> AsyncIterator[Hub]:
    """A hub whose work ends, without a word to anybody, with the block: as with `kill -9`."""
    made = Hub()
    try:
        yield made
    finally:
        tasks = list(made._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def until(holds: Callable[[], Any], seconds: float = 8) -> None:
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.01)


def change(world: World, words: str) -> None:
    projects.change_project(world.project.id, world.owner, {"description": words})


async def test_who_comes_later_learns_who_is_at_another_process(world: World) -> None:
    olga, anna = Someone(world.project.id, world.owner), Someone(world.project.id, world.annotator)
    elsewhere = Someone(world.foreign_project.id, world.stranger)
    async with process() as first, process() as second:
        await first.join(olga)
        await second.join(elsewhere)
        await second.join(anna)
        await until(lambda: anna.said("presence"))
        assert [one["session"] for one in anna.said("presence")] == [olga.presence.session]
        assert {one["session"] for one in second.members(world.project.id)} == {
            olga.presence.session, anna.presence.session,
        }  # fmt: skip

        for lon in range(40):
            anna.moved(lon)
            second.announce(anna)
        await until(lambda: olga.said("presence") and olga.said("presence")[-1]["cursor"] == {"lon": 39.0, "lat": 50.0})
        assert len(olga.said("presence")) < 5, "forty moves at once travel together"
        second.leave(anna)
        await until(lambda: olga.said("presence.left"))
        assert olga.said("presence.left") == [{"type": "presence.left", "session": anna.presence.session}]
    assert elsewhere.heard == [], "another project hears nothing"


async def test_those_of_a_process_that_died_are_forgotten_and_those_of_one_that_lives_are_not(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "HEARTBEAT_SECONDS", 0.2)
    monkeypatch.setattr(presence, "DEAD_SECONDS", 1.0)
    olga, anna, rita = (Someone(world.project.id, user) for user in (world.owner, world.annotator, world.reviewer))
    async with process() as first, process() as third:
        await first.join(olga)
        await third.join(rita)
        async with process() as second:
            await second.join(anna)
            await until(lambda: len(first.members(world.project.id)) == 3)
        await until(lambda: olga.said("presence.left"))
        assert [one["session"] for one in olga.said("presence.left")] == [anna.presence.session]
        await asyncio.sleep(1.2)
        assert len(olga.said("presence.left")) == 1
        assert len(first.members(world.project.id)) == 2


async def test_an_event_whose_notice_is_lost_still_comes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hubs, "LOOK_SECONDS", 0.3)
    olga = Someone(world.project.id, world.owner)
    async with process() as first:
        greeted = await first.join(olga)
        with monkeypatch.context() as patched:
            patched.setattr(events, "_notify", lambda channel, payload: None)
            await in_database(change, world, "quietly")
        await until(lambda: olga.said("event"))
        assert [one["event"]["seq"] for one in olga.said("event")] == [greeted + 1]


async def test_each_event_is_read_once_for_all_of_a_process(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[int] = []
    real = hubs._read

    def counted(project_id: UUID, since: int) -> Any:
        found = real(project_id, since)
        reads.append(len(found))
        return found

    monkeypatch.setattr(hubs, "_read", counted)
    many = [Someone(world.project.id, world.owner) for _ in range(30)]
    async with process() as first:
        for one in many:
            await first.join(one)
        await until(lambda: not first._behind)
        reads.clear()
        await in_database(change, world, "once")
        await until(lambda: all(one.said("event") for one in many))
        assert sum(reads) == 1


async def test_a_project_nobody_looks_at_is_not_read_and_is_forgotten(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    olga = Someone(world.project.id, world.owner)
    async with process() as first:
        await first.join(olga)
        first.leave(olga)
        first.leave(olga)
        await in_database(change, world, "alone")
        await asyncio.sleep(0.3)
        assert olga.said("event") == []
        assert (dict(first._peers), first._sent) == ({}, {})
        assert await first.join(olga) == (await in_database(_last, world))


async def test_a_hint_that_is_not_ours_does_not_end_the_listening(world: World) -> None:
    from django.db import connection

    def notify(payload: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_notify('edgewise_hints', %s), pg_notify('edgewise_events', %s)", [payload] * 2)

    olga = Someone(world.project.id, world.owner)
    async with process() as first:
        await first.join(olga)
        for payload in ("", "nonsense", "[]", "{}", '{"project": "x"}', json.dumps({"project": str(world.project.id)})):
            with contextlib.suppress(Exception):
                await in_database(notify, payload)
        await in_database(change, world, "still here")
        await until(lambda: olga.said("event"))


def _last(world: World) -> int:
    from backend.events.selectors import last_seq

    return last_seq(world.project.id)


async def test_what_clicks_heed_is_read_anew_when_somebody_changes_it(world: World) -> None:
    kept: Remembered[str] = Remembered()
    olga = Someone(world.project.id, world.owner)
    async with process() as hub:
        await hub.join(olga)
        assert kept.get("key", lambda: "as it was") == "as it was"
        await in_database(change, world, "new words")
        await until(lambda: olga.said("event"))
        assert kept.known("key", lambda: "not asked") is None


async def test_a_changed_annotation_ends_what_is_kept_of_walls_and_nothing_else(world: World) -> None:
    kept: Remembered[str] = Remembered()
    olga = Someone(world.project.id, world.owner)
    async with process() as hub:
        await hub.join(olga)
        kept.get("key", lambda: "as it was")
        groups._kept.get("key", tuple)
        await in_database(put_annotation, world, world.annotator)
        await until(lambda: olga.said("event"))
        assert groups._kept.known("key", tuple) is None
        assert kept.known("key", lambda: "not asked") == ("as it was",)
