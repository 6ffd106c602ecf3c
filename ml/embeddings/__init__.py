"""What is kept of an encoded window: the features, their files and their cache in memory."""

from ml.embeddings.bucket import Bucket
from ml.embeddings.cache import EmbeddingCache
from ml.embeddings.features import Embedding
from ml.embeddings.folder import Folder
from ml.embeddings.forms import Form
from ml.embeddings.keys import (
    EmbeddingCorruptError,
    EmbeddingKey,
    EmbeddingMissingError,
    StoredEmbedding,
    StoreUnreachableError,
)
from ml.embeddings.masks import Mask
from ml.embeddings.room import Room
from ml.embeddings.store import EmbeddingStore

__all__ = [
    "Bucket",
    "Embedding",
    "EmbeddingCache",
    "EmbeddingCorruptError",
    "EmbeddingKey",
    "EmbeddingMissingError",
    "EmbeddingStore",
    "Folder",
    "Form",
    "Mask",
    "Room",
    "StoreUnreachableError",
    "StoredEmbedding",
]
