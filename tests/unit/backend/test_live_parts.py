"""The small parts of the socket: buckets, outbox, slot, decode pool, waits, who is elsewhere, Origin."""

import asyncio
import threading
from typing import Any
from uuid import uuid4

import pytest

from backend.live.access import own_origin
from backend.live.decoding import DecodePool, Kind, Stop
from backend.live.limits import Bucket, Buckets
from backend.live.outbox import Outbox
from backend.live.presence import DEAD_SECONDS, Elsewhere
from backend.live.slots import Slot
from backend.live.waiting import ASK_AGAIN_SECONDS, Waits


class Clock:
    """A clock that the test winds."""

    def __init__(self) -> None:
        self.time = 100.0

    def __call__(self) -> float:
        return self.time


async def turns(count: int = 5) -> None:
    """Lets everything run that can run now."""
    for _ in range(count):
        await asyncio.sleep(0)


def test_a_bucket_gives_its_burst_then_its_rate() -> None:
    clock = Clock()
    bucket = Bucket(8, 3, clock)

    assert [bucket.take() for _ in range(4)] == [True, True, True, False]
    clock.time += 0.125
    assert [bucket.take(), bucket.take()] == [True, False]
    clock.time += 1000
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]


def test_users_have_buckets_of_their_own_and_the_oldest_are_forgotten() -> None:
    buckets = Buckets(0.001, 1, keep=2)

    assert [buckets.take("a"), buckets.take("a"), buckets.take("b")] == [True, False, True]
    buckets.take("c")
    assert buckets.take("a"), "a was the least recently seen of three"


async def test_an_outbox_keeps_the_order_and_refuses_more_than_it_holds() -> None:
    outbox = Outbox(max_messages=2, max_bytes=100)

    assert [outbox.put("1"), outbox.put("2"), outbox.put("3")] == [True, True, False]
    assert [await outbox.take(), await outbox.take()] == ["1", "2"]
    assert outbox.put("x" * 90)
    assert not outbox.put("y" * 20)
    assert await outbox.take() == "x" * 90
    assert outbox.put("z" * 200), "a single text is never too much"


async def test_an_outbox_is_sent_when_the_last_text_was_taken_and_more_is_asked_for() -> None:
    outbox = Outbox()
    outbox.put("1")
    waiting = asyncio.create_task(outbox.sent())
    await outbox.take()
    await turns()
    assert not waiting.done(), "it is still being written"

    taking = asyncio.create_task(outbox.take())
    await turns()
    assert waiting.done()
    outbox.put("2")
    assert await taking == "2"


async def test_the_newest_wins_and_what_stood_between_is_never_answered() -> None:
    answered: list[int] = []
    go = asyncio.Event()

    async def answer(thing: int) -> None:
        answered.append(thing)
        await go.wait()

    slot = Slot(answer)
    for thing in (1, 2, 3):
        slot.put(thing)
        await turns()
    assert (answered, slot.superseded) == ([1], True)

    go.set()
    await turns()
    assert (answered, slot.superseded) == ([1, 3], False)


async def test_an_answer_that_only_waits_is_ended_by_something_newer() -> None:
    answered: list[int] = []

    async def answer(thing: int) -> None:
        slot.interruptible = thing == 1
        await asyncio.sleep(60 if thing == 1 else 0)
        answered.append(thing)

    slot = Slot(answer)
    slot.put(1)
    await turns()
    slot.put(2)
    await turns()
    assert answered == [2]


async def test_an_answer_that_fails_does_not_stop_the_slot() -> None:
    answered: list[int] = []

    async def answer(thing: int) -> None:
        answered.append(thing)
        raise ValueError(thing)

    slot = Slot(answer)
    slot.put(1)
    await turns()
    slot.put(2)
    await turns()
    assert answered == [1, 2]


async def test_clearing_ends_only_what_it_names() -> None:
    ended: list[int] = []

    async def answer(thing: int) -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            ended.append(thing)
            raise

    slot = Slot(answer)
    slot.put(1)
    await turns()
    slot.put(2)
    slot.clear(lambda thing: thing == 7)
    await turns()
    assert (ended, slot.superseded) == ([], True)
    slot.clear(lambda thing: thing == 2)
    await turns()
    assert (ended, slot.superseded) == ([], False)
    slot.clear()
    await turns()
    assert ended == [1]


class Desk:
    """Decodes that go on until the test lets them end; notes the order they began in."""

    def __init__(self, threads: int) -> None:
        self.pool = DecodePool(threads)
        self.began: list[str] = []
        self.locks: dict[str, threading.Event] = {}
        self.tasks: dict[str, asyncio.Task[str]] = {}
        self.stops: dict[str, Stop] = {}

    async def ask(self, name: str, kind: Kind = Kind.CLICK) -> None:
        """Asks for the decode `name`; its first letter is its user."""
        self.locks[name] = threading.Event()
        self.tasks[name] = asyncio.create_task(self.pool.run(name[0], kind, lambda stop: self._work(name, stop)))
        await asyncio.sleep(0.02)

    async def end(self, name: str) -> str:
        """Lets it end."""
        self.locks[name].set()
        result = await self.tasks[name]
        await asyncio.sleep(0.02)
        return result

    def _work(self, name: str, stop: Stop) -> str:
        self.began.append(name)
        self.stops[name] = stop
        assert self.locks[name].wait(10)
        return name.upper()


@pytest.mark.django_db
async def test_users_take_turns_whatever_one_of_them_sends() -> None:
    desk = Desk(1)
    for name in ("a1", "a2", "a3", "b1", "c1", "b2"):
        await desk.ask(name)
    order = ["a1", "a2", "b1", "c1", "a3", "b2"]

    assert [await desk.end(name) for name in order] == [name.upper() for name in order]
    assert desk.began == order


@pytest.mark.django_db
async def test_clicks_go_before_hovers_and_hovers_leave_a_thread_free() -> None:
    desk = Desk(2)
    await desk.ask("a1", Kind.HOVER)
    await desk.ask("b1", Kind.HOVER)
    assert desk.began == ["a1"]
    await desk.ask("c1", Kind.CLICK)
    await desk.ask("d1", Kind.CLICK)
    assert desk.began == ["a1", "c1"]
    await desk.end("a1")
    assert desk.began == ["a1", "c1", "d1"]
    await desk.end("c1")
    assert desk.began == ["a1", "c1", "d1", "b1"]
    await desk.end("d1")
    await desk.end("b1")


@pytest.mark.django_db
async def test_what_is_cancelled_while_it_waits_never_runs_and_a_cancelled_running_one_frees_its_thread() -> None:
    desk = Desk(1)
    for name in ("a1", "b1", "c1"):
        await desk.ask(name)
    desk.tasks["b1"].cancel()
    desk.tasks["a1"].cancel()
    await asyncio.sleep(0.02)
    desk.locks["a1"].set()
    await asyncio.sleep(0.05)
    assert desk.began == ["a1", "c1"]
    assert await desk.end("c1") == "C1"


@pytest.mark.django_db
async def test_a_running_decode_is_told_when_nobody_waits_for_it_any_more() -> None:
    desk = Desk(2)
    await desk.ask("a1")
    await desk.ask("b1")
    assert [desk.stops["a1"](), desk.stops["b1"]()] == [False, False]

    desk.tasks["a1"].cancel()
    await asyncio.sleep(0.02)
    assert [desk.stops["a1"](), desk.stops["b1"]()] == [True, False]
    desk.locks["a1"].set()
    assert await desk.end("b1") == "B1"


@pytest.mark.django_db
async def test_a_hover_under_way_makes_room_for_a_click_that_waits_and_a_click_does_not() -> None:
    desk = Desk(2)
    await desk.ask("a1", Kind.HOVER)
    await desk.ask("b1", Kind.CLICK)
    assert [desk.stops["a1"](), desk.stops["b1"]()] == [False, False], "the click has a thread of its own"

    await desk.ask("c1", Kind.CLICK)
    assert [desk.stops["a1"](), desk.stops["b1"]()] == [True, False]
    await desk.end("a1")
    assert desk.began == ["a1", "b1", "c1"]
    await desk.end("b1")
    await desk.end("c1")


@pytest.mark.django_db
async def test_an_error_of_the_decode_reaches_who_asked_and_the_pool_goes_on() -> None:
    pool = DecodePool(1)

    def fail(_: Stop) -> None:
        raise LookupError("no window")

    with pytest.raises(LookupError, match="no window"):
        await pool.run("a", Kind.CLICK, fail)
    assert await pool.run("a", Kind.CLICK, lambda _: 7) == 7


async def test_many_who_wait_for_a_window_ask_once_and_hear_together() -> None:
    clock = Clock()
    waits, key = Waits(clock), ("raster", 0, 0, 1024)

    with waits.waiting(key) as first, waits.waiting(key) as second:
        assert first is second
        assert [waits.should_ask(key), waits.should_ask(key)] == [True, False]
        clock.time += ASK_AGAIN_SECONDS
        assert waits.should_ask(key), "the first seems lost"
        waits.settled(key)
        assert first.is_set()
        assert waits.should_ask(key), "settled, so a new question is a new job"
        with waits.waiting(key) as third:
            assert not third.is_set()
    assert waits._events == {}


def test_who_is_elsewhere_is_known_until_they_leave_or_fall_silent() -> None:
    clock = Clock()
    elsewhere, project = Elsewhere(clock), uuid4()

    assert elsewhere.here(project, {"session": "a", "cursor": None})
    assert not elsewhere.here(project, {"session": "a", "cursor": None}), "nothing new"
    assert elsewhere.here(project, {"session": "a", "cursor": {"lon": 1, "lat": 2}})
    clock.time += DEAD_SECONDS - 1
    assert elsewhere.here(project, {"session": "b"})
    clock.time += 2
    assert list(elsewhere.forget_silent()) == [(project, "a")]
    assert elsewhere.members(project) == [{"session": "b"}]
    assert [elsewhere.left(project, "b"), elsewhere.left(project, "b")] == [True, False]
    assert elsewhere.members(project) == []


@pytest.mark.parametrize(
    ("origin", "host", "own"),
    [
        ("http://maps.example:8000", "maps.example:8000", True),
        ("HTTPS://MAPS.example", "maps.EXAMPLE", True),
        ("https://maps.example", "inner.example:8000", True),  # a proxy that changes Host; named as trusted
        ("http://evil.example", "maps.example", False),
        ("http://maps.example.evil.example", "maps.example", False),
        ("http://maps.example:8001", "maps.example:8000", False),
        ("http://evil.example", "evil.example", False),  # a name that was rebound to this address
        ("null", "maps.example", False),
        ("", "maps.example", False),
        ("file://", "maps.example", False),
        ("chrome-extension://maps.example", "maps.example", False),
        ("http://", "maps.example", False),
        ("http://[::1", "maps.example", False),
    ],
)
def test_only_pages_of_this_site_may_use_its_cookie(settings: Any, origin: str, host: str, own: bool) -> None:
    settings.ALLOWED_HOSTS = ["maps.example", "inner.example"]
    settings.CSRF_TRUSTED_ORIGINS = ["https://maps.example"]

    assert own_origin({"origin": origin, "host": host}) is own
