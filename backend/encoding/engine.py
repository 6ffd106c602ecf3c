"""The models and the store of embeddings as this process uses them; each opened once."""

import threading
from functools import lru_cache
from pathlib import Path
from uuid import UUID

from django.conf import settings

from backend.core.errors import Unavailable
from backend.encoding import ability, keeping
from backend.projects.selectors import model_name
from ml.embeddings import Embedding, EmbeddingCache, EmbeddingKey, EmbeddingStore, StoreUnreachableError
from ml.encode import Encoder
from ml.models import InstalledModel, ModelError, choose_model, installed_models
from ml.models.default import default_name
from ml.windows import Window

_encoding = threading.Lock()  # one window at a time: two would only share the same cores


def models_home() -> Path:
    """The folder that models are installed into."""
    return Path(settings.DATA_DIR, "models")


def default_model() -> InstalledModel:
    """The model of projects that have chosen none. Raises `model.not_installed`."""
    try:
        return choose_model(settings.MODEL_DIRS, settings.MODEL or default_name(models_home()))
    except ModelError as error:
        raise Unavailable(str(error), code="model.not_installed") from error


def model_of(project_id: UUID) -> InstalledModel:
    """The model that a project encodes and decodes with. Raises `model.not_installed`, which says who can mend it."""
    return model_named(model_name(project_id))


def model_named(name: str) -> InstalledModel:
    """The model that a project has chosen by this name, the server's default for an empty one. Raises as `model_of`."""
    if not name:
        return default_model()
    try:
        return choose_model(settings.MODEL_DIRS, name)
    except ModelError as error:
        raise Unavailable(
            f"This project's model, {name}, cannot be used. {error} An owner of the project can choose another model "
            "in its settings, and an administrator can install this one again.",
            code="model.not_installed",
        ) from error


def usable_models() -> list[InstalledModel]:
    """Every model that is installed and sound."""
    return installed_models(settings.MODEL_DIRS)


def store() -> EmbeddingStore:
    """Where embeddings lie."""
    return keeping.store()


@lru_cache(maxsize=1)
def cache() -> EmbeddingCache:
    """The embeddings in this process's memory, shared by all sockets."""
    return EmbeddingCache(settings.EMBEDDING_CACHE_MB * 1024 * 1024)


def embedding(key: EmbeddingKey) -> Embedding:
    """One window's features, from memory or the store, and a note that they are in use.

    Raises `EmbeddingMissingError`, `EmbeddingCorruptError`; `encode.store_unreachable`.
    """
    kept = store()
    try:
        found = cache().get_or_load(key, kept.get)
    except StoreUnreachableError as error:
        raise keeping.unreachable(error) from error
    kept.use(key)
    return found


def encoder(model: InstalledModel) -> Encoder:
    """A model's encoder; opened at the first use. Raises `model.not_installed`."""
    try:
        return ability.encoder_of(model)
    except ModelError as error:
        raise Unavailable(str(error), code="model.not_installed") from error


def encoding_lock() -> threading.Lock:
    """Held while a window is encoded in this process."""
    return _encoding


def key_of(raster_id: object, recipe_hash: str, model: InstalledModel, window: Window) -> EmbeddingKey:
    """What stands for an embedding on disk and in memory."""
    return EmbeddingKey(str(raster_id), recipe_hash, model.sha256, window)
