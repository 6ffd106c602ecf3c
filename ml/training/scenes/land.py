"""Fields, water, roads and woods."""

import math

import cv2
import numpy as np

from ml.training.scenes.canvas import Canvas, Floats, Points
from ml.training.scenes.outlines import blob, cells, circle, course, parcels, rectangle, ribbon, shrunk

LEAST_FIELD_PX2 = 150


def stripes(canvas: Canvas, shape: tuple[int, int], period: float, angle: float, hard: float = 0.0) -> Floats:
    """Parallel waves of -1..1, `hard` ones nearly steps."""
    rows, cols = np.indices(shape, dtype=np.float32)
    phase = (cols * math.cos(angle) + rows * math.sin(angle)) * (2 * math.pi / period) + canvas.between(0, 6.28)
    wave = np.sin(phase)
    return (np.tanh(wave * hard) / math.tanh(hard) if hard > 0 else wave).astype(np.float32)


def crop_colour(canvas: Canvas) -> Floats:
    """What grows, was harvested or lies bare."""
    kinds = [
        canvas.green * canvas.between(0.6, 1.5),
        canvas.green * canvas.between(0.6, 1.5),
        canvas.soil * canvas.between(0.6, 1.25),
        np.array([0.75, 0.68, 0.38]) * canvas.between(0.7, 1.15),
        (canvas.green + canvas.soil) / 2 * canvas.between(0.7, 1.3),
        canvas.colour(),
    ]
    chosen = kinds[canvas.number(0, len(kinds))] + canvas.random.normal(0, 0.03, 3)
    return np.clip(chosen, 0.03, 1).astype(np.float32)


def crop_surface(canvas: Canvas, shape: tuple[int, int], colour: Floats, angle: float) -> Floats:
    """Rows, tramlines, wet patches, a slope of tone, an orchard's dots."""
    relief = np.zeros(shape, np.float32)
    if canvas.chance(0.7):
        hard = canvas.between(0, 3) if canvas.chance(0.5) else 0.0
        relief += stripes(canvas, shape, canvas.spread(2.5, 26), angle, hard) * canvas.between(0.01, 0.13)
    if canvas.chance(0.25):
        relief += stripes(canvas, shape, canvas.between(25, 90), angle, 6) * canvas.between(0.01, 0.06)
    if canvas.chance(0.5):
        relief += canvas.texture("cloud", shape) * canvas.between(0.02, 0.12)
    if canvas.chance(0.4):
        rows, cols = np.indices(shape, dtype=np.float32)
        falls = canvas.between(0, 6.28)
        slope = (cols - shape[1] / 2) * math.cos(falls) + (rows - shape[0] / 2) * math.sin(falls)
        relief += slope / max(shape) * canvas.between(0, 0.5)
    if canvas.chance(0.12):
        apart = canvas.between(7, 24)
        dots = stripes(canvas, shape, apart, angle) + stripes(canvas, shape, apart, angle + math.pi / 2)
        relief -= np.clip(dots, 0, 2) * canvas.between(0.08, 0.25)
    surface = canvas.surface(shape, colour, canvas.between(0.01, 0.09), "grain" if canvas.chance(0.4) else "cloud")
    return np.clip(surface + surface.mean((0, 1)) * 1.6 * relief[..., None], 0, 1.2).astype(np.float32)


def fields(canvas: Canvas, share: float, side: float | None = None) -> None:
    """The whole scene in fields, some of them left out."""
    side = canvas.spread(50, 420) if side is None else side
    extent = canvas.side
    ground = rectangle((extent / 2, extent / 2), 1.7 * extent, 1.7 * extent, canvas.angle)
    found = cells(canvas, side) if canvas.chance(0.25) else parcels(canvas, ground, side * side)
    gap = canvas.between(0, 1.5) if canvas.chance(0.5) else canvas.between(1, 7)
    alike = crop_colour(canvas) if canvas.chance(0.25) else None
    for outline in found:
        if not canvas.chance(share):
            continue
        colour = crop_colour(canvas)
        if alike is not None:
            colour = np.clip(alike * canvas.between(0.82, 1.2) + canvas.random.normal(0, 0.02, 3), 0.02, 1)
        _field(canvas, shrunk(outline, gap), colour.astype(np.float32), side)


def _field(canvas: Canvas, outline: Points, colour: Floats, side: float) -> None:
    area = abs(cv2.contourArea(outline.astype(np.float32)))
    if canvas.chance(0.08):  # watered from a turning arm
        outline = circle(tuple(outline.mean(0)), math.sqrt(area / math.pi) * 0.85)
    elif canvas.chance(0.15) and side > 80:
        outline = _uneven(canvas, outline, side * 0.012)
    where = canvas.box(outline)
    if where is None or area < LEAST_FIELD_PX2:
        return
    mask = canvas.fill([outline], where)
    if int((mask > 0).sum()) < LEAST_FIELD_PX2:
        return
    edge = outline[1] - outline[0]
    angle = math.atan2(edge[1], edge[0]) + (math.pi / 2 if canvas.chance(0.8) else 0)
    canvas.paint(mask, where, crop_surface(canvas, mask.shape, colour, angle))
    number = canvas.count
    if canvas.chance(0.4):
        hedge = canvas.line(outline, where, canvas.number(1, 4))
        hedge[mask == 0] = 0
        tone = canvas.green * 0.5 if canvas.chance(0.5) else canvas.soil * canvas.between(0.8, 1.3)
        canvas.paint(hedge, where, canvas.surface(mask.shape, tone, 0.1), canvas.between(0.3, 0.9), counts=False)
    if canvas.chance(0.12):
        middle = outline.mean(0) + canvas.random.normal(0, side * 0.15, 2)
        _patch(canvas, blob(canvas, tuple(middle), side * canvas.between(0.08, 0.25), 0.25), colour, number)


def _patch(canvas: Canvas, outline: Points, colour: Floats, field: int) -> None:
    """A blotch of the field itself, or a pond or copse in it."""
    where = canvas.box(outline)
    if where is None:
        return
    mask = canvas.fill([outline], where)
    mask[canvas.objects[where] != field] = 0
    if canvas.chance(0.5):
        soft = np.asarray(cv2.GaussianBlur(mask, (0, 0), 3))
        tone = (colour * canvas.between(0.7, 1.3)).astype(np.float32)
        canvas.paint(soft, where, canvas.surface(mask.shape, tone, 0.08), canvas.between(0.3, 0.8), counts=False)
    else:
        canvas.paint(mask, where, canvas.surface(mask.shape, crop_colour(canvas) * np.float32(0.7), 0.1))


def _uneven(canvas: Canvas, outline: Points, by: float) -> Points:
    """Sides that are not quite straight."""
    share = np.linspace(0, 1, 6, endpoint=False)[:, None]
    sides = [a + (b - a) * share for a, b in zip(outline, np.roll(outline, -1, axis=0), strict=True)]
    return np.concatenate([side + canvas.random.normal(0, by, side.shape) * (share > 0) for side in sides])


def water(canvas: Canvas, river: bool) -> None:
    """A river or a pond, often with a bank."""
    colour = canvas.random.uniform([0.03, 0.12, 0.15], [0.3, 0.42, 0.5]).astype(np.float32)
    if canvas.chance(0.2):
        colour = (np.array([0.45, 0.4, 0.3]) * canvas.between(0.7, 1.1)).astype(np.float32)
    if river:
        line = course(canvas, canvas.between(0.15, 0.6), 90)
        sway = 1 + 0.25 * np.sin(np.linspace(0, canvas.between(5, 25), len(line)) + canvas.between(0, 6))
        outlines = ribbon(line, canvas.spread(6, 150) * sway)
    else:
        outlines = [blob(canvas, canvas.place(), canvas.spread(10, 260), canvas.between(0.05, 0.4))]
    where = canvas.box(np.concatenate(outlines), 10)
    if where is None:
        return
    mask = canvas.fill(outlines, where)
    if canvas.chance(0.5):
        bank = np.asarray(cv2.dilate(mask, np.ones((5, 5), np.uint8), iterations=canvas.number(1, 4)))
        tone = canvas.green * np.float32(0.6) if canvas.chance(0.5) else canvas.soil * np.float32(1.2)
        canvas.paint(bank, where, canvas.surface(mask.shape, tone, 0.12), 0.9, counts=False)
    canvas.paint(mask, where, canvas.surface(mask.shape, colour, canvas.between(0.005, 0.05)))


def road(canvas: Canvas, *, paved: bool) -> None:
    """A road or a track across the scene."""
    line = course(canvas, 0 if canvas.chance(0.4) else canvas.between(0.05, 0.4))
    width = max(2.5, canvas.between(3, 14) * canvas.metre)
    outlines = ribbon(line, width)
    everywhere = (slice(0, canvas.side), slice(0, canvas.side))
    mask = canvas.fill(outlines, everywhere)
    if not mask.any():
        return
    colour = canvas.grey(0.2, 0.65) if paved else np.clip(canvas.soil * canvas.between(0.9, 1.5), 0, 1)
    if paved and width > 8 and canvas.chance(0.4):
        kerb = canvas.fill(ribbon(line, 1.25 * width + 3), everywhere)
        tone = (colour * canvas.between(1.05, 1.5)).astype(np.float32)
        canvas.paint(kerb, everywhere, canvas.surface(mask.shape, tone, 0.04), 0.9, counts=False)
    rough, kind = canvas.between(0.01, 0.06), "grain" if canvas.chance(0.5) else "cloud"
    canvas.paint(mask, everywhere, canvas.surface(mask.shape, colour.astype(np.float32), rough, kind))
    if paved and width > 9 and canvas.chance(0.6):
        middle = canvas.fill(ribbon(line, max(1.2, 0.03 * width))[:: canvas.number(1, 3)], everywhere)
        canvas.paint(middle, everywhere, np.array([[[0.9, 0.9, 0.85]]], np.float32), counts=False)
    if not paved and width > 7 and canvas.chance(0.5):
        grass = canvas.fill(ribbon(line, 0.3 * width), everywhere)
        canvas.paint(grass, everywhere, canvas.surface(mask.shape, canvas.green, 0.1), 0.7, counts=False)


def wood(canvas: Canvas) -> None:
    """A wood, or a belt of trees."""
    radius = canvas.spread(22, 300)
    if canvas.chance(0.25):
        line = course(canvas, canvas.between(0.02, 0.2))
        sway = 1 + 0.3 * np.sin(np.linspace(0, canvas.between(20, 60), len(line)))
        outlines = ribbon(line, canvas.between(6, 30) * sway)
    else:
        outlines = [blob(canvas, canvas.place(), radius, canvas.between(0.1, 0.4), 70)]
        canvas.shadow(outlines[0], canvas.between(3, 10) if canvas.metre < 3 else 3)
    where = canvas.box(np.concatenate(outlines))
    if where is None:
        return
    mask = canvas.fill(outlines, where)
    if radius > 30 and canvas.chance(0.7):
        soft = cv2.GaussianBlur(mask, (0, 0), 4).astype(np.float32) / 255
        mask = ((soft + canvas.texture("cloud", mask.shape) * 0.13) > 0.5).astype(np.uint8) * 255
    crowns = canvas.texture("crowns", mask.shape)[..., None] * canvas.between(0.12, 0.3)
    colour = (canvas.green * canvas.between(0.35, 0.85)).astype(np.float32)
    canvas.paint(mask, where, np.clip(canvas.surface(mask.shape, colour, 0.03) + colour * crowns, 0, 1.2))
