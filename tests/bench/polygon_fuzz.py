"""Masks of every kind, drawn by number, each outlined by some recipe: whatever comes out must be valid."""

import math
import sys
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry import box

from ml.vectorize import Placing, Recipe, outline
from tests.bench.polygon_cases import low_pass

MASKS = 100_000
REPORTED_EVERY = 1000
SIDES = (256, 128, 64, 48, 33, 16, 5, 2)
LEVELS = np.array([-20.0, -1.0, -1e-6, 0.0, 1e-6, 1.0, 20.0])
RECIPES = (
    Recipe(),
    Recipe("douglas_peucker"),
    Recipe(form="right_angles"),
    Recipe(form="circle"),
    Recipe(smooth_m=3.0),
    Recipe("douglas_peucker", tolerance_m=4.0, smooth_m=20.0, fill_holes_m2=50.0, drop_parts_m2=50.0),
    Recipe("none"),
    Recipe(tolerance_m=8.0),
    Recipe(form="centreline"),
    Recipe(form="centreline", buffered=True),
)
ODDS = (30, 10, 25, 5, 8, 6, 4, 6, 3, 3)


@dataclass(frozen=True, eq=False)
class Drawn:
    """A mask, where it lies, and what is to be made of it."""

    logits: npt.NDArray[np.float32]
    placing: Placing
    recipe: Recipe


def drawn(number: int) -> Drawn:
    """The mask of a number; always the same."""
    random = np.random.default_rng(number)
    rows, cols = (int(side) for side in random.choice(SIDES, 2, p=(0.1, 0.2, 0.25, 0.15, 0.1, 0.1, 0.05, 0.05)))
    kind = number % 6
    field = (_noise, _blob, _levels, _stripes, _holed, _speckled)[kind](random, rows, cols)
    cell = float(random.choice([4.0, 1.0, 16.0, 3.7]))
    ground = float(random.choice([0.05, 0.3, 10.0]))
    col, row = random.uniform(-20, 20, 2)
    reach = random.uniform(0.4, 1.3, 2)  # of the field: the raster may end within it
    width, height = max(1, round(cols * cell * reach[0])), max(1, round(rows * cell * reach[1]))
    pixel = (ground, ground * float(random.choice([1.0, 1.0, 0.6])))
    placing = Placing(float(col), float(row), (cell, cell), width, height, pixel)
    odds = np.array(ODDS) / sum(ODDS)
    return Drawn(field.astype(np.float32), placing, RECIPES[int(random.choice(len(RECIPES), p=odds))])


def fault(number: int) -> str:
    """What is wrong with the outline of a mask; nothing where it is as it must be."""
    case = drawn(number)
    try:
        found = outline(case.logits, case.placing, case.recipe)
    except Exception as error:
        return f"raises: {error!r}"
    if found is None:
        return ""
    raster = box(0, 0, case.placing.width, case.placing.height)
    if not found.shape.is_valid:
        return f"invalid: {shapely.is_valid_reason(found.shape)}"
    if found.shape.is_empty or not np.isfinite(shapely.get_coordinates(found.shape)).all():
        return "empty or not finite"
    lines = bool(found.lines) and not case.recipe.buffered
    wanted = {"LineString", "MultiLineString"} if lines else {"Polygon", "MultiPolygon"}
    if found.shape.geom_type not in wanted:
        return found.shape.geom_type
    return "" if raster.buffer(1e-6).covers(found.shape) else "beyond the raster"


def faults(numbers: Iterable[int]) -> dict[int, str]:
    """By number, what is wrong with those masks' outlines."""
    found = {number: fault(number) for number in numbers}
    return {number: reason for number, reason in found.items() if reason}


def _noise(random: np.random.Generator, rows: int, cols: int) -> npt.NDArray[np.float64]:
    field = low_pass(random.standard_normal((rows, cols + cols % 2)), random.uniform(0.3, 8))[:, :cols]
    return field / (field.std() + 1e-9) * 5 + random.uniform(-6, 6)


def _blob(random: np.random.Generator, rows: int, cols: int) -> npt.NDArray[np.float64]:
    """A box or an ellipse, turned, worn."""
    y, x = np.mgrid[:rows, :cols] - random.uniform(0.2, 0.8, 2)[:, None, None] * np.array([rows, cols])[:, None, None]
    turn = random.uniform(0, math.pi)
    u, v = x * math.cos(turn) + y * math.sin(turn), y * math.cos(turn) - x * math.sin(turn)
    a, b = random.uniform(1, max(rows, cols) / 2, 2)
    near = np.maximum(np.abs(u) / a, np.abs(v) / b) if random.random() < 0.7 else np.hypot(u / a, v / b)
    return (1 - near) * min(a, b) + random.normal(0, random.choice([0.0, 0.2, 2.0]), (rows, cols))


def _levels(random: np.random.Generator, rows: int, cols: int) -> npt.NDArray[np.float64]:
    """Few values, so that outlines run through saddles and exactly through cells."""
    return np.asarray(random.choice(LEVELS, (rows, cols)))


def _stripes(random: np.random.Generator, rows: int, cols: int) -> npt.NDArray[np.float64]:
    """Roads and rivers of one cell and more, that cross."""
    y, x = np.mgrid[:rows, :cols]
    waves = [
        np.abs(np.sin((x * math.cos(t) + y * math.sin(t)) / w + 0.5 * np.sin(y / 9))) * w
        for t, w in zip(random.uniform(0, math.pi, 2), random.uniform(4, 40, 2), strict=True)
    ]
    return random.uniform(0.3, 4) - np.minimum(*waves)


def _holed(random: np.random.Generator, rows: int, cols: int) -> npt.NDArray[np.float64]:
    field = np.abs(_noise(random, rows, cols))
    return field - random.uniform(0.1, 4)


def _speckled(random: np.random.Generator, rows: int, cols: int) -> npt.NDArray[np.float64]:
    """A blob with single cells on and off, some values not as floats like them."""
    field = _blob(random, rows, cols)
    flip = random.random((rows, cols)) < random.choice([0.001, 0.02, 0.3])
    return np.where(flip, -field, field) * random.choice([1.0, 1e-30, 1e30])


def main(begin: int, end: int) -> int:
    """Outlines the masks of these numbers and says what is wrong as it is found; 1 where anything is."""
    found = 0
    for number in range(begin, end):
        if reason := fault(number):
            found += 1
            print(f"mask {number}: {reason}", flush=True)
        if (number + 1) % REPORTED_EVERY == 0 or number + 1 == end:
            print(f"{number + 1 - begin} masks, {found} of them with a fault", flush=True)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*(int(argument) for argument in (sys.argv[1:3] or ("0", str(MASKS))))))
