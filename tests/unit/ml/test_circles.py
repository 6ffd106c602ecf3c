"""Circles: given to what is nearly one, and to nothing else."""

import math
from typing import Any

import numpy as np
import pytest
import shapely
from shapely import affinity
from shapely.geometry import Point, Polygon, box

from ml.vectorize import forming
from ml.vectorize.circles import circled


def worn(radius: float, seed: int) -> Polygon:
    """A circle as a mask shows it: a vertex every 4 px that is off by about one."""
    angles = np.linspace(0, 2 * math.pi, max(12, int(2 * math.pi * radius / 4)), endpoint=False)
    radii = radius + np.random.default_rng(seed).normal(0, 1, len(angles))
    return Polygon(np.column_stack([500 + radii * np.cos(angles), 400 + radii * np.sin(angles)]))


@pytest.mark.parametrize("radius", [20, 40, 150, 400])
def test_a_worn_circle_becomes_a_true_one(radius: float) -> None:
    truth = Point(500, 400).buffer(radius, quad_segs=90)

    found = circled(worn(radius, 3), 2.0)

    distances = np.hypot(*(shapely.get_coordinates(found) - shapely.get_coordinates(found.centroid)).T)
    assert np.ptp(distances) < 1e-6
    assert 16 <= len(found.exterior.coords) - 1 <= 64
    assert found.area == pytest.approx(worn(radius, 3).area, rel=1e-9)
    assert found.intersection(truth).area / found.union(truth).area > 0.97
    assert found.hausdorff_distance(truth) < 2


@pytest.mark.parametrize(
    "shape",
    [
        box(0, 0, 100, 100),
        affinity.scale(Point(0, 0).buffer(50), 1.5, 1),
        Point(0, 0).buffer(100).difference(Point(0, 0).buffer(40)),
        Point(0, 0).buffer(100).difference(box(0, 0, 100, 100)),
        Polygon([(0, 0), (4, 4), (4, 0), (0, 4)]),
        Polygon(),
    ],
    ids=["square", "ellipse", "ring", "three quarters", "bow-tie", "empty"],
)
def test_what_is_no_circle_stays_as_it_is(shape: Polygon) -> None:
    assert circled(shape, 2.0) is shape


def test_a_circle_is_round_on_the_ground_where_pixels_are_not_square() -> None:
    make: Any = forming("circle", (0.5, 1.0))
    pixels = shapely.transform(worn(100, 1), lambda xy: xy / [0.5, 1.0])

    found = make(pixels, 2.0)

    ground = shapely.get_coordinates(found) * [0.5, 1.0]
    assert np.ptp(np.hypot(*(ground - ground[:-1].mean(0)).T)) < 1e-6


def test_a_name_that_is_no_form_forms_nothing() -> None:
    assert forming("natural", (1.0, 1.0)) is None
