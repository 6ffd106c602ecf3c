"""Embeddings in an S3 bucket, over the network, with a bounded folder in front; and a bucket that is away."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ml.embeddings import (
    Bucket,
    Embedding,
    EmbeddingCache,
    EmbeddingCorruptError,
    EmbeddingKey,
    EmbeddingMissingError,
    EmbeddingStore,
    Folder,
    Form,
    Room,
    StoreUnreachableError,
)
from ml.embeddings.features import SHAPES
from ml.windows import Window
from tests.support.s3_server import make_bucket, serving

KEY = EmbeddingKey("raster-1", "a" * 64, "b" * 64, Window(0, 0))
KEYS = [replace(KEY, window=Window(number * 896, 0)) for number in range(4)]
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with serving() as address:
        yield address


@pytest.fixture
def url(server: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    for name, value in {**CREDENTIALS, "AWS_ENDPOINT_URL": server}.items():
        monkeypatch.setenv(name, value)
    name = f"edgewise-{abs(hash(request.node.name)) % 10**9}"
    make_bucket(server, name)
    return f"s3://{name}/embeddings"


def ones(value: float = 1.0) -> Embedding:
    return Embedding(*(np.full(shape, value, np.float32) for shape in SHAPES.values()))


def noise() -> Embedding:
    random = np.random.default_rng(1)
    return Embedding(*(random.normal(0, 1, shape).astype(np.float32) for shape in SHAPES.values()))


def store_of(url: str, folder: Path, most: int | None = None, form: Form = Form.FLOAT16_ZSTD) -> EmbeddingStore:
    front = Folder(folder)
    return EmbeddingStore(Bucket(url, front, Room(front, most) if most else None), lambda _: form)


def test_what_one_machine_writes_another_reads(url: str, tmp_path: Path) -> None:
    here, there = store_of(url, tmp_path / "here"), store_of(url, tmp_path / "there")
    with pytest.raises(EmbeddingMissingError):
        there.get(KEY)

    stored = here.put(KEY, ones())

    assert there.has(KEY, stored.nbytes)
    assert not there.has(KEY, stored.nbytes + 1)
    assert (there.get(KEY).image_embed == 1).all()
    assert Folder(tmp_path / "there").size(KEY.relative_path()) == stored.nbytes


def test_the_second_read_does_not_ask_the_bucket(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store_of(url, tmp_path / "here").put(KEY, ones())
    there = store_of(url, tmp_path / "there")
    there.get(KEY)

    monkeypatch.setattr(Bucket, "_fetched", None)

    assert (there.get(KEY).image_embed == 1).all()


def test_fifty_at_once_cause_one_fetch(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store_of(url, tmp_path / "here").put(KEY, ones())
    there, cache = store_of(url, tmp_path / "there"), EmbeddingCache(1 << 30)
    fetched: list[Path] = []
    fetch = Bucket._fetched

    def counting(self: Bucket, path: Path, most: int) -> bytes:
        fetched.append(path)
        return fetch(self, path, most)

    monkeypatch.setattr(Bucket, "_fetched", counting)
    got: list[Embedding] = []
    askers = [threading.Thread(target=lambda: got.append(cache.get_or_load(KEY, there.get))) for _ in range(50)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()

    assert len(fetched) == 1
    assert len(got) == 50
    assert all(one is got[0] for one in got)


def test_a_damaged_copy_in_front_is_fetched_again_and_a_damaged_original_is_said_to_be_one(
    url: str, tmp_path: Path
) -> None:
    store = store_of(url, tmp_path)
    store.put(KEY, ones())
    copy = tmp_path / KEY.relative_path()
    copy.write_bytes(copy.read_bytes()[:-1])

    assert (store.get(KEY).image_embed == 1).all()

    assert isinstance(store.shelf, Bucket)
    whole = copy.read_bytes()
    store.shelf.write(KEY.relative_path(), whole[:100] + bytes([whole[100] ^ 1]) + whole[101:])
    with pytest.raises(EmbeddingCorruptError):
        store.get(KEY)
    assert not copy.exists() or copy.read_bytes() != whole


def test_the_folder_in_front_stays_within_its_bound_and_the_bucket_keeps_all(url: str, tmp_path: Path) -> None:
    store = store_of(url, tmp_path, most=10_000_000, form=Form.INT8)
    for number, key in enumerate(KEYS):
        store.put(key, noise())
        for done in KEYS[:number]:  # as if it were long ago
            place = tmp_path / done.relative_path()
            if place.exists():
                os.utime(place, (1000 + number, 1000 + number))

    in_front = sum(entry.nbytes for entry in Folder(tmp_path).entries())
    assert 0 < in_front <= 10_000_000
    assert all(store.has(key) for key in KEYS)
    assert np.isfinite(store.get(KEYS[0]).image_embed).all()


def test_an_object_of_gigabytes_is_not_fetched(url: str, tmp_path: Path) -> None:
    store = store_of(url, tmp_path)
    assert isinstance(store.shelf, Bucket)
    store.shelf.write(KEY.relative_path(), bytes(12_000_000))
    store.shelf.front.delete(KEY.relative_path())

    with pytest.raises(EmbeddingCorruptError, match="larger"):
        store.get(KEY)

    assert store.shelf.front.size(KEY.relative_path()) is None


def test_a_removed_raster_has_nothing_left_here_or_there(url: str, tmp_path: Path) -> None:
    store, other = store_of(url, tmp_path), replace(KEY, raster="raster-2")
    for key in (*KEYS, other):
        store.put(key, ones())

    store.delete_raster("raster-1")
    store.delete(KEY)

    assert not any(store.has(key) for key in KEYS)
    assert store.has(other)
    assert [entry.path for entry in Folder(tmp_path).entries()] == [other.relative_path()]


def test_a_full_disk_in_front_does_not_stop_what_goes_to_the_bucket(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Folder, path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Folder, "write", full)
    store = store_of(url, tmp_path)
    store.put(KEY, ones())

    assert (store.get(KEY).image_embed == 1).all()


def test_a_bucket_that_is_not_there_is_said_in_words_and_nothing_is_taken_for_missing(url: str, tmp_path: Path) -> None:
    store = store_of("s3://no-such-bucket-here/embeddings", tmp_path)

    with pytest.raises(StoreUnreachableError, match="EDGEWISE_EMBEDDINGS"):
        store.put(KEY, ones())

    assert Folder(tmp_path).entries() == []


@pytest.mark.parametrize("silent", [False, True])
def test_a_server_that_is_away_or_silent_is_given_up_on_in_time_and_then_at_once(
    silent: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        if silent:
            listener.listen(8)
        for name, value in CREDENTIALS.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{listener.getsockname()[1]}")
        monkeypatch.setattr("ml.embeddings.bucket.ANSWER_SECONDS", 1)
        store = store_of("s3://away/embeddings", tmp_path)
        began = time.monotonic()
        with pytest.raises(StoreUnreachableError):
            store.get(KEY)
        assert time.monotonic() - began < 15

        began = time.monotonic()
        with pytest.raises(StoreUnreachableError):
            store.get(KEY)
        assert time.monotonic() - began < 0.5
