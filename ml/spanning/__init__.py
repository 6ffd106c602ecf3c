"""Objects that no single window holds: neighbours are decoded and joined, larger ones seen at a coarser scale."""

from ml.spanning.growing import MAX_WINDOWS, Ground, Grown, Look, goes_on, grow
from ml.spanning.parts import Part

__all__ = ["MAX_WINDOWS", "Ground", "Grown", "Look", "Part", "goes_on", "grow"]
