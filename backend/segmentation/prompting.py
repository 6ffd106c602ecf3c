"""From the prompts of the wire to those that the model takes."""

from dataclasses import dataclass
from uuid import UUID

import numpy as np
import numpy.typing as npt

from backend.core.errors import Invalid
from ml.decode import PromptError, PromptSet
from ml.frames import MODEL_SIZE, FrameError, RasterFrame, model_from_pixel
from ml.vectorize import Recipe
from ml.windows import Window

Pixels = npt.NDArray[np.float64]
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Prompts:
    """All prompts of one suggestion in lon/lat: `points` of (lon, lat, label 1 or 0), `box` (w, s, e, n) or None.

    `label_class` is the class that the object will have; its recipe says how the outline is drawn, unless another
    `recipe` is tried out. `view_m` is the shorter side, on the ground, of what the user looks at.
    """

    points: tuple[tuple[float, float, int], ...]
    box: Box | None = None
    label_class: UUID | None = None
    view_m: float | None = None
    recipe: Recipe | None = None

    def same_place(self, other: "Prompts") -> bool:
        """Whether the other prompts ask for the same masks."""
        return (self.points, self.box) == (other.points, other.box)


@dataclass(frozen=True, eq=False)
class Placed:
    """The same in the raster's pixels: `points` (N, 2) with `labels` (N,), `box` as its least and greatest corner."""

    points: Pixels
    labels: npt.NDArray[np.int64]
    box: Box | None

    @property
    def around(self) -> Pixels:
        """All places that are named, (N, 2)."""
        return self.points if self.box is None else np.vstack([self.points, np.reshape(self.box, (2, 2))])

    @property
    def positive(self) -> Pixels:
        """The points that the object holds, (N, 2)."""
        found: Pixels = self.points[self.labels == 1]
        return found


def placed(frame: RasterFrame, prompts: Prompts) -> Placed:
    """The prompts in pixels. Raises `prompt.outside` for prompts off the raster, `prompt.invalid` for none."""
    try:
        points, box = np.empty((0, 2)), None
        if prompts.points:
            points = frame.pixel_from_lonlat([point[:2] for point in prompts.points])
        if prompts.box is not None:
            west, south, east, north = prompts.box
            corners = frame.pixel_from_lonlat([[west, south], [east, south], [east, north], [west, north]])
            low = np.clip(corners.min(axis=0), 0, (frame.width, frame.height))
            high = np.clip(corners.max(axis=0), 0, (frame.width, frame.height))
            box = (float(low[0]), float(low[1]), float(high[0]), float(high[1]))
    except FrameError as error:
        raise _outside() from error
    if len(points) == 0 and box is None:
        raise Invalid("Click a point or draw a box.", code="prompt.invalid")
    inside = (points >= 0).all(axis=1) & (points <= (frame.width, frame.height)).all(axis=1)
    if not inside.all() or (box is not None and (box[2] - box[0] < 1 or box[3] - box[1] < 1)):
        raise _outside()
    return Placed(points, np.array([point[2] for point in prompts.points], np.int64), box)


def in_window(prompts: Placed, window: Window) -> PromptSet:
    """The prompts that lie in a window, in the model's frame; a box is cut to it. Raises `prompt.invalid`."""
    points = model_from_pixel(window, prompts.points)
    within = ((points >= 0) & (points <= MODEL_SIZE)).all(axis=1)
    box = None
    if prompts.box is not None:
        corners = np.clip(model_from_pixel(window, np.reshape(prompts.box, (2, 2))), 0, MODEL_SIZE).ravel()
        box = (float(corners[0]), float(corners[1]), float(corners[2]), float(corners[3]))
    try:
        return PromptSet(points[within], prompts.labels[within], box)
    except PromptError as error:
        raise Invalid("Click a point or draw a box.", code="prompt.invalid") from error


def view_in_window(prompts: Prompts, frame: RasterFrame, window: Window) -> float | None:
    """The shorter side of the user's view in px of the model's frame; None where it is not known."""
    if prompts.view_m is None:
        return None
    return prompts.view_m / max(min(frame.pixel_size_m()), 1e-6) * MODEL_SIZE / window.size


def _outside() -> Invalid:
    return Invalid("This lies outside the raster. Click inside it.", code="prompt.outside")
