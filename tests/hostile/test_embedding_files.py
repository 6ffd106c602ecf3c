"""Damaged embedding files: never a wrong mask, always another encoding (hazard 27)."""

import json
import os
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ml.embeddings import Embedding, EmbeddingCorruptError, EmbeddingKey, EmbeddingStore
from ml.embeddings.features import SHAPES
from ml.embeddings.store import PAYLOAD_BYTES
from ml.windows import Window

KEY = EmbeddingKey("raster-1", "a" * 64, "b" * 64, Window(0, 0))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> EmbeddingStore:
    return EmbeddingStore(tmp_path_factory.mktemp("embeddings"))


@pytest.fixture(scope="module")
def sound(store: EmbeddingStore) -> bytes:
    random = np.random.default_rng(7)
    store.put(KEY, Embedding(*(random.normal(0, 1, shape).astype(np.float32) for shape in SHAPES.values())))
    return path_of(store).read_bytes()


def path_of(store: EmbeddingStore) -> Path:
    return store.root / KEY.relative_path()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_flipped_bit_is_noticed(store: EmbeddingStore, sound: bytes, data: st.DataObject) -> None:
    header = len(sound) - PAYLOAD_BYTES
    at = data.draw(st.one_of(st.integers(0, header * 8 - 1), st.integers(0, len(sound) * 8 - 1)), label="bit")
    spoilt = bytearray(sound)
    spoilt[at // 8] ^= 1 << (at % 8)
    path_of(store).write_bytes(spoilt)

    with pytest.raises(EmbeddingCorruptError):
        store.get(KEY)


def test_every_bit_of_the_header_is_guarded(store: EmbeddingStore, sound: bytes) -> None:
    """All of them, since the header is short and not under the checksum itself."""
    path_of(store).write_bytes(sound)
    taken = []
    with path_of(store).open("r+b", buffering=0) as file:
        for bit in range((len(sound) - PAYLOAD_BYTES) * 8):
            at, before = bit // 8, sound[bit // 8]
            os.pwrite(file.fileno(), bytes([before ^ (1 << bit % 8)]), at)
            try:
                store.get(KEY)
                taken.append(bit)
            except EmbeddingCorruptError:
                pass
            os.pwrite(file.fileno(), bytes([before]), at)

    assert taken == []


@pytest.mark.parametrize("kept", [0, 1, 3, 4, 7, 8, 20, 200, 1024, 4096, 1 << 20, PAYLOAD_BYTES])
def test_a_file_that_is_cut_is_noticed(store: EmbeddingStore, sound: bytes, kept: int) -> None:
    path_of(store).write_bytes(sound[:kept])

    with pytest.raises(EmbeddingCorruptError):
        store.get(KEY)
    if kept <= 4096:
        assert not store.has(KEY)


@pytest.mark.parametrize("more", [b"\0", b"x" * 1024])
def test_a_file_with_something_behind_is_noticed(store: EmbeddingStore, sound: bytes, more: bytes) -> None:
    path_of(store).write_bytes(sound + more)

    with pytest.raises(EmbeddingCorruptError):
        store.get(KEY)


@pytest.mark.parametrize(
    "header",
    [b"", b"{", b"null", b"[]", b'"x"', b"[" * 4000, b"\xff\xfe", b'{"key": {}, "sha256": 5}', b"1e999", b" " * 4096],
)
def test_a_header_that_is_none_is_noticed(store: EmbeddingStore, sound: bytes, header: bytes) -> None:
    payload = sound[-PAYLOAD_BYTES:]
    path_of(store).write_bytes(b"EWE1" + struct.pack("<I", len(header)) + header + payload)

    with pytest.raises(EmbeddingCorruptError):
        store.get(KEY)


def test_a_header_that_claims_gigabytes_costs_nothing(store: EmbeddingStore, sound: bytes) -> None:
    path_of(store).write_bytes(b"EWE1" + struct.pack("<I", 0xFFFFFFFF) + sound[8:])

    with pytest.raises(EmbeddingCorruptError, match="header"):
        store.get(KEY)


def test_a_whole_file_of_another_raster_is_not_taken(store: EmbeddingStore, sound: bytes) -> None:
    other = EmbeddingKey("raster-2", KEY.recipe, KEY.model, KEY.window)
    place = store.root / other.relative_path()
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(sound)

    with pytest.raises(EmbeddingCorruptError, match="another window"):
        store.get(other)


def test_the_sound_file_is_read_again_once_it_is_back(store: EmbeddingStore, sound: bytes) -> None:
    path_of(store).write_bytes(sound[:-1])
    with pytest.raises(EmbeddingCorruptError):
        store.get(KEY)
    path_of(store).write_bytes(sound)

    assert np.isfinite(store.get(KEY).image_embed).all()
    (length,) = struct.unpack("<I", sound[4:8])
    assert json.loads(sound[8 : 8 + length])["key"]["raster"] == "raster-1"
