"""From mask logits to valid polygons."""

from ml.vectorize.forms import FORMS, forming
from ml.vectorize.trace import MAX_TOLERANCE_PX, MAX_VERTICES, polygon_from_logits

__all__ = ["FORMS", "MAX_TOLERANCE_PX", "MAX_VERTICES", "forming", "polygon_from_logits"]
