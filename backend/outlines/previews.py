"""What a recipe makes of a mask, beside the mask's plain outline: for looking at while a recipe is chosen."""

import json
from typing import Any

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from backend.core.errors import Invalid
from backend.outlines.samples import sample
from ml.vectorize import Outlined, Recipe, RecipeError, outline


def read_recipe(said: object) -> Recipe:
    """The recipe of a request. Raises `recipe.invalid` naming the field."""
    try:
        return Recipe.from_json(said)
    except RecipeError as error:
        fields = {f"recipe.{error.field}" if error.field else "recipe": [str(error)]}
        raise Invalid(str(error), code="recipe.invalid", details={"fields": fields}) from error


def of_sample(name: str, recipe: Recipe) -> dict[str, Any]:
    """The preview on a sample mask."""
    logits, placing, clicked = sample(name)
    made = outline(logits, placing, recipe, [clicked])
    if made is None:
        raise Invalid("This recipe leaves nothing of the mask. Drop less.", code="recipe.leaves_nothing")
    return preview_json(made)


def preview_json(made: Outlined) -> dict[str, Any]:
    """Both outlines in the raster's pixels, y downward, their vertices, and how far they are apart."""
    return {
        "before": {"geometry": _pixels(made.plain), "vertices": made.raw_vertices},
        "after": {"geometry": _pixels(made.shape), "vertices": made.vertices},
        "formed": made.formed,
        "iou": round(made.iou, 4),
        "hausdorff_m": round(made.hausdorff_m, 3),
        "pixel_m": list(made.placing.pixel_m),
    }


def _pixels(shape: BaseGeometry) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(shapely.to_geojson(shapely.transform(shape, lambda xy: np.round(xy, 1))))
    return said
