"""Whole scenes: farmland, towns, both, wild land, works, and plain shapes of any kind."""

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from ml.training.scenes.built import building, car_park, lot, solar_field, tank, town, tree
from ml.training.scenes.canvas import Canvas, Floats, Points
from ml.training.scenes.land import crop_surface, fields, road, water, wood
from ml.training.scenes.outlines import blob, circle, course, parcels, rectangle, ribbon, turned

KINDS = {"farmland": 0.3, "town": 0.2, "mixed": 0.2, "wild": 0.08, "works": 0.1, "shapes": 0.12}


@dataclass(frozen=True, eq=False)
class Scene:
    """`image` uint8 (side, side, 3); `objects` uint16 (side, side), 0 where nothing was made; the kind of scene."""

    image: npt.NDArray[np.uint8]
    objects: npt.NDArray[np.uint16]
    kind: str


def make_scene(seed: int, side: int = 1024) -> Scene:
    """The scene of a number; the same each time."""
    random = np.random.default_rng(seed)
    canvas = Canvas(side, random)
    kind = str(random.choice(list(KINDS), p=list(KINDS.values())))
    tones: list[Floats] = [
        canvas.green,
        canvas.soil,
        (canvas.green + canvas.soil) * np.float32(0.5),
        canvas.grey(0.3, 0.7),
    ]
    ground = (tones[canvas.number(0, 4)] * canvas.between(0.6, 1.3)).astype(np.float32)
    canvas.image[:] = canvas.surface((side, side), ground, canvas.between(0.03, 0.12))
    MAKERS[kind](canvas)
    blurred = cv2.GaussianBlur(canvas.image, (0, 0), canvas.between(0.35, 0.8))
    return Scene((np.clip(blurred, 0, 1) * 255).astype(np.uint8), canvas.objects, kind)


def _farmland(canvas: Canvas) -> None:
    canvas.metre = min(canvas.metre, 3)
    fields(canvas, canvas.between(0.75, 1))
    if canvas.chance(0.25):
        water(canvas, canvas.chance(0.5))
    for _ in range(canvas.number(0, 4)):
        road(canvas, paved=canvas.chance(0.5))
    for _ in range(canvas.number(0, 4)):
        wood(canvas)
    if canvas.chance(0.25):
        solar_field(canvas)
    for _ in range(canvas.number(0, 3)):
        _hamlet(canvas)
    for _ in range(canvas.number(0, 25)):
        tree(canvas, canvas.place(), canvas.between(3, 14))


def _hamlet(canvas: Canvas) -> None:
    x, y = canvas.place()
    for _ in range(canvas.number(1, 6)):
        long = canvas.between(8, 34) * max(1, canvas.metre)
        at = (x + canvas.random.normal(0, 70), y + canvas.random.normal(0, 70))
        angle = canvas.angle + canvas.number(0, 2) * math.pi / 2
        building(canvas, at, long, long * canvas.between(0.35, 0.8), angle)


def _town(canvas: Canvas) -> None:
    canvas.metre = max(canvas.metre, 0.8)
    town(canvas)
    for _ in range(canvas.number(0, 2)):
        road(canvas, paved=True)
    if canvas.chance(0.2):
        water(canvas, canvas.chance(0.5))


def _mixed(canvas: Canvas) -> None:
    side = canvas.side
    fields(canvas, canvas.between(0.4, 1))
    if canvas.chance(0.35):
        water(canvas, canvas.chance(0.5))
    for _ in range(canvas.number(0, 4)):
        wood(canvas)
    for _ in range(canvas.number(1, 4)):
        road(canvas, paved=canvas.chance(0.6))
    at = (canvas.between(0.2, 0.8) * side, canvas.between(0.2, 0.8) * side)
    village = rectangle(at, side * canvas.between(0.3, 0.7), side * canvas.between(0.3, 0.7), canvas.angle)
    for plot in parcels(canvas, village, float(np.clip(25 * canvas.metre, 28, 130)) ** 2)[:70]:
        lot(canvas, plot)
    if canvas.chance(0.3):
        solar_field(canvas)


def _wild(canvas: Canvas) -> None:
    for _ in range(canvas.number(2, 10)):
        wood(canvas)
    water(canvas, river=True)
    for _ in range(canvas.number(0, 7)):
        water(canvas, canvas.chance(0.2))
    for _ in range(canvas.number(0, 4)):
        road(canvas, paved=False)
    for _ in range(canvas.number(0, 90)):
        tree(canvas, canvas.place(), canvas.spread(3.3, 36))
    for _ in range(canvas.number(0, 6)):
        bare = blob(canvas, canvas.place(), canvas.between(15, 160), 0.35)
        canvas.thing(bare, (canvas.soil * canvas.between(0.8, 1.3)).astype(np.float32), 0.08)


def _works(canvas: Canvas) -> None:
    if canvas.chance(0.5):
        fields(canvas, 0.6, canvas.between(150, 400))
    for _ in range(canvas.number(1, 4)):
        road(canvas, paved=True)
    for _ in range(canvas.number(2, 14)):
        long = canvas.between(30, 220)
        angle = canvas.angle + canvas.number(0, 2) * math.pi / 2
        building(canvas, canvas.place(), long, long * canvas.between(0.3, 0.9), angle)
    for _ in range(canvas.number(0, 4)):
        car_park(canvas, canvas.place())
    radius, (x, y) = canvas.between(6, 50), canvas.place()
    for col in range(canvas.number(0, 4)):
        for row in range(canvas.number(1, 5)):
            at = (x + 2.6 * radius * col, y + 2.6 * radius * row)
            tank(canvas, at, radius * canvas.between(0.8, 1))
    for _ in range(canvas.number(0, 40)):
        tree(canvas, canvas.place(), canvas.between(3, 20))
    if canvas.chance(0.4):
        solar_field(canvas)


def _shapes(canvas: Canvas) -> None:
    if canvas.chance(0.6):
        fields(canvas, 1.0)
    for _ in range(canvas.number(12, 90)):
        outlines = _shape(canvas, canvas.spread(6, 200))
        where = canvas.box(np.concatenate(outlines))
        if where is None:
            continue
        if canvas.chance(0.3) and len(outlines) == 1:
            canvas.shadow(outlines[0], canvas.between(1, 8))
        mask, colour = canvas.fill(outlines, where), canvas.colour()
        if canvas.chance(0.6):
            surface = crop_surface(canvas, mask.shape, colour, canvas.between(0, 3))
        else:
            kind = "crowns" if canvas.chance(0.2) else "cloud"
            surface = canvas.surface(mask.shape, colour, canvas.between(0.01, 0.15), kind)
        canvas.paint(mask, where, surface)


def _shape(canvas: Canvas, radius: float) -> list[Points]:
    at, kind = canvas.place(), canvas.number(0, 5)
    if kind == 0:
        return [rectangle(at, 2 * radius, 2 * radius * canvas.between(0.2, 1), canvas.between(0, math.pi))]
    if kind == 1:
        return [blob(canvas, at, radius, canvas.between(0.05, 0.5), 50)]
    if kind == 2:
        angles = np.sort(canvas.random.uniform(0, 2 * math.pi, canvas.number(3, 9)))
        return [np.asarray(at) + radius * np.column_stack([np.cos(angles), np.sin(angles)])]
    if kind == 3:
        flat = circle((0, 0), radius) * [1, canvas.between(0.3, 1)]
        return [turned(flat, canvas.between(0, math.pi), at)]
    line = course(canvas, canvas.between(0, 0.5), 50)
    first = canvas.number(0, 35)
    return ribbon(line[first : first + 15], max(3, radius * canvas.between(0.05, 0.3)))


MAKERS = {
    "farmland": _farmland, "town": _town, "mixed": _mixed, "wild": _wild, "works": _works, "shapes": _shapes,
}  # fmt: skip
