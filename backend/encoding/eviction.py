"""Lets the least recently used embeddings go where a folder has become too large: first the row, then the file."""

import logging
from pathlib import Path
from uuid import UUID

from django.db import transaction

from backend.core.errors import EdgewiseError
from backend.encoding import engine, locks
from backend.encoding.models import EncodeWindow
from backend.events import services as events
from backend.rasters.models import Raster
from ml.embeddings import Room
from ml.embeddings.folder import Entry
from ml.embeddings.keys import folder_of
from ml.embeddings.masks import is_mask

log = logging.getLogger(__name__)


def evict(room: Room) -> int:
    """How many went. Embeddings of recipes and models that are not in use any more go before all others.

    One process does this at a time. Killed between row and file it leaves a file without a row, which counts as not
    encoded and is among the next to go.
    """
    with locks.if_free("embeddings eviction") as mine:
        if not mine:
            return 0
        in_use = _folders_in_use()
        gone = sum(_let_go(room, entry) for entry in room.to_go(lambda path: _is_past(path, in_use)))
    if gone:
        log.info("%d embeddings went, the least recently used, to keep within the bound", gone)
    return gone


def _is_past(path: Path, in_use: set[Path]) -> bool:
    """Whether a file is of a recipe or model that is not in use any more; masks of annotations never are."""
    return path.parent not in in_use and not is_mask(path)


def _let_go(room: Room, entry: Entry) -> bool:
    with locks.if_free(locks.window_name(str(entry.path))) as mine:
        if not mine or not room.unused_since(entry):
            return False
        _forget_row(entry.path)
        return room.let_go(entry)


def _forget_row(path: Path) -> None:
    """Removes the row of a file, and tells the project that its window is only planned."""
    try:
        raster, recipe, model, place = path.parts
        col, row, size = (int(number) for number in Path(place).stem.split("_"))
        raster_id = UUID(raster)
    except ValueError:
        return  # no file of ours
    with transaction.atomic():
        found = EncodeWindow.objects.filter(
            raster_id=raster_id,
            recipe_hash__startswith=recipe,
            model_hash__startswith=model,
            col=col,
            row=row,
            size=size,
        )
        project_id = found.values_list("raster__project_id", flat=True).first()
        if project_id is None:
            return
        found.delete()
        window = {"col": col, "row": row, "size": size}
        events.hint(project_id, {"type": "window", "raster": raster, "window": window, "state": "planned"})


def _folders_in_use() -> set[Path]:
    """The folders of every raster's recipe and model as they are now."""
    models: dict[UUID, str] = {}
    found: set[Path] = set()
    for raster_id, recipe, project_id in Raster.objects.values_list("id", "recipe_hash", "project_id"):
        if project_id not in models:
            models[project_id] = _model_hash(project_id)
        found.add(folder_of(str(raster_id), recipe, models[project_id]))
    return found


def _model_hash(project_id: UUID) -> str:
    try:
        return engine.model_of(project_id).sha256
    except EdgewiseError:
        return ""
