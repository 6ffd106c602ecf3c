"""A bounded cache of embeddings in memory; many who ask for one at once cause one load."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future

from ml.embeddings.features import Embedding
from ml.embeddings.keys import EmbeddingKey


class EmbeddingCache:
    """Keeps the most recently used embeddings within `max_bytes`; safe to use from many threads."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._kept: OrderedDict[EmbeddingKey, Embedding] = OrderedDict()
        self._loading: dict[EmbeddingKey, Future[Embedding]] = {}
        self._bytes = 0
        self._lock = threading.Lock()

    def get_or_load(self, key: EmbeddingKey, load: Callable[[EmbeddingKey], Embedding]) -> Embedding:
        """The kept embedding, or the one that `load` gives; what `load` raises reaches everybody who waits."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
            future = self._loading.get(key)
            mine = future is None
            if future is None:
                future = self._loading[key] = Future()
        if not mine:
            return future.result()
        try:
            embedding = load(key)
        except BaseException as error:
            with self._lock:
                self._was_wanted(key, future)
            future.set_exception(error)
            raise
        with self._lock:
            if self._was_wanted(key, future):
                self._keep(key, embedding)
        future.set_result(embedding)
        return embedding

    def forget(self, key: EmbeddingKey) -> None:
        """Drops one, also one that is being loaded, for example because it was encoded again."""
        with self._lock:
            self._loading.pop(key, None)
            gone = self._kept.pop(key, None)
            self._bytes -= gone.nbytes if gone else 0

    @property
    def nbytes(self) -> int:
        """Bytes kept now."""
        return self._bytes

    def _was_wanted(self, key: EmbeddingKey, future: Future[Embedding]) -> bool:
        """Ends a load; False when it was forgotten meanwhile."""
        if self._loading.get(key) is not future:
            return False
        del self._loading[key]
        return True

    def _keep(self, key: EmbeddingKey, embedding: Embedding) -> None:
        before = self._kept.pop(key, None)
        self._kept[key] = embedding
        self._bytes += embedding.nbytes - (before.nbytes if before else 0)
        while self._bytes > self.max_bytes and len(self._kept) > 1:
            _, gone = self._kept.popitem(last=False)
            self._bytes -= gone.nbytes
