"""Roofs, cars, trees in gardens, panels, tanks, pools and pitches."""

import math
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ml.training.scenes.canvas import Canvas, Floats, Points
from ml.training.scenes.land import stripes
from ml.training.scenes.outlines import blob, circle, parcels, rectangle, shrunk, turned

Place = tuple[float, float]
MOST_LOTS = 170


def roof_colour(canvas: Canvas) -> Floats:
    """Tile, sheet, slate, sand, or paint."""
    kinds: list[npt.NDArray[np.floating[Any]]] = [
        np.array([0.6, 0.3, 0.22]) * canvas.between(0.6, 1.25),
        np.ones(3) * canvas.between(0.3, 0.95),
        np.array([0.45, 0.47, 0.52]) * canvas.between(0.6, 1.5),
        np.array([0.7, 0.62, 0.5]) * canvas.between(0.6, 1.2),
        canvas.colour(),
    ]
    chosen = kinds[canvas.number(0, len(kinds))] + canvas.random.normal(0, 0.02, 3)
    return np.clip(chosen, 0.02, 1.05).astype(np.float32)


def building(canvas: Canvas, at: Place, width: float, depth: float, angle: float) -> None:
    """One roof over one or more wings, with its shadow."""
    if max(width, depth) < 5:
        return
    colour = roof_colour(canvas)
    wings = [turned(wing, angle, at) for wing in _wings(canvas, width, depth)]
    where = canvas.box(np.concatenate(wings))
    if where is None:
        return
    height = canvas.between(2.5, 7) if width / canvas.metre < 30 else canvas.between(4, 25)
    for wing in wings:
        canvas.shadow(wing, height)
    mask = canvas.fill(wings, where)
    canvas.paint(mask, where, canvas.surface(mask.shape, colour, canvas.between(0.01, 0.05)))
    flat = canvas.chance(0.4) or width / canvas.metre > 40
    if flat:
        _furniture(canvas, at, (width, depth), angle, colour)
    else:
        for wing in reversed(wings):
            _slopes(canvas, wing, colour)
    if min(width, depth) > 12 and canvas.chance(0.4):
        tone = np.clip(colour * (1.3 if canvas.chance(0.6) else 0.5), 0, 1.1).astype(np.float32)
        rim = mask - np.asarray(cv2.erode(mask, np.ones((3, 3), np.uint8)))
        canvas.paint(rim, where, tone[None, None], counts=False)
    if min(width, depth) > 14 and canvas.chance(0.15):
        panels(canvas, at, width * canvas.between(0.4, 0.75), depth * canvas.between(0.2, 0.4), angle)


def _wings(canvas: Canvas, width: float, depth: float) -> list[Points]:
    """A box, or an L, T or U of boxes."""
    w, d = width / 2, depth / 2

    def box(left: float, right: float, down: float) -> Points:
        return np.array([[left, d - 1], [right, d - 1], [right, d + down], [left, d + down]])

    base = np.array([[-w, -d], [w, -d], [w, d], [-w, d]])
    form, down = canvas.number(0, 7), depth * canvas.between(0.4, 0.9)
    if form == 4:
        return [base, box(-w, -w + width * canvas.between(0.35, 0.6), down)]
    if form == 5:
        at, half = width * canvas.between(-0.2, 0.2), width * canvas.between(0.12, 0.22)
        return [base, box(at - half, at + half, down)]
    if form == 6 and width > 25:
        arm = width * canvas.between(0.2, 0.3)
        return [base, box(-w, -w + arm, down), box(w - arm, w, down)]
    return [base]


def _slopes(canvas: Canvas, wing: Points, colour: Floats) -> None:
    """A gabled or hipped roof: each slope lit as it faces the sun."""
    a, b, c, d = wing
    if np.linalg.norm(b - a) < np.linalg.norm(c - b):
        a, b, c, d = b, c, d, a
    hip = canvas.between(0.15, 0.5) if canvas.chance(0.45) else 0.0
    inset = hip * np.linalg.norm(d - a) / (np.linalg.norm(b - a) + 1e-6)
    near, far = (a + d) / 2, (b + c) / 2
    near, far = near + (far - near) * inset, far + (near - far) * inset
    slopes = [np.array([a, b, far, near]), np.array([d, c, far, near])]
    if hip > 0:
        slopes += [np.array([a, near, d]), np.array([b, far, c])]
    middle, sun = wing.mean(0), canvas.sun / np.linalg.norm(canvas.sun)
    for slope in slopes:
        faces = slope.mean(0) - middle
        lit = 1 - 0.28 * float(faces @ sun) / (float(np.linalg.norm(faces)) + 1e-6) * canvas.between(0.6, 1.4)
        where = canvas.box(slope)
        if where is None:
            continue
        mask = canvas.fill([slope], where)
        surface = canvas.surface(mask.shape, np.clip(colour * lit, 0, 1.1).astype(np.float32), 0.03, "grain")
        if canvas.metre > 2 and canvas.chance(0.5):
            edge = b - a
            angle = math.atan2(edge[1], edge[0]) + (math.pi / 2 if canvas.chance(0.5) else 0)
            surface = surface + stripes(canvas, mask.shape, canvas.between(2.5, 6), angle)[..., None] * np.float32(0.03)
        canvas.paint(mask, where, surface, counts=False)


def _furniture(canvas: Canvas, at: Place, size: tuple[float, float], angle: float, colour: Floats) -> None:
    """Boxes and hatches on a flat roof; part of it."""
    if min(size) < 18:
        return
    for _ in range(canvas.number(0, 7)):
        offset = np.array([[canvas.between(-0.4, 0.4) * size[0], canvas.between(-0.4, 0.4) * size[1]]])
        wide = canvas.between(2, min(size) * 0.16)
        outline = rectangle(tuple(turned(offset, angle, at)[0]), wide * canvas.between(1, 2), wide, angle)
        where = canvas.box(outline)
        if where is None:
            continue
        canvas.shadow(outline, canvas.between(0.8, 2))
        mask = canvas.fill([outline], where)
        tone = (colour * canvas.between(0.6, 1.4)).astype(np.float32)
        canvas.paint(mask, where, canvas.surface(mask.shape, tone, 0.02), counts=False)


def panels(canvas: Canvas, at: Place, width: float, depth: float, angle: float) -> None:
    """A table of solar panels."""
    outline = rectangle(at, width, depth, angle)
    where = canvas.box(outline)
    if where is None or width < 5 or depth < 3:
        return
    colour = canvas.random.uniform([0.03, 0.05, 0.12], [0.15, 0.2, 0.45]).astype(np.float32)
    mask = canvas.fill([outline], where)
    canvas.paint(mask, where, canvas.surface(mask.shape, colour, 0.02, "grain"))
    pitch = canvas.between(1, 2) * canvas.metre
    if pitch < 3.5:
        return
    frames = np.zeros_like(mask)
    across = [rectangle((x, 0), 0.7, depth, 0) for x in np.arange(-width / 2, width / 2 + 0.1, pitch)]
    along = [rectangle((0, y), width, 0.7, 0) for y in np.arange(-depth / 2, depth / 2 + 0.1, 1.5 * pitch)]
    frames = canvas.fill([turned(frame, angle, at) for frame in across + along], where)
    frames[mask == 0] = 0
    canvas.paint(frames, where, np.array([[[0.6, 0.62, 0.66]]], np.float32), canvas.between(0.2, 0.8), counts=False)


def solar_field(canvas: Canvas) -> None:
    """Rows of panels on fenced ground."""
    width, depth = canvas.between(30, 260), canvas.between(5, 26)
    step = np.array([width * canvas.between(1.03, 1.3), depth * canvas.between(1.4, 3)])
    count = np.array([canvas.number(1, 7), canvas.number(3, 18)])
    at = (canvas.between(0.2, 0.8) * canvas.side, canvas.between(0.2, 0.8) * canvas.side)
    ground = rectangle(at, count[0] * step[0] + 20, count[1] * step[1] + 20, canvas.angle)
    canvas.thing(ground, canvas.soil if canvas.chance(0.5) else canvas.green, 0.08)
    for col in range(count[0]):
        for row in range(count[1]):
            if canvas.chance(0.93):
                offset = (np.array([[col, row]]) - (count - 1) / 2) * step
                panels(canvas, tuple(turned(offset, canvas.angle, at)[0]), width, depth, canvas.angle)


def car(canvas: Canvas, at: Place, angle: float) -> None:
    """A car, where cars are more than a few pixels."""
    length, width = canvas.between(3.8, 5.4) * canvas.metre, canvas.between(1.7, 2.1) * canvas.metre
    if length < 7:
        return
    outline = rectangle(at, length, width, angle)
    canvas.shadow(outline, canvas.between(0.8, 1.6))
    canvas.thing(outline, canvas.grey(0.05, 1) if canvas.chance(0.7) else canvas.colour(), 0.02)
    if length > 12:
        for along in (-0.18, 0.28):
            place = (at[0] + math.cos(angle) * length * along, at[1] + math.sin(angle) * length * along)
            glass = rectangle(place, 0.13 * length, 0.8 * width, angle)
            where = canvas.box(glass)
            if where is not None:
                canvas.paint(
                    canvas.fill([glass], where), where, np.array([[[0.1, 0.12, 0.15]]], np.float32), 0.8, counts=False
                )


def tree(canvas: Canvas, at: Place, radius: float) -> None:
    """One crown, lit from the sun's side."""
    outline = blob(canvas, at, radius, 0.1, 24)
    canvas.shadow(outline, canvas.between(0.9, 2) * radius / canvas.metre)
    where = canvas.box(outline)
    if where is None:
        return
    mask = canvas.fill([outline], where)
    rows, cols = np.indices(mask.shape, dtype=np.float32)
    sun = -canvas.sun / np.linalg.norm(canvas.sun)
    lit = ((cols + where[1].start - at[0]) * sun[0] + (rows + where[0].start - at[1]) * sun[1]) / radius * 0.22
    lit += canvas.texture("crowns", mask.shape) * 0.12
    colour = np.clip(canvas.green * canvas.between(0.45, 1.05) + canvas.random.normal(0, 0.02, 3), 0.01, 1)
    surface = canvas.surface(mask.shape, colour.astype(np.float32), 0.04)
    canvas.paint(mask, where, np.clip(surface * (1 + 1.6 * lit[..., None]), 0, 1.2).astype(np.float32))


def tank(canvas: Canvas, at: Place, radius: float) -> None:
    """A round tank."""
    if radius < 4:
        return
    outline = circle(at, radius)
    canvas.shadow(outline, canvas.between(3, 12))
    canvas.thing(outline, canvas.grey(0.4, 0.95), 0.02)


def pool(canvas: Canvas, at: Place) -> None:
    """A swimming pool within its paving."""
    width, depth = canvas.between(5, 12) * canvas.metre, canvas.between(3, 6) * canvas.metre
    if width < 6:
        return
    outline = rectangle(at, width, depth, canvas.angle) if canvas.chance(0.7) else blob(canvas, at, width / 2, 0.15, 24)
    where = canvas.box(outline, 6)
    if where is None:
        return
    mask = canvas.fill([outline], where)
    paving = np.asarray(cv2.dilate(mask, np.ones((3, 3), np.uint8), iterations=max(1, int(0.4 * canvas.metre))))
    canvas.paint(paving, where, np.array([[[0.8, 0.77, 0.7]]], np.float32), 0.9, counts=False)
    colour = (np.array([0.15, 0.6, 0.75]) * canvas.between(0.7, 1.2)).astype(np.float32)
    canvas.paint(mask, where, canvas.surface(mask.shape, colour, 0.04))


def pitch(canvas: Canvas, at: Place) -> None:
    """A sports ground with its lines."""
    width, depth = canvas.between(20, 110) * canvas.metre, canvas.between(12, 65) * canvas.metre
    if width > 0.6 * canvas.side or width < 16:
        return
    outline = rectangle(at, width, depth, canvas.angle + canvas.number(0, 2) * math.pi / 2)
    tones = [canvas.green * 1.2, np.array([0.65, 0.3, 0.2]), np.array([0.2, 0.35, 0.6]), np.array([0.25, 0.5, 0.3])]
    canvas.thing(outline, tones[canvas.number(0, 4)].astype(np.float32), 0.03, "grain")
    lines = shrunk(outline, max(2, 0.03 * width))
    where = canvas.box(lines)
    if where is not None:
        canvas.paint(
            canvas.line(lines, where, 1), where, np.array([[[0.95, 0.95, 0.95]]], np.float32), 0.9, counts=False
        )


def car_park(canvas: Canvas, at: Place) -> None:
    """Rows of cars on asphalt."""
    metre = canvas.metre
    if metre < 1.6:
        return
    width, depth = canvas.between(20, 60) * metre, canvas.between(15, 40) * metre
    canvas.thing(rectangle(at, width, depth, canvas.angle), canvas.grey(0.25, 0.6))
    for y in np.arange(-depth / 2 + 3 * metre, depth / 2 - 2 * metre, 6 * metre):
        for x in np.arange(-width / 2 + 2 * metre, width / 2 - metre, 2.7 * metre):
            if canvas.chance(0.45):
                place = turned(np.array([[x, y]]), canvas.angle, at)[0]
                car(canvas, tuple(place), canvas.angle + math.pi / 2 + canvas.random.normal(0, 0.03))


def lot(canvas: Canvas, outline: Points) -> None:
    """A plot with its house, trees, perhaps a pool."""
    where = canvas.box(outline)
    if where is None:
        return
    middle, edge = outline.mean(0), outline[1] - outline[0]
    angle = math.atan2(edge[1], edge[0])
    tones = [canvas.green * canvas.between(0.8, 1.5), canvas.soil * canvas.between(0.7, 1.2), canvas.grey(0.35, 0.7)]
    mask = canvas.fill([shrunk(outline, 0.8)], where)
    surface = canvas.surface(mask.shape, tones[canvas.number(0, 3)].astype(np.float32), 0.07)
    canvas.paint(mask, where, surface, counts=canvas.chance(0.5))
    side = math.sqrt(abs(cv2.contourArea(outline.astype(np.float32))))

    def near(share: float) -> Place:
        x, y = middle + canvas.random.normal(0, side * share, 2)
        return float(x), float(y)

    for _ in range(canvas.number(1, 3)):
        facing = angle + canvas.number(0, 2) * math.pi / 2
        building(canvas, near(0.1), side * canvas.between(0.3, 0.65), side * canvas.between(0.22, 0.45), facing)
    if canvas.chance(0.2):
        pool(canvas, near(0.3))
    for _ in range(canvas.number(0, 4)):
        tree(canvas, near(0.35), max(3, canvas.between(1.5, 5) * canvas.metre))


def town(canvas: Canvas) -> None:
    """Blocks between streets: lots, pitches, car parks, halls, greens."""
    extent = canvas.side
    side = float(np.clip(canvas.between(18, 60) * canvas.metre, 22, 260))
    ground = rectangle((extent / 2, extent / 2), 1.6 * extent, 1.6 * extent, canvas.angle)
    canvas.thing(ground, canvas.grey(0.25, 0.55))
    street, lots = max(2.0, canvas.between(2.5, 6) * canvas.metre), 0
    for whole in parcels(canvas, ground, (side * canvas.between(2.5, 4)) ** 2):
        block = shrunk(whole, street)
        if canvas.box(block) is None:
            continue
        kind, middle = canvas.number(0, 10), (float(block.mean(0)[0]), float(block.mean(0)[1]))
        if kind < 6:
            for plot in parcels(canvas, block, side * side):
                if lots < MOST_LOTS and canvas.box(plot) is not None:
                    lot(canvas, plot)
                    lots += 1
            continue
        long = math.sqrt(abs(cv2.contourArea(block.astype(np.float32))))
        canvas.thing(block, [canvas.green, canvas.soil, canvas.grey(0.4, 0.6)][canvas.number(0, 3)], 0.07)
        if kind == 6:
            pitch(canvas, middle)
        elif kind == 7:
            car_park(canvas, middle)
        elif kind == 8:
            building(canvas, middle, long * canvas.between(0.4, 0.8), long * canvas.between(0.3, 0.6), canvas.angle)
        else:
            for _ in range(canvas.number(3, 18)):
                x, y = np.array(middle) + canvas.random.normal(0, 0.3 * long, 2)
                tree(canvas, (float(x), float(y)), max(3, canvas.between(2, 6) * canvas.metre))
