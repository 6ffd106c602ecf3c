"""The store of embeddings as the settings describe it."""

from functools import lru_cache
from pathlib import Path

from django.conf import settings

from ml.embeddings import EmbeddingStore, Folder, Form
from ml.models import installed_models


def store() -> EmbeddingStore:
    """Where embeddings lie."""
    return _opened(Path(settings.DATA_DIR, "embeddings"))


def form_of(model_hash: str) -> Form:
    """The form that embeddings of a model are written in: the model's own setting, else that of all."""
    said: dict[str, str] = settings.EMBEDDING_FORMS
    if len(said) > 1:
        for model in installed_models(settings.MODEL_DIRS):
            if model.sha256 == model_hash and model.name in said:
                return Form(said[model.name])
    return Form(said[""])


@lru_cache(maxsize=4)
def _opened(folder: Path) -> EmbeddingStore:
    return EmbeddingStore(Folder(folder), form_of)
