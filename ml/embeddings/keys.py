"""What an embedding is called, and what can be wrong with a stored one."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ml.windows import Window


class EmbeddingMissingError(LookupError):
    """This window is not encoded (any more)."""


class EmbeddingCorruptError(ValueError):
    """The file is not what was written: encode the window again."""


class StoreUnreachableError(OSError):
    """The object store does not answer, or refuses; what is stored is not lost. The message says what to do."""


@dataclass(frozen=True)
class EmbeddingKey:
    """What an embedding is of: raster, band recipe, model (their ids and hashes) and window."""

    raster: str
    recipe: str
    model: str
    window: Window

    def relative_path(self) -> Path:
        """Where it lies below the store's folder."""
        place = f"{self.window.col}_{self.window.row}_{self.window.size}.ewe"
        return folder_of(self.raster, self.recipe, self.model) / place

    def as_json(self) -> dict[str, Any]:
        """As it stands in the file's header."""
        window = self.window
        return {
            "raster": self.raster,
            "recipe": self.recipe,
            "model": self.model,
            "window": [window.col, window.row, window.size],
        }


def folder_of(raster: str, recipe: str, model: str) -> Path:
    """Where the embeddings of a raster under a recipe and a model lie below the store's folder."""
    return Path(raster, recipe[:16], model[:16])


@dataclass(frozen=True)
class StoredEmbedding:
    """What was written: the path below the store's folder, bytes, and the SHA-256 of the content."""

    path: str
    nbytes: int
    sha256: str
