"""Embeddings on disk: half precision, checksummed, written aside and renamed; never a wrong one.

A file is `EWE1`, the header's length (4 bytes, little-endian), the header (JSON: key, shapes, SHA-256 of the rest)
and the three arrays as little-endian float16, one after the other.
"""

import hashlib
import json
import os
import secrets
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from ml.embeddings.features import SHAPES, Embedding
from ml.windows import Window

MAGIC = b"EWE1"
MAX_HEADER = 4096
PAYLOAD_BYTES = 2 * sum(int(np.prod(shape)) for shape in SHAPES.values())


class EmbeddingMissingError(LookupError):
    """This window is not encoded (any more)."""


class EmbeddingCorruptError(ValueError):
    """The file is not what was written: encode the window again."""


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
        return Path(self.raster, self.recipe[:16], self.model[:16], place)


@dataclass(frozen=True)
class StoredEmbedding:
    """What was written: the path below the store's folder, bytes, and the SHA-256 of the arrays."""

    path: str
    nbytes: int
    sha256: str


class EmbeddingStore:
    """A folder of embeddings."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, key: EmbeddingKey, embedding: Embedding) -> StoredEmbedding:
        """Writes one, replacing what was there in one step.

        Raises `OSError` when the disk refuses, `ValueError` for features that half precision cannot hold.
        """
        payload = b"".join(_halved(getattr(embedding, name)) for name in SHAPES)
        digest = hashlib.sha256(payload).hexdigest()
        header = json.dumps({"key": _key_json(key), "sha256": digest}).encode()
        path = self.root / key.relative_path()
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
        try:
            with aside.open("xb") as file:
                file.write(MAGIC + struct.pack("<I", len(header)) + header + payload)
                file.flush()
                os.fsync(file.fileno())
            aside.replace(path)
            _settle(path.parent)
        except BaseException:
            aside.unlink(missing_ok=True)
            raise
        return StoredEmbedding(str(key.relative_path()), path.stat().st_size, digest)

    def get(self, key: EmbeddingKey) -> Embedding:
        """Reads one. Raises `EmbeddingMissingError`, `EmbeddingCorruptError`."""
        where = key.relative_path()
        try:
            with (self.root / where).open("rb") as file:
                header = _header(file)
                if header.get("key") != _key_json(key):
                    raise EmbeddingCorruptError(f"{where} belongs to another window")
                payload = memoryview(file.read(PAYLOAD_BYTES + 1))
        except FileNotFoundError as error:
            raise EmbeddingMissingError(str(where)) from error
        if len(payload) != PAYLOAD_BYTES or hashlib.sha256(payload).hexdigest() != header.get("sha256"):
            raise EmbeddingCorruptError(f"{where} is damaged")
        arrays = []
        for shape in SHAPES.values():
            count = int(np.prod(shape))
            arrays.append(np.frombuffer(payload, "<f2", count).astype(np.float32).reshape(shape))
            payload = payload[2 * count :]
        return Embedding(*arrays)

    def has(self, key: EmbeddingKey) -> bool:
        """Whether there is a file of the right size; its content is checked when it is read."""
        path = self.root / key.relative_path()
        return path.is_file() and path.stat().st_size > PAYLOAD_BYTES

    def delete(self, key: EmbeddingKey) -> None:
        """Removes one; harmless when it is not there."""
        (self.root / key.relative_path()).unlink(missing_ok=True)


def _settle(folder: Path) -> None:
    """Has the rename itself reach the disk, so that a row never outlives its file in a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _halved(feature: npt.NDArray[np.float32]) -> bytes:
    with np.errstate(over="ignore"):
        half = np.ascontiguousarray(feature, dtype="<f2")
    if not np.isfinite(half).all():
        raise ValueError("the features hold numbers that half precision cannot")
    return half.tobytes()


def _key_json(key: EmbeddingKey) -> dict[str, Any]:
    window = key.window
    return {
        "raster": key.raster,
        "recipe": key.recipe,
        "model": key.model,
        "window": [window.col, window.row, window.size],
    }


def _header(file: BinaryIO) -> dict[str, Any]:
    begin = file.read(8)
    if begin[:4] != MAGIC or len(begin) < 8:
        raise EmbeddingCorruptError("not an embedding file")
    (length,) = struct.unpack("<I", begin[4:])
    if length > MAX_HEADER:
        raise EmbeddingCorruptError("damaged header")
    try:
        header = json.loads(file.read(length))
    except (ValueError, RecursionError) as error:
        raise EmbeddingCorruptError("damaged header") from error
    if not isinstance(header, dict):
        raise EmbeddingCorruptError("damaged header")
    return header
