"""Outlines of things seen from above, in pixels."""

import math

import cv2
import numpy as np

from ml.training.scenes.canvas import Canvas, Points


def turned(points: Points, angle: float, at: tuple[float, float] = (0.0, 0.0)) -> Points:
    """Turned about the origin, then moved to a place."""
    cos, sin = math.cos(angle), math.sin(angle)
    return np.asarray(points) @ np.array([[cos, sin], [-sin, cos]]) + np.asarray(at)


def rectangle(at: tuple[float, float], width: float, height: float, angle: float) -> Points:
    """A rectangle about its middle."""
    w, h = width / 2, height / 2
    return turned(np.array([[-w, -h], [w, -h], [w, h], [-w, h]]), angle, at)


def circle(at: tuple[float, float], radius: float) -> Points:
    """A circle of 48 corners."""
    angles = np.linspace(0, 2 * math.pi, 48, endpoint=False)
    return np.column_stack([np.cos(angles), np.sin(angles)]) * radius + np.asarray(at)


def blob(canvas: Canvas, at: tuple[float, float], radius: float, rough: float, corners: int = 60) -> Points:
    """A round thing of uneven outline, more or less long."""
    angles = np.linspace(0, 2 * math.pi, corners, endpoint=False)
    radii = np.ones(corners)
    for wave in range(1, 7):
        strength = rough / wave * canvas.random.standard_normal()
        radii += strength * np.cos(wave * angles + canvas.between(0, 2 * math.pi))
    radii, long = np.clip(radii, 0.25, 3) * radius, canvas.between(0.7, 1.4)
    points = np.column_stack([np.cos(angles) * radii * long, np.sin(angles) * radii / long])
    return turned(points, canvas.between(0, 2 * math.pi), at)


def course(canvas: Canvas, bend: float, steps: int = 70) -> Points:
    """A line across the scene, (steps, 2)."""
    angle, side = canvas.between(0, 2 * math.pi), canvas.side
    along = np.array([math.cos(angle), math.sin(angle)])
    across = np.array([-along[1], along[0]])
    middle = np.array([canvas.between(0.15, 0.85), canvas.between(0.15, 0.85)]) * side
    share = np.linspace(0, 1, steps)
    sway = np.zeros(steps)
    for wave in range(1, 6):
        strength = canvas.random.standard_normal() / wave
        sway += strength * np.sin(2 * math.pi * wave * share * canvas.between(0.7, 1.3) + canvas.between(0, 6.28))
    straight = middle + np.outer((share - 0.5) * 2.2 * side, along)
    return straight + np.outer(sway * bend * side * 0.35, across)


def ribbon(line: Points, width: float | Points) -> list[Points]:
    """The quadrilaterals of a line of some width, to be filled together."""
    steps = np.gradient(line, axis=0)
    steps /= np.linalg.norm(steps, axis=1, keepdims=True) + 1e-6
    half = np.broadcast_to(np.asarray(width, dtype=np.float64) / 2, len(line))[:, None]
    across = np.column_stack([-steps[:, 1], steps[:, 0]]) * half
    left, right = line + across, line - across
    return [np.array([left[i], left[i + 1], right[i + 1], right[i]]) for i in range(len(line) - 1)]


def shrunk(outline: Points, by: float) -> Points:
    """Each corner drawn in towards the middle."""
    middle = outline.mean(0)
    away = outline - middle
    length = np.linalg.norm(away, axis=1, keepdims=True) + 1e-6
    return middle + away * np.clip((length - by) / length, 0.05, 1)


def parcels(canvas: Canvas, outline: Points, least_area: float, depth: int = 0) -> list[Points]:
    """A convex outline cut again and again across its longest side."""
    area = abs(cv2.contourArea(outline.astype(np.float32)))
    if area < least_area * canvas.between(0.7, 3.5) or depth > 9:
        return [outline]
    edges = np.roll(outline, -1, axis=0) - outline
    longest = int(np.argmax(np.linalg.norm(edges, axis=1)))
    cut = outline[longest] + edges[longest] * canvas.between(0.3, 0.7)
    along = turned(edges[longest][None], canvas.random.normal(0, 0.06))[0]
    sides = (outline - cut) @ along
    first: list[Points] = []
    second: list[Points] = []
    for i, side in enumerate(sides):
        after = (i + 1) % len(outline)
        (first if side >= 0 else second).append(outline[i])
        if (side >= 0) != (sides[after] >= 0):
            crossing = outline[i] + edges[i] * (side / (side - sides[after]))
            first.append(crossing)
            second.append(crossing)
    if len(first) < 3 or len(second) < 3:
        return [outline]
    return [
        *parcels(canvas, np.array(first), least_area, depth + 1),
        *parcels(canvas, np.array(second), least_area, depth + 1),
    ]


def cells(canvas: Canvas, side: float) -> list[Points]:
    """Voronoi cells over the scene."""
    extent = canvas.side
    count = int(np.clip((1.3 * extent / side) ** 2, 4, 260))
    plane = cv2.Subdiv2D((-extent, -extent, 3 * extent, 3 * extent))
    for _ in range(count):
        plane.insert((canvas.between(-0.15, 1.15) * extent, canvas.between(-0.15, 1.15) * extent))
    found, _ = plane.getVoronoiFacetList([])
    return [np.clip(np.asarray(cell, dtype=np.float64), -0.6 * extent, 1.6 * extent) for cell in found]
