"""A recipe's outline: each step does what it says, in metres on the ground, on fields of any size and place."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from shapely import affinity
from shapely.geometry import MultiPolygon, Point, Polygon, box

from ml.vectorize import Outlined, Placing, Recipe, outline

Logits = npt.NDArray[np.float32]
HALF_METRE = Placing(0, 0, (4.0, 4.0), 1024, 1024, (0.5, 0.5))


def logits_of(shape: Any, placing: Placing = HALF_METRE, cells: tuple[int, int] = (256, 256)) -> Logits:
    """Positive inside a shape in raster pixels: the distance to its outline, in px."""
    x = placing.col + (np.arange(cells[1]) + 0.5) * placing.cell[0]
    y = placing.row + (np.arange(cells[0]) + 0.5) * placing.cell[1]
    grid = shapely.points(*np.meshgrid(x, y))
    shapely.prepare([shape, shape.boundary])
    distance = shapely.distance(shape.boundary, grid)
    field: Logits = np.clip(np.where(shapely.contains(shape, grid), distance, -distance), -30, 30).astype(np.float32)
    return field


def made(logits: Logits, recipe: Recipe, placing: Placing = HALF_METRE, **more: Any) -> Outlined:
    found = outline(logits, placing, recipe, **more)
    assert found is not None
    return found


def iou(a: Any, b: Any) -> float:
    return float(a.intersection(b).area / a.union(b).area)


def wavy(waves: int, height: float, radius: float = 300) -> Polygon:
    angles = np.linspace(0, 2 * math.pi, 720, endpoint=False)
    radii = radius + height * np.sin(waves * angles)
    return Polygon(np.column_stack([512 + radii * np.cos(angles), 512 + radii * np.sin(angles)]))


DISC = Point(500, 520).buffer(200, quad_segs=45)
HOLED = DISC.difference(box(480, 480, 520, 520)).difference(box(400, 480, 424, 504))  # holes of 400 and 144 m2
PARTS = box(100, 100, 500, 500).union(box(600, 100, 700, 200))  # of 40,000 and 2,500 m2


def test_the_same_mask_and_recipe_give_the_same_shape() -> None:
    logits = logits_of(wavy(23, 20))

    first, second = made(logits, Recipe(smooth_m=3)), made(logits.copy(), Recipe(smooth_m=3))

    assert shapely.equals_exact(first.shape, second.shape, 0.0)


def test_another_recipe_gives_the_plain_outline_back() -> None:
    logits = logits_of(HOLED)
    as_it_is = Recipe("none")

    before = made(logits, as_it_is)
    made(logits, Recipe(tolerance_m=20, fill_holes_m2=1e6, smooth_m=10))
    after = made(logits, as_it_is)

    assert shapely.equals_exact(before.shape, after.shape, 0.0)
    assert before.shape.equals(before.plain)
    assert (before.iou, before.hausdorff_m) == (1.0, 0.0)
    assert before.vertices == before.raw_vertices


@pytest.mark.parametrize("simplify", ["visvalingam", "douglas_peucker"])
def test_a_tolerance_is_in_metres_on_the_ground(simplify: str) -> None:
    logits = logits_of(wavy(60, 6))

    fine, coarse = (made(logits, Recipe(simplify, metres)) for metres in (0.25, 8.0))
    finer_ground = Placing(0, 0, (4.0, 4.0), 1024, 1024, (0.05, 0.05))
    same = made(logits, Recipe(simplify, 0.8), finer_ground)

    assert fine.vertices > 2 * coarse.vertices
    assert shapely.equals_exact(same.shape, coarse.shape, 1e-9)
    assert fine.iou > coarse.iou
    if simplify == "douglas_peucker":
        assert fine.hausdorff_m <= 0.25 + 1e-9 < coarse.hausdorff_m <= 8.0 + 1e-9


@pytest.mark.parametrize("radius", [20, 60, 200])
def test_visvalingam_keeps_the_area_where_douglas_peucker_cuts_curves(radius: float) -> None:
    disc = Point(512, 512).buffer(radius, quad_segs=45)
    logits = logits_of(disc)

    kept, cut = (made(logits, Recipe(name, 2.0)) for name in ("visvalingam", "douglas_peucker"))

    assert kept.shape.area == pytest.approx(kept.plain.area, rel=1e-9)
    assert cut.shape.area < 0.995 * cut.plain.area
    assert kept.vertices < kept.raw_vertices / 2


def test_small_things_are_simplified_less() -> None:
    """Eight pixels are much for a disc of 28 px: it would become a square."""
    small, large = (
        made(logits_of(Point(512, 512).buffer(r, quad_segs=45)), Recipe("visvalingam", 4.0)) for r in (14, 100)
    )

    assert small.iou > 0.94
    assert small.vertices >= 8
    assert large.vertices < 30


def test_holes_below_an_area_are_filled() -> None:
    logits = logits_of(HOLED)

    holes = {area: made(logits, Recipe(fill_holes_m2=area)).shape for area in (0.0, 200.0, 500.0)}

    assert [len(shape.interiors) for shape in holes.values()] == [2, 1, 0]
    assert iou(holes[200.0], DISC.difference(box(480, 480, 520, 520))) > 0.99


def test_parts_below_an_area_are_dropped_but_not_what_was_clicked_nor_the_last_one() -> None:
    logits = logits_of(PARTS)

    both = made(logits, Recipe(drop_parts_m2=2000.0))
    one = made(logits, Recipe(drop_parts_m2=3000.0))
    clicked = made(logits, Recipe(drop_parts_m2=3000.0), points=[(650, 150)])
    last = made(logits, Recipe(drop_parts_m2=1e6))

    assert isinstance(both.shape, MultiPolygon)
    assert isinstance(one.shape, Polygon)
    assert iou(clicked.shape, PARTS) > 0.99
    assert last.shape.equals(one.shape)


def test_smoothing_takes_short_wiggles_out_and_leaves_long_ones_and_the_area() -> None:
    """60 waves are 31 px or 16 m long, 5 are 377 px or 188 m."""
    logits = logits_of(wavy(60, 6))
    bent = logits_of(wavy(5, 40))

    smooth = made(logits, Recipe(smooth_m=32.0))
    kept = made(bent, Recipe(smooth_m=32.0))

    distances = np.hypot(*(shapely.get_coordinates(smooth.shape) - 512).T)
    assert np.ptp(distances) < 2.0  # of 12
    assert smooth.shape.area == pytest.approx(smooth.plain.area, rel=1e-6)
    assert iou(kept.shape, kept.plain) > 0.99


def test_smoothing_never_crosses_itself_nor_leaves_the_field() -> None:
    thin = box(-10, 500, 1100, 509).union(box(500, 300, 508, 900)).union(box(0, 516, 400, 524))
    logits = logits_of(thin)

    smooth = made(logits, Recipe(smooth_m=60.0))

    assert smooth.shape.is_valid
    assert box(0, 0, 1024, 1024).covers(smooth.shape)
    assert smooth.shape.bounds[0] == 0.0
    assert smooth.shape.bounds[2] == 1024.0


def test_nothing_is_smoothed_below_the_size_of_a_cell() -> None:
    logits = logits_of(wavy(7, 25, 100))

    plain, below, above = (made(logits, Recipe(smooth_m=metres)) for metres in (0.0, 1.9, 20.0))

    assert below.shape.equals(plain.shape)
    assert not above.shape.equals(plain.shape)


def test_pixels_that_are_not_square_are_measured_on_the_ground() -> None:
    """A circle on the ground where a pixel is half as wide as high: smoothing and tolerance know no direction."""
    placing = Placing(0, 0, (4.0, 4.0), 1024, 1024, (0.5, 1.0))
    waves = affinity.scale(wavy(40, 8, 200), 2.0, 1.0, origin=(512, 512))
    logits = logits_of(waves, placing)

    smooth = made(logits, Recipe(smooth_m=80.0), placing)

    ground = shapely.transform(smooth.shape, lambda xy: xy * [0.5, 1.0])
    distances = np.hypot(*(shapely.get_coordinates(ground) - shapely.get_coordinates(ground.centroid)).T)
    assert np.ptp(distances) < 3.0  # of 16


def test_a_part_with_the_form_gets_it_and_the_others_are_simplified() -> None:
    tank, other = Point(300, 300).buffer(100), affinity.translate(wavy(7, 25, 100), 200, 200)
    logits = logits_of(tank.union(other))

    both = made(logits, Recipe(form="circle"))

    first, second = sorted(both.shape.geoms, key=lambda part: part.centroid.x)
    distances = np.hypot(*(shapely.get_coordinates(first) - shapely.get_coordinates(first.centroid)).T)
    assert both.formed
    assert np.ptp(distances) < 1e-6
    assert iou(second, other) > 0.98
    assert not made(logits_of(other), Recipe(form="circle")).formed


@pytest.mark.parametrize("cells", [(64, 64), (128, 128), (300, 500), (97, 33)])
@pytest.mark.parametrize("cell", [(4.0, 4.0), (1.0, 1.0), (16.0, 8.0)])
def test_a_field_of_any_size_lies_where_its_placing_says(cells: tuple[int, int], cell: tuple[float, float]) -> None:
    width, height = cells[1] * cell[0], cells[0] * cell[1]
    placing = Placing(1000.5, 2000.25, cell, 100_000, 100_000)
    ellipse = affinity.scale(Point(0, 0).buffer(1, quad_segs=45), width / 3, height / 3)
    truth = affinity.translate(ellipse, 1000.5 + width / 2, 2000.25 + height / 2)

    found = made(logits_of(truth, placing, cells), Recipe("none"), placing)

    assert iou(found.shape, truth) > 0.98
    assert found.shape.centroid.distance(truth.centroid) < 0.1 * max(cell)


def test_a_field_that_reaches_past_the_raster_is_cut_there() -> None:
    placing = Placing(-40, 500, (4.0, 4.0), 700, 900)

    found = made(np.full((256, 256), 5, np.float32), Recipe(), placing)

    assert found.shape.equals(box(0, 500, 700, 900))
    assert found.plain.equals(found.shape)


def test_an_outline_of_many_vertices_is_calmed_where_the_pixels_choose_the_tolerance_and_only_there() -> None:
    random = np.random.default_rng(1)
    logits = (random.normal(0, 1, (255, 301)) * 3 + 1).astype(np.float32)
    placing = Placing(0, 0, (4.0, 4.0), 1204, 1020)

    automatic, bounded = made(logits, Recipe(), placing), made(logits, Recipe(), placing, max_vertices=40)
    exact = made(logits, Recipe("none"), placing)

    assert bounded.vertices < automatic.vertices < exact.vertices
    assert exact.vertices > 4_000
    assert automatic.shape.bounds == pytest.approx((0, 0, 1204, 1020), abs=16)


@pytest.mark.parametrize("value", [-5.0, 0.0])
def test_a_mask_of_nothing_has_no_outline(value: float) -> None:
    assert outline(np.full((64, 80), value, np.float32), HALF_METRE, Recipe()) is None


recipes = st.builds(
    Recipe,
    simplify=st.sampled_from(["visvalingam", "douglas_peucker", "none"]),
    tolerance_m=st.none() | st.floats(0.01, 100),
    smooth_m=st.sampled_from([0.0, 1.0, 20.0, 500.0]),
    fill_holes_m2=st.sampled_from([0.0, 50.0, 1e6]),
    drop_parts_m2=st.sampled_from([0.0, 50.0, 1e6]),
    form=st.sampled_from(["", "right_angles", "circle"]),
)


@settings(max_examples=200, deadline=None)
@given(
    field=hnp.arrays(
        np.float32,
        st.tuples(st.integers(2, 14), st.integers(2, 14)),
        elements=st.sampled_from([-20.0, -1.0, -1e-6, 0.0, 1e-6, 1.0, 20.0]) | st.floats(-30, 30, width=32),
    ),
    recipe=recipes,
    cell=st.sampled_from([(4.0, 4.0), (37.5, 37.5), (8.0, 3.0)]),
    pixel=st.sampled_from([(0.3, 0.3), (10.0, 10.0), (0.4, 0.9)]),
    col=st.integers(-20, 40),
    limit=st.none() | st.sampled_from([4, 48]),
)
def test_any_field_by_any_recipe_is_valid_and_within_the_raster(
    field: Logits, recipe: Recipe, cell: tuple[float, float], pixel: tuple[float, float], col: int, limit: int | None
) -> None:
    placing = Placing(col, 0, cell, 60, 90, pixel)

    found = outline(field, placing, recipe, max_vertices=limit)

    if found is not None:
        assert found.shape.is_valid
        assert not found.shape.is_empty
        assert isinstance(found.shape, Polygon | MultiPolygon)
        assert box(0, 0, 60, 90).covers(found.shape)
        assert 0 <= found.iou <= 1 + 1e-9
        assert found.hausdorff_m >= 0
