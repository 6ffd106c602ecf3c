"""What is kept of an encoded window: the features, their files and their cache in memory."""

from ml.embeddings.cache import EmbeddingCache
from ml.embeddings.features import Embedding
from ml.embeddings.store import (
    EmbeddingCorruptError,
    EmbeddingKey,
    EmbeddingMissingError,
    EmbeddingStore,
    StoredEmbedding,
)

__all__ = [
    "Embedding",
    "EmbeddingCache",
    "EmbeddingCorruptError",
    "EmbeddingKey",
    "EmbeddingMissingError",
    "EmbeddingStore",
    "StoredEmbedding",
]
