"""The forms that people build in: what a class may ask of its outlines."""

from collections.abc import Callable
from functools import partial

import numpy as np
import shapely
from shapely.geometry import Polygon
from shapely.geometry.base import BaseGeometry

from ml.vectorize.circles import circled
from ml.vectorize.right_angles import right_angled

Forming = Callable[[BaseGeometry, float], BaseGeometry]

FORMS: dict[str, Callable[[Polygon, float], Polygon]] = {"right_angles": right_angled, "circle": circled}
FINE_PX = 0.5  # Douglas-Peucker's tolerance for a part that has not the form


def forming(form: str, pixel: tuple[float, float]) -> Forming | None:
    """What gives a polygon or multipolygon in pixels, with its accuracy in pixels, a form on the ground.

    `pixel` is the size of a pixel along x and y, in one unit. None for a name that is no form.
    """
    return partial(_formed, FORMS[form], np.asarray(pixel, dtype=np.float64)) if form in FORMS else None


def _formed(
    make: Callable[[Polygon, float], Polygon], pixel: np.ndarray, shape: BaseGeometry, accuracy: float
) -> BaseGeometry:
    """Each part by itself, on the ground; a part that has not the form is only simplified."""
    parts = []
    for part in shapely.get_parts(shape):
        grounded = shapely.transform(part, lambda xy: xy * pixel)
        found = make(grounded, accuracy * float(pixel.min()))
        if found is grounded:
            parts.append(shapely.simplify(part, FINE_PX))
        else:
            parts.append(shapely.transform(found, lambda xy: xy / pixel))
    return parts[0] if len(parts) == 1 else shapely.unary_union(parts)
