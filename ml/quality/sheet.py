"""A contact sheet: what was asked for, what was found, and where was clicked."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from ml.quality.trials import Trial, box_of

CELL, LINE, COLUMNS, WORST = 320, 16, 5, 20
ROOM = 0.6  # around the object, of its longer side
FOUND, TRUTH = (255, 64, 64), (255, 255, 255)


def write_sheet(trials: Sequence[Trial], path: Path) -> None:
    """The first twenty trials, each cut out around its object: truth outlined white, the first mask red."""
    shown = trials[:WORST]
    rows = max(1, math.ceil(len(shown) / COLUMNS))
    sheet = Image.new("RGB", (COLUMNS * CELL, rows * (CELL + LINE)))
    pen = ImageDraw.Draw(sheet)
    for index, trial in enumerate(shown):
        x, y = index % COLUMNS * CELL, index // COLUMNS * (CELL + LINE)
        sheet.paste(_cell(trial), (x, y + LINE))
        after = " ".join(f"{overlap:.2f}" for overlap in trial.centre[:5])
        pen.text((x + 2, y + 2), f"{trial.picture.name[:22]}  {after}  box {trial.box:.2f}", fill=TRUTH)
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path)


def _cell(trial: Trial) -> Image.Image:
    left, top, right, bottom = box_of(trial.truth)
    half = max(32.0, (0.5 + ROOM) * max(right - left, bottom - top))
    x, y = (left + right) / 2 - half, (top + bottom) / 2 - half
    image = trial.picture.pixels.astype(np.float32)
    image[trial.first] = image[trial.first] * 0.55 + np.array(FOUND, np.float32) * 0.45
    image[_outline(trial.truth)] = TRUTH
    region = (round(x), round(y), round(x + 2 * half), round(y + 2 * half))
    cell = Image.fromarray(image.astype(np.uint8)).crop(region).resize((CELL, CELL))
    pen = ImageDraw.Draw(cell)
    (click_x, click_y), _ = trial.clicks[0]
    at_x, at_y = (click_x - x) * CELL / (2 * half), (click_y - y) * CELL / (2 * half)
    pen.ellipse((at_x - 4, at_y - 4, at_x + 4, at_y + 4), fill=(64, 160, 255), outline=TRUTH)
    return cell


def _outline(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    padded = np.pad(mask, 1)
    inner = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return mask & ~inner
