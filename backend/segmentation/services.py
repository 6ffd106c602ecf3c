"""From prompts on a raster to a suggestion; synchronous, to be called in a thread; knows no socket and no table."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt
from django.conf import settings
from shapely.geometry.base import BaseGeometry

from backend.core.errors import Invalid
from backend.encoding import engine
from backend.encoding.selectors import ready_by_model, state_of, window_polygon
from backend.encoding.services import forget_window
from backend.projects.selectors import class_outline, model_name
from backend.rasters.models import Raster
from backend.rasters.selectors import raster_frame
from backend.segmentation.polylines import digits_for, encode_rings
from ml.decode import OnnxDecoder, PromptError, PromptSet
from ml.embeddings import Embedding, EmbeddingCorruptError, EmbeddingMissingError
from ml.frames import FrameError, RasterFrame, geodesic_area_m2, model_from_pixel
from ml.models import InstalledModel
from ml.vectorize import forming, polygon_from_logits
from ml.windows import Window, choose_window

REMEMBERED_SECONDS = 3.0
_coarsely = partial(polygon_from_logits, simplify_px=2.0, max_vertices=48, max_tolerance_px=16.0)


class NotEncodedError(Exception):
    """The window of these prompts is not encoded yet: have it encoded and ask again."""

    def __init__(self, window: Window) -> None:
        super().__init__(f"{window} is not encoded")
        self.window = window


@dataclass(frozen=True)
class Prompts:
    """All prompts of one suggestion in lon/lat: `points` of (lon, lat, label 1 or 0), `box` (w, s, e, n) or None.

    `label_class` is the class that the object will have; it says how the outline is drawn.
    """

    points: tuple[tuple[float, float, int], ...]
    box: tuple[float, float, float, float] | None = None
    label_class: UUID | None = None


@dataclass(frozen=True, eq=False)
class Memory:
    """What the next prompts of the same draft may be fed back: the last logits, their window and their model's hash."""

    window: Window
    logits: npt.NDArray[np.float32]
    model: str


@dataclass(frozen=True)
class Suggestion:
    """What is offered: candidates best first as the wire has them, where they come from, and what they took.

    `instead_of` names the project's model where another one answered, because it has not encoded the place yet.
    """

    candidates: list[dict[str, Any]]
    chosen: int
    window: dict[str, Any]
    model: str
    model_hash: str
    recipe: str
    ms: dict[str, float]
    memory: Memory | None
    hint: str = ""
    instead_of: str = ""


def suggest(
    raster: Raster,
    prompts: Prompts,
    previous: Memory | None = None,
    *,
    best_only: bool = False,
    wanted: int | None = None,
) -> Suggestion:
    """A suggestion for prompts on a viewable raster.

    The first candidate, or the one whose output index is `wanted`, has its full outline; the others a coarse one
    for looking at, so that an answer stays within 1 to 2 KB.

    Raises `NotEncodedError`; `prompt.outside` for prompts off the raster; `prompt.invalid`; `raster.not_viewable`.
    """
    began = time.perf_counter()
    if raster.state != Raster.State.VIEWABLE:
        raise Invalid("This raster is not prepared yet.", code="raster.not_viewable")
    own = engine.model_named(_names_kept.get(raster.project_id, lambda: model_name(raster.project_id)))
    frame = raster_frame(raster)
    pixel, box = _in_pixels(frame, prompts)
    around = pixel if box is None else np.vstack([pixel, np.reshape(box, (2, 2))])
    model, window = _model_and_window(raster, own, around)
    embedding = _embedding(raster, model, window)
    asked = _prompt_set(window, pixel, box, prompts)
    same = previous is not None and (previous.window, previous.model) == (window, model.sha256)
    fed_back = previous.logits if previous and same and model.mask_feedback else None
    decoding = time.perf_counter()
    decoded = _decoder(model).decode(embedding, asked, fed_back)
    tracing = time.perf_counter()
    positive = [pixel[i] for i, point in enumerate(prompts.points) if point[2] == 1]
    offered = decoded.candidates[:1] if best_only else decoded.candidates
    full = wanted if wanted in {candidate.index for candidate in offered} else offered[0].index
    precise = digits_for(min(frame.pixel_size_m()))
    drawn = _outline(raster, frame, prompts.label_class)
    candidates: list[dict[str, Any]] = []
    for candidate in offered:
        outline = drawn if candidate.index == full else _coarsely
        shape = outline(
            candidate.logits,
            window,
            width=frame.width,
            height=frame.height,
            points=positive,
        )
        if shape is None:
            continue
        lonlat = frame.lonlat_geometry_from_pixel(shape)
        digits = precise if candidate.index == full else precise - 1
        candidates.append(
            {
                "rings": encode_rings(lonlat, digits),
                "digits": digits,
                "score": round(candidate.score, 4),
                "area_m2": float(f"{geodesic_area_m2(lonlat):.6g}"),
                "index": candidate.index,
            }
        )
    done = time.perf_counter()
    chosen = next((i for i, candidate in enumerate(candidates) if candidate["index"] == full), 0)
    return Suggestion(
        candidates=candidates,
        chosen=chosen,
        window=_window_json(raster, window),
        model=model.name,
        model_hash=model.sha256,
        recipe=raster.recipe_hash,
        ms={
            "decode": round((tracing - decoding) * 1000, 2),
            "vectorize": round((done - tracing) * 1000, 2),
            "total": round((done - began) * 1000, 2),
        },
        memory=Memory(window, decoded.candidates[0].logits, model.sha256),
        hint="" if candidates else "Nothing stands out here. Click nearer to the middle, or draw a box around it.",
        instead_of="" if model == own else own.name,
    )


def _model_and_window(
    raster: Raster, own: InstalledModel, around: npt.NDArray[np.float64]
) -> tuple[InstalledModel, Window]:
    """The project's model and the window for prompts at (N, 2) px.

    Where that window waits for being encoded, a model that the project had before answers, if it has encoded one.
    """
    ready = _ready(raster)
    frame = raster_frame(raster)
    choose = partial(choose_window, around, frame.width, frame.height)
    window = choose(ready=ready.get(own.sha256, set()))
    if window in ready.get(own.sha256, set()):
        return own, window
    others = {model.sha256: model for model in engine.usable_models()} if ready.keys() - {own.sha256} else {}
    for model_hash, encoded in ready.items():
        if model_hash in others and (found := choose(ready=encoded)) in encoded:
            return others[model_hash], found
    return own, window


def _outline(raster: Raster, frame: RasterFrame, label_class: UUID | None) -> Callable[..., BaseGeometry | None]:
    """How outlines of a class are drawn."""
    form = ""
    if label_class is not None:
        key = (raster.project_id, label_class)
        form = _forms_kept.get(key, lambda: class_outline(*key)) or ""
    return partial(polygon_from_logits, forming=forming(form, frame.pixel_size_m()))


def _in_pixels(
    frame: RasterFrame, prompts: Prompts
) -> tuple[npt.NDArray[np.float64], tuple[float, float, float, float] | None]:
    try:
        pixel = np.empty((0, 2))
        if prompts.points:
            pixel = frame.pixel_from_lonlat([point[:2] for point in prompts.points])
        box = None
        if prompts.box is not None:
            west, south, east, north = prompts.box
            corners = frame.pixel_from_lonlat([[west, south], [east, south], [east, north], [west, north]])
            low = np.clip(corners.min(axis=0), 0, (frame.width, frame.height))
            high = np.clip(corners.max(axis=0), 0, (frame.width, frame.height))
            box = (float(low[0]), float(low[1]), float(high[0]), float(high[1]))
    except FrameError as error:
        raise _outside() from error
    if len(pixel) == 0 and box is None:
        raise Invalid("Click a point or draw a box.", code="prompt.invalid")
    inside = (pixel >= 0).all(axis=1) & (pixel <= (frame.width, frame.height)).all(axis=1)
    if not inside.all() or (box is not None and (box[2] - box[0] < 1 or box[3] - box[1] < 1)):
        raise _outside()
    return pixel, box


def _prompt_set(
    window: Window, pixel: npt.NDArray[np.float64], box: tuple[float, float, float, float] | None, prompts: Prompts
) -> PromptSet:
    labels = np.array([point[2] for point in prompts.points], np.int64)
    model_points = model_from_pixel(window, pixel) if len(pixel) else np.empty((0, 2))
    within = ((model_points >= 0) & (model_points <= 1024)).all(axis=1)
    model_box = None
    if box is not None:
        corners = np.clip(model_from_pixel(window, np.reshape(box, (2, 2))), 0, 1024).ravel()
        model_box = (float(corners[0]), float(corners[1]), float(corners[2]), float(corners[3]))
    try:
        return PromptSet(model_points[within], labels[within], model_box)
    except PromptError as error:
        raise Invalid("Click a point or draw a box.", code="prompt.invalid") from error


def _embedding(raster: Raster, model: InstalledModel, window: Window) -> Embedding:
    """From memory or disk. A missing or damaged file is never used: the window counts as not encoded."""
    key = engine.key_of(raster.id, raster.recipe_hash, model, window)
    try:
        return engine.cache().get_or_load(key, engine.store().get)
    except EmbeddingMissingError:
        raise NotEncodedError(window) from None
    except EmbeddingCorruptError:
        forget_window(raster, window, model)
        raise NotEncodedError(window) from None


class _Remembered:
    """A value for a short while: a click need not ask the database which windows are ready, or how a class is drawn."""

    def __init__(self) -> None:
        self._kept: dict[Any, tuple[float, Any]] = {}
        self._lock = threading.Lock()

    def get(self, key: Any, make: Callable[[], Any]) -> Any:
        with self._lock:
            found = self._kept.get(key)
        if found is not None and time.monotonic() - found[0] < REMEMBERED_SECONDS:
            return found[1]
        value = make()
        with self._lock:
            if len(self._kept) > 256:
                self._kept.clear()
            self._kept[key] = (time.monotonic(), value)
        return value


_ready_kept = _Remembered()
_forms_kept = _Remembered()
_names_kept = _Remembered()


def _ready(raster: Raster) -> dict[str, set[Window]]:
    key = (raster.id, raster.recipe_hash)
    found: dict[str, set[Window]] = _ready_kept.get(key, lambda: ready_by_model(raster))
    return found


def _window_json(raster: Raster, window: Window) -> dict[str, Any]:
    return {
        "id": f"{window.col}_{window.row}_{window.size}",
        "col": window.col,
        "row": window.row,
        "size": window.size,
        "polygon": window_polygon(raster, window),
    }


@lru_cache(maxsize=4)
def _decoder(model: InstalledModel) -> OnnxDecoder:
    return OnnxDecoder(model, settings.DECODE_THREADS)


def _outside() -> Invalid:
    return Invalid("This lies outside the raster. Click inside it.", code="prompt.outside")


def raster_for_prompts(raster_id: UUID, project_id: UUID) -> Raster | None:
    """The raster that prompts name, if it is this project's."""
    return Raster.objects.filter(id=raster_id, project_id=project_id).first()


def window_state(raster: Raster, window: Window) -> str | None:
    """What is known of a window: ready, failed, skipped or nothing yet."""
    return state_of(raster, engine.model_of(raster.project_id), window)
