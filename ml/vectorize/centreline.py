"""Roads, tracks and streams as lines along their middle, each with its width."""

import math
from dataclasses import dataclass

import numpy as np
import shapely
from shapely.geometry import LineString, Polygon
from shapely.geometry.base import BaseGeometry

from ml.vectorize.skeleton import Branch, Floats, branches_of

LEAST_LENGTH_WIDTHS = 2.0  # what is shorter than so many widths is no road
LEAST_IOU = 0.5  # of the ground that the lines cover with the outline
SMOOTH_WIDTHS = 0.5  # standard deviation of the smoothing along a line; at least so many accuracies
REACH_RADII = 4.0  # how far an end is looked for beyond the axis
CALM = 8.0  # of the accuracy: points of the outline that are nearer to a side say nothing about the middle


@dataclass(frozen=True, eq=False)
class Centreline:
    """Lines that meet in shared points, and the width of each in the coordinates' unit."""

    lines: tuple[LineString, ...]
    widths: tuple[float, ...]

    def ground(self) -> BaseGeometry:
        """What the lines cover at their widths; loose ends are cut off straight."""
        return shapely.union_all(
            [
                shapely.buffer(line, width / 2, cap_style="flat")
                for line, width in zip(self.lines, self.widths, strict=True)
            ]
            + [shapely.buffer(shapely.points(place), width / 2) for place, width in self._junctions()]
        )

    def _junctions(self) -> list[tuple[tuple[float, float], float]]:
        """The points where several lines end, each with the least of their widths."""
        met: dict[tuple[float, float], list[float]] = {}
        for line, width in zip(self.lines, self.widths, strict=True):
            for place in (line.coords[0], line.coords[-1]):
                met.setdefault(place, []).append(width)
        return [(place, min(widths)) for place, widths in met.items() if len(widths) > 1]


def centreline_of(
    outline: Polygon, accuracy: float, tolerance: float, *, least: float | None = None, width: float | None = None
) -> Centreline | None:
    """The middle of a long outline as lines; None for an outline that is no road.

    The medial axis (see `skeleton`) without spurs, its branches straight within the width of a junction, smoothed
    over half a width, loose ends led on to the outline's end, simplified within `tolerance` (Douglas-Peucker).
    A line's width is the median of twice the distance to the outline, junctions left out, or `width`. `least` is the
    shortest side branch that is kept. A road is at least twice as long as wide, and its lines at their widths cover
    the ground of the outline (IoU 0.5). All lengths in the unit of the coordinates, which is the same along x and y;
    `accuracy` is the outline's.
    """
    if not outline.is_valid or outline.area <= 0:
        return None
    calm = shapely.simplify(outline, accuracy / CALM)
    branches = branches_of(calm, _spacing(outline, accuracy), least)
    if not branches:
        return None
    widths = [_width(branch) for branch in branches]
    calming = [SMOOTH_WIDTHS * max(wide, accuracy) for wide in widths]
    lines = [_line(*of, outline, tolerance) for of in zip(branches, widths, calming, strict=True)]
    kept = [(line, wide) for line, wide in zip(lines, widths, strict=True) if line.length > 0]
    if not kept:
        return None
    lines, widths = [line for line, _ in kept], [wide for _, wide in kept]
    found = Centreline(tuple(lines), tuple(widths))
    if sum(line.length for line in lines) < LEAST_LENGTH_WIDTHS * max(widths):
        return None
    ground = found.ground()
    both = float(shapely.area(shapely.intersection(ground, outline)))
    if both / (ground.area + outline.area - both) < LEAST_IOU:
        return None
    return found if width is None else Centreline(found.lines, (width,) * len(lines))


def _spacing(outline: Polygon, accuracy: float) -> float:
    """Of the points along the outline: a fifth of its mean width (twice area over perimeter), no finer than needed."""
    return float(max(2 * outline.area / outline.length / 5, accuracy))


def _width(branch: Branch) -> float:
    """The median of twice the distance to the outline, but for the places within the ends' own circles."""
    from_first = np.hypot(*(branch.places - branch.places[0]).T)
    from_last = np.hypot(*(branch.places - branch.places[-1]).T)
    clear = (from_first > branch.radii[0]) & (from_last > branch.radii[-1])
    return float(2 * np.median(branch.radii[clear] if clear.any() else branch.radii))


def _line(branch: Branch, width: float, calming: float, outline: Polygon, tolerance: float) -> LineString:
    places = _straight_in_junctions(branch)
    for last in (False, True):
        if branch.loose[last]:
            places = _led_on(places[::-1] if not last else places, outline, width)
            places = places[::-1] if not last else places
    smooth = _smoothed(places, calming)
    return shapely.simplify(LineString(smooth), tolerance, preserve_topology=False)


def _straight_in_junctions(branch: Branch) -> Floats:
    """The branch's places without those within the circle of a junction, where the axis bends towards side roads."""
    keep = np.ones(len(branch.places), dtype=bool)
    for end, loose in zip((0, -1), branch.loose, strict=True):
        if not loose:
            keep &= np.hypot(*(branch.places - branch.places[end]).T) > branch.radii[end]
    keep[[0, -1]] = True
    return branch.places[keep] if keep.sum() > 2 or branch.nodes[0] != branch.nodes[1] else branch.places


def _led_on(places: Floats, outline: Polygon, width: float) -> Floats:
    """The line led straight on from its last place to the outline, in the direction of its last width."""
    back = np.hypot(*(places - places[-1]).T)
    before = places[np.flatnonzero(back >= min(width, back.max()))[-1]]
    step = places[-1] - before
    ray = LineString([places[-1], places[-1] + step / np.hypot(*step) * REACH_RADII * width / 2])
    met = shapely.get_coordinates(shapely.intersection(ray, outline.boundary))
    if not len(met):
        return places
    return np.vstack([places, met[np.hypot(*(met - places[-1]).T).argmin()]])


def _smoothed(places: Floats, sigma: float) -> Floats:
    """A Gaussian along the line, its ends fixed: beyond them the line goes on turned by half a turn."""
    line = LineString(places)
    if line.length < sigma / 2:  # too short to bend; or of no length, where a mask is a hair
        return places
    count = max(3, math.ceil(line.length / sigma * 3) + 1)
    even = shapely.get_coordinates(shapely.line_interpolate_point(line, np.linspace(0, line.length, count)))
    step = line.length / (count - 1)
    reach = min(math.ceil(3 * sigma / step), count - 1)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) * step / sigma) ** 2)
    before, after = 2 * even[0] - even[reach:0:-1], 2 * even[-1] - even[-2 : -reach - 2 : -1]
    long = np.vstack([before, even, after])
    smooth = np.column_stack([np.convolve(axis, kernel / kernel.sum(), mode="valid") for axis in long.T])
    smooth[[0, -1]] = places[[0, -1]]
    return smooth
