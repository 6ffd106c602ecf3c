"""Evens outlines out: a Gaussian along each ring, with the area given back, that never crosses itself."""

import math

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from ml.vectorize.simplify import area_given_back, on_sides

FINEST = 3.0  # points along one standard deviation
GIVING_WAY = 5  # how often a smoothing that would cross itself is halved before it is left out
FEWEST = 8  # points on a ring

Floats = npt.NDArray[np.float64]


def smoothed(geometry: BaseGeometry, length: float, fixed: Polygon) -> BaseGeometry:
    """A polygon or multipolygon without wiggles shorter than `length`, in the unit of the coordinates.

    A Gaussian with a standard deviation of length / pi along each ring, as evenly spaced points: a wiggle of that
    wavelength keeps exp(-2) of its height. Rings keep their area. Vertices on the sides of the box `fixed` (where the
    field of logits ends) stay. Where the result is not valid, half the length is tried, and so on; at last the
    geometry itself. Coordinates of equal scale along x and y.
    """
    for attempt in range(GIVING_WAY):
        found = _evened(geometry, length / math.pi / 2**attempt, fixed.bounds)
        if found.is_valid and not found.is_empty:
            return area_given_back(found, geometry, length / 2**attempt, fixed)
    return geometry


def _evened(geometry: BaseGeometry, sigma: float, sides: tuple[float, ...]) -> BaseGeometry:
    parts = [
        Polygon(_ring(part.exterior, sigma, sides), [_ring(hole, sigma, sides) for hole in part.interiors])
        for part in shapely.get_parts(geometry)
    ]
    return parts[0] if len(parts) == 1 else MultiPolygon(parts)


def _ring(ring: shapely.LinearRing, sigma: float, sides: tuple[float, ...]) -> Floats:
    """Points of the smoothed ring, by its transfer function. Small rings are smoothed less: they would go."""
    length = ring.length
    sigma = min(sigma, length / 24)
    count = max(FEWEST, math.ceil(length / sigma * FINEST))
    points = shapely.get_coordinates(shapely.line_interpolate_point(ring, np.arange(count) * (length / count)))
    passed = np.exp(-2 * (np.pi * sigma / length * np.arange(count // 2 + 1)) ** 2)
    even: Floats = np.fft.irfft(np.fft.rfft(points, axis=0) * passed[:, None], n=count, axis=0)
    stays = on_sides(points, sides)
    even[stays] = points[stays]
    return even
