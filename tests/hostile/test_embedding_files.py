"""Damaged embedding files in every form: never a wrong mask, always another encoding (hazard 27)."""

import hashlib
import json
import os
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from backports import zstd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ml.embeddings import Embedding, EmbeddingCorruptError, EmbeddingKey, EmbeddingStore, Folder, Form
from ml.embeddings.features import SHAPES
from ml.embeddings.files import MOST_BYTES
from ml.windows import Window

KEY = EmbeddingKey("raster-1", "a" * 64, "b" * 64, Window(0, 0))
KB = 1024


@pytest.fixture(scope="module", params=list(Form))
def form(request: pytest.FixtureRequest) -> Form:
    return Form(request.param)


@pytest.fixture(scope="module")
def store(form: Form, tmp_path_factory: pytest.TempPathFactory) -> EmbeddingStore:
    return EmbeddingStore(Folder(tmp_path_factory.mktemp("embeddings")), lambda _: form)


@pytest.fixture(scope="module")
def path(store: EmbeddingStore) -> Path:
    assert isinstance(store.shelf, Folder)
    return store.shelf.root / KEY.relative_path()


@pytest.fixture(scope="module")
def sound(store: EmbeddingStore, path: Path) -> bytes:
    """Features of which a part repeats, so that a compressed file is a good deal shorter."""
    random = np.random.default_rng(7)
    arrays = [random.normal(0, 1, shape).astype(np.float32) for shape in SHAPES.values()]
    for array in arrays:
        array[:, : array.shape[1] * 3 // 4] = 0.5
    store.put(KEY, Embedding(*arrays))
    return path.read_bytes()


def features_at(sound: bytes) -> int:
    """Where the features begin."""
    (length,) = struct.unpack("<I", sound[36:40])
    return 40 + int(length)


def forged(header: bytes, features: bytes) -> bytes:
    """A file whose checksum is right, whatever it says."""
    rest = struct.pack("<I", len(header)) + header + features
    return b"EWE2" + hashlib.sha256(rest).digest() + rest


def header_of(form: str) -> bytes:
    return json.dumps({"key": KEY.as_json(), "form": form}).encode()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_flipped_bit_is_noticed(store: EmbeddingStore, path: Path, sound: bytes, data: st.DataObject) -> None:
    header = features_at(sound)
    at = data.draw(st.one_of(st.integers(0, header * 8 - 1), st.integers(0, len(sound) * 8 - 1)), label="bit")
    spoilt = bytearray(sound)
    spoilt[at // 8] ^= 1 << (at % 8)
    path.write_bytes(spoilt)

    with pytest.raises(EmbeddingCorruptError):
        store.get(KEY)


@pytest.mark.parametrize("form", [Form.INT8_ZSTD], indirect=True)  # of all forms alike, and quickest with this one
def test_every_bit_before_the_features_is_guarded(store: EmbeddingStore, path: Path, sound: bytes) -> None:
    """Magic, checksum, length and header: all of them, one after the other."""
    path.write_bytes(sound)
    taken = []
    with path.open("r+b", buffering=0) as file:
        for bit in range(features_at(sound) * 8):
            at, before = bit // 8, sound[bit // 8]
            os.pwrite(file.fileno(), bytes([before ^ (1 << bit % 8)]), at)
            try:
                store.get(KEY)
                taken.append(bit)
            except EmbeddingCorruptError:
                pass
            os.pwrite(file.fileno(), bytes([before]), at)

    assert taken == []


def test_a_file_cut_at_any_kilobyte_is_noticed(store: EmbeddingStore, form: Form, path: Path, sound: bytes) -> None:
    path.write_bytes(sound)
    each = KB if form is Form.INT8_ZSTD else 32 * KB  # the large ones would take a minute
    cuts = {*range(len(sound) // KB * KB, 0, -each), *range(16 * KB, -1, -KB), 39, 8, 7, 4, 3, 1, 0}
    taken = []
    for kept in sorted(cuts, reverse=True):
        os.truncate(path, kept)
        try:
            store.get(KEY)
            taken.append(kept)
        except EmbeddingCorruptError:
            pass

    assert taken == []
    assert not store.has(KEY)
    assert store.has(KEY, len(sound)) is False


def test_a_file_that_is_cut_while_it_is_read_ends_no_process(
    store: EmbeddingStore, path: Path, sound: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page of a mapping that is not there any more would be the end of the server, not an error."""
    path.write_bytes(sound)
    fstat = os.fstat

    def cut(handle: int) -> os.stat_result:
        found = fstat(handle)
        os.truncate(path, 4 * KB)
        return found

    monkeypatch.setattr("ml.embeddings.folder.os.fstat", cut)
    with pytest.raises(EmbeddingCorruptError):
        store.get(KEY)


@pytest.mark.parametrize("more", [b"\0", b"x" * 1024])
def test_a_file_with_something_behind_is_noticed(store: EmbeddingStore, path: Path, sound: bytes, more: bytes) -> None:
    path.write_bytes(sound + more)

    with pytest.raises(EmbeddingCorruptError):
        store.get(KEY)


@pytest.mark.parametrize(
    "header",
    [b"", b"{", b"null", b"[]", b'"x"', b"[" * 4000, b"\xff\xfe", b'{"key": {}, "form": 5}', b"1e999", b" " * 4096],
)
def test_a_header_that_is_none_is_noticed_though_its_checksum_is_right(
    store: EmbeddingStore, path: Path, sound: bytes, header: bytes
) -> None:
    path.write_bytes(forged(header, sound[features_at(sound) :]))

    with pytest.raises(EmbeddingCorruptError):
        store.get(KEY)


@pytest.mark.parametrize("named", ["", "float32", "zip", "int8-zst", "../int8", "INT8"])
def test_a_form_that_is_not_known_is_noticed(store: EmbeddingStore, path: Path, sound: bytes, named: str) -> None:
    path.write_bytes(forged(header_of(named), sound[features_at(sound) :]))

    with pytest.raises(EmbeddingCorruptError, match="form"):
        store.get(KEY)


def test_features_in_another_form_than_the_header_says_are_noticed(
    store: EmbeddingStore, form: Form, path: Path, sound: bytes
) -> None:
    for other in set(Form) - {form}:
        path.write_bytes(forged(header_of(other), sound[features_at(sound) :]))
        with pytest.raises(EmbeddingCorruptError):
            store.get(KEY)


def test_a_header_that_claims_gigabytes_costs_nothing(store: EmbeddingStore, path: Path, sound: bytes) -> None:
    rest = struct.pack("<I", 0xFFFFFFFF) + sound[40:]
    path.write_bytes(b"EWE2" + hashlib.sha256(rest).digest() + rest)

    with pytest.raises(EmbeddingCorruptError, match="header"):
        store.get(KEY)


@pytest.mark.parametrize("compressed", [Form.FLOAT16_ZSTD, Form.INT8_ZSTD])
def test_a_small_file_that_expands_to_gigabytes_takes_no_more_than_its_form(
    store: EmbeddingStore, path: Path, compressed: Form
) -> None:
    begun = zstd.ZstdCompressor()
    bomb = b"".join([*(begun.compress(bytes(1 << 24)) for _ in range(64)), begun.flush()])  # 1 GiB of zeros
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(forged(header_of(compressed), bomb))
    assert path.stat().st_size < 200_000

    tracemalloc.start()
    with pytest.raises(EmbeddingCorruptError, match="length"):
        store.get(KEY)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert most < 4 * compressed.plain_bytes


@pytest.mark.parametrize("compressed", [Form.FLOAT16_ZSTD, Form.INT8_ZSTD])
@pytest.mark.parametrize("length", [-1, 1])
def test_compressed_features_of_another_length_are_noticed(
    store: EmbeddingStore, path: Path, compressed: Form, length: int
) -> None:
    path.write_bytes(forged(header_of(compressed), zstd.compress(bytes(compressed.plain_bytes + length))))

    with pytest.raises(EmbeddingCorruptError):
        store.get(KEY)


def test_a_file_of_gigabytes_is_refused_unread(store: EmbeddingStore, path: Path) -> None:
    with path.open("wb") as file:
        file.write(b"EWE2")
        file.truncate(40 << 30)  # sparse

    tracemalloc.start()
    with pytest.raises(EmbeddingCorruptError, match="larger"):
        store.get(KEY)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    path.unlink()

    assert most < MOST_BYTES * 2


def test_a_whole_file_of_another_raster_is_not_taken(store: EmbeddingStore, path: Path, sound: bytes) -> None:
    other = EmbeddingKey("raster-2", KEY.recipe, KEY.model, KEY.window)
    place = path.parents[3] / other.relative_path()
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(sound)

    with pytest.raises(EmbeddingCorruptError, match="another window"):
        store.get(other)


@pytest.mark.parametrize("magic", [b"EWE0", b"EWE3", b"EWE1", b"\0\0\0\0"])
def test_a_file_of_another_layout_is_not_taken(store: EmbeddingStore, path: Path, sound: bytes, magic: bytes) -> None:
    path.write_bytes(magic + sound[4:])

    with pytest.raises(EmbeddingCorruptError):
        store.get(KEY)


def test_the_sound_file_is_read_again_once_it_is_back(store: EmbeddingStore, path: Path, sound: bytes) -> None:
    path.write_bytes(sound[:-1])
    with pytest.raises(EmbeddingCorruptError):
        store.get(KEY)
    path.write_bytes(sound)

    assert np.isfinite(store.get(KEY).image_embed).all()
