"""How good a model's masks are: scripted clicks and boxes on objects whose outline is known."""

from ml.quality.pictures import Picture, QualityError
from ml.quality.results import Result, summarise, worst_first
from ml.quality.trials import Trial, try_picture

__all__ = ["Picture", "QualityError", "Result", "Trial", "summarise", "try_picture", "worst_first"]
