"""The forms that people build in: what a class may ask of its outlines."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import shapely
from shapely.geometry import Polygon

from ml.vectorize.circles import circled
from ml.vectorize.right_angles import Direction, right_angled

Forming = Callable[[Polygon, float], Polygon | None]

FORMS: dict[str, Callable[[Polygon, float], Polygon]] = {"right_angles": right_angled, "circle": circled}


def forming(form: str, pixel: tuple[float, float], group: Sequence[Direction] = ()) -> Forming | None:
    """What gives a polygon in pixels, with its accuracy in pixels, a form on the ground; None where it has not it.

    `pixel` is the size of a pixel along x and y, in one unit; `group` the directions of neighbours' walls, for right
    angles. None for a name that is no form.
    """
    if form not in FORMS:
        return None
    make = partial(right_angled, group=group) if form == "right_angles" and group else FORMS[form]
    return partial(_formed, make, np.asarray(pixel, dtype=np.float64))


def _formed(
    make: Callable[[Polygon, float], Polygon], pixel: np.ndarray, part: Polygon, accuracy: float
) -> Polygon | None:
    grounded = shapely.transform(part, lambda xy: xy * pixel)
    found = make(grounded, accuracy * float(pixel.min()))
    return None if found is grounded else shapely.transform(found, lambda xy: xy / pixel)
