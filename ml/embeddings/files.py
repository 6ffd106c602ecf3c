"""One embedding as a file: which window it is of, in which form, and a checksum over all of it.

A file is `EWE2`, the SHA-256 of all that follows, the header's length (4 bytes, little-endian), the header (JSON: key
and form) and the features in that form. The older `EWE1` is still read: the header's length, the header (key and
SHA-256 of the rest), and the features as float16.
"""

import hashlib
import json
import struct
from typing import Any

from ml.embeddings import forms
from ml.embeddings.features import Embedding
from ml.embeddings.forms import Form
from ml.embeddings.keys import EmbeddingCorruptError, EmbeddingKey

MAGIC = b"EWE2"
OLDER = b"EWE1"
DIGEST = 32
MAX_HEADER = 4096
MOST_BYTES = len(MAGIC) + DIGEST + 4 + MAX_HEADER + forms.MOST_BYTES  # a larger file is none of ours


def write_bytes(key: EmbeddingKey, embedding: Embedding, form: Form) -> tuple[bytes, str]:
    """The file's content and its checksum. Raises `ValueError` for features that the form cannot hold."""
    header = json.dumps({"key": key.as_json(), "form": form.value}).encode()
    rest = struct.pack("<I", len(header)) + header + forms.pack(embedding, form)
    digest = hashlib.sha256(rest)
    return MAGIC + digest.digest() + rest, digest.hexdigest()


def read_bytes(key: EmbeddingKey, content: memoryview) -> Embedding:
    """The embedding in a file's content, checked before any of it is used. Raises `EmbeddingCorruptError`."""
    if len(content) > MOST_BYTES:
        raise EmbeddingCorruptError("larger than any embedding file")
    magic = bytes(content[:4])
    if magic == OLDER:
        return _older(key, content)
    if magic != MAGIC or hashlib.sha256(content[4 + DIGEST :]).digest() != bytes(content[4 : 4 + DIGEST]):
        raise EmbeddingCorruptError("not an embedding file, or damaged")
    header, features = _header(content[4 + DIGEST :])
    _ensure_key(key, header)
    try:
        form = Form(str(header.get("form")))
    except ValueError as error:
        raise EmbeddingCorruptError("a form that is not known here") from error
    return forms.unpack(features, form)


def _older(key: EmbeddingKey, content: memoryview) -> Embedding:
    header, features = _header(content[4:])
    _ensure_key(key, header)
    if hashlib.sha256(features).hexdigest() != header.get("sha256"):
        raise EmbeddingCorruptError("damaged")
    return forms.unpack(features, Form.FLOAT16)


def _ensure_key(key: EmbeddingKey, header: dict[str, Any]) -> None:
    if header.get("key") != key.as_json():
        raise EmbeddingCorruptError("belongs to another window")


def _header(content: memoryview) -> tuple[dict[str, Any], memoryview]:
    """The header, and what comes behind it."""
    if len(content) < 4:
        raise EmbeddingCorruptError("not an embedding file")
    (length,) = struct.unpack("<I", content[:4])
    if length > MAX_HEADER:
        raise EmbeddingCorruptError("damaged header")
    try:
        header = json.loads(bytes(content[4 : 4 + length]))
    except (ValueError, RecursionError) as error:
        raise EmbeddingCorruptError("damaged header") from error
    if not isinstance(header, dict):
        raise EmbeddingCorruptError("damaged header")
    return header, content[4 + length :]
