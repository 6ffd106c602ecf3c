"""From mask logits to valid polygons."""

from ml.vectorize.trace import polygon_from_logits

__all__ = ["polygon_from_logits"]
