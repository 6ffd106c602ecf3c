"""From candidate masks to the outlines of an answer: the shown one whole, the others coarse."""

from collections.abc import Callable
from typing import Any

from backend.projects.selectors import class_recipe
from backend.rasters.models import Raster
from backend.segmentation.polylines import digits_for, encode_rings
from backend.segmentation.prompting import Pixels, Prompts
from backend.segmentation.remembered import Remembered
from ml.decode import Candidate, Decoded, Field, StoppedError
from ml.frames import RasterFrame, geodesic_area_m2
from ml.vectorize import Outlined, Placing, Recipe, outline, polygon_from_logits
from ml.windows import Window

COARSE: dict[str, Any] = {"simplify_px": 2.0, "max_vertices": 48, "max_tolerance_px": 16.0}
TOKENS = 64  # of a window a side

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
    it, with all its detail. Raises `StoppedError` between two outlines.
    """
    precise = digits_for(min(frame.pixel_size_m()))
    part = part_of(window, decoded.field)
    found = []
    for candidate in decoded.candidates:
        if stop():
            raise StoppedError
        full = recipe is not None and candidate is shown
        said: dict[str, Any] = {}
        if recipe is not None and full:
            made = _by_recipe(candidate, frame, part, points, recipe)
            shape = None if made is None else made.shape
            said["raw_vertices"] = 0 if made is None else made.raw_vertices
        else:
            shape = polygon_from_logits(
                candidate.logits, part, width=frame.width, height=frame.height, points=points, **COARSE
            )
        if shape is None:
            continue
        lonlat = frame.lonlat_geometry_from_pixel(shape)
        digits = precise if full else precise - 1
        found.append(
            {
                "rings": encode_rings(lonlat, digits),
                "digits": digits,
                "score": round(candidate.score, 4),
                "area_m2": float(f"{geodesic_area_m2(lonlat):.6g}"),
                "index": candidate.index,
                **said,
            }
        )
    return found


def _by_recipe(
    candidate: Candidate, frame: RasterFrame, part: Window, points: Pixels, recipe: Recipe
) -> Outlined | None:
    placing = Placing.of_window(
        part, len(candidate.logits), width=frame.width, height=frame.height, pixel_m=frame.pixel_size_m()
    )
    most = None if recipe.tolerance_m is None else MOST_VERTICES
    return outline(candidate.logits, placing, recipe, points, max_vertices=most)


def part_of(window: Window, field: Field) -> Window:
    """The raster's pixels that a field of a window covers; the window's side is a multiple of 64."""
    token = window.size // TOKENS
    return Window(window.col + token * field.col, window.row + token * field.row, token * field.cols)
