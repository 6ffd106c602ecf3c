"""Where a field of logits lies in its raster."""

from dataclasses import dataclass
from typing import Self

from ml.windows import Window


@dataclass(frozen=True)
class Placing:
    """A field of (h, w) cells: its outer corner in raster pixels (edge convention), and a cell's size in pixels.

    The field may be a window's, a part of one, or a mosaic of several. `width` and `height` are the raster's, px:
    nothing is outlined beyond it. `pixel_m` is a pixel's size along x and y in metres, for what a recipe asks for in
    metres.
    """

    col: float
    row: float
    cell: tuple[float, float]
    width: int
    height: int
    pixel_m: tuple[float, float] = (1.0, 1.0)

    @classmethod
    def of_window(
        cls, window: Window, cells: int, *, width: int, height: int, pixel_m: tuple[float, float] = (1.0, 1.0)
    ) -> Self:
        """The placing of `cells` by `cells` logits that cover a window."""
        cell = window.size / cells
        return cls(window.col, window.row, (cell, cell), width, height, pixel_m)

    def far_corner(self, cells: tuple[int, ...]) -> tuple[float, float]:
        """Where a field of (h, w) cells ends, in raster pixels."""
        return self.col + cells[1] * self.cell[0], self.row + cells[0] * self.cell[1]

    @property
    def accuracy_px(self) -> float:
        """Of an outline: half a cell, measured in SAM's own grid of logits (4 px of 1024)."""
        return max(self.cell) / 2

    @property
    def unit_m(self) -> float:
        """The shorter side of a pixel in metres: the unit of the square frame."""
        return min(self.pixel_m)

    @property
    def stretch(self) -> tuple[float, float]:
        """What x and y in pixels are multiplied by for a frame of equal scale along both, in `unit_m`."""
        return self.pixel_m[0] / self.unit_m, self.pixel_m[1] / self.unit_m
