"""Embeddings on disk and in memory: what is read is what was written, or nothing."""

import hashlib
import json
import os
import struct
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from ml.embeddings import (
    Embedding,
    EmbeddingCache,
    EmbeddingCorruptError,
    EmbeddingKey,
    EmbeddingMissingError,
    EmbeddingStore,
    Folder,
    Form,
)
from ml.embeddings.features import SHAPES
from ml.embeddings.forms import DEFAULT, pack, unpack
from ml.windows import Window

KEY = EmbeddingKey("raster-1", "a" * 64, "b" * 64, Window(896, 0))


def embedding(seed: int = 0) -> Embedding:
    random = np.random.default_rng(seed)
    return Embedding(*(random.normal(0, 3, shape).astype(np.float32) for shape in SHAPES.values()))


def zeros() -> Embedding:
    return Embedding(*(np.zeros(shape, np.float32) for shape in SHAPES.values()))


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "embeddings")


@pytest.fixture
def store(folder: Folder) -> EmbeddingStore:
    return EmbeddingStore(folder)


def in_form(folder: Folder, form: Form) -> EmbeddingStore:
    return EmbeddingStore(folder, lambda _: form)


def files(folder: Folder) -> list[Path]:
    return sorted(path for path in folder.root.rglob("*") if path.is_file())


@pytest.mark.parametrize("form", [Form.FLOAT16, Form.FLOAT16_ZSTD])
def test_half_precision_is_read_as_it_was_written(folder: Folder, form: Form) -> None:
    written = embedding()

    stored = in_form(folder, form).put(KEY, written)
    read = EmbeddingStore(folder).get(KEY)

    for name in SHAPES:
        before, after = getattr(written, name), getattr(read, name)
        assert after.dtype == np.float32
        assert np.array_equal(after, before.astype(np.float16).astype(np.float32))
    content = (folder.root / stored.path).read_bytes()
    assert stored.nbytes == len(content)
    assert hashlib.sha256(content[36:]).hexdigest() == content[4:36].hex() == stored.sha256


@pytest.mark.parametrize("form", [Form.FLOAT16, Form.FLOAT16_ZSTD])
def test_every_finite_half_is_read_to_the_last_bit(form: Form) -> None:
    bits = np.arange(2**16, dtype=np.uint16)
    halves = bits.view(np.float16)
    halves = halves[np.isfinite(halves)]
    assert len(halves) == 2 * 31 * 2**10
    arrays = [np.resize(halves, shape).astype(np.float32) for shape in SHAPES.values()]
    read = unpack(pack(Embedding(*arrays), form), form)
    for name, written in zip(SHAPES, arrays, strict=True):
        assert getattr(read, name).tobytes() == written.tobytes(), name


@pytest.mark.parametrize("form", [Form.INT8, Form.INT8_ZSTD])
def test_bytes_are_within_half_a_step_of_what_was_written_in_every_channel(folder: Folder, form: Form) -> None:
    written = embedding()
    written.image_embed[0, 7] = 3.25  # a channel that never changes
    written.high_res_feats_0[0, 3, 0, 0] = 500.0  # one with an outlier, which costs no other channel anything

    in_form(folder, form).put(KEY, written)
    read = EmbeddingStore(folder).get(KEY)

    for name in SHAPES:
        before, after = getattr(written, name)[0], getattr(read, name)[0]
        step = (before.max(axis=(1, 2)) - before.min(axis=(1, 2))) / 255
        off = np.abs(after - before).max(axis=(1, 2))
        assert (off <= step * 0.501 + 1e-5).all()
    assert (read.image_embed[0, 7] == 3.25).all()


@pytest.mark.parametrize("form", list(Form))
def test_reading_twice_gives_the_same_to_the_last_bit(form: Form) -> None:
    content = pack(embedding(), form)

    first, second = unpack(content, form), unpack(memoryview(content), form)

    assert all(getattr(first, name).tobytes() == getattr(second, name).tobytes() for name in SHAPES)


def test_each_form_is_as_large_as_it_says(folder: Folder) -> None:
    sizes = {form: in_form(folder, form).put(KEY, embedding()).nbytes for form in Form}

    assert Form.FLOAT16.plain_bytes == 8 * 1024 * 1024
    assert Form.INT8.plain_bytes == 4 * 1024 * 1024 + 2 * 4 * 352
    for form in (Form.FLOAT16, Form.INT8):
        assert 0 < sizes[form] - form.plain_bytes < 1024
    for form in (Form.FLOAT16_ZSTD, Form.INT8_ZSTD):
        assert sizes[form] < form.plain_bytes  # even of noise


def test_every_form_is_read_whatever_is_written_now(folder: Folder) -> None:
    for form in Form:
        in_form(folder, form).put(KEY, zeros())
        assert not EmbeddingStore(folder, lambda _: Form.INT8).get(KEY).image_embed.any()
    assert DEFAULT is Form.FLOAT16_ZSTD


def test_the_form_is_chosen_by_the_model(folder: Folder) -> None:
    store = EmbeddingStore(folder, lambda model: Form.INT8 if model == KEY.model else Form.FLOAT16)
    other = EmbeddingKey(KEY.raster, KEY.recipe, "c" * 64, KEY.window)

    assert store.put(KEY, zeros()).nbytes < store.put(other, zeros()).nbytes // 2 + 4096


def test_a_file_of_the_first_layout_is_still_read(folder: Folder, store: EmbeddingStore) -> None:
    written = embedding()
    features = b"".join(getattr(written, name).astype("<f2").tobytes() for name in SHAPES)
    header = json.dumps({"key": KEY.as_json(), "sha256": hashlib.sha256(features).hexdigest()}).encode()
    folder.write(KEY.relative_path(), b"EWE1" + struct.pack("<I", len(header)) + header + features)

    read = store.get(KEY)

    assert np.array_equal(read.image_embed, written.image_embed.astype(np.float16).astype(np.float32))


def test_a_window_that_was_never_encoded_is_missing(store: EmbeddingStore) -> None:
    with pytest.raises(EmbeddingMissingError):
        store.get(KEY)
    assert not store.has(KEY)


def test_each_part_of_the_key_has_its_own_file(store: EmbeddingStore) -> None:
    others = [
        EmbeddingKey("raster-2", KEY.recipe, KEY.model, KEY.window),
        EmbeddingKey(KEY.raster, "c" * 64, KEY.model, KEY.window),
        EmbeddingKey(KEY.raster, KEY.recipe, "c" * 64, KEY.window),
        EmbeddingKey(KEY.raster, KEY.recipe, KEY.model, Window(896, 1)),
        EmbeddingKey(KEY.raster, KEY.recipe, KEY.model, Window(896, 0, 512)),
    ]
    store.put(KEY, zeros())

    assert store.has(KEY)
    assert not any(store.has(other) for other in others)
    assert len({str(key.relative_path()) for key in (KEY, *others)}) == 6


def test_a_file_in_the_place_of_another_window_is_not_taken_for_it(store: EmbeddingStore) -> None:
    other = EmbeddingKey(KEY.raster, KEY.recipe[:16] + "f" * 48, KEY.model, KEY.window)
    stored = store.put(KEY, zeros())
    assert other.relative_path() == Path(stored.path)  # the same folder: only the header tells them apart

    with pytest.raises(EmbeddingCorruptError, match="another window"):
        store.get(other)


def test_writing_again_replaces_in_one_step(folder: Folder, store: EmbeddingStore) -> None:
    store.put(KEY, zeros())
    wrong: list[str] = []
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            try:
                first = float(store.get(KEY).image_embed.flat[0])
            except (EmbeddingMissingError, EmbeddingCorruptError) as error:
                wrong.append(str(error))
            else:
                if first not in (0.0, 1.0):
                    wrong.append(str(first))

    reader = threading.Thread(target=read)
    reader.start()
    ones = Embedding(*(np.ones(shape, np.float32) for shape in SHAPES.values()))
    for _ in range(6):
        store.put(KEY, ones)
    stop.set()
    reader.join()

    assert wrong == []
    assert store.get(KEY).image_embed.flat[0] == 1.0
    assert len(files(folder)) == 1


def test_a_write_that_fails_leaves_the_old_file_and_nothing_beside_it(
    folder: Folder, store: EmbeddingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put(KEY, zeros())

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        store.put(KEY, embedding())

    assert len(files(folder)) == 1
    assert not store.get(KEY).image_embed.any()


def test_a_deleted_window_is_missing_and_deleting_twice_is_harmless(folder: Folder, store: EmbeddingStore) -> None:
    store.put(KEY, zeros())

    store.delete(KEY)
    store.delete(KEY)

    assert not store.has(KEY)
    assert files(folder) == []


def test_features_of_another_shape_are_refused() -> None:
    good = zeros()
    with pytest.raises(ValueError, match="image_embed has shape"):
        Embedding(good.image_embed[:, :, :32], good.high_res_feats_0, good.high_res_feats_1)


@pytest.mark.parametrize("form", list(Form))
def test_values_beyond_a_form_are_refused_rather_than_made_infinite(folder: Folder, form: Form) -> None:
    large = zeros()
    large.image_embed[0, 0, 0, 0] = 1e6
    not_a_number = zeros()
    not_a_number.high_res_feats_0[0, 0, 0, 0] = np.nan
    store = in_form(folder, form)

    for bad in (not_a_number, *([large] if form in (Form.FLOAT16, Form.FLOAT16_ZSTD) else [])):
        with pytest.raises(ValueError, match=r"half precision|not finite"):
            store.put(KEY, bad)
    assert not store.has(KEY)


def test_what_is_used_is_noted_on_the_file_for_every_process(folder: Folder, store: EmbeddingStore) -> None:
    store.put(KEY, zeros())
    os.utime(folder.root / KEY.relative_path(), (1000, 1000))
    (entry,) = folder.entries()
    assert entry.used == 1000

    store.use(KEY)

    (entry,) = Folder(folder.root).entries()
    assert time.time() - entry.used < 5
    assert (folder.root / KEY.relative_path()).stat().st_mtime == 1000


def test_the_rest_of_a_killed_writer_is_swept_once_it_is_old(folder: Folder, store: EmbeddingStore) -> None:
    store.put(KEY, zeros())
    place = (folder.root / KEY.relative_path()).parent
    old, new = place / ".old.ewe.123", place / ".new.ewe.456"
    for aside in (old, new):
        aside.write_bytes(b"half")
    os.utime(old, (1000, 1000))

    assert [entry.path for entry in folder.entries()] == [KEY.relative_path()]

    assert not old.exists()
    assert new.exists()


class Loads:
    """A loader that counts, and can be made to wait or fail."""

    def __init__(self) -> None:
        self.keys: list[EmbeddingKey] = []
        self.seconds = 0.0
        self.error: Exception | None = None

    def __call__(self, key: EmbeddingKey) -> Embedding:
        self.keys.append(key)
        time.sleep(self.seconds)
        if self.error:
            raise self.error
        return zeros()


def keys(count: int) -> list[EmbeddingKey]:
    return [EmbeddingKey("r", "a", "b", Window(index, 0)) for index in range(count)]


SIZE = zeros().nbytes


def test_a_kept_embedding_is_loaded_once() -> None:
    cache, load = EmbeddingCache(10 * SIZE), Loads()

    first = cache.get_or_load(KEY, load)

    assert cache.get_or_load(KEY, load) is first
    assert load.keys == [KEY]
    assert cache.nbytes == SIZE


def test_the_least_recently_used_goes_first_and_the_bound_holds() -> None:
    cache, load = EmbeddingCache(3 * SIZE), Loads()
    a, b, c, d = keys(4)
    for key in (a, b, c, a, d):  # a is used again before d comes: b goes
        cache.get_or_load(key, load)

    assert cache.nbytes == 3 * SIZE
    load.keys.clear()
    for key in (a, c, d):
        cache.get_or_load(key, load)
    assert load.keys == []
    cache.get_or_load(b, load)
    assert load.keys == [b]


def test_many_who_ask_at_once_cause_one_load() -> None:
    cache, load = EmbeddingCache(10 * SIZE), Loads()
    load.seconds = 0.2

    with ThreadPoolExecutor(20) as pool:
        got = list(pool.map(lambda _: cache.get_or_load(KEY, load), range(20)))

    assert len(load.keys) == 1
    assert all(embedding is got[0] for embedding in got)


def test_a_load_that_fails_fails_for_all_who_wait_and_is_tried_again_by_the_next() -> None:
    cache, load = EmbeddingCache(10 * SIZE), Loads()
    load.seconds, load.error = 0.2, EmbeddingMissingError("gone")

    with ThreadPoolExecutor(5) as pool:
        asked = [pool.submit(cache.get_or_load, KEY, load) for _ in range(5)]
        failed = [future.exception() for future in asked]
    assert {type(error) for error in failed} == {EmbeddingMissingError}
    assert cache.nbytes == 0

    load.error, load.seconds = None, 0
    assert cache.get_or_load(KEY, load).nbytes == SIZE


def test_a_forgotten_embedding_is_loaded_anew() -> None:
    cache, load = EmbeddingCache(10 * SIZE), Loads()
    cache.get_or_load(KEY, load)

    cache.forget(KEY)
    cache.forget(KEY)

    assert cache.nbytes == 0
    cache.get_or_load(KEY, load)
    assert len(load.keys) == 2


def test_one_window_that_is_forgotten_while_it_is_read_is_not_kept() -> None:
    """Otherwise what was encoded anew meanwhile would never be seen."""
    cache = EmbeddingCache(10 * SIZE)

    def load(key: EmbeddingKey) -> Embedding:
        cache.forget(key)
        return zeros()

    cache.get_or_load(KEY, load)

    assert cache.nbytes == 0


def test_the_bound_holds_under_many_threads() -> None:
    cache, load = EmbeddingCache(2 * SIZE), Loads()
    wanted = keys(5)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda index: cache.get_or_load(wanted[index % 5], load), range(80)))

    assert cache.nbytes <= 2 * SIZE
