"""Lon/lat rings as short text: the published encoded-polyline algorithm, with as many digits as the pixels deserve.

Each coordinate is rounded, the difference to the one before is zigzagged and cut into 5-bit pieces, low ones first,
each plus 63 as an ASCII character. Order: longitude, latitude. `digits` are those after the decimal point of a degree.
"""

import math

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry import Polygon
from shapely.geometry.base import BaseGeometry

METRES_PER_DEGREE = 111_320  # of latitude; a degree of longitude is never longer
STEPS_PER_PIXEL = 10
FEWEST, MOST = 5, 9
SHIFTS = np.arange(0, 40, 5)  # a difference of 360 degrees at nine digits has 40 bits


def digits_for(pixel_m: float) -> int:
    """Digits by which no coordinate is off by more than a twentieth of a pixel."""
    return min(MOST, max(FEWEST, math.ceil(math.log10(STEPS_PER_PIXEL * METRES_PER_DEGREE / pixel_m))))


def encode_rings(geometry: BaseGeometry, digits: int) -> list[list[str]]:
    """The parts of a polygon or multipolygon, each a list of rings, the outer one first; valid once rounded."""
    rounded = shapely.transform(geometry, lambda lonlat: np.round(lonlat, digits))
    if not rounded.is_valid:
        rounded = shapely.set_precision(geometry, 10.0**-digits)
    return [
        [encode_line(shapely.get_coordinates(ring), digits) for ring in (part.exterior, *part.interiors)]
        for part in shapely.get_parts(rounded)
        if isinstance(part, Polygon) and not part.is_empty
    ]


def encode_line(lonlat: npt.NDArray[np.float64], digits: int) -> str:
    """One line of (N, 2) lon/lat as text."""
    steps = np.rint(lonlat * 10.0**digits).astype(np.int64)
    differences = np.diff(steps, axis=0, prepend=np.zeros((1, 2), np.int64)).ravel()
    return _letters(differences)


def decode_line(text: str, digits: int) -> npt.NDArray[np.float64]:
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
    return np.cumsum(np.array(numbers, np.int64).reshape(-1, 2), axis=0) / 10.0**digits


def _letters(numbers: npt.NDArray[np.int64]) -> str:
    """Whole numbers (N,) one after another, each as its pieces of 5 bits, low ones first."""
    zigzag = (numbers << 1) ^ (numbers >> 63)
    pieces = zigzag[:, None] >> SHIFTS & 31
    used = np.maximum(1, np.count_nonzero(zigzag[:, None] >> SHIFTS, axis=1))
    more = 32 * (np.arange(len(SHIFTS)) < (used - 1)[:, None])
    kept = np.arange(len(SHIFTS)) < used[:, None]
    text: str = (pieces + more + 63)[kept].astype(np.uint8).tobytes().decode("ascii")
    return text
