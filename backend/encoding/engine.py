"""The models and the store of embeddings as this process uses them; each opened once."""

import threading
from functools import lru_cache
from pathlib import Path

from django.conf import settings

from backend.core.errors import Unavailable
from ml.embeddings import EmbeddingCache, EmbeddingKey, EmbeddingStore
from ml.encode import Encoder, open_encoder
from ml.models import InstalledModel, ModelError, choose_model
from ml.windows import Window

_encoding = threading.Lock()  # one window at a time: two would only share the same cores


def active_model() -> InstalledModel:
    """The model that this server encodes and decodes with. Raises `model.not_installed`."""
    try:
        return choose_model(settings.MODEL_DIRS, settings.MODEL)
    except ModelError as error:
        raise Unavailable(str(error), code="model.not_installed") from error


def store() -> EmbeddingStore:
    """Where embeddings lie."""
    return EmbeddingStore(Path(settings.DATA_DIR, "embeddings"))


@lru_cache(maxsize=1)
def cache() -> EmbeddingCache:
    """The embeddings in this process's memory, shared by all sockets."""
    return EmbeddingCache(settings.EMBEDDING_CACHE_MB * 1024 * 1024)


@lru_cache(maxsize=1)
def _encoder(model: InstalledModel) -> Encoder:
    return open_encoder(model, settings.ENCODER, settings.ENCODE_THREADS)


def encoder() -> Encoder:
    """The encoder of the active model; opened at the first use. Raises `model.not_installed`."""
    try:
        return _encoder(active_model())
    except ModelError as error:
        raise Unavailable(str(error), code="model.not_installed") from error


def encoding_lock() -> threading.Lock:
    """Held while a window is encoded in this process."""
    return _encoding


def key_of(raster_id: object, recipe_hash: str, model: InstalledModel, window: Window) -> EmbeddingKey:
    """What stands for an embedding on disk and in memory."""
    return EmbeddingKey(str(raster_id), recipe_hash, model.sha256, window)
