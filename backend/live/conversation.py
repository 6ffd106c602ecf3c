"""The click conversation of one socket: prompts in, suggestions out, the newest wins."""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any
from uuid import UUID

from channels.db import database_sync_to_async

from backend.core.errors import EdgewiseError, Unavailable
from backend.encoding.engine import active_model
from backend.encoding.selectors import seconds_per_window
from backend.encoding.services import request_urgent
from backend.live.decoding import CLICK, HOVER, pool
from backend.live.hub import hub
from backend.live.messages import PromptSubmit
from backend.live.slots import Slot
from backend.projects.policies import not_found
from backend.rasters.models import Raster
from backend.segmentation import services as segmentation
from backend.segmentation.services import Memory, NotEncodedError, Prompts, Suggestion
from ml.windows import Window

log = logging.getLogger(__name__)

DRAFTS_REMEMBERED = 4
RASTER_SECONDS = 2.0
ENCODE_TIMEOUT = 180.0
POLL_SECONDS = 0.5


class Conversation:
    """Answers the prompts of one socket through `say`; clicks and hovers each in their own slot."""

    def __init__(self, project_id: UUID, say: Callable[[dict[str, Any]], None]) -> None:
        self.project_id = project_id
        self._say = say
        self._clicks: Slot[tuple[PromptSubmit, float]] = Slot(self._answer_click)
        self._hovers: Slot[tuple[PromptSubmit, float]] = Slot(self._answer_hover)
        self._memories: OrderedDict[UUID, Memory] = OrderedDict()
        self._rasters: dict[UUID, tuple[float, Raster]] = {}

    def ask(self, message: PromptSubmit) -> None:
        """Takes a prompt; returns at once."""
        slot = self._hovers if message.hover else self._clicks
        slot.put((message, time.perf_counter()))

    def clear(self, draft: UUID) -> None:
        """Forgets a draft."""
        self._memories.pop(draft, None)
        self._clicks.clear()
        self._hovers.clear()

    def end(self) -> None:
        """The socket is gone."""
        self._memories.clear()
        self._clicks.clear()
        self._hovers.clear()

    async def _answer_click(self, asked: tuple[PromptSubmit, float]) -> None:
        message, began = asked
        try:
            suggestion = await self._suggest(message, CLICK)
            if self._clicks.superseded:
                return  # stale: the newer prompts hold these and more
            self._remember(message.draft, suggestion)
            self._say(_suggestion_json(message, suggestion, began))
        except EdgewiseError as error:
            self._fail(message, error)
        except asyncio.CancelledError:
            raise
        except Exception:
            log.exception("A prompt could not be answered")
            self._fail(message, EdgewiseError())

    async def _answer_hover(self, asked: tuple[PromptSubmit, float]) -> None:
        message, began = asked
        try:
            raster = await self._raster(message.raster)
            suggestion = await pool().run(
                HOVER, lambda: segmentation.suggest(raster, _prompts(message), best_only=True)
            )
            self._say(_suggestion_json(message, suggestion, began))
        except (EdgewiseError, NotEncodedError):
            return  # a preview that cannot be had is no preview
        except asyncio.CancelledError:
            raise
        except Exception:
            log.exception("A hover could not be answered")

    async def _suggest(self, message: PromptSubmit, priority: int) -> Suggestion:
        raster = await self._raster(message.raster)
        previous = self._memories.get(message.draft) if message.feedback else None
        until = time.monotonic() + ENCODE_TIMEOUT
        while True:
            try:
                return await pool().run(
                    priority,
                    lambda: segmentation.suggest(raster, _prompts(message), previous, wanted=message.candidate),
                )
            except NotEncodedError as missing:
                if time.monotonic() > until:
                    raise Unavailable(
                        "This place is not being encoded. Ask your administrator whether the worker runs.",
                        code="encode.no_worker",
                    ) from missing
                await self._have_encoded(message, raster, missing.window, until)

    async def _have_encoded(self, message: PromptSubmit, raster: Raster, window: Window, until: float) -> None:
        """Puts the window first in the queue and waits for it; a newer prompt ends the waiting, not the encoding."""
        seconds = await database_sync_to_async(_expected_seconds)()
        self._say(
            {
                "type": "suggestion.pending",
                "promptSeq": message.prompt_seq,
                "draft": str(message.draft),
                "seconds": seconds,
            }
        )
        ready = hub().window_ready((str(raster.id), window.col, window.row, window.size))
        await database_sync_to_async(request_urgent)(raster, window)
        self._clicks.interruptible = True
        try:
            while not ready.is_set() and time.monotonic() < until:
                try:
                    await asyncio.wait_for(ready.wait(), POLL_SECONDS)
                except TimeoutError:
                    state = await database_sync_to_async(segmentation.window_state)(raster, window)
                    if state == "ready":
                        break
                    if state in ("failed", "skipped"):
                        raise _cannot_encode(state) from None
        finally:
            self._clicks.interruptible = False
        state = await database_sync_to_async(segmentation.window_state)(raster, window)
        if state in ("failed", "skipped"):
            raise _cannot_encode(state)

    async def _raster(self, raster_id: UUID) -> Raster:
        known = self._rasters.get(raster_id)
        if known is not None and time.monotonic() - known[0] < RASTER_SECONDS:
            return known[1]
        raster: Raster | None = await database_sync_to_async(segmentation.raster_for_prompts)(
            raster_id, self.project_id
        )
        if raster is None:
            raise not_found("raster")
        self._rasters = {raster_id: (time.monotonic(), raster)}
        return raster

    def _remember(self, draft: UUID, suggestion: Suggestion) -> None:
        if suggestion.memory is not None:
            self._memories[draft] = suggestion.memory
            self._memories.move_to_end(draft)
            while len(self._memories) > DRAFTS_REMEMBERED:
                self._memories.popitem(last=False)

    def _fail(self, message: PromptSubmit, error: EdgewiseError) -> None:
        self._say(
            {
                "type": "suggestion.failed",
                "promptSeq": message.prompt_seq,
                "draft": str(message.draft),
                "error": {"code": error.code, "message": error.message},
            }
        )


def _prompts(message: PromptSubmit) -> Prompts:
    return Prompts(message.points, message.box)


def _suggestion_json(message: PromptSubmit, suggestion: Suggestion, began: float) -> dict[str, Any]:
    total = (time.perf_counter() - began) * 1000
    ms = {**suggestion.ms, "wait": round(total - suggestion.ms["total"], 2), "total": round(total, 2)}
    said: dict[str, Any] = {
        "type": "suggestion",
        "promptSeq": message.prompt_seq,
        "draft": str(message.draft),
        "hover": message.hover,
        "candidates": suggestion.candidates,
        "chosen": suggestion.chosen,
        "window": suggestion.window,
        "model": {"name": suggestion.model, "hash": suggestion.model_hash[:16]},
        "recipe": suggestion.recipe[:16],
        "ms": ms,
    }
    if suggestion.hint:
        said["hint"] = suggestion.hint
    return said


def _expected_seconds() -> float:
    return round(seconds_per_window(active_model()) + 0.5, 1)


def _cannot_encode(state: str) -> Unavailable:
    if state == "skipped":
        return Unavailable("There is no data here: all pixels are nodata.", code="encode.empty")
    return Unavailable(
        "This part of the raster could not be read. Try another place, or prepare the raster again.",
        code="encode.failed",
    )
