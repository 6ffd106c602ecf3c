"""From mask logits to valid polygons."""

from ml.vectorize.trace import MAX_TOLERANCE_PX, MAX_VERTICES, polygon_from_logits

__all__ = ["MAX_TOLERANCE_PX", "MAX_VERTICES", "polygon_from_logits"]
