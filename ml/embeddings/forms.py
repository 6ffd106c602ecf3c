"""The forms in which features are stored: half precision or bytes, each plain or compressed.

Half precision keeps a mask as it is; bytes take half the room and move its border a little. DECISIONS.md says which
is the default, and what was measured of each.
"""

import sys
from collections.abc import Iterator
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from ml.embeddings.features import SHAPES, Embedding
from ml.embeddings.keys import EmbeddingCorruptError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

NUMBERS = sum(int(np.prod(shape)) for shape in SHAPES.values())
CHANNELS = sum(shape[1] for shape in SHAPES.values())
LEVEL = 3  # of Zstandard: 9 gains less than 2 % for four times the time
STEPS = 255
BLOCK = 1 << 18
SIGN_EXPONENT_FRACTION = np.int32(~0x70001FFF)  # of a half that was moved up by 13 bits, with its sign in all above

Bytes = bytes | memoryview


class Form(StrEnum):
    """How features are written.

    `float16`: half precision, one array after the other. `int8`: for each channel its least value and its step
    (float32), then a byte a value, rounded to the nearest of 256 steps between the channel's ends. `-zstd`: the same,
    compressed; of half precision the low bytes first, then the high ones, since only the high ones repeat.
    """

    FLOAT16 = "float16"
    FLOAT16_ZSTD = "float16-zstd"
    INT8 = "int8"
    INT8_ZSTD = "int8-zstd"

    @property
    def plain_bytes(self) -> int:
        """Bytes before compression: all that reading one can take."""
        if self in (Form.FLOAT16, Form.FLOAT16_ZSTD):
            return 2 * NUMBERS
        return 2 * 4 * CHANNELS + NUMBERS

    @property
    def usual_bytes(self) -> int:
        """About what one takes on the disk; SAM 2.1's features compress to 0.74 and 0.85, some models' to half that."""
        share = {Form.FLOAT16_ZSTD: 0.75, Form.INT8_ZSTD: 0.85}
        return round(self.plain_bytes * share.get(self, 1.0))

    @property
    def compressed(self) -> bool:
        """Whether Zstandard is applied."""
        return self in (Form.FLOAT16_ZSTD, Form.INT8_ZSTD)


DEFAULT = Form.FLOAT16_ZSTD
MOST_BYTES = Form.FLOAT16.plain_bytes + 64 * 1024  # of any form; Zstandard adds little to what does not compress


def pack(embedding: Embedding, form: Form) -> bytes:
    """The features in a form. Raises `ValueError` for numbers that the form cannot hold."""
    if form in (Form.FLOAT16, Form.FLOAT16_ZSTD):
        plain = b"".join(_halved(array) for array in _arrays(embedding))
        if form is Form.FLOAT16_ZSTD:
            plain = np.ascontiguousarray(np.frombuffer(plain, np.uint8).reshape(-1, 2).T).tobytes()
    else:
        plain = _stepped(embedding)
    return compressed(plain, LEVEL) if form.compressed else plain


def unpack(content: Bytes, form: Form) -> Embedding:
    """The features of what `pack` gave. Raises `EmbeddingCorruptError`; takes no more memory than the form needs."""
    plain = expanded(content, form.plain_bytes) if form.compressed else content
    if len(plain) != form.plain_bytes:
        raise EmbeddingCorruptError(f"{len(plain)} bytes are not {form}")
    if form is Form.FLOAT16_ZSTD:
        plain = _joined(plain)
    if form in (Form.FLOAT16, Form.FLOAT16_ZSTD):
        return Embedding(*_split(_widened(np.frombuffer(plain, "<i2"))))
    return _unstepped(memoryview(plain))


def _arrays(embedding: Embedding) -> Iterator[npt.NDArray[np.float32]]:
    for name in SHAPES:
        yield getattr(embedding, name)


def _split(numbers: npt.NDArray[np.float32]) -> Iterator[npt.NDArray[np.float32]]:
    at = 0
    for shape in SHAPES.values():
        count = int(np.prod(shape))
        yield numbers[at : at + count].reshape(shape)
        at += count


def _halved(feature: npt.NDArray[np.float32]) -> bytes:
    with np.errstate(over="ignore"):
        half = np.ascontiguousarray(feature, dtype="<f2")
    if not np.isfinite(half).all():
        raise ValueError("the features hold numbers that half precision cannot")
    return half.tobytes()


def _joined(plain: Bytes) -> memoryview:
    """All low bytes and then all high ones as the halves that they were of; fifteen times as fast as a transpose."""
    low, high = np.frombuffer(plain, np.uint8).reshape(2, -1)
    halves = high.astype("<u2")
    np.left_shift(halves, 8, out=halves)
    np.bitwise_or(halves, low, out=halves)
    return halves.data.cast("B")


def _widened(halves: npt.NDArray[np.int16]) -> npt.NDArray[np.float32]:
    """Finite half-precision numbers, given by their bits, in single precision: exactly `astype`, in a quarter its time.

    The bits of exponent and fraction go to their place in IEEE 754's single precision, the sign is carried along, and
    the exponent's other bias (127 instead of 15) is made good by 2 ** 112, exactly, also where a half is subnormal.
    """
    numbers = np.empty(len(halves), np.float32)
    bits = numbers.view(np.int32)
    for start in range(0, len(halves), BLOCK):  # small enough for the processor's cache
        block = slice(start, start + BLOCK)
        bits[block] = halves[block]
        bits[block] <<= 13
        bits[block] &= SIGN_EXPONENT_FRACTION
        numbers[block] *= np.float32(2.0**112)
    return numbers


def _stepped(embedding: Embedding) -> bytes:
    """Least value and step of every channel, then the steps. A channel that never changes has the step 0."""
    lows, steps, bytes_of = [], [], []
    for array in _arrays(embedding):
        values = array.reshape(array.shape[1], -1)
        low, high = values.min(axis=1, keepdims=True), values.max(axis=1, keepdims=True)
        with np.errstate(over="ignore", invalid="ignore"):
            step = (high - low) / np.float32(STEPS)
        if not (np.isfinite(low).all() and np.isfinite(step).all()):
            raise ValueError("the features hold numbers that are not finite")
        taken = np.rint((values - low) / np.where(step > 0, step, 1))
        lows.append(low.ravel())
        steps.append(step.ravel())
        bytes_of.append(np.clip(taken, 0, STEPS).astype(np.uint8).tobytes())
    channels = np.concatenate([*lows, *steps]).astype("<f4").tobytes()
    return channels + b"".join(bytes_of)


def _unstepped(plain: memoryview) -> Embedding:
    channels = np.frombuffer(plain, "<f4", 2 * CHANNELS)
    lows, steps = channels[:CHANNELS, None], channels[CHANNELS:, None]
    if not np.isfinite(channels).all():
        raise EmbeddingCorruptError("the channels' ends are not finite")
    arrays, at, channel = [], channels.nbytes, 0
    for shape in SHAPES.values():
        count, many = int(np.prod(shape)), shape[1]
        taken = np.frombuffer(plain, np.uint8, count, at).reshape(many, -1)
        values = taken * steps[channel : channel + many]
        values += lows[channel : channel + many]
        arrays.append(values.reshape(shape))
        at, channel = at + count, channel + many
    return Embedding(*arrays)


def compressed(plain: bytes, level: int) -> bytes:
    """By Zstandard."""
    return zstd.compress(plain, level)


def expanded(content: Bytes, most: int) -> bytes:
    """Decompressed, `most` bytes at most: a small file cannot ask for gigabytes. Raises `EmbeddingCorruptError`."""
    one = zstd.ZstdDecompressor()
    try:
        plain = one.decompress(content, most + 1)
    except (zstd.ZstdError, MemoryError) as error:
        raise EmbeddingCorruptError("damaged compressed data") from error
    if not one.eof or one.unused_data or len(plain) > most:
        raise EmbeddingCorruptError("compressed data of another length")
    return plain
