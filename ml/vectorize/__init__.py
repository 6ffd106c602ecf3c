"""From mask logits to valid polygons."""

from ml.vectorize.coarse import coarse_polygon, hinted
from ml.vectorize.forms import FORMS, forming
from ml.vectorize.outlining import MAX_TOLERANCE_PX, MAX_VERTICES, Outlined, outline, polygon_from_logits
from ml.vectorize.placing import Placing
from ml.vectorize.recipe import Recipe, RecipeError
from ml.vectorize.right_angles import Direction, wall_directions

__all__ = [
    "FORMS",
    "MAX_TOLERANCE_PX",
    "MAX_VERTICES",
    "Direction",
    "Outlined",
    "Placing",
    "Recipe",
    "RecipeError",
    "coarse_polygon",
    "forming",
    "hinted",
    "outline",
    "polygon_from_logits",
    "wall_directions",
]
