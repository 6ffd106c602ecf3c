"""What clicks keep from the database: for how long it answers, when it is read anew, and what ends it."""

import threading
import time
from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest

from backend.live.hub import Hub
from backend.segmentation import remembered
from backend.segmentation.remembered import Remembered, forget_all


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        """Seconds."""
        return self.now


class Source:
    """What is asked: says its count, and waits where it is held."""

    def __init__(self) -> None:
        self.asked = 0
        self.go_on = threading.Event()
        self.go_on.set()
        self.fails = False

    def __call__(self) -> int:
        """How often it has been asked."""
        self.asked += 1
        number = self.asked
        assert self.go_on.wait(10)
        if self.fails:
            raise RuntimeError("the database is away")
        return number


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(remembered, "time", made)
    monkeypatch.setattr(remembered, "STALE_SECONDS", 30.0)
    return made


@pytest.fixture
def source() -> Iterator[Source]:
    made = Source()
    yield made
    made.go_on.set()


def until(holds: Callable[[], bool]) -> None:
    """Waits until it holds."""
    end = time.monotonic() + 8
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_a_young_value_is_not_asked_for_again(clock: Clock, source: Source) -> None:
    kept: Remembered[int] = Remembered()
    assert kept.known("key", source) is None
    assert [kept.get("key", source), kept.get("key", source)] == [1, 1]
    clock.now += 2.9
    assert kept.get("key", source) == 1
    assert kept.known("key", source) == (1,)
    assert source.asked == 1


def test_an_older_value_answers_at_once_while_one_new_one_is_read_beside(clock: Clock, source: Source) -> None:
    kept: Remembered[int] = Remembered()
    kept.get("key", source)
    source.go_on.clear()
    clock.now += 29.9
    assert [kept.get("key", source) for _ in range(3)] == [1, 1, 1]
    until(lambda: source.asked == 2)
    source.go_on.set()
    until(lambda: kept.get("key", source) == 2)
    assert source.asked == 2


def test_a_value_older_than_half_a_minute_is_waited_for(clock: Clock, source: Source) -> None:
    kept: Remembered[int] = Remembered()
    kept.get("key", source)
    clock.now += 30
    assert kept.known("key", source) is None
    assert kept.get("key", source) == 2


def test_after_a_change_nothing_kept_answers_nor_what_was_being_read(clock: Clock, source: Source) -> None:
    kept: Remembered[int] = Remembered()
    kept.get("key", source)
    source.go_on.clear()
    clock.now += 5
    assert kept.get("key", source) == 1
    until(lambda: source.asked == 2)
    forget_all()
    source.go_on.set()
    until(lambda: not kept._asked)
    assert kept.known("key", source) is None
    assert kept.get("key", source) == 3


def test_a_failure_beside_loses_nothing_and_is_met_by_who_must_wait(clock: Clock, source: Source) -> None:
    kept: Remembered[int] = Remembered()
    kept.get("key", source)
    source.fails = True
    clock.now += 5
    assert kept.get("key", source) == 1
    until(lambda: source.asked == 2 and not kept._asked)
    assert kept.get("key", source) == 1
    clock.now += 30
    with pytest.raises(RuntimeError, match="away"):
        kept.get("key", source)


@pytest.mark.parametrize("state", ["ready", "planned"])
async def test_a_window_that_is_encoded_or_cleared_away_ends_what_is_kept(
    clock: Clock, source: Source, state: str
) -> None:
    kept: Remembered[int] = Remembered()
    kept.get("key", source)
    window = {"col": 0, "row": 0, "size": 1024}
    hint = {"type": "window", "raster": str(uuid4()), "window": window, "state": state}
    Hub()._heard("hints", {"project": str(uuid4()), "message": hint})
    assert kept.known("key", source) is None
