"""Embeddings on disk and in memory: what is read is what was written, or nothing."""

import hashlib
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
)
from ml.embeddings.features import SHAPES
from ml.embeddings.store import PAYLOAD_BYTES
from ml.windows import Window

KEY = EmbeddingKey("raster-1", "a" * 64, "b" * 64, Window(896, 0))


def embedding(seed: int = 0) -> Embedding:
    random = np.random.default_rng(seed)
    return Embedding(*(random.normal(0, 3, shape).astype(np.float32) for shape in SHAPES.values()))


def zeros() -> Embedding:
    return Embedding(*(np.zeros(shape, np.float32) for shape in SHAPES.values()))


@pytest.fixture
def store(tmp_path: Path) -> EmbeddingStore:
    return EmbeddingStore(tmp_path / "embeddings")


def files(store: EmbeddingStore) -> list[Path]:
    return sorted(path for path in store.root.rglob("*") if path.is_file())


def test_what_is_read_is_what_was_written_at_half_precision(store: EmbeddingStore) -> None:
    written = embedding()

    stored = store.put(KEY, written)
    read = store.get(KEY)

    for name in SHAPES:
        before, after = getattr(written, name), getattr(read, name)
        assert after.dtype == np.float32
        assert np.array_equal(after, before.astype(np.float16).astype(np.float32))
    assert stored.nbytes == (store.root / stored.path).stat().st_size
    assert PAYLOAD_BYTES == 8 * 1024 * 1024
    assert stored.nbytes < PAYLOAD_BYTES + 1024
    assert hashlib.sha256((store.root / stored.path).read_bytes()[-PAYLOAD_BYTES:]).hexdigest() == stored.sha256


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


def test_writing_again_replaces_in_one_step(store: EmbeddingStore) -> None:
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
    assert len(files(store)) == 1


def test_a_write_that_fails_leaves_the_old_file_and_nothing_beside_it(
    store: EmbeddingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put(KEY, zeros())

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        store.put(KEY, embedding())

    assert len(files(store)) == 1
    assert not store.get(KEY).image_embed.any()


def test_a_deleted_window_is_missing_and_deleting_twice_is_harmless(store: EmbeddingStore) -> None:
    store.put(KEY, zeros())

    store.delete(KEY)
    store.delete(KEY)

    assert not store.has(KEY)
    assert files(store) == []


def test_features_of_another_shape_are_refused() -> None:
    good = zeros()
    with pytest.raises(ValueError, match="image_embed has shape"):
        Embedding(good.image_embed[:, :, :32], good.high_res_feats_0, good.high_res_feats_1)


def test_values_beyond_half_precision_are_refused_rather_than_made_infinite(store: EmbeddingStore) -> None:
    large = zeros()
    large.image_embed[0, 0, 0, 0] = 1e6
    not_a_number = zeros()
    not_a_number.high_res_feats_0[0, 0, 0, 0] = np.nan

    for bad in (large, not_a_number):
        with pytest.raises(ValueError, match="half precision"):
            store.put(KEY, bad)
    assert not store.has(KEY)


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
