"""Coming back to ground that is encoded: reading a window beside encoding it, fifty at once, and room on disk."""

import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from PIL import Image

from ml.embeddings import Embedding, EmbeddingCache, EmbeddingKey, EmbeddingStore, Folder, Form
from ml.embeddings.features import SHAPES
from ml.embeddings.forms import DEFAULT, pack, unpack
from ml.encode import OnnxEncoder
from ml.models import load_model
from ml.windows import SIZE, STRIDE, Window
from tests.bench.grounds import grounds, names
from tests.bench.harness import Gate, Row, bootstrap, interleaved, percentile, ratio
from tests.bench.reference import NO_WEIGHTS, reference
from tests.support import sam2_reference

ROW = "revisit.encode_over_read"
PAIRS, READS, KEPT_READS = 30, 15, 2000
GOAL = 500.0
KEPT_GOAL_MS = 1.0  # a hundredth of what feels like at once
OPENERS = 50
PIXELS_M = (0.3, 10.0)

p95 = partial(percentile, share=0.95)


@dataclass
class _Counted:
    """Reads a store, and counts how often."""

    read: Callable[[EmbeddingKey], Embedding]
    reads: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, key: EmbeddingKey) -> Embedding:
        """One embedding."""
        with self._lock:
            self.reads += 1
        return self.read(key)


def run() -> tuple[list[Row], list[str]]:
    """The rows `revisit.*`; nothing, and why, where torch or the weights are not there."""
    if not sam2_reference.available():
        return [], [f"{ROW}: {sam2_reference.MISSING}"]
    found = reference()
    if found is None:
        return [], [f"{ROW}: {NO_WEIGHTS}"]
    import torch

    torch.set_num_threads(1)
    pictures, left_out = grounds()
    model = load_model(found.model)
    encoder, predictor = OnnxEncoder(model), found.predictor()
    images = [Image.fromarray(picture.pixels) for picture in pictures]
    embeddings = [encoder.encode(picture.pixels) for picture in pictures]
    keys = [EmbeddingKey("0" * 32, "0" * 64, model.sha256, Window(number * SIZE, 0)) for number in range(len(pictures))]
    inputs = (model.name, str(DEFAULT), *names(pictures))
    with tempfile.TemporaryDirectory() as folder:
        store = EmbeddingStore(Folder(Path(folder)))
        stored = [store.put(key, one).nbytes for key, one in zip(keys, embeddings, strict=True)]
        timed = interleaved(
            lambda turn: store.get(keys[turn % len(keys)]),
            lambda turn: predictor.set_image(images[turn % len(images)]),
            PAIRS,
        )
        gates = (Gate("features_unlike_what_was_written", _changed(store, keys, embeddings), 0, "lower"),)
        value, spread = ratio(timed.theirs_cpu, timed.ours_cpu)
        extra = {
            "read_cpu_ms_p50": percentile(timed.ours_cpu, 0.5),
            "read_wall_ms_p95": p95(timed.ours_wall),
            "set_image_cpu_ms_p50": percentile(timed.theirs_cpu, 0.5),
            **{f"mb_per_km2_at_{pixel_m:g}_m": _mb_per_km2(stored, pixel_m) for pixel_m in PIXELS_M},
            **{f"{form}_mb_and_unpack_ms": _of_form(embeddings, form) for form in Form},
        }
        return [
            Row(ROW, value, GOAL, "higher", "x", PAIRS, spread, gates, inputs, extra),
            _from_memory(store, keys, gates, inputs),
            _many_at_once(store, keys[0], inputs),
        ], left_out


def _changed(store: EmbeddingStore, keys: Sequence[EmbeddingKey], embeddings: Sequence[Embedding]) -> int:
    """How many of the embeddings are not, to the last bit, what packing and unpacking them gives, or not twice so."""
    wrong = 0
    for key, written in zip(keys, embeddings, strict=True):
        wanted = unpack(pack(written, DEFAULT), DEFAULT)
        for read in (store.get(key), store.get(key)):
            wrong += any(getattr(read, name).tobytes() != getattr(wanted, name).tobytes() for name in SHAPES)
    return wrong


def _mb_per_km2(stored: Sequence[int], pixel_m: float) -> float:
    """Of a large raster, each of whose windows covers a stride by a stride of new ground."""
    return sum(stored) / len(stored) / 1e6 / (STRIDE * pixel_m / 1000) ** 2


def _of_form(embeddings: Sequence[Embedding], form: Form) -> list[float]:
    """MB a window on the disk, and the median processor ms of unpacking one."""
    packed = [pack(one, form) for one in embeddings]
    spent = []
    for turn in range(READS):
        begun = time.process_time()
        unpack(packed[turn % len(packed)], form)
        spent.append((time.process_time() - begun) * 1000)
    return [round(sum(map(len, packed)) / len(packed) / 1e6, 3), round(percentile(spent, 0.5), 2)]


def _from_memory(
    store: EmbeddingStore, keys: Sequence[EmbeddingKey], gates: tuple[Gate, ...], inputs: tuple[str, ...]
) -> Row:
    """An embedding that this process has in memory, as clicks after the first one have it."""
    cache, counted = EmbeddingCache(len(keys) * 2**25), _Counted(store.get)
    for key in keys:
        cache.get_or_load(key, counted)
    spent = []
    for turn in range(KEPT_READS):
        begun = time.perf_counter()
        cache.get_or_load(keys[turn % len(keys)], counted)
        spent.append((time.perf_counter() - begun) * 1000)
    gates = (*gates, Gate("reads_again", counted.reads - len(keys), 0, "lower"))
    return Row(
        "revisit.kept_p95_ms", p95(spent), KEPT_GOAL_MS, "lower", "ms", KEPT_READS, bootstrap(spent, p95), gates, inputs
    )


def _many_at_once(store: EmbeddingStore, key: EmbeddingKey, inputs: tuple[str, ...]) -> Row:
    """Fifty who open one window of a process at the same moment."""
    cache, counted = EmbeddingCache(2**26), _Counted(store.get)
    together = threading.Barrier(OPENERS)

    def opens(_: int) -> Embedding:
        together.wait()
        return cache.get_or_load(key, counted)

    with ThreadPoolExecutor(OPENERS) as people:
        seen = list(people.map(opens, range(OPENERS)))
    gates = (Gate("of_them_with_another_embedding", sum(one is not seen[0] for one in seen), 0, "lower"),)
    reads = float(counted.reads)
    return Row("revisit.reads_of_fifty", reads, 1, "lower", "reads", OPENERS, (reads, reads), gates, inputs)
