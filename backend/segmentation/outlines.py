"""From candidate masks to the outlines of an answer: the shown one whole, the others coarse."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry.base import BaseGeometry

from backend.projects.selectors import class_recipe
from backend.rasters.models import Raster
from backend.segmentation.polylines import digits_for, encode_line, encode_rings
from backend.segmentation.prompting import Pixels, Prompts
from backend.segmentation.remembered import Remembered
from ml.decode import Candidate, Decoded, StoppedError
from ml.frames import RasterFrame, geodesic_area_m2
from ml.spanning import Grown
from ml.vectorize import Direction, Outlined, Placing, Recipe, coarse_polygon, hinted, outline
from ml.windows import Window

WINDOW_BYTES = 150  # of each further window that an answer names
RING_BYTES = 1250  # of an answer of 2 KB; the others are hinted at where the shown outline leaves little

MOST_VERTICES = 4000  # of a shown outline whose recipe names a tolerance: an answer must pass the socket

_recipes_kept: Remembered[Recipe] = Remembered()


def recipe_for(raster: Raster, prompts: Prompts) -> Recipe:
    """The recipe that is tried out, else that of the class the object will have, else the plain one."""
    if prompts.recipe is not None or prompts.label_class is None:
        return prompts.recipe or Recipe()
    key = (raster.project_id, prompts.label_class)
    return _recipes_kept.get(key, lambda: class_recipe(*key) or Recipe())


def outlined(
    decoded: Decoded,
    shown: Candidate,
    frame: RasterFrame,
    window: Window,
    points: Pixels,
    *,
    recipe: Recipe | None = None,
    group: Callable[[], Sequence[Direction]] = tuple,
    joined: Grown | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> list[dict[str, Any]]:
    """The candidates as the wire has them, in their order; those without an outline are left out.

    `points` (N, 2) are the positive prompts in the raster's pixels. With a `recipe`, the outline of `shown` is drawn by
    it, with all its detail; `group` gives the walls that it may follow, `joined` is how far it goes beyond its window.
    The others are coarse; of those that would take an answer past 2 KB only the largest part is hinted at. Raises
    `StoppedError` between two outlines.
    """
    precise = digits_for(min(frame.pixel_size_m()))
    part = decoded.field.of(window)
    left = RING_BYTES - (WINDOW_BYTES * (len(joined.windows) - 1) if joined else 0)
    found: dict[int, dict[str, Any]] = {}
    others: list[tuple[int, BaseGeometry]] = []
    for candidate in sorted(decoded.candidates, key=lambda one: one is not shown):  # what is left is the others'
        if stop():
            raise StoppedError
        if recipe is not None and candidate is shown:
            logits, place = (joined.logits, joined.frame) if joined else (candidate.logits, part)
            made = by_recipe(logits, frame, place, points, recipe, group=group())
            whole = None if made is None else _whole(made, frame, precise, recipe)
            if whole is not None:
                found[candidate.index] = whole
                left -= _bytes_of([*whole["rings"], whole.get("lines", [])])
        else:
            shape = coarse_polygon(candidate.logits, part, width=frame.width, height=frame.height, points=points)
            if shape is not None:
                others.append((candidate.index, shape))
    for number, (index, shape) in enumerate(others):
        said = _polygons(shape, frame, precise - 1)
        if found and _bytes_of(said["rings"]) > left / (len(others) - number):
            said["rings"] = encode_rings(frame.lonlat_geometry_from_pixel(hinted(shape)), precise - 1)
        left -= _bytes_of(said["rings"])
        found[index] = said
    return [
        {**found[candidate.index], "score": round(candidate.score, 4), "index": candidate.index}
        for candidate in decoded.candidates
        if candidate.index in found
    ]


def _bytes_of(rings: list[list[str]]) -> int:
    return sum(len(ring) + 3 for part in rings for ring in part) + 2 * len(rings)


def draws_lines(recipe: Recipe) -> bool:
    """Whether a recipe makes lines, not ground."""
    return recipe.form == "centreline" and not recipe.buffered


def _whole(made: Outlined, frame: RasterFrame, digits: int, recipe: Recipe) -> dict[str, Any] | None:
    """An outline with all its detail; None where lines are asked for and the mask is no road."""
    said = {"raw_vertices": made.raw_vertices}
    if not draws_lines(recipe):
        return {**_polygons(made.shape, frame, digits), **said}
    if not made.lines:
        return None
    lines = [frame.lonlat_geometry_from_pixel(line) for line in made.lines]
    parts = [part for line in lines for part in shapely.get_parts(line)]
    lengths = shapely.length(made.lines)
    width = float(np.average(made.widths_m, weights=lengths)) if lengths.sum() > 0 else made.widths_m[0]
    return {
        "rings": [],
        "lines": [encode_line(shapely.get_coordinates(part), digits) for part in parts],
        "digits": digits,
        "area_m2": 0.0,
        "width_m": round(width, 2),
        **said,
    }


def _polygons(shape: BaseGeometry, frame: RasterFrame, digits: int) -> dict[str, Any]:
    lonlat = frame.lonlat_geometry_from_pixel(shape)
    return {
        "rings": encode_rings(lonlat, digits),
        "digits": digits,
        "area_m2": float(f"{geodesic_area_m2(lonlat):.6g}"),
    }


def by_recipe(
    logits: npt.NDArray[np.float32],
    frame: RasterFrame,
    place: Window,
    points: Pixels,
    recipe: Recipe,
    *,
    group: Sequence[Direction] = (),
) -> Outlined | None:
    """What a recipe makes of logits (n, n) over a square of the raster, with no more vertices than an answer takes.

    `group` are the directions of the walls of neighbours, nearest first.
    """
    placing = Placing.of_window(
        place, len(logits), width=frame.width, height=frame.height, pixel_m=frame.pixel_size_m()
    )
    most = None if recipe.tolerance_m is None else MOST_VERTICES
    return outline(logits, placing, recipe, points, max_vertices=most, group=group)
