"""Embeddings in a folder or an object store: each is what was written, or it is not there."""

import errno
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from ml.embeddings import files, forms, masks
from ml.embeddings.features import Embedding
from ml.embeddings.forms import Form
from ml.embeddings.keys import EmbeddingCorruptError, EmbeddingKey, EmbeddingMissingError, StoredEmbedding
from ml.embeddings.masks import Mask

LOST = {errno.EIO, errno.EFAULT, errno.ESTALE}  # a bad sector, cut while it was read, removed by another machine


class Shelf(Protocol):
    """Where files lie, by their paths; see `Folder` and `Bucket`."""

    def write(self, path: Path, content: bytes) -> None:
        """Writes a file, replacing what was there in one step."""

    def opened(self, path: Path, most: int) -> AbstractContextManager[memoryview]:
        """A file's content, or its first `most` + 1 bytes. Raises `FileNotFoundError`."""

    def use(self, path: Path) -> None:
        """Notes that a file is used."""

    def size(self, path: Path) -> int | None:
        """A file's bytes; None where there is none."""

    def delete(self, path: Path) -> None:
        """Removes a file; harmless when it is not there."""

    def delete_below(self, path: Path) -> None:
        """Removes all files below a path."""

    def refetch(self, path: Path) -> bool:
        """Drops a copy that is damaged; whether the original can be tried."""


class EmbeddingStore:
    """Embeddings on a shelf, each written in the form that `form_of` gives for its model's hash.

    `wrote` hears the bytes of each that was written.
    """

    def __init__(
        self,
        shelf: Shelf,
        form_of: Callable[[str], Form] = lambda _: forms.DEFAULT,
        wrote: Callable[[int], None] = lambda _: None,
    ) -> None:
        self.shelf = shelf
        self._form_of, self._wrote = form_of, wrote

    def put(self, key: EmbeddingKey, embedding: Embedding) -> StoredEmbedding:
        """Writes one, replacing what was there in one step.

        Raises `OSError` when the disk refuses, `ValueError` for features that the form cannot hold.
        """
        content, digest = files.write_bytes(key, embedding, self._form_of(key.model))
        path = key.relative_path()
        self.shelf.write(path, content)
        self._wrote(len(content))
        return StoredEmbedding(str(path), len(content), digest)

    def get(self, key: EmbeddingKey) -> Embedding:
        """Reads one, whatever form it is in. Raises `EmbeddingMissingError`, `EmbeddingCorruptError`."""
        try:
            return self._read(key)
        except EmbeddingCorruptError:
            if not self.shelf.refetch(key.relative_path()):
                raise
        return self._read(key)

    def _read(self, key: EmbeddingKey) -> Embedding:
        path = key.relative_path()
        try:
            with self.shelf.opened(path, files.MOST_BYTES) as content:
                return files.read_bytes(key, content)
        except FileNotFoundError as error:
            raise EmbeddingMissingError(str(path)) from error
        except OSError as error:
            if error.errno not in LOST:
                raise
            raise EmbeddingCorruptError(f"{path} cannot be read: {error}") from error
        except EmbeddingCorruptError as error:
            raise EmbeddingCorruptError(f"{path}: {error}") from error

    def use(self, key: EmbeddingKey) -> None:
        """Notes that one is in use, also where it was found in memory. Cheap."""
        self.shelf.use(key.relative_path())

    def has(self, key: EmbeddingKey, nbytes: int | None = None) -> bool:
        """Whether there is a file, of this size where one is given; its content is checked when it is read."""
        size = self.shelf.size(key.relative_path())
        return bool(size) and nbytes in (None, size)

    def delete(self, key: EmbeddingKey) -> None:
        """Removes one; harmless when it is not there."""
        self.shelf.delete(key.relative_path())

    def keep_mask(self, raster: str, owner: str, mask: Mask) -> bool:
        """Writes the mask that a shape was drawn from, once and for all; False where there is one already.

        It counts in the bound like an embedding. Raises `OSError`, `ValueError` for what is no mask.
        """
        path = masks.mask_path(raster, owner)
        if self.shelf.size(path):
            return False
        content = masks.write_mask(owner, mask)
        self.shelf.write(path, content)
        self._wrote(len(content))
        return True

    def mask_of(self, raster: str, owner: str) -> Mask | None:
        """The mask of a shape; None where none is kept, or what is kept is damaged, which is removed."""
        path = masks.mask_path(raster, owner)
        try:
            with self.shelf.opened(path, masks.MOST_BYTES) as content:
                return masks.read_mask(owner, content)
        except FileNotFoundError:
            return None
        except EmbeddingCorruptError:
            self.shelf.delete(path)
            return None
        except OSError as error:
            if error.errno not in LOST:
                raise
            return None

    def delete_raster(self, raster: str) -> None:
        """Removes all of a raster, masks too."""
        self.shelf.delete_below(Path(raster))
