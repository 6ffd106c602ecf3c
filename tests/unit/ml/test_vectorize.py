"""From logits to polygons: exact on shapes whose outline is known, valid on anything."""

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

from ml.vectorize import MAX_VERTICES, polygon_from_logits
from ml.windows import Window

Logits = npt.NDArray[np.float32]
WINDOW = Window(0, 0)
# Middles of the 256 x 256 cells in the 1024 frame, edge convention.
CELLS = np.arange(256) * 4 + 2.0
GRID = shapely.points(*np.meshgrid(CELLS, CELLS))


def logits_of(shape: Any, sharpness: float = 8.0) -> Logits:
    """Positive inside a shape of the 1024 frame, by the exact distance to its outline."""
    outline = shape.boundary
    shapely.prepare([shape, outline])
    distance = shapely.distance(outline, GRID)
    inside = shapely.contains(shape, GRID)
    field: Logits = (np.tanh(np.where(inside, distance, -distance) / sharpness) * 10).astype(np.float32)
    return field


def trace(logits: Logits, window: Window = WINDOW, **more: Any) -> Any:
    size = {"width": 100_000, "height": 100_000, **more}
    return polygon_from_logits(logits, window, **size)


def iou(a: Any, b: Any) -> float:
    return float(a.intersection(b).area / a.union(b).area)


def rectangle(side: float, angle: float = 23, at: tuple[float, float] = (511.3, 498.7)) -> Polygon:
    return affinity.rotate(box(at[0] - side / 2, at[1] - side / 3, at[0] + side / 2, at[1] + side / 3), angle)


def ellipse(side: float, at: tuple[float, float] = (507.1, 514.9)) -> Polygon:
    round_one = Point(0, 0).buffer(1, quad_segs=64)
    return affinity.translate(affinity.rotate(affinity.scale(round_one, side / 2, side / 3), 31), *at)


@pytest.mark.parametrize("make", [rectangle, ellipse])
@pytest.mark.parametrize(
    ("side", "raw", "simple"), [(24, 0.955, 0.94), (64, 0.992, 0.98), (200, 0.999, 0.992), (600, 0.9997, 0.996)]
)
def test_known_shapes_are_outlined_to_a_part_of_a_pixel(make: Any, side: float, raw: float, simple: float) -> None:
    truth = make(side)

    exact = trace(logits_of(truth), simplify_px=0.0)
    shown = trace(logits_of(truth))

    assert iou(exact, truth) >= raw
    assert iou(shown, truth) >= simple
    assert iou(shown, exact) >= 0.98
    assert exact.centroid.distance(truth.centroid) < 0.1  # half a cell would be 2 px
    assert len(shown.exterior.coords) <= MAX_VERTICES < len(exact.exterior.coords) or side < 200
    # no shrinking as of tracers that follow the middles of pixels: the area is right to a fifth of a px at the side
    assert abs(exact.area - truth.area) / truth.length < 0.2


def test_holes_are_kept() -> None:
    truth = ellipse(400).difference(ellipse(150))

    traced = trace(logits_of(truth))

    assert len(traced.interiors) == 1
    assert iou(traced, truth) > 0.99
    assert not traced.contains(Point(507, 515))


def test_specks_and_pinholes_are_dropped() -> None:
    field = logits_of(rectangle(500))
    field[10, 10] = 3.0  # a speck of a cell far off
    field[128, 128] = -0.01  # a pinhole in the middle

    traced = trace(field)

    assert isinstance(traced, Polygon)
    assert len(traced.interiors) == 0


def test_a_mask_at_the_windows_side_reaches_it() -> None:
    truth = box(-100, 300, 400, 1200)
    window = Window(0, 0)

    traced = trace(logits_of(truth), window)

    assert iou(traced, truth.intersection(box(0, 0, 1024, 1024))) > 0.999
    assert traced.bounds[0] == 0
    assert traced.bounds[3] == 1024


def test_a_mask_of_everything_is_the_window() -> None:
    traced = trace(np.full((256, 256), 5, np.float32), Window(896, 1792))

    assert traced.equals(box(896, 1792, 1920, 2816))


@pytest.mark.parametrize("value", [-5.0, 0.0, -0.0])
def test_a_mask_of_nothing_has_no_outline(value: float) -> None:
    assert trace(np.full((256, 256), value, np.float32)) is None


def test_pixels_follow_the_windows_place_and_size() -> None:
    truth = rectangle(300)
    field = logits_of(truth)

    here = trace(field, Window(0, 0, 1024), simplify_px=0.0)
    there = trace(field, Window(5000, 7000, 512), simplify_px=0.0)

    moved = affinity.translate(affinity.scale(here, 0.5, 0.5, origin=(0, 0)), 5000, 7000)
    assert iou(there, moved) > 0.99999


def test_nothing_is_traced_beyond_a_small_raster() -> None:
    traced = trace(np.full((256, 256), 5, np.float32), width=333, height=77)

    assert traced.equals(box(0, 0, 333, 77))


def test_what_the_model_imagines_in_the_padding_does_not_count_among_the_parts() -> None:
    """A large mask in the padding would make the small true one too small a share to be kept."""
    field = np.maximum(logits_of(box(20, 20, 60, 60)), logits_of(box(200, 200, 1000, 1000)))

    traced = trace(field, width=100, height=100)

    assert iou(traced, box(20, 20, 60, 60)) > 0.97


def test_a_shape_over_the_rasters_side_is_cut_there_exactly() -> None:
    truth = ellipse(300, at=(333, 200))

    traced = trace(logits_of(truth), width=333, height=777, simplify_px=0.0)

    assert traced.bounds[2] == 333
    assert iou(traced, truth.intersection(box(0, 0, 333, 777))) > 0.999


def test_parts_of_a_twentieth_of_the_largest_are_kept_and_smaller_ones_are_not() -> None:
    large, fair, small = box(100, 100, 500, 500), box(600, 100, 710, 210), box(800, 100, 850, 150)
    field = np.maximum.reduce([logits_of(large), logits_of(fair), logits_of(small)])

    traced = trace(field)

    assert isinstance(traced, MultiPolygon)
    assert iou(traced, large.union(fair)) > 0.99


def test_a_small_part_that_was_clicked_is_kept() -> None:
    large, small = box(100, 100, 500, 500), box(800, 100, 850, 150)
    field = np.maximum(logits_of(large), logits_of(small))

    assert iou(trace(field), large) > 0.99
    assert iou(trace(field, points=[(825, 125)]), large.union(small)) > 0.99


def test_small_things_keep_their_form() -> None:
    """The tolerance shrinks with the object: at the usual one a 30 px disc would lose its roundness."""
    disc = Point(500, 500).buffer(15, quad_segs=32)

    shown, exact = trace(logits_of(disc)), trace(logits_of(disc), simplify_px=0.0)

    assert iou(shown, exact) > 0.97
    assert len(shown.exterior.coords) >= 12


def test_a_ragged_outline_stays_editable_and_true() -> None:
    angles = np.linspace(0, 2 * math.pi, 2000, endpoint=False)
    radii = 300 + 40 * np.sin(37 * angles) + 12 * np.sin(141 * angles)
    truth = Polygon(np.column_stack([512 + radii * np.cos(angles), 512 + radii * np.sin(angles)]))

    traced = trace(logits_of(truth, 3))

    assert shapely.get_num_coordinates(traced) <= MAX_VERTICES
    assert iou(traced, truth) > 0.94
    assert traced.is_valid


def test_where_the_tolerance_is_raised_small_parts_and_holes_go_but_not_what_was_clicked() -> None:
    angles = np.linspace(0, 2 * math.pi, 3000, endpoint=False)
    radii = 300 + 40 * np.sin(67 * angles)
    ragged = Polygon(np.column_stack([412 + radii * np.cos(angles), 512 + radii * np.sin(angles)]))
    holed = ragged.difference(box(400, 500, 430, 530)).difference(box(300, 330, 450, 450))
    field = np.maximum(logits_of(holed), logits_of(box(850, 100, 980, 230)))

    fine = trace(field, max_vertices=5000)
    coarse = trace(field, max_vertices=8, max_tolerance_px=60.0)
    clicked = trace(field, max_vertices=8, max_tolerance_px=60.0, points=[(900, 150)])

    assert sorted(len(part.interiors) for part in fine.geoms) == [0, 2]
    assert isinstance(coarse, Polygon)
    assert len(coarse.interiors) <= 1
    assert shapely.get_num_coordinates(coarse) < shapely.get_num_coordinates(fine)
    assert clicked.contains(Point(900, 150))


def check(shape: Any, width: int, height: int) -> None:
    """What holds of every answer."""
    if shape is None:
        return
    assert isinstance(shape, Polygon | MultiPolygon)
    assert shape.is_valid
    assert not shape.is_empty
    assert shape.area > 0
    assert np.isfinite(shapely.get_coordinates(shape)).all()
    west, north, east, south = shape.bounds
    assert west >= 0
    assert north >= 0
    assert east <= width
    assert south <= height


small_fields = hnp.arrays(
    np.float32,
    (12, 12),
    elements=st.sampled_from([-20.0, -1.0, -1e-6, 0.0, 1e-6, 1.0, 20.0]) | st.floats(-30, 30, width=32),
)


@settings(max_examples=400, deadline=None)
@given(field=small_fields, size=st.sampled_from([37, 1024]), simplify=st.sampled_from([0.0, 0.5, 20.0]))
def test_any_field_gives_a_valid_outline(field: Logits, size: int, simplify: float) -> None:
    traced = polygon_from_logits(field, Window(0, 0, size), width=size, height=size, simplify_px=simplify)

    check(traced, size, size)


@settings(max_examples=200, deadline=None)
@given(
    field=small_fields,
    width=st.integers(1, 1500),
    height=st.integers(1, 1500),
    col=st.integers(0, 1000),
    row=st.integers(0, 1000),
    limit=st.sampled_from([4, 48, 160]),
)
def test_any_field_anywhere_stays_within_the_raster(
    field: Logits, width: int, height: int, col: int, row: int, limit: int
) -> None:
    window = Window(min(col, width - 1), min(row, height - 1))

    check(polygon_from_logits(field, window, width=width, height=height, max_vertices=limit), width, height)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), roughness=st.floats(0.02, 0.2))
def test_noise_of_full_size_gives_a_valid_outline(seed: int, roughness: float) -> None:
    check(trace(_noise(seed, roughness), width=1024, height=1024), 1024, 1024)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_what_is_shown_covers_the_mask_it_is_made_from(seed: int) -> None:
    """The rasterised outline against the mask, both at full resolution: IoU of 0.98, as the export promises."""
    field = np.maximum(_noise(seed, 0.03) + logits_of(ellipse(500), 30), -10)
    exact, shown = trace(field, simplify_px=0.0), trace(field)

    assert iou(shown, exact) >= 0.98


def _noise(seed: int, roughness: float) -> Logits:
    """A smooth random field: low frequencies with random phases."""
    random = np.random.default_rng(seed)
    spectrum = np.fft.rfft2(random.normal(0, 1, (256, 256)))
    along, across = np.fft.fftfreq(256)[:, None], np.fft.rfftfreq(256)[None]
    field = np.fft.irfft2(spectrum * np.exp(-((along**2 + across**2) / roughness**2) * 8))
    found: Logits = (field / field.std() * 5).astype(np.float32)
    return found
