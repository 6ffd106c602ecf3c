"""Lon/lat rings as short text: the published encoded-polyline algorithm, at a precision of 1e-8 degrees.

Each coordinate is rounded, the difference to the one before is zigzagged and cut into 5-bit pieces, low ones first,
each plus 63 as an ASCII character. Order: longitude, latitude. 1e-8 degrees is about 1 mm on the ground.
"""

import numpy as np
import numpy.typing as npt
from shapely.geometry import Polygon
from shapely.geometry.base import BaseGeometry

PRECISION = 1e8


def encode_rings(geometry: BaseGeometry) -> list[list[str]]:
    """The parts of a polygon or multipolygon, each a list of rings, the outer one first."""
    parts = getattr(geometry, "geoms", [geometry])
    return [
        [encode_line(np.asarray(ring.coords)[:, :2]) for ring in (part.exterior, *part.interiors)]
        for part in parts
        if isinstance(part, Polygon)
    ]


def encode_line(lonlat: npt.NDArray[np.float64]) -> str:
    """One line of (N, 2) lon/lat as text."""
    steps = np.rint(lonlat * PRECISION).astype(np.int64)
    differences = np.diff(steps, axis=0, prepend=np.zeros((1, 2), np.int64)).ravel()
    return "".join(map(_encode_number, differences.tolist()))


def decode_line(text: str) -> npt.NDArray[np.float64]:
    """The (N, 2) lon/lat of a text made by `encode_line`. Raises `ValueError` for a cut-off text."""
    numbers, value, shift = [], 0, 0
    for character in text:
        piece = ord(character) - 63
        value |= (piece & 31) << shift
        shift += 5
        if piece < 32:
            numbers.append(~(value >> 1) if value & 1 else value >> 1)
            value, shift = 0, 0
    if shift or len(numbers) % 2:
        raise ValueError("the line is cut off")
    return np.cumsum(np.array(numbers, np.int64).reshape(-1, 2), axis=0) / PRECISION


def _encode_number(number: int) -> str:
    value = ~(number << 1) if number < 0 else number << 1
    pieces = []
    while value >= 32:
        pieces.append(chr((32 | (value & 31)) + 63))
        value >>= 5
    pieces.append(chr(value + 63))
    return "".join(pieces)
