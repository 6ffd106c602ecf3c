"""The click conversation with a suggester in the test's hand: waiting, failing, remembering, the newest first."""

import asyncio
import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest

from backend.core.errors import Invalid
from backend.live import conversation
from backend.live.conversation import Conversation
from backend.live.hub import hub
from backend.live.messages import PromptSubmit
from backend.segmentation.services import NotEncodedError, StoppedError, Suggestion
from ml.windows import Window

RASTER, WINDOW = uuid4(), Window(0, 0, 1024)
EAST, SOUTH = Window(896, 0, 1024), Window(0, 896, 1024)
KEY = (str(RASTER), 0, 0, 1024)

pytestmark = pytest.mark.django_db  # no query is made; threads close what they may have opened


class Suggester:
    """Stands for segmentation and encoding: what is encoded, what is asked of it, and what it was fed back."""

    def __init__(self) -> None:
        self.encoded = True
        self.state: str | None = None
        self.error: Exception | None = None
        self.urgent = 0
        self.worker = True
        self.began: list[tuple[float, ...]] = []
        self.fed_back: list[Any] = []
        self.hold: threading.Event | None = None
        self.stopped: list[float] = []
        self.beyond: set[Window] = set()  # windows that the object goes on into and that are not encoded
        self.without: list[set[Window]] = []
        self.requested: list[Window] = []

    def suggest(self, raster: Any, prompts: Any, previous: Any = None, **options: Any) -> Suggestion:
        """Answers with a memory that is named after its first point."""
        self.began.append(tuple(point[0] for point in prompts.points))
        self.fed_back.append(previous)
        if self.hold is not None:
            assert self.hold.wait(10)
        if options["stop"]():
            self.stopped.append(prompts.points[0][0])
            raise StoppedError
        if self.error is not None:
            raise self.error
        if not self.encoded:
            raise NotEncodedError(WINDOW)
        memory: Any = f"memory of {prompts.points[0][0]:g}"
        self.without.append(set(options.get("without", ())))
        missing = tuple(sorted(self.beyond - self.without[-1]))
        windows = [{"col": WINDOW.col}] if missing else [{"col": WINDOW.col}, {"col": EAST.col}]
        return Suggestion([], 0, windows, "nano", "0" * 64, "r" * 64, {"total": 1.0}, memory, "hint", missing=missing)

    def request(self, raster: Any, window: Window) -> None:
        """The urgent job is in the queue."""
        assert window == WINDOW or window in self.beyond
        self.requested.append(window)
        self.urgent += 1


class Talk:
    """One conversation and what it has said."""

    def __init__(self, suggester: Suggester) -> None:
        self.suggester = suggester
        self.said: list[dict[str, Any]] = []
        self.conversation = Conversation(uuid4(), uuid4(), self.said.append)
        self._seq = 0

    def ask(self, lon: float = 1.0, draft: UUID | None = None, hover: bool = False, feedback: bool = True) -> int:
        """One click; its number."""
        self._seq += 1
        points = ((lon, 50.0, 1),)
        message = PromptSubmit(self._seq, draft or uuid4(), RASTER, points, None, hover, feedback)
        self.conversation.ask(message)
        return self._seq

    async def until(self, holds: Callable[[], Any]) -> None:
        """Waits until it holds."""
        async with asyncio.timeout(8):
            while not holds():
                await asyncio.sleep(0.005)

    async def answered(self) -> dict[str, Any]:
        """Waits for a suggestion or a failure, and gives the last thing said."""
        await self.until(lambda: self.said and self.said[-1]["type"] in ("suggestion", "suggestion.failed"))
        return self.said[-1]

    def kinds(self) -> list[tuple[str, int]]:
        """What was said of which prompt."""
        return [(message["type"], message["promptSeq"]) for message in self.said]


@pytest.fixture
def suggester(monkeypatch: pytest.MonkeyPatch) -> Suggester:
    made = Suggester()
    raster = SimpleNamespace(id=RASTER)
    monkeypatch.setattr(conversation.segmentation, "suggest", made.suggest)
    monkeypatch.setattr(conversation.segmentation, "raster_for_prompts", lambda raster_id, project_id: raster)
    monkeypatch.setattr(conversation.segmentation, "window_state", lambda raster, window: made.state)
    monkeypatch.setattr(conversation, "request_urgent", made.request)
    monkeypatch.setattr(conversation, "_expected_seconds", lambda project_id: 2.5)
    monkeypatch.setattr(conversation, "_worker_lives", lambda: made.worker)
    monkeypatch.setattr(conversation, "POLL_SECONDS", 0.05)
    return made


async def test_a_click_on_what_is_not_encoded_waits_and_is_answered_by_itself(suggester: Suggester) -> None:
    talk = Talk(suggester)
    suggester.encoded = False
    talk.ask()
    await talk.until(lambda: suggester.urgent)
    assert talk.said == [{"type": "suggestion.pending", "promptSeq": 1, "draft": talk.said[0]["draft"], "seconds": 2.5}]

    suggester.encoded, suggester.state = True, "ready"
    hub().windows.settled(KEY)
    assert (await talk.answered())["type"] == "suggestion"
    assert talk.kinds() == [("suggestion.pending", 1), ("suggestion", 1)]
    assert suggester.urgent == 1


async def test_a_hint_that_is_lost_is_made_up_for_by_looking(suggester: Suggester) -> None:
    talk = Talk(suggester)
    suggester.encoded = False
    talk.ask()
    await talk.until(lambda: suggester.urgent)
    suggester.encoded, suggester.state = True, "ready"
    assert (await talk.answered())["type"] == "suggestion"


async def test_two_who_click_on_one_window_have_it_encoded_once(suggester: Suggester) -> None:
    talks = [Talk(suggester), Talk(suggester)]
    suggester.encoded = False
    for talk in talks:
        talk.ask()
        await talk.until(lambda talk=talk: talk.said)  # type: ignore[misc]
    await asyncio.sleep(0.2)
    suggester.encoded, suggester.state = True, "ready"
    hub().windows.settled(KEY)
    for talk in talks:
        assert (await talk.answered())["type"] == "suggestion"
    assert suggester.urgent == 1


@pytest.mark.parametrize(("state", "code"), [("failed", "encode.failed"), ("skipped", "encode.empty")])
async def test_a_window_that_cannot_be_encoded_says_why(suggester: Suggester, state: str, code: str) -> None:
    talk = Talk(suggester)
    suggester.encoded = False
    talk.ask()
    await talk.until(lambda: suggester.urgent)
    suggester.state = state
    assert (await talk.answered())["error"]["code"] == code


async def test_a_window_known_to_be_empty_is_not_encoded_again(suggester: Suggester) -> None:
    talk = Talk(suggester)
    suggester.encoded, suggester.state = False, "skipped"
    talk.ask()
    assert (await talk.answered())["error"]["code"] == "encode.empty"
    assert suggester.urgent == 0


async def test_an_old_failure_does_not_speak_for_the_new_attempt(suggester: Suggester) -> None:
    talk = Talk(suggester)
    suggester.encoded, suggester.state = False, "failed"
    talk.ask()
    await talk.until(lambda: suggester.urgent)
    await asyncio.sleep(0.2)
    assert talk.kinds() == [("suggestion.pending", 1)]
    suggester.encoded, suggester.state = True, "ready"
    assert (await talk.answered())["type"] == "suggestion"

    suggester.encoded, suggester.state = False, "failed"
    talk.ask()
    await talk.until(lambda: suggester.urgent == 2 or len(talk.said) > 3)
    hub().windows.settled(KEY)  # it has failed again
    assert (await talk.answered())["error"]["code"] == "encode.failed"


async def test_without_a_worker_the_wait_ends_with_what_to_do(
    suggester: Suggester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversation, "PATIENCE_SECONDS", 0.1)
    talk = Talk(suggester)
    suggester.encoded, suggester.worker = False, False
    talk.ask()
    answer = await talk.answered()
    assert answer["error"]["code"] == "encode.no_worker"
    assert "worker" in answer["error"]["message"]


async def test_a_file_that_is_gone_though_its_window_is_ready_does_not_wait_for_ever(
    suggester: Suggester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversation, "ENCODE_TIMEOUT", 0.4)
    talk = Talk(suggester)
    suggester.encoded, suggester.state = False, "ready"
    talk.ask()
    assert (await talk.answered())["error"]["code"] == "encode.no_worker"
    assert suggester.urgent == 1
    assert len(suggester.began) < 20
    assert len(talk.said) == 2, "pending is said once"


async def test_an_object_that_goes_on_is_answered_at_once_and_again_when_its_neighbours_are_encoded(
    suggester: Suggester,
) -> None:
    talk = Talk(suggester)
    suggester.beyond = {EAST, SOUTH}
    talk.ask()
    await talk.until(lambda: suggester.urgent == 2)
    assert talk.kinds() == [("suggestion", 1)]
    assert (talk.said[0]["growing"], len(talk.said[0]["windows"])) == (True, 1)
    assert set(suggester.requested) == {EAST, SOUTH}

    suggester.beyond, suggester.state = set(), "ready"
    for window in (EAST, SOUTH):
        hub().windows.settled((str(RASTER), window.col, window.row, window.size))
    await talk.until(lambda: len(talk.said) == 2)
    assert talk.kinds() == [("suggestion", 1), ("suggestion", 1)]
    assert "growing" not in talk.said[1]
    assert [window["col"] for window in talk.said[1]["windows"]] == [0, 896]
    assert suggester.fed_back == [None, None], "its own answer is not fed back to it"


@pytest.mark.parametrize("state", ["failed", "skipped"])
async def test_neighbours_that_cannot_be_encoded_end_the_object_there_and_are_no_failure(
    suggester: Suggester, state: str
) -> None:
    talk = Talk(suggester)
    suggester.beyond = {EAST}
    talk.ask()
    await talk.until(lambda: suggester.urgent)
    suggester.state = state
    await talk.until(lambda: len(talk.said) == 2)
    assert talk.kinds() == [("suggestion", 1), ("suggestion", 1)]
    assert "growing" not in talk.said[1]
    assert suggester.without == [set(), {EAST}]


async def test_without_a_worker_an_object_stays_as_it_is_known(
    suggester: Suggester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversation, "PATIENCE_SECONDS", 0.1)
    talk = Talk(suggester)
    suggester.beyond, suggester.worker = {EAST}, False
    talk.ask()
    await talk.until(lambda: len(talk.said) == 2)
    assert talk.kinds() == [("suggestion", 1), ("suggestion", 1)]
    assert [message.get("growing", False) for message in talk.said] == [True, False]


async def test_newer_prompts_and_a_cleared_draft_end_the_growing(suggester: Suggester) -> None:
    talk, draft = Talk(suggester), uuid4()
    suggester.beyond = {EAST}
    talk.ask(1, draft)
    await talk.until(lambda: suggester.urgent)
    suggester.beyond = set()
    talk.ask(2, draft)
    await talk.until(lambda: len(talk.said) == 2)
    assert talk.kinds() == [("suggestion", 1), ("suggestion", 2)]
    assert suggester.fed_back[-1] == "memory of 1"

    suggester.beyond = {EAST}
    talk.ask(3, draft)
    await talk.until(lambda: len(talk.said) == 3)
    talk.conversation.clear(draft)
    suggester.beyond, suggester.state = set(), "ready"
    hub().windows.settled((str(RASTER), EAST.col, EAST.row, EAST.size))
    await asyncio.sleep(0.2)
    assert talk.kinds() == [("suggestion", 1), ("suggestion", 2), ("suggestion", 3)]


async def test_a_newer_click_ends_the_waiting_of_an_older_one(suggester: Suggester) -> None:
    talk = Talk(suggester)
    suggester.encoded = False
    talk.ask(1)
    await talk.until(lambda: suggester.urgent)
    suggester.encoded = True
    talk.ask(2)
    await talk.answered()
    assert talk.kinds() == [("suggestion.pending", 1), ("suggestion", 2)]


async def test_a_newer_click_need_not_wait_while_it_is_looked_up_how_long_an_older_one_will(
    suggester: Suggester, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, go_on = threading.Event(), threading.Event()

    def slowly(project_id: UUID) -> float:
        asked.set()
        assert go_on.wait(10)
        return 2.5

    monkeypatch.setattr(conversation, "_expected_seconds", slowly)
    talk = Talk(suggester)
    suggester.encoded = False
    talk.ask(1)
    await talk.until(asked.is_set)
    suggester.encoded = True
    talk.ask(2)
    try:
        await talk.answered()
    finally:
        go_on.set()
    assert talk.kinds() == [("suggestion", 2)]
    assert suggester.urgent == 0


@pytest.mark.parametrize("encoded", [True, False])
async def test_a_stale_answer_is_not_given_and_a_stale_click_does_not_wait(suggester: Suggester, encoded: bool) -> None:
    talk = Talk(suggester)
    suggester.encoded, suggester.hold = encoded, threading.Event()
    talk.ask(1)
    await talk.until(lambda: suggester.began)
    talk.ask(2)
    talk.ask(3)
    suggester.hold.set()
    await talk.until(lambda: talk.said)
    assert talk.kinds()[0] == ("suggestion" if encoded else "suggestion.pending", 3)
    assert [began[0] for began in suggester.began] == [1.0, 3.0]


async def test_a_newer_click_stops_the_older_one_before_its_next_stage(suggester: Suggester) -> None:
    talk = Talk(suggester)
    suggester.hold = threading.Event()
    talk.ask(1)
    await talk.until(lambda: suggester.began)
    talk.ask(2)
    suggester.hold.set()
    await talk.answered()
    assert (suggester.stopped, talk.kinds()) == ([1.0], [("suggestion", 2)])


async def test_a_newer_hover_lets_the_older_one_end_so_that_there_is_always_one_to_see(suggester: Suggester) -> None:
    talk = Talk(suggester)
    suggester.hold = threading.Event()
    talk.ask(1, hover=True)
    await talk.until(lambda: suggester.began)
    talk.ask(2, hover=True)
    suggester.hold.set()
    await talk.until(lambda: len(talk.said) == 2)
    assert (suggester.stopped, talk.kinds()) == ([], [("suggestion", 1), ("suggestion", 2)])


@pytest.mark.parametrize("hover", [False, True])
async def test_the_work_of_a_socket_that_has_closed_stops_before_its_next_stage(
    suggester: Suggester, hover: bool
) -> None:
    talk = Talk(suggester)
    suggester.hold = threading.Event()
    talk.ask(1, hover=hover)
    await talk.until(lambda: suggester.began)
    talk.conversation.end()
    await asyncio.sleep(0.02)
    suggester.hold.set()
    await talk.until(lambda: suggester.stopped)
    assert (suggester.stopped, talk.said) == ([1.0], [])


async def test_the_mask_before_is_fed_back_to_the_same_draft_only_and_only_if_asked(suggester: Suggester) -> None:
    talk, draft = Talk(suggester), uuid4()
    for lon, which, feedback in [(1, draft, True), (2, draft, True), (3, draft, False), (4, uuid4(), True)]:
        talk.ask(lon, which, feedback=feedback)
        await talk.until(lambda lon=lon: len(talk.said) == lon)  # type: ignore[misc]
    assert suggester.fed_back == [None, "memory of 1", None, None]

    talk.conversation.clear(draft)
    talk.ask(5, draft)
    await talk.until(lambda: len(talk.said) == 5)
    assert suggester.fed_back[-1] is None


async def test_only_the_last_few_drafts_are_remembered(suggester: Suggester) -> None:
    talk, drafts = Talk(suggester), [uuid4() for _ in range(conversation.DRAFTS_REMEMBERED + 3)]
    for number, draft in enumerate(drafts):
        talk.ask(number, draft)
        await talk.until(lambda number=number: len(talk.said) == number + 1)  # type: ignore[misc]
    assert list(talk.conversation._memories) == drafts[-conversation.DRAFTS_REMEMBERED :]


async def test_a_hover_that_fails_says_nothing_and_feeds_nothing_back(suggester: Suggester) -> None:
    talk = Talk(suggester)
    suggester.error = Invalid("outside", code="prompt.outside")
    talk.ask(hover=True)
    await talk.until(lambda: suggester.began)
    suggester.error = None
    talk.ask(hover=True)
    await talk.until(lambda: talk.said)
    assert talk.kinds() == [("suggestion", 2)]
    assert suggester.fed_back == [None, None]
    assert not talk.conversation._memories


async def test_a_bug_is_told_as_ours_without_its_words_and_the_next_click_works(
    suggester: Suggester, caplog: pytest.LogCaptureFixture
) -> None:
    talk = Talk(suggester)
    suggester.error = RuntimeError("secret path /srv/x")
    with caplog.at_level(logging.ERROR):
        talk.ask()
        answer = await talk.answered()
    assert answer["error"]["code"] == "server.error"
    assert "secret" not in str(answer)
    assert "secret path" in caplog.text

    suggester.error = None
    talk.ask()
    await talk.until(lambda: talk.kinds()[-1] == ("suggestion", 2))


async def test_nothing_is_said_after_the_end(suggester: Suggester) -> None:
    talk = Talk(suggester)
    suggester.hold = threading.Event()
    talk.ask()
    talk.ask(hover=True)
    await talk.until(lambda: suggester.began)
    talk.conversation.end()
    suggester.hold.set()
    await asyncio.sleep(0.1)
    assert talk.said == []


async def test_the_mask_of_a_draft_that_is_saved_is_kept_and_that_of_one_given_up_is_not(
    suggester: Suggester, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[tuple[Any, ...]] = []
    monkeypatch.setattr(conversation.masks, "keep", lambda *said: kept.append(said))
    talk, draft, given_up, saved_as = Talk(suggester), uuid4(), uuid4(), uuid4()
    suggest = suggester.suggest

    def with_mask(*args: Any, **options: Any) -> Suggestion:
        memory: Any = SimpleNamespace(raster=RASTER, mask="mask")
        return replace(suggest(*args, **options), memory=memory)

    monkeypatch.setattr(conversation.segmentation, "suggest", with_mask)
    for number, one in enumerate((draft, given_up), start=1):
        talk.ask(1, one)
        await talk.until(lambda number=number: len(talk.said) == number)  # type: ignore[misc]

    talk.conversation.clear(given_up)
    talk.conversation.clear(draft, saved_as)
    talk.conversation.clear(draft, saved_as)
    await talk.until(lambda: kept)

    assert kept == [(saved_as, talk.conversation.project_id, talk.conversation.user_id, RASTER, "mask")]


async def test_a_mask_that_cannot_be_kept_ends_nothing(suggester: Suggester, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[Any] = []

    def full(*said: Any) -> None:
        tried.append(said)
        raise OSError("no space left")

    monkeypatch.setattr(conversation.masks, "keep", full)
    talk, draft = Talk(suggester), uuid4()
    memory: Any = SimpleNamespace(raster=RASTER, mask="mask")
    suggestion = suggester.suggest(None, SimpleNamespace(points=((1.0, 50.0, 1),)), stop=lambda: False)
    monkeypatch.setattr(conversation.segmentation, "suggest", lambda *_, **__: replace(suggestion, memory=memory))
    talk.ask(1, draft)
    await talk.answered()

    talk.conversation.clear(draft, uuid4())
    await talk.until(lambda: tried)
    talk.ask(2, draft)

    await talk.until(lambda: len(talk.said) == 2)
    assert talk.said[-1]["type"] == "suggestion"
