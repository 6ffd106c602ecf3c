"""Walls and corners of buildings: given back where they nearly are, and nowhere else."""

import math
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import affinity
from shapely.geometry import LinearRing, Point, Polygon, box

from ml.vectorize import Direction, Placing, Recipe, forming, outline, polygon_from_logits, wall_directions
from ml.vectorize.right_angles import dominant_direction, right_angled
from ml.windows import Window

FORMS = {
    "box": box(-60, -40, 60, 40),
    "L": box(-60, -40, 60, 40).difference(box(0, 0, 60, 40)),
    "T": box(-60, -40, 60, 0).union(box(-18, -1, 18, 40)),
    "U": box(-60, -40, 60, 40).difference(box(-22, -5, 22, 40)),
    "with a court": box(-80, -70, 80, 70).difference(box(-30, -25, 30, 25)),
}


def worn(form: Polygon, angle: float, seed: int, noise: float = 1.0) -> Polygon:
    """As a mask shows it: turned, corners rounded, a vertex every 4 px that is off by some noise."""
    rounded = form.buffer(-5).buffer(10).buffer(-5)
    turned = affinity.translate(affinity.rotate(rounded, angle), 500, 400)
    random = np.random.default_rng(seed)

    def ring(line: LinearRing) -> Any:
        places = np.arange(0, line.length, 4)
        points = shapely.get_coordinates(shapely.line_interpolate_point(line, places))
        return points + random.normal(0, noise, points.shape)

    while True:  # noise may make it cross itself, which a traced mask never does
        made = Polygon(ring(turned.exterior), [ring(hole) for hole in turned.interiors])
        if made.is_valid or noise > 2:
            return made


def true(form: Polygon, angle: float) -> Polygon:
    return affinity.translate(affinity.rotate(form, angle), 500, 400)


def logits_of(shape: Polygon) -> Any:
    """Logits of a window: the distance to the outline in cells of 4 px."""
    cells = np.arange(256) * 4 + 2.0
    grid = shapely.points(*np.meshgrid(cells, cells))
    distance = shapely.distance(shape.boundary, grid)
    return np.clip(np.where(shapely.contains(shape, grid), distance, -distance) / 4, -8, 8).astype(np.float32)


def formed(shape: Any, pixel: tuple[float, float]) -> Any:
    make = forming("right_angles", pixel)
    assert make is not None
    return make(shape, 2.0)


def iou(a: Polygon, b: Polygon) -> float:
    return float(a.intersection(b).area / a.union(b).area)


def corners(shape: Polygon) -> int:
    return sum(len(ring.coords) - 1 for ring in (shape.exterior, *shape.interiors))


def angles(shape: Polygon) -> Any:
    """Degrees between each two sides of the outer ring."""
    steps = np.diff(shapely.get_coordinates(shape.exterior), axis=0)
    ways = np.degrees(np.arctan2(steps[:, 1], steps[:, 0]))
    return np.abs((np.roll(ways, -1) - ways + 180) % 360 - 180)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
@pytest.mark.parametrize("angle", [0.0, 17.0, 45.0, 71.0])
def test_a_worn_building_gets_its_own_corners_back(form: Polygon, angle: float) -> None:
    found = right_angled(worn(form, angle, seed=int(angle)), 2.0)

    assert corners(found) == corners(form)
    assert angles(found) == pytest.approx(90, abs=1e-6)
    assert iou(found, true(form, angle)) > 0.97
    assert found.hausdorff_distance(true(form, angle)) < 4


def test_it_is_nearer_to_the_truth_than_the_outline_and_than_douglas_peucker() -> None:
    outlines = [(worn(form, 9.0 * n, n), true(form, 9.0 * n)) for n, form in enumerate(list(FORMS.values())[:4] * 5)]

    ours = [iou(right_angled(seen, 2.0), there) for seen, there in outlines]
    plain = [iou(seen, there) for seen, there in outlines]
    simple = [iou(shapely.simplify(seen, 2.0), there) for seen, there in outlines]

    assert np.mean(ours) > max(np.mean(plain), np.mean(simple)) + 0.01


def test_the_direction_is_that_of_the_long_walls() -> None:
    assert math.degrees(dominant_direction(worn(FORMS["box"], 33, 1), 2.0)) == pytest.approx(33, abs=1)


def test_a_given_direction_is_kept() -> None:
    found = right_angled(worn(FORMS["box"], 33, 1), 2.0, math.radians(30))

    steps = np.diff(shapely.get_coordinates(found.exterior), axis=0)
    assert np.degrees(np.arctan2(steps[:, 1], steps[:, 0])) % 90 == pytest.approx(30, abs=1e-6)


@pytest.mark.parametrize(
    "shape",
    [
        Point(500, 400).buffer(80),
        affinity.scale(Point(500, 400).buffer(60), 2.0, 0.6),
        Polygon([(0, 0), (300, 20), (120, 260)]),
    ],
    ids=["round", "long and round", "triangle"],
)
def test_what_has_no_right_angles_gets_none(shape: Polygon) -> None:
    found = right_angled(shape, 2.0)

    assert found.equals(shape) or (np.abs(angles(found) - 90) > 1).all()
    assert iou(found, shape) >= 0.85


@pytest.mark.parametrize("shape", [Polygon(), Polygon([(0, 0), (4, 4), (4, 0), (0, 4)])], ids=["empty", "bow-tie"])
def test_what_is_no_outline_stays_as_it_is(shape: Polygon) -> None:
    assert right_angled(shape, 2.0) is shape


def test_angles_are_right_on_the_ground_where_pixels_are_not_square() -> None:
    """A raster in degrees at 60 north: a pixel is half as wide as it is high."""
    ground = worn(FORMS["L"], 25, 3)
    pixels = shapely.transform(ground, lambda xy: xy / [0.5, 1.0])

    found = formed(pixels, (0.5, 1.0))

    assert angles(shapely.transform(found, lambda xy: xy * [0.5, 1.0])) == pytest.approx(90, abs=1e-6)


def test_of_several_parts_each_is_judged_alone() -> None:
    square, round_one = true(FORMS["box"], 10), Point(800, 400).buffer(60)
    logits = np.maximum(logits_of(square), logits_of(round_one))
    shape = polygon_from_logits(logits, Window(0, 0), width=1024, height=1024, forming=forming("right_angles", (1, 1)))

    first, other = sorted(shape.geoms, key=lambda part: part.centroid.x)
    assert corners(first) == 4
    assert angles(first) == pytest.approx(90, abs=1e-6)
    assert corners(other) > 10
    assert iou(other, round_one) > 0.98


def turn_of(shape: Any) -> float:
    """Degrees by which the longest side is turned, in 0 to 90."""
    steps = np.diff(shapely.get_coordinates(shape.exterior), axis=0)
    x, y = steps[np.hypot(*steps.T).argmax()]
    return math.degrees(math.atan2(y, x)) % 90


def test_a_small_building_follows_the_walls_of_its_group_and_not_those_of_others() -> None:
    """Twenty huts whose masks are so worn that their own directions are off by degrees."""
    street = [Direction(math.radians(30), 400.0), Direction(math.radians(75), 900.0)]
    huts = [worn(affinity.scale(FORMS["box"], 0.25, 0.25), 33, seed, 1.2) for seed in range(20)]

    alone = [turn_of(right_angled(hut, 2.0)) for hut in huts]
    grouped = [turn_of(right_angled(hut, 2.0, group=street)) for hut in huts]
    strangers = [turn_of(right_angled(hut, 2.0, group=street[1:])) for hut in huts]

    assert np.abs(np.array(grouped) - 30.6).mean() < 0.5 * np.abs(np.array(alone) - 33).mean()
    assert strangers == alone


def test_the_directions_of_a_group_are_found_on_the_ground_with_how_sure_they_are() -> None:
    ground = true(FORMS["L"], 25)
    pixels = shapely.transform(shapely.MultiPolygon([ground, Point(900, 900).buffer(50)]), lambda xy: xy / [0.5, 1.0])

    square, round_one = wall_directions(pixels, (0.5, 1.0))

    assert math.degrees(square.radians) == pytest.approx(25)
    assert square.weight == pytest.approx(ground.length)
    assert round_one.weight < 0.01


def test_a_recipe_follows_a_group_only_where_it_asks_for_it() -> None:
    logits = logits_of(true(FORMS["box"], 33))
    placing, group = Placing(0, 0, (4.0, 4.0), 1024, 1024), [Direction(math.radians(30), 1e5)]

    own, asked = (
        outline(logits, placing, Recipe(form="right_angles", group_directions=g), group=group) for g in (False, True)
    )

    assert own is not None
    assert asked is not None
    assert turn_of(own.shape) == pytest.approx(33, abs=0.3)
    assert turn_of(asked.shape) == pytest.approx(30.6, abs=0.3)  # a group counts four times as much as itself


def test_walls_at_45_degrees_stay_among_right_angles() -> None:
    """A box with one large corner cut off, and one with a bay."""
    cut = box(-80, -50, 80, 50).difference(Polygon([(80, 50), (80, -10), (20, 50)]))
    for form in (cut, cut.union(Polygon([(-40, -50), (0, -50), (-12, -70), (-28, -70)]))):
        found = right_angled(worn(form, 17, 2, 0.5), 2.0)

        assert abs(corners(found) - corners(form)) <= 1
        assert iou(found, true(form, 17)) > 0.97


@pytest.mark.parametrize("sides", [3, 5, 6])
def test_walls_of_other_directions_are_straight_too(sides: int) -> None:
    """Where masks round a corner, one may be left cut off."""
    turns = np.linspace(0, 2 * math.pi, sides, endpoint=False)
    form = Polygon(90 * np.column_stack([np.cos(turns), np.sin(turns)]))
    seen = worn(form, 40, 1)

    found = right_angled(seen, 2.0)

    assert sides <= corners(found) <= sides + 3 < corners(shapely.simplify(seen, 2.0))
    assert iou(found, true(form, 40)) > 0.94


@pytest.mark.parametrize("radius", [30, 120])
def test_curved_walls_are_not_harmed(radius: float) -> None:
    apse = box(-radius, -radius, radius, radius).union(Point(radius, 0).buffer(radius, quad_segs=45))

    found, seen = right_angled(worn(apse, 20, 1), 2.0), worn(apse, 20, 1)

    assert iou(found, true(apse, 20)) > 0.93
    assert found.hausdorff_distance(seen) <= max(12.0, 0.1 * math.sqrt(seen.area))


@settings(max_examples=200, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    angle=st.floats(0, 90),
    noise=st.floats(0, 6),
    name=st.sampled_from(sorted(FORMS)),
    tolerance=st.sampled_from([0.5, 2.0, 8.0]),
)
def test_whatever_comes_out_is_valid_and_near(
    seed: int, angle: float, noise: float, name: str, tolerance: float
) -> None:
    outline = worn(FORMS[name], angle, seed, noise)

    found = right_angled(outline, tolerance)

    assert found is outline or found.is_valid
    assert found is outline or iou(found, outline) >= 0.85


def test_a_mask_is_traced_with_right_angles_when_asked_and_stays_within_the_raster() -> None:
    roof = true(FORMS["U"], 20)
    logits = logits_of(roof)

    def trace(width: int, **more: Any) -> Any:
        return polygon_from_logits(logits, Window(0, 0), width=width, height=1024, **more)

    natural, squared = trace(1024), trace(1024, forming=forming("right_angles", (0.3, 0.3)))
    assert corners(squared) == 8 < corners(natural)
    assert iou(squared, roof) > iou(natural, roof) - 0.005
    assert trace(510, forming=forming("right_angles", (0.3, 0.3))).bounds[2] <= 510
