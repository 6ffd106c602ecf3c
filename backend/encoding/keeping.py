"""The store of embeddings as the settings describe it: a folder or a bucket, in which form, and within which bound."""

from functools import lru_cache
from pathlib import Path

from django.conf import settings

from backend.core.errors import Unavailable
from ml.embeddings import Bucket, EmbeddingStore, Folder, Form, Room, StoreUnreachableError
from ml.models import installed_models

FILLED = 0.9  # the share of the bound that one raster may take, so that clicks elsewhere have some too


def store() -> EmbeddingStore:
    """Where embeddings lie. Raises `encode.store_unreachable` for an object store that cannot be opened."""
    try:
        return _opened(settings.EMBEDDINGS, Path(settings.DATA_DIR, "embeddings"), settings.EMBEDDINGS_BYTES)
    except StoreUnreachableError as error:
        raise unreachable(error) from error


def unreachable(error: StoreUnreachableError) -> Unavailable:
    """What a user is told of it."""
    return Unavailable(str(error), code="encode.store_unreachable")


def form_of(model_hash: str) -> Form:
    """The form that embeddings of a model are written in: the model's own setting, else that of all."""
    said: dict[str, str] = settings.EMBEDDING_FORMS
    if len(said) > 1:
        for model in installed_models(settings.MODEL_DIRS):
            if model.sha256 == model_hash and model.name in said:
                return Form(said[model.name])
    return Form(said[""])


def on_this_disk() -> bool:
    """Whether what is encoded needs room on this machine's disk."""
    return not str(settings.EMBEDDINGS).startswith("s3://")


def windows_that_fit(bytes_per_window: float) -> int | None:
    """How many windows of one raster are kept at once; None without a bound. A bucket has none."""
    if settings.EMBEDDINGS_BYTES is None or not on_this_disk():
        return None
    return max(1, int(FILLED * settings.EMBEDDINGS_BYTES / bytes_per_window))


@lru_cache(maxsize=4)
def _opened(place: str, folder: Path, most: int | None) -> EmbeddingStore:
    if place.startswith("s3://"):
        front = Folder(folder)
        return EmbeddingStore(Bucket(place, front, Room(front, most) if most else None), form_of)
    local = Folder(Path(place) if place else folder)
    room = Room(local, most) if most else None

    def wrote(nbytes: int) -> None:
        if room is not None and room.wrote(nbytes):
            from backend.encoding.eviction import evict  # it asks the engine, which asks here

            evict(room)

    return EmbeddingStore(local, form_of, wrote)
