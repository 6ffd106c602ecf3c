"""From prompts on a raster to a suggestion; synchronous, to be called in a thread; knows no socket and no table."""

import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any
from uuid import UUID

from django.conf import settings

from backend.core.errors import Invalid
from backend.encoding import engine
from backend.encoding.selectors import ready_by_model, state_of, window_polygon
from backend.encoding.services import forget_window
from backend.projects.policies import not_found
from backend.projects.selectors import model_name
from backend.rasters.models import Raster
from backend.rasters.selectors import raster_frame
from backend.segmentation.following import Surroundings, followed
from backend.segmentation.groups import asked_beside, follows, forget_shapes
from backend.segmentation.outlines import draws_lines, outlined, recipe_for
from backend.segmentation.prompting import Placed, Prompts, in_window, placed, view_in_window
from backend.segmentation.remembered import Remembered, forget_all
from ml.decode import Asked, Decoded, OnnxDecoder, Seen, StoppedError, decode_nearby, parts_of
from ml.embeddings import Embedding, EmbeddingCorruptError, EmbeddingMissingError, Mask
from ml.models import InstalledModel
from ml.spanning import Grown
from ml.vectorize import Recipe
from ml.windows import SIZE, Window, choose_window, held_by, size_for, stride_of

__all__ = [
    "Memory",
    "NotEncodedError",
    "Prompts",
    "StoppedError",
    "Suggestion",
    "forget_all",
    "forget_shapes",
    "suggest",
]

Stop = Callable[[], bool]
_ready_kept: Remembered[dict[str, set[Window]]] = Remembered()
_names_kept: Remembered[str] = Remembered()
_rasters_kept: Remembered[Raster] = Remembered()
_opening = threading.Lock()


class NotEncodedError(Exception):
    """The window of these prompts is not encoded yet: have it encoded and ask again."""

    def __init__(self, window: Window) -> None:
        super().__init__(f"{window} is not encoded")
        self.window = window


@dataclass(frozen=True, eq=False)
class Memory:
    """What the next prompts of the same draft start from: the last answer, its window and its model's hash.

    `seen` is the mask that was shown, which may be fed back; `decoded` is what `prompts` gave when `fed` was fed back.
    `joined` is how far the mask of index `shown` went on beyond the window; None where it did not.
    """

    window: Window
    model: str
    seen: Seen
    prompts: Prompts
    decoded: Decoded
    fed: Seen | None
    shown: int
    joined: Grown | None
    raster: UUID

    @property
    def mask(self) -> Mask:
        """The mask that was shown, with where it lies."""
        if self.joined is not None:
            return Mask(self.joined.logits, self.joined.frame)
        return Mask(self.seen.logits, self.seen.field.of(self.window))

    @property
    def is_whole(self) -> bool:
        """Whether nothing more can be known of the object: what is drawn of it may be drawn anew from here."""
        return self.joined is None or not self.joined.missing


@dataclass(frozen=True)
class Suggestion:
    """What is offered: candidates best first as the wire has them, where they come from, and what they took.

    `instead_of` names the project's model where another one answered, because it has not encoded the place yet.
    `field` says which part of the window was decoded: its side in tokens of the window's 64, and how often a smaller
    one had proved too small. `windows` are those that the shown candidate is joined from; once those of `missing` are
    encoded, more of the object can be had.
    """

    candidates: list[dict[str, Any]]
    chosen: int
    windows: list[dict[str, Any]]
    model: str
    model_hash: str
    recipe: str
    ms: dict[str, float]
    memory: Memory | None
    hint: str = ""
    instead_of: str = ""
    field: dict[str, int] | None = None
    missing: tuple[Window, ...] = ()


def suggest(
    raster: Raster,
    prompts: Prompts,
    previous: Memory | None = None,
    *,
    hover: bool = False,
    wanted: int | None = None,
    without: Collection[Window] = (),
    stop: Stop = lambda: False,
) -> Suggestion:
    """A suggestion for prompts on a viewable raster.

    The first candidate, or the one whose output index is `wanted`, has its full outline; the others a coarse one
    for looking at, so that an answer stays within 1 to 2 KB. A `hover` is answered with one coarse candidate.
    An object that leaves its window is followed into others, but those of `without`, which cannot be encoded.

    Raises `NotEncodedError`; `StoppedError` before the next stage once `stop` says that nobody waits;
    `prompt.outside` for prompts off the raster; `prompt.invalid`; `raster.not_viewable`.
    """
    began = time.perf_counter()
    if raster.state != Raster.State.VIEWABLE:
        raise Invalid("This raster is not prepared yet.", code="raster.not_viewable")
    own = engine.model_named(_names_kept.get(raster.project_id, lambda: model_name(raster.project_id)))
    frame = raster_frame(raster)
    asked = placed(frame, prompts)
    model, window = _model_and_window(raster, own, asked, previous)
    embedding = _embedding(raster, model, window)
    recipe = None if hover else recipe_for(raster, prompts)
    group = asked_beside(raster, prompts.label_class, asked) if follows(recipe) else tuple
    decoding = time.perf_counter()
    same = previous is not None and (previous.window, previous.model) == (window, model.sha256)
    previous = previous if same else None
    again = previous if previous and wanted is not None and previous.prompts.same_place(prompts) else None
    fed = again.fed if again else previous.seen if previous else None
    if again and not again.decoded.is_cut(wanted):
        decoded = again.decoded
    else:
        view_px = view_in_window(prompts, frame, window)
        nearby = Asked(in_window(asked, window), fed, wanted, view_px, parts_of(model, hover=hover))
        decoded = decode_nearby(_decoder(model), embedding, nearby, stop)
    if hover:
        decoded = decoded.only(None)
    shown = decoded.of(wanted)
    joined = None
    if again and decoded is again.decoded and shown.index == again.shown and again.is_whole:
        joined = again.joined
    elif not hover:
        joined = followed(window, decoded, shown, asked, _surroundings(raster, model, own, without, stop))
    tracing = time.perf_counter()
    seen = Seen(shown.logits, decoded.field)
    memory = Memory(window, model.sha256, seen, prompts, decoded, fed, shown.index, joined, raster.id)
    candidates = outlined(
        decoded,
        shown,
        frame,
        window,
        asked.positive,
        recipe=recipe,
        group=group,
        joined=joined,
        stop=stop,
    )
    done = time.perf_counter()
    return Suggestion(
        candidates=candidates,
        chosen=next((i for i, candidate in enumerate(candidates) if candidate["index"] == shown.index), 0),
        windows=[_window_json(raster, one) for one in (joined.windows if joined else (window,))],
        model=model.name,
        model_hash=model.sha256,
        recipe=raster.recipe_hash,
        ms={
            "decode": round((tracing - decoding) * 1000, 2),
            "vectorize": round((done - tracing) * 1000, 2),
            "total": round((done - began) * 1000, 2),
        },
        memory=None if hover else memory,
        hint=_hint(candidates, shown.index, recipe),
        instead_of="" if model == own else own.name,
        field={"side": decoded.near.cols, "grown": decoded.grown},
        missing=joined.missing if joined else (),
    )


def _surroundings(
    raster: Raster, model: InstalledModel, own: InstalledModel, without: Collection[Window], stop: Stop
) -> Surroundings:
    """Where the object of a click may go on: what is encoded of the raster by the model that answers it."""
    return Surroundings(
        raster_frame(raster),
        _decoder(model),
        partial(_embedding_or_none, raster, model),
        _ready(raster).get(model.sha256, set()),
        without,
        may_wait=model == own,
        stop=stop,
    )


def _hint(candidates: list[dict[str, Any]], shown: int, recipe: Recipe | None) -> str:
    if not candidates:
        return "Nothing stands out here. Click nearer to the middle, or draw a box around it."
    if recipe and draws_lines(recipe) and all(one["index"] != shown for one in candidates):
        return "This is too wide for a line. Click in the middle of the road, or take away what does not belong to it."
    return ""


def _model_and_window(
    raster: Raster, own: InstalledModel, asked: Placed, previous: Memory | None
) -> tuple[InstalledModel, Window]:
    """The project's model and the window for prompts.

    Where that window waits for being encoded, a model that the project had before answers, if it has encoded one. A
    box has a window that holds it, however large. An object that went on beyond its window stays in that one.
    """
    ready = _ready(raster)
    ours = ready.get(own.sha256, set())
    frame = raster_frame(raster)
    size = SIZE if asked.box is None else size_for(asked.around, frame.width, frame.height)
    places, home = asked.around, previous.window if previous and previous.joined else None
    if asked.box is None and (home is not None or size_for(places, frame.width, frame.height) > SIZE):
        places = (asked.positive if len(asked.positive) else asked.points)[:1]
        if home in ours and held_by(home, places).all():
            return own, home
    choose = partial(choose_window, places, frame.width, frame.height, size=size, stride=stride_of(size))
    window = choose(ready=ours)
    if window in ours:
        return own, window
    others = {model.sha256: model for model in engine.usable_models()} if ready.keys() - {own.sha256} else {}
    for model_hash, encoded in ready.items():
        if model_hash in others and (found := choose(ready=encoded)) in encoded:
            return others[model_hash], found
    return own, window


def _embedding(raster: Raster, model: InstalledModel, window: Window) -> Embedding:
    """From memory or disk. A missing or damaged file is never used: the window counts as not encoded."""
    key = engine.key_of(raster.id, raster.recipe_hash, model, window)
    try:
        return engine.embedding(key)
    except EmbeddingMissingError:
        raise NotEncodedError(window) from None
    except EmbeddingCorruptError:
        forget_window(raster, window, model)
        raise NotEncodedError(window) from None


def _embedding_or_none(raster: Raster, model: InstalledModel, window: Window) -> Embedding | None:
    """The same; None for a window that is not encoded."""
    try:
        return _embedding(raster, model, window)
    except NotEncodedError:
        return None


def _ready(raster: Raster) -> dict[str, set[Window]]:
    return _ready_kept.get((raster.id, raster.recipe_hash), lambda: ready_by_model(raster))


def _window_json(raster: Raster, window: Window) -> dict[str, Any]:
    return {
        "col": window.col,
        "row": window.row,
        "size": window.size,
        "polygon": window_polygon(raster, window),
    }


def _decoder(model: InstalledModel) -> OnnxDecoder:
    """The process's only session of a model, also for many who ask at once."""
    with _opening:
        return _opened(model)


@lru_cache(maxsize=4)
def _opened(model: InstalledModel) -> OnnxDecoder:
    return OnnxDecoder(model, settings.DECODE_THREADS, settings.PREPARED_WINDOWS)


def raster_for_prompts(raster_id: UUID, project_id: UUID) -> Raster:
    """The raster that prompts name. Raises `raster.not_found` for one of another project."""
    return _rasters_kept.get((raster_id, project_id), partial(_raster_of, raster_id, project_id))


def raster_known(raster_id: UUID, project_id: UUID) -> Raster | None:
    """The same, where it can be had without waiting."""
    found = _rasters_kept.known((raster_id, project_id), partial(_raster_of, raster_id, project_id))
    return found[0] if found else None


def _raster_of(raster_id: UUID, project_id: UUID) -> Raster:
    raster = Raster.objects.filter(id=raster_id, project_id=project_id).first()
    if raster is None:
        raise not_found("raster")
    return raster


def window_state(raster: Raster, window: Window) -> str | None:
    """What is known of a window: ready, failed, skipped or nothing yet."""
    return state_of(raster, engine.model_of(raster.project_id), window)
