"""The click conversation of one socket: prompts in, suggestions out, the newest wins."""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any
from uuid import UUID

from backend.core.clock import now
from backend.core.errors import EdgewiseError, Unavailable
from backend.encoding.engine import model_of
from backend.encoding.selectors import seconds_per_window
from backend.encoding.services import request_urgent
from backend.jobs.selectors import worker_seen_at
from backend.live.decoding import Kind, pool
from backend.live.hub import hub
from backend.live.messages import PromptSubmit
from backend.live.slots import Slot
from backend.live.threads import in_database
from backend.outlines import masks
from backend.rasters.models import Raster
from backend.segmentation import services as segmentation
from backend.segmentation.services import Memory, NotEncodedError, Prompts, StoppedError, Suggestion
from ml.windows import Window

log = logging.getLogger(__name__)

DRAFTS_REMEMBERED = 4
ENCODE_TIMEOUT = 180.0
POLL_SECONDS = 0.5
PATIENCE_SECONDS = 15.0  # a worker that is just starting
WORKER_SILENT_SECONDS = 35.0  # it says that it lives every 10 s

Asked = tuple[PromptSubmit, float]  # with when it came


class Conversation:
    """Answers the prompts of one socket through `say`; clicks and hovers each in their own slot."""

    def __init__(self, project_id: UUID, user_id: UUID, say: Callable[[dict[str, Any]], None]) -> None:
        self.project_id, self.user_id = project_id, user_id
        self._say = say
        self._clicks: Slot[Asked] = Slot(self._answer_click)
        self._hovers: Slot[Asked] = Slot(self._answer_hover)
        self._memories: OrderedDict[UUID, Memory] = OrderedDict()
        self._keeping: set[asyncio.Future[None]] = set()

    def ask(self, message: PromptSubmit) -> None:
        """Takes a prompt; returns at once."""
        slot = self._hovers if message.hover else self._clicks
        slot.put((message, time.perf_counter()))

    def clear(self, draft: UUID, annotation: UUID | None = None) -> None:
        """Forgets a draft; the mask of one that is saved as an annotation is kept beside that."""
        memory = self._memories.pop(draft, None)
        if memory is not None and annotation is not None:
            keeping = asyncio.ensure_future(self._keep(annotation, memory))
            self._keeping.add(keeping)
            keeping.add_done_callback(self._keeping.discard)
        self._clicks.clear(lambda asked: asked[0].draft == draft)
        self._hovers.clear(lambda asked: asked[0].draft == draft)

    def end(self) -> None:
        """Nothing that was asked is answered any more."""
        self._memories.clear()
        self._clicks.clear()
        self._hovers.clear()

    def fail(self, message: PromptSubmit, error: EdgewiseError) -> None:
        """Says why there is no suggestion."""
        self._say({**_reply("suggestion.failed", message), "error": {"code": error.code, "message": error.message}})

    async def _answer_click(self, asked: Asked) -> None:
        message, began = asked
        try:
            raster = await self._raster(message.raster)
            previous = self._memories.get(message.draft) if message.feedback else None
            without: set[Window] = set()
            while True:
                suggestion = await self._suggest(message, raster, previous, frozenset(without))
                if suggestion is None or self._clicks.superseded:
                    return  # stale: the newer prompts hold these and more
                self._remember(message.draft, suggestion)
                self._say(_suggestion_json(message, suggestion, began))
                if not suggestion.missing:
                    return
                without |= await self._cannot_be_had(raster, suggestion.missing)
        except EdgewiseError as error:
            self.fail(message, error)
        except Exception:
            log.exception("A prompt could not be answered")
            self.fail(message, EdgewiseError())

    async def _answer_hover(self, asked: Asked) -> None:
        message, began = asked
        try:
            raster = await self._raster(message.raster)
            suggestion = await pool().run(
                self.user_id,
                Kind.HOVER,
                lambda stop: segmentation.suggest(raster, _prompts(message), hover=True, stop=stop),
            )
            self._say(_suggestion_json(message, suggestion, began))
        except (EdgewiseError, NotEncodedError, StoppedError):
            return  # a preview that cannot be had at once is no preview
        except Exception:
            log.exception("A hover could not be answered")

    async def _suggest(
        self, message: PromptSubmit, raster: Raster, previous: Memory | None, without: frozenset[Window]
    ) -> Suggestion | None:
        """The suggestion, after its window is encoded if need be; None when newer prompts have come meanwhile."""
        began = time.monotonic()
        told = False
        while True:
            try:
                return await pool().run(
                    self.user_id,
                    Kind.CLICK,
                    lambda stop: segmentation.suggest(
                        raster,
                        _prompts(message),
                        previous,
                        wanted=message.candidate,
                        without=without,
                        stop=lambda: self._clicks.superseded or stop(),
                    ),
                )
            except StoppedError:
                return None
            except NotEncodedError as missing:
                if self._clicks.superseded:
                    return None
                self._clicks.interruptible = True
                try:
                    if not told:
                        seconds = await in_database(_expected_seconds, self.project_id)
                        self._say({**_reply("suggestion.pending", message), "seconds": seconds})
                        told = True
                    await _encoded(raster, missing.window, began)
                finally:
                    self._clicks.interruptible = False

    async def _cannot_be_had(self, raster: Raster, windows: tuple[Window, ...]) -> set[Window]:
        """Waits for windows that an object goes on into; those that will not be encoded. Newer prompts end the wait."""
        began = time.monotonic()
        self._clicks.interruptible = True
        try:
            ended = await asyncio.gather(
                *(_encoded(raster, window, began) for window in windows), return_exceptions=True
            )
        finally:
            self._clicks.interruptible = False
        for error in ended:
            if error is not None and not isinstance(error, EdgewiseError):
                raise error
        return {window for window, error in zip(windows, ended, strict=True) if error is not None}

    async def _keep(self, annotation: UUID, memory: Memory) -> None:
        """A mask that cannot be kept is decoded again when it is asked for: nobody need be told."""
        try:
            await in_database(masks.keep, annotation, self.project_id, self.user_id, memory.raster, memory.mask)
        except Exception:
            log.exception("The mask of an annotation could not be kept")

    async def _raster(self, raster_id: UUID) -> Raster:
        known = segmentation.raster_known(raster_id, self.project_id)
        if known is not None:
            return known
        return await in_database(segmentation.raster_for_prompts, raster_id, self.project_id)

    def _remember(self, draft: UUID, suggestion: Suggestion) -> None:
        if suggestion.memory is not None:
            self._memories[draft] = suggestion.memory
            self._memories.move_to_end(draft)
            while len(self._memories) > DRAFTS_REMEMBERED:
                self._memories.popitem(last=False)


async def _encoded(raster: Raster, window: Window, began: float) -> None:
    """Puts the window first in the queue and waits until it is ready. Raises `encode.*` when it will not be.

    Ending the wait does not end the encoding.
    """
    await _refuse_when_hopeless(began)
    key = (str(raster.id), window.col, window.row, window.size)
    waits = hub().windows
    with waits.waiting(key) as settled:
        before = await in_database(segmentation.window_state, raster, window)
        state = before
        while state != "skipped":
            if waits.should_ask(key):
                await in_database(request_urgent, raster, window)
            try:
                await asyncio.wait_for(settled.wait(), POLL_SECONDS)
                state = await in_database(segmentation.window_state, raster, window)
                break
            except TimeoutError:
                state = await in_database(segmentation.window_state, raster, window)
                if state != before:  # an old failure says nothing of this attempt
                    waits.settled(key)
                    break
                if state == "ready":  # its file may be there by now
                    break
                await _refuse_when_hopeless(began)
    if state in ("failed", "skipped"):
        raise _cannot_encode(state)


async def _refuse_when_hopeless(began: float) -> None:
    """Raises `encode.no_worker` when no worker has lived for a while, or nothing came of it for long."""
    waited = time.monotonic() - began
    if waited > ENCODE_TIMEOUT or (waited > PATIENCE_SECONDS and not await in_database(_worker_lives)):
        raise Unavailable(
            "This place is not being encoded. Ask your administrator whether the worker runs.",
            code="encode.no_worker",
        )


def _worker_lives() -> bool:
    seen = worker_seen_at()
    return seen is not None and (now() - seen).total_seconds() < WORKER_SILENT_SECONDS


def _reply(kind: str, message: PromptSubmit) -> dict[str, Any]:
    return {"type": kind, "promptSeq": message.prompt_seq, "draft": str(message.draft)}


def _prompts(message: PromptSubmit) -> Prompts:
    return Prompts(message.points, message.box, message.label_class, message.view_m, message.recipe)


def _suggestion_json(message: PromptSubmit, suggestion: Suggestion, began: float) -> dict[str, Any]:
    total = (time.perf_counter() - began) * 1000
    ms = {**suggestion.ms, "wait": round(total - suggestion.ms["total"], 2), "total": round(total, 2)}
    said: dict[str, Any] = {
        **_reply("suggestion", message),
        "hover": message.hover,
        "candidates": suggestion.candidates,
        "chosen": suggestion.chosen,
        "windows": suggestion.windows,
        "model": {"name": suggestion.model, "hash": suggestion.model_hash[:16]},
        "recipe": suggestion.recipe[:16],
        "ms": ms,
    }
    if suggestion.instead_of:
        said["model"]["instead_of"] = suggestion.instead_of
    if suggestion.missing:
        said["growing"] = True
    if suggestion.field:
        said["field"] = suggestion.field
    if suggestion.hint:
        said["hint"] = suggestion.hint
    return said


def _expected_seconds(project_id: UUID) -> float:
    return round(seconds_per_window(model_of(project_id)) + 0.5, 1)


def _cannot_encode(state: str) -> Unavailable:
    if state == "skipped":
        return Unavailable("There is no data here: all pixels are nodata.", code="encode.empty")
    return Unavailable(
        "This part of the raster could not be read. Try another place, or prepare the raster again.",
        code="encode.failed",
    )
