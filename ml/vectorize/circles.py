"""Makes circles of what is nearly round: tanks, pivots, crowns."""

import math

import numpy as np
import shapely
from shapely.geometry import Polygon

LEAST_IOU = 0.9
MOST_OFF = 3.0  # accuracies, or a tenth of the radius if that is more
FEWEST, MOST = 16, 64


def circled(outline: Polygon, accuracy: float) -> Polygon:
    """A regular polygon of the outline's middle and area, or the outline itself where it is no circle.

    Coordinates of equal scale along x and y; `accuracy` is the outline's, in the same unit. So many corners that no
    side is further than half of it from the arc, 16 to 64. A circle is what has no hole, covers the same ground
    (IoU 0.9) and is nowhere off by more than three accuracies or a tenth of the radius.
    """
    if not outline.is_valid or outline.area <= 0 or outline.interiors:
        return outline
    radius = math.sqrt(outline.area / math.pi)
    sag = min(accuracy / 2 / radius, 1.0)
    count = min(MOST, max(FEWEST, math.ceil(math.pi / math.acos(1 - sag))))
    angles = np.linspace(0, 2 * math.pi, count, endpoint=False)
    # the radius of the corners of a regular polygon of the same area as the circle
    corner = radius * math.sqrt(2 * math.pi / count / math.sin(2 * math.pi / count))
    middle = shapely.get_coordinates(outline.centroid)
    found = Polygon(middle + corner * np.column_stack([np.cos(angles), np.sin(angles)]))
    both = float(shapely.area(shapely.intersection(found, outline)))
    if both / (found.area + outline.area - both) < LEAST_IOU:
        return outline
    off = shapely.hausdorff_distance(found.exterior, outline.exterior)
    return found if off <= max(MOST_OFF * accuracy, 0.1 * radius) else outline
