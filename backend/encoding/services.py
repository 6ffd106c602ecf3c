"""Every write about encoded windows: start a job, encode one window, ask for one at once."""

import contextlib
import errno
import logging
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import numpy as np
import numpy.typing as npt
from django.conf import settings
from django.db import transaction

from backend.accounts.models import User
from backend.core.clock import now
from backend.core.errors import Conflict, EdgewiseError, Invalid, Unavailable
from backend.encoding import engine, keeping, locks
from backend.encoding.models import EncodeWindow
from backend.encoding.selectors import plan
from backend.events import services as events
from backend.jobs import services as jobs
from backend.jobs.models import Job
from backend.jobs.selectors import open_job
from backend.rasters.models import Raster
from backend.rasters.reading import read_window
from ml.embeddings import EmbeddingKey, StoredEmbedding, StoreUnreachableError
from ml.models import InstalledModel
from ml.windows import SIZE, STRIDE, Window, is_window_of

log = logging.getLogger(__name__)

MIN_STRIDE = 256
URGENT_PRIORITY = 100
FORGET_AT_ONCE = 50
NO_DISK = "The server's disk is full. Ask your administrator for room, then start encoding again: what is done stays."


def start(raster: Raster, stride: int, *, actor: User) -> Job:
    """Puts the encoding of the whole raster into the queue.

    Raises `encode.not_viewable`, `encode.invalid_stride`, `encode.already_running`, `encode.no_disk`.
    """
    check_stride(stride)
    if raster.state != Raster.State.VIEWABLE:
        raise Conflict("This raster is not prepared yet. Wait until it can be viewed.", code="encode.not_viewable")
    model = engine.model_of(raster.project_id)
    wanted = plan(raster, model, stride)
    _check_room(wanted.megabytes)
    with transaction.atomic():
        Raster.objects.select_for_update().get(id=raster.id)  # one start at a time
        if open_job(raster.id, "encode"):
            raise Conflict("This raster is being encoded already.", code="encode.already_running")
        return jobs.create(
            "encode",
            "encoding.run",
            project_id=raster.project_id,
            raster_id=raster.id,
            created_by_id=actor.id,
            total=min(wanted.windows, wanted.fits),
            params={"stride": stride},
            lock=f"encode-{raster.id}",
            needs=model.name,
        )


def start_when_viewable(raster: Raster, *, actor: User) -> Job:
    """Puts the encoding into the queue before the raster is prepared; the job waits for that."""
    return jobs.create(
        "encode",
        "encoding.run",
        project_id=raster.project_id,
        raster_id=raster.id,
        created_by_id=actor.id,
        params={"stride": STRIDE},
        lock=f"encode-{raster.id}",
        needs=_model_name(raster),
    )


def check_stride(stride: int) -> None:
    """Raises `encode.invalid_stride`."""
    if not MIN_STRIDE <= stride <= SIZE:
        raise Invalid(f"The stride is {MIN_STRIDE} to {SIZE} px.", code="encode.invalid_stride")


def check_window(raster: Raster, window: Window) -> None:
    """Raises `encode.invalid_window` for a window that no click on the raster leads to."""
    if not is_window_of(window, raster.width or 0, raster.height or 0):
        raise Invalid("This raster has no such window. Click on it again.", code="encode.invalid_window")


def request_urgent(raster: Raster, window: Window) -> None:
    """Has a window encoded at once, ahead of every whole raster; asking twice is harmless.

    Raises `encode.invalid_window`.
    """
    check_window(raster, window)
    jobs.enqueue(
        "encoding.urgent",
        {"raster_id": str(raster.id), "col": window.col, "row": window.row, "size": window.size},
        priority=URGENT_PRIORITY,
        lock=f"window-{raster.id}-{window.col}-{window.row}-{window.size}",
        needs=_model_name(raster),
    )


def encode_window(raster: Raster, window: Window, model: InstalledModel) -> EncodeWindow.State | None:
    """Encodes one window, unless it is ready, and stores its file, then its row; None when the raster has changed.

    Whoever else wants the same window meanwhile, in whatever process, waits and finds it ready.

    A window that cannot be read or encoded is marked as failed, and is only that. Raises `encode.no_disk` when there
    is no room, `encode.store_unreachable` and `model.not_installed`, since no other window will fare better.
    """
    key = engine.key_of(raster.id, raster.recipe_hash, model, window)
    with locks.window(key):
        began = time.perf_counter()
        try:
            known = known_state(raster, model, window)
            if known is not None:
                return known
            pixels = pixels_of(raster, window)
            if pixels is None:
                return skipped(raster, model, window)
            with engine.encoding_lock():
                embedding = engine.encoder(model).encode(pixels)
            stored = engine.store().put(key, embedding)
        except Exception as error:  # of GDAL, the disk or the runtime: this window failed, others may not
            return failed(raster, model, window, error)
        return ready(raster, model, window, stored, (time.perf_counter() - began) * 1000)


def known_state(raster: Raster, model: InstalledModel, window: Window) -> EncodeWindow.State | None:
    """The state of a window that needs no work: empty, or encoded and its file there."""
    row = _row(raster, model, window)
    if row is not None and row.state == "skipped":
        return EncodeWindow.State.SKIPPED
    key = engine.key_of(raster.id, raster.recipe_hash, model, window)
    if row is not None and row.state == "ready" and engine.store().has(key, row.nbytes):
        return EncodeWindow.State.READY
    return None


def pixels_of(raster: Raster, window: Window) -> npt.NDArray[np.uint8] | None:
    """The window as the model sees it, uint8 RGB (H, W, 3); None where all is nodata. Asks the database nothing."""
    pixels = read_window(raster, window)
    return pixels.rgb if pixels.valid.any() else None


def ready(
    raster: Raster, model: InstalledModel, window: Window, stored: StoredEmbedding, encode_ms: float
) -> EncodeWindow.State | None:
    """Settles a window whose file is written; removes the file, and gives None, when the raster has changed."""
    settled = _settle(raster, model, window, EncodeWindow.State.READY, stored=stored, encode_ms=encode_ms)
    if settled is None:
        engine.store().delete(engine.key_of(raster.id, raster.recipe_hash, model, window))
    return settled


def skipped(raster: Raster, model: InstalledModel, window: Window) -> EncodeWindow.State | None:
    """Settles a window without data."""
    return _settle(raster, model, window, EncodeWindow.State.SKIPPED)


def failed(raster: Raster, model: InstalledModel, window: Window, error: Exception) -> EncodeWindow.State | None:
    """Settles a window that failed. Raises as `encode_window` does."""
    log.warning("Window %s of raster %s failed", window, raster.id, exc_info=error)
    state = _settle(raster, model, window, EncodeWindow.State.FAILED, error=type(error).__name__)
    if isinstance(error, EdgewiseError):
        raise error
    if isinstance(error, StoreUnreachableError):
        raise keeping.unreachable(error) from error
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        raise Conflict(NO_DISK, code="encode.no_disk") from error
    return state


def forget_window(raster: Raster, window: Window, model: InstalledModel) -> None:
    """Drops a window whose file is missing or damaged, so that it is encoded again."""
    key = engine.key_of(raster.id, raster.recipe_hash, model, window)
    engine.cache().forget(key)
    with contextlib.suppress(StoreUnreachableError):  # what is written next takes its place
        engine.store().delete(key)
    row = _row(raster, model, window)
    if row is not None:
        row.delete()


def forget_model(model_hash: str, tell: Callable[[int], bool]) -> None:
    """Removes every embedding of a model; `tell` hears how many are gone, and ends it by saying no."""
    rows = EncodeWindow.objects.filter(model_hash=model_hash).order_by("id")
    gone = 0
    while (some := list(rows[:FORGET_AT_ONCE])) and tell(gone):
        for row in some:
            key = EmbeddingKey(str(row.raster_id), row.recipe_hash, model_hash, Window(row.col, row.row, row.size))
            engine.cache().forget(key)
            engine.store().delete(key)
        EncodeWindow.objects.filter(id__in=[row.id for row in some]).delete()
        gone += len(some)


def raster_removed(raster_id: UUID) -> None:
    """Stops what encodes a removed raster, and removes its embeddings."""
    job = open_job(raster_id, "encode")
    if job is not None:
        with contextlib.suppress(Conflict):  # it has just ended
            jobs.cancel(job.id)
    try:
        engine.store().delete_raster(str(raster_id))
    except (Unavailable, StoreUnreachableError):
        log.warning("The embeddings of raster %s stay in the object store, which does not answer", raster_id)


def _settle(
    raster: Raster,
    model: InstalledModel,
    window: Window,
    state: EncodeWindow.State,
    *,
    stored: StoredEmbedding | None = None,
    encode_ms: float | None = None,
    error: str = "",
) -> EncodeWindow.State | None:
    """Writes the window's row and tells the project, unless the raster is gone or has other pixels or colours."""
    with transaction.atomic():
        now_known = Raster.objects.select_for_update(no_key=True).filter(id=raster.id).first()
        if now_known is None or (now_known.state, now_known.recipe_hash) != (raster.state, raster.recipe_hash):
            return None
        EncodeWindow.objects.update_or_create(
            raster_id=raster.id,
            recipe_hash=raster.recipe_hash,
            model_hash=model.sha256,
            col=window.col,
            row=window.row,
            size=window.size,
            defaults={
                "state": state,
                "path": stored.path if stored else "",
                "nbytes": stored.nbytes if stored else 0,
                "sha256": stored.sha256 if stored else "",
                "encode_ms": encode_ms,
                "error": error,
                "at": now(),
            },
        )
        events.hint(
            raster.project_id,
            {
                "type": "window",
                "raster": str(raster.id),
                "window": {"col": window.col, "row": window.row, "size": window.size},
                "state": state,
            },
        )
    return state


def _model_name(raster: Raster) -> str:
    """The name of the raster's model; empty without one, since a job may be queued before any is installed."""
    try:
        return engine.model_of(raster.project_id).name
    except EdgewiseError:
        return ""


def _row(raster: Raster, model: InstalledModel, window: Window) -> EncodeWindow | None:
    return EncodeWindow.objects.filter(
        raster_id=raster.id,
        recipe_hash=raster.recipe_hash,
        model_hash=model.sha256,
        col=window.col,
        row=window.row,
        size=window.size,
    ).first()


def _check_room(megabytes: float) -> None:
    folder = Path(settings.DATA_DIR)
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free / 1e6
    if keeping.on_this_disk() and megabytes + 500 > free:
        raise Conflict(
            f"Encoding needs {megabytes / 1000:.1f} GB and the server's disk has {free / 1000:.1f} GB left. "
            "Ask your administrator for room.",
            code="encode.no_disk",
        )
