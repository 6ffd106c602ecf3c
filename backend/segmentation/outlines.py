"""From candidate masks to the outlines of an answer: the shown one whole, the others coarse."""

from collections.abc import Callable
from typing import Any

from shapely.geometry.base import BaseGeometry

from backend.projects.selectors import class_recipe
from backend.rasters.models import Raster
from backend.segmentation.polylines import digits_for, encode_rings
from backend.segmentation.prompting import Pixels, Prompts
from backend.segmentation.remembered import Remembered
from ml.decode import Candidate, Decoded, StoppedError
from ml.frames import RasterFrame, geodesic_area_m2
from ml.vectorize import Outlined, Placing, Recipe, coarse_polygon, hinted, outline
from ml.windows import Window

TOKENS = 64  # of a window a side
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
    stop: Callable[[], bool] = lambda: False,
) -> list[dict[str, Any]]:
    """The candidates as the wire has them, in their order; those without an outline are left out.

    `points` (N, 2) are the positive prompts in the raster's pixels. With a `recipe`, the outline of `shown` is drawn by
    it, with all its detail. The others are coarse; of those that would take an answer past 2 KB only the largest part
    is hinted at. Raises `StoppedError` between two outlines.
    """
    precise = digits_for(min(frame.pixel_size_m()))
    part = decoded.field.of(window)
    drawn: dict[int, tuple[BaseGeometry, int, dict[str, Any]]] = {}
    for candidate in sorted(decoded.candidates, key=lambda one: one is not shown):  # what is left is the others'
        if stop():
            raise StoppedError
        if recipe is not None and candidate is shown:
            made = _by_recipe(candidate, frame, part, points, recipe)
            if made is not None:
                drawn[candidate.index] = made.shape, precise, {"raw_vertices": made.raw_vertices}
        else:
            shape = coarse_polygon(candidate.logits, part, width=frame.width, height=frame.height, points=points)
            if shape is not None:
                drawn[candidate.index] = shape, precise - 1, {}
    left = RING_BYTES
    found: dict[int, dict[str, Any]] = {}
    for number, (index, (shape, digits, more)) in enumerate(drawn.items()):
        lonlat = frame.lonlat_geometry_from_pixel(shape)
        rings = encode_rings(lonlat, digits)
        if number and _bytes_of(rings) > left / (len(drawn) - number):
            rings = encode_rings(frame.lonlat_geometry_from_pixel(hinted(shape)), digits)
        left -= _bytes_of(rings)
        area = float(f"{geodesic_area_m2(lonlat):.6g}")
        found[index] = {"rings": rings, "digits": digits, "area_m2": area, "index": index, **more}
    return [
        {**found[candidate.index], "score": round(candidate.score, 4)}
        for candidate in decoded.candidates
        if candidate.index in found
    ]


def _bytes_of(rings: list[list[str]]) -> int:
    return sum(len(ring) + 3 for part in rings for ring in part) + 2 * len(rings)


def _by_recipe(
    candidate: Candidate, frame: RasterFrame, part: Window, points: Pixels, recipe: Recipe
) -> Outlined | None:
    placing = Placing.of_window(
        part, len(candidate.logits), width=frame.width, height=frame.height, pixel_m=frame.pixel_size_m()
    )
    most = None if recipe.tolerance_m is None else MOST_VERTICES
    return outline(candidate.logits, placing, recipe, points, max_vertices=most)
