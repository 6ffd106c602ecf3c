"""One mask as a file: its logits in a byte a cell, where they lie, and a checksum over all of it.

A file is `EWM1`, the SHA-256 of all that follows, the header's length (4 bytes, little-endian), the header (JSON: whose
mask it is, its frame and cells a side), and the bytes, compressed by Zstandard.
"""

import hashlib
import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ml.embeddings.forms import compressed, expanded
from ml.embeddings.keys import EmbeddingCorruptError
from ml.windows import Window

MAGIC = b"EWM1"
DIGEST = 32
MAX_HEADER = 1024
MOST_CELLS = 4096  # a side
MOST_BYTES = MOST_CELLS**2 + 64 * 1024
SUREST = 16.0  # logits beyond it are as sure
STEPS = 127
LEVEL = 6  # of Zstandard
FOLDER = "masks"

Logits = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Mask:
    """Logits (n, n), above 0 inside, over the square `frame` in raster pixels."""

    logits: Logits
    frame: Window


def mask_path(raster: str, owner: str) -> Path:
    """Where a mask lies below the store's folder: with its raster's embeddings, and gone with them."""
    return Path(raster, FOLDER, f"{owner}.ewm")


def is_mask(path: Path) -> bool:
    """Whether a file of the store is a mask."""
    return path.suffix == ".ewm"


def write_mask(owner: str, mask: Mask) -> bytes:
    """The file's content. Raises `ValueError` for logits that are not square, too many or not finite."""
    side = len(mask.logits)
    if mask.logits.shape != (side, side) or not 0 < side <= MOST_CELLS or not np.isfinite(mask.logits).all():
        raise ValueError(f"logits of {mask.logits.shape} are no mask")
    frame = mask.frame
    said = {"of": owner, "frame": [frame.col, frame.row, frame.size], "side": side}
    header = json.dumps(said).encode()
    rest = struct.pack("<I", len(header)) + header + compressed(_stepped(mask.logits).tobytes(), LEVEL)
    return MAGIC + hashlib.sha256(rest).digest() + rest


def read_mask(owner: str, content: memoryview) -> Mask:
    """The mask in a file's content, checked before any of it is used. Raises `EmbeddingCorruptError`."""
    start = len(MAGIC) + DIGEST
    if not start + 4 <= len(content) <= MOST_BYTES or bytes(content[: len(MAGIC)]) != MAGIC:
        raise EmbeddingCorruptError("not a mask's file")
    if hashlib.sha256(content[start:]).digest() != bytes(content[len(MAGIC) : start]):
        raise EmbeddingCorruptError("damaged")
    (length,) = struct.unpack("<I", content[start : start + 4])
    if length > MAX_HEADER:
        raise EmbeddingCorruptError("damaged header")
    try:
        header: dict[str, Any] = json.loads(bytes(content[start + 4 : start + 4 + length]))
        of, side, frame = header["of"], int(header["side"]), Window(*(int(one) for one in header["frame"]))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise EmbeddingCorruptError("damaged header") from error
    if of != owner or not 0 < side <= MOST_CELLS:
        raise EmbeddingCorruptError("belongs to another shape")
    plain = expanded(content[start + 4 + length :], side * side)
    if len(plain) != side * side:
        raise EmbeddingCorruptError("another number of cells")
    return Mask(_unstepped(np.frombuffer(plain, np.int8).reshape(side, side)), frame)


def _stepped(logits: Logits) -> npt.NDArray[np.int8]:
    """Steps that are finest at 0, where the outline runs: of the root. What is inside stays inside, and no more."""
    steps = np.sqrt(np.minimum(np.abs(logits), SUREST) / SUREST) * STEPS
    found: npt.NDArray[np.int8] = np.where(logits > 0, np.maximum(np.rint(steps), 1), -np.rint(steps)).astype(np.int8)
    return found


def _unstepped(steps: npt.NDArray[np.int8]) -> Logits:
    shares = steps.astype(np.float32) / STEPS
    found: Logits = (np.sign(shares) * shares**2 * SUREST).astype(np.float32)
    return found
