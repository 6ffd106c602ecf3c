"""From mask logits to the shape that a class's recipe asks for; the same again at any time from the same mask."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry import LineString, MultiLineString, MultiPolygon, Polygon, box
from shapely.geometry.base import BaseGeometry

from ml.vectorize.centreline import centreline_of
from ml.vectorize.forms import Forming, forming
from ml.vectorize.placing import Placing
from ml.vectorize.recipe import Recipe
from ml.vectorize.right_angles import Direction
from ml.vectorize.simplify import douglas_peucker, only, polygons_only, rising_tolerances, visvalingam
from ml.vectorize.smooth import smoothed
from ml.vectorize.trace import Contour, Kept, contour_of
from ml.windows import Window

AUTOMATIC_PX = {"visvalingam": 2.0, "douglas_peucker": 0.5}  # the tolerance where a recipe names none
SMALL_PX = 64.0  # an object of a smaller side, the root of its area, has its tolerance scaled with its side
MAX_VERTICES = 160  # beyond it the tolerance is raised: nobody edits more by hand, and an answer stays small
MAX_TOLERANCE_PX = 4.0  # of Douglas-Peucker
GREATEST_PX = {"visvalingam": 8.0, "douglas_peucker": MAX_TOLERANCE_PX, "none": 0.0}  # for shapes of too many vertices
RAW_VERTICES = 16  # so many times what is allowed in the end is not worth tracing: the mask is calmed first
DETAIL_SIDE = 4.0  # where the tolerance had to be raised, parts and holes of a side below so many tolerances go too
NO_BOUND = 2**40  # vertices


@dataclass(frozen=True, eq=False)
class Outlined:
    """What a recipe made of a mask. Coordinates are raster pixels, edge convention, within the raster.

    `formed` says that at least one part got the form asked for; where none did, the shape is the natural outline.
    Of centrelines `lines` and `widths_m` are the lines, with shared points where they meet, and how wide each is; the
    shape is all lines together, or the ground that they cover where the recipe asks for it.
    """

    shape: BaseGeometry
    formed: bool
    placing: Placing
    traced: Callable[[], BaseGeometry | None]
    lines: tuple[LineString, ...] = ()
    widths_m: tuple[float, ...] = ()
    ground: BaseGeometry | None = None  # what the lines cover

    @cached_property
    def plain(self) -> BaseGeometry:
        """The mask's outline as it is, but for specks and pinholes: what `iou` and `hausdorff_m` measure against."""
        return self.traced() or self.shape

    @cached_property
    def vertices(self) -> int:
        """Of the shape; the point that closes a ring counts once."""
        return _vertices(self.shape)

    @cached_property
    def raw_vertices(self) -> int:
        """Of the plain outline."""
        return _vertices(self.plain)

    @cached_property
    def iou(self) -> float:
        """Of the shape (of lines: what they cover) and the plain outline: intersection over union, 0 to 1."""
        both = float(shapely.area(shapely.intersection(self._covered, self.plain)))
        either = float(shapely.area(self._covered) + shapely.area(self.plain)) - both
        return min(1.0, both / either) if either > 0 else 0.0

    @cached_property
    def hausdorff_m(self) -> float:
        """Metres between the outlines of both where they are furthest from each other."""
        ours, theirs = (
            shapely.transform(shape.boundary, lambda xy: xy * self.placing.pixel_m)
            for shape in (self._covered, self.plain)
        )
        return float(shapely.hausdorff_distance(ours, theirs))

    @property
    def _covered(self) -> BaseGeometry:
        return self.shape if self.ground is None else self.ground


def outline(
    logits: npt.NDArray[np.float32],
    placing: Placing,
    recipe: Recipe,
    points: npt.ArrayLike = (),
    *,
    max_vertices: int | None = None,
    group: Sequence[Direction] = (),
) -> Outlined | None:
    """The shape that a recipe makes of logits (h, w), above 0 inside; None where there is no mask.

    Pure and deterministic: the same mask gives the same shape, so an outline can be made again by another recipe.
    `points` (N, 2), raster pixels, are the positive prompts: the parts that hold them stay, whatever their size.
    Where the recipe leaves the tolerance to the pixels, it grows up to 4 px (8 for Visvalingam; 2 % of the side of
    large objects) for shapes of more than `max_vertices` (160 if None); small parts and holes go then too, and a mask
    of sixteen times as many raw vertices is calmed first, by halving its grid. With a tolerance in metres that is done
    only where `max_vertices` is given, without simplification never. `group` are the directions of the neighbours'
    walls (`wall_directions`), for recipes that follow them. The rest is in `Recipe`.
    """
    automatic = recipe.tolerance_m is None
    return _outlined(
        logits,
        placing,
        recipe,
        points,
        most=max_vertices or (MAX_VERTICES if automatic else NO_BOUND),
        most_px=GREATEST_PX[recipe.simplify],
        form=forming(recipe.form, placing.pixel_m, group if recipe.group_directions else ()),
    )


def polygon_from_logits(
    logits: npt.NDArray[np.float32],
    window: Window,
    *,
    width: int,
    height: int,
    points: npt.ArrayLike = (),
    simplify_px: float = AUTOMATIC_PX["douglas_peucker"],
    max_vertices: int = MAX_VERTICES,
    max_tolerance_px: float = MAX_TOLERANCE_PX,
    forming: Forming | None = None,
) -> Polygon | MultiPolygon | None:
    """The mask's outline by Douglas-Peucker in raster pixels, for callers without a recipe: see `outline`.

    `logits` (n, n) cover the window. The tolerance is in pixels and grows up to `max_tolerance_px` for outlines of more
    than `max_vertices`. At 0 every vertex stays. `forming` (see `forms`) gives parts that nearly have a form that form.
    """
    placing = Placing.of_window(window, len(logits), width=width, height=height)
    recipe = Recipe("douglas_peucker", simplify_px) if simplify_px > 0 else Recipe("none")
    made = _outlined(logits, placing, recipe, points, most=max_vertices, most_px=max_tolerance_px, form=forming)
    return None if made is None else made.shape


def _outlined(
    logits: npt.NDArray[np.float32],
    placing: Placing,
    recipe: Recipe,
    points: npt.ArrayLike,
    *,
    most: int,
    most_px: float,
    form: Forming | None,
) -> Outlined | None:
    contour = contour_of(logits, placing, points, None if recipe.simplify == "none" else RAW_VERTICES * most)
    if contour is None:
        return None
    kept = contour.worth_keeping()
    if not kept.any():
        return None
    extent = _extent(placing, logits.shape)
    if extent is None:
        return None
    traced = partial(_traced, contour, kept, extent)
    kept = kept & _as_asked(contour, recipe)
    if recipe.form == "centreline":
        made = _centrelines(contour.drawn(kept), traced, placing, recipe, extent)
        if made is not None and made.vertices <= most:
            return made
    formed = {} if form is None else _formed(contour, kept, form)
    if sum(shapely.get_num_coordinates(part) for part in formed.values()) > most:
        formed = {}
    pieces = list(formed.values())
    rest = kept & ~np.isin(contour.part_of, list(formed))
    if rest.any():
        pieces.append(_natural(contour, rest, recipe, (most, most_px), extent))
    shape = pieces[0] if len(pieces) == 1 else shapely.union_all([shapely.make_valid(piece) for piece in pieces])
    found = _within(shape, extent)
    return None if found is None else Outlined(found, bool(formed), placing, traced)


def _traced(contour: Contour, kept: Kept, extent: Polygon) -> Polygon | MultiPolygon | None:
    return _within(contour.drawn(kept), extent)


def _centrelines(
    drawn: BaseGeometry,
    traced: Callable[[], BaseGeometry | None],
    placing: Placing,
    recipe: Recipe,
    extent: Polygon,
) -> Outlined | None:
    """The centrelines of those parts that are roads; None where none is. What is no road is left out."""
    unit, accuracy = placing.unit_m, placing.accuracy_px * min(placing.stretch)
    tolerance = AUTOMATIC_PX["douglas_peucker"] if recipe.tolerance_m is None else recipe.tolerance_m / unit
    lines: list[LineString] = []
    widths: list[float] = []
    grounds: list[BaseGeometry] = []
    for part in shapely.get_parts(_within(drawn, extent)):
        road = centreline_of(
            _squared(part, placing),
            accuracy,
            0.0 if recipe.simplify == "none" else tolerance,
            least=None if recipe.least_length_m is None else recipe.least_length_m / unit,
            width=None if recipe.width_m is None else recipe.width_m / unit,
        )
        if road is not None:
            lines += [_squared(line, placing, back=True) for line in road.lines]
            widths += [width * unit for width in road.widths]
            grounds.append(_squared(road.ground(), placing, back=True))
    ground = _within(shapely.union_all(grounds), extent) if grounds else None
    if ground is None:
        return None
    lines = [_longest(line, extent) for line in lines]
    shape = ground if recipe.buffered else lines[0] if len(lines) == 1 else MultiLineString(lines)
    return Outlined(shape, True, placing, traced, tuple(lines), tuple(widths), ground)


def _longest(line: LineString, extent: Polygon) -> LineString:
    """A line within the field: smoothing may have led it past the side."""
    if shapely.covers(extent, line):
        return line
    return max(shapely.get_parts(shapely.intersection(line, extent)), key=shapely.length)


def _extent(placing: Placing, cells: tuple[int, ...]) -> Polygon | None:
    """The part of the raster that a field covers; None where it lies beyond."""
    right, bottom = placing.far_corner(cells)
    left, top = max(placing.col, 0), max(placing.row, 0)
    right, bottom = min(right, placing.width), min(bottom, placing.height)
    return box(left, top, right, bottom) if left < right and top < bottom else None


def _within(shape: BaseGeometry, extent: Polygon) -> Polygon | MultiPolygon | None:
    """The valid polygons of a shape, cut off where the field or the raster ends."""
    sound = polygons_only(shape)
    if sound is None or shapely.contains_properly(extent, box(*sound.bounds)):
        return sound
    return polygons_only(shapely.intersection(sound, extent))


def _as_asked(contour: Contour, recipe: Recipe) -> Kept:
    """The rings that are as large as a recipe asks for."""
    pixel_m2 = contour.placing.pixel_m[0] * contour.placing.pixel_m[1]
    return contour.of_size(recipe.drop_parts_m2 / pixel_m2, recipe.fill_holes_m2 / pixel_m2)


def _formed(contour: Contour, kept: Kept, form: Forming) -> dict[int, Polygon]:
    """By their number, the parts that have the form."""
    numbers = np.flatnonzero(kept[contour.parts[:-1]])
    parts = shapely.get_parts(contour.drawn(kept))
    made = {int(n): form(part, contour.placing.accuracy_px) for n, part in zip(numbers, parts, strict=True)}
    return {number: part for number, part in made.items() if part is not None}


def _natural(contour: Contour, kept: Kept, recipe: Recipe, bounds: tuple[int, float], extent: Polygon) -> BaseGeometry:
    """Smoothed and simplified, at the first of the rising tolerances that leaves few enough vertices, or the last.

    `bounds` are the most vertices and the greatest tolerance in px.
    """
    (most, most_px), placing = bounds, contour.placing
    fixed = _squared(extent, placing)
    whole = _squared(contour.drawn(kept), placing)
    if recipe.smooth_m / placing.unit_m > max(placing.cell):  # a mask has no wiggles shorter than a cell
        whole = smoothed(whole, recipe.smooth_m / placing.unit_m, fixed)
    simple = whole
    if recipe.simplify != "none":
        side = math.sqrt(contour.areas[kept].max() * placing.stretch[0] * placing.stretch[1])
        asked = AUTOMATIC_PX[recipe.simplify] if recipe.tolerance_m is None else recipe.tolerance_m / placing.unit_m
        for number, tolerance in enumerate(rising_tolerances(side, asked * min(1.0, side / SMALL_PX), most_px)):
            if number:
                least = (DETAIL_SIDE * tolerance) ** 2 / (placing.stretch[0] * placing.stretch[1])
                large = contour.of_size(least, least)
                whole, kept = only(whole, large[kept]), kept & large
            if recipe.simplify == "visvalingam":
                simple = visvalingam(whole, tolerance, fixed)
            else:
                simple = douglas_peucker(whole, tolerance)
            if shapely.get_num_coordinates(simple) <= most:
                break
    return _squared(simple, placing, back=True)


def _squared(geometry: BaseGeometry, placing: Placing, *, back: bool = False) -> BaseGeometry:
    """Raster pixels to the frame of equal scale along x and y, or back."""
    if placing.stretch == (1.0, 1.0):
        return geometry
    stretch = np.asarray(placing.stretch)
    return shapely.transform(geometry, lambda xy: xy / stretch if back else xy * stretch)


def _vertices(shape: BaseGeometry) -> int:
    return int(shapely.get_num_coordinates(shape) - len(shapely.get_rings(shapely.get_parts(shape))))
