"""Neighbours that share borders: nothing overlaps, narrow gaps close, wide ones stay, vertices are shared."""

import numpy as np
import pytest
import shapely
from shapely.geometry import MultiPolygon, Polygon, box
from shapely.geometry.base import BaseGeometry

from ml.vectorize.neighbours import fitted, with_nodes

FIELD = box(0, 0, 100, 100)


def blob(rng: np.random.Generator) -> Polygon:
    """A star-shaped outline with 5 to 60 ragged corners."""
    count = int(rng.integers(5, 60))
    angles = np.sort(rng.uniform(0, 2 * np.pi, count))
    radius = rng.uniform(30, 70) * np.clip(1 + 0.1 * rng.standard_normal(count), 0.5, 1.5)
    return Polygon(rng.uniform(0, 200, 2) + np.column_stack([np.cos(angles), np.sin(angles)]) * radius[:, None])


def fit(new: BaseGeometry, *neighbours: BaseGeometry, tolerance: float = 5.0) -> BaseGeometry:
    found = fitted(new, neighbours, tolerance)
    assert found is not None
    return found


def test_a_polygon_without_neighbours_stays_as_it_is() -> None:
    far = box(300, 0, 400, 100)

    assert fit(far, FIELD).equals(far)


def test_a_narrow_gap_is_filled_up_to_the_neighbours_border_and_no_further() -> None:
    assert fit(box(103, 20, 200, 80), FIELD).equals_exact(box(100, 20, 200, 80), 1e-6, normalize=True)


def test_an_overlap_is_cut_off_along_the_neighbours_border() -> None:
    assert fit(box(60, 20, 200, 80), FIELD).equals_exact(box(100, 20, 200, 80), 1e-6, normalize=True)


def test_a_polygon_between_two_neighbours_reaches_both() -> None:
    found = fit(box(103, 0, 147, 100), FIELD, box(150, 0, 250, 100))

    assert found.equals_exact(box(100, 0, 150, 100), 1e-6, normalize=True)


def test_a_neighbour_inside_leaves_a_hole_of_its_very_shape() -> None:
    found = fit(box(-50, -50, 150, 150), FIELD)

    assert isinstance(found, Polygon)
    assert Polygon(found.interiors[0]).equals(FIELD)


def test_what_is_covered_leaves_nothing_nor_does_a_sliver_at_the_rim() -> None:
    assert fitted(box(20, 20, 60, 60), [FIELD], 5.0) is None
    assert fitted(box(20, 20, 102, 60), [FIELD], 5.0) is None


def test_a_ragged_border_beside_a_straight_one_takes_the_straight_one() -> None:
    rng = np.random.default_rng(3)
    ragged = np.column_stack([101.5 + rng.uniform(-1.4, 1.4, 40), np.linspace(90, 10, 40)])
    found = fit(Polygon([(200, 10), (200, 90), *ragged]), FIELD)

    assert found.area == pytest.approx(100 * 80, abs=4.0)
    assert shapely.get_num_coordinates(found) <= 9, "the forty ragged corners are gone"


@pytest.mark.parametrize("seed", range(60))
def test_whatever_the_shapes_nothing_overlaps_and_all_stay_valid(seed: int) -> None:
    rng = np.random.default_rng(seed)
    tolerance, shapes = rng.uniform(1, 8), list[BaseGeometry]()
    for _ in range(6):
        new = blob(rng)
        found = fitted(new, shapes, tolerance) if new.is_valid else None
        if found is None:
            continue
        assert found.is_valid
        shapes = [with_nodes(shape, found, 1e-7) for shape in shapes]
        assert all(shape.is_valid for shape in shapes)
        assert max((shapely.intersection(shape, found).area for shape in shapes), default=0.0) < 1e-6
        shapes.append(found)
    assert len(shapes) >= 2


def test_a_straight_side_gets_the_vertices_that_lie_on_it_in_their_order() -> None:
    noded = with_nodes(FIELD, box(100, 20, 200, 70), 1e-6)

    assert isinstance(noded, Polygon)
    assert noded.equals(FIELD)
    assert list(noded.exterior.coords) == [(100, 0), (100, 20), (100, 70), (100, 100), (0, 100), (0, 0), (100, 0)]


def test_nodes_go_to_the_part_and_the_hole_they_lie_on() -> None:
    ring = Polygon(FIELD.exterior, [box(40, 40, 60, 60).exterior])
    both = MultiPolygon([ring, box(200, 0, 210, 10)])

    noded = with_nodes(both, shapely.multipoints([(60, 50), (205, 10), (150, 50)]), 1e-6)

    assert shapely.get_num_coordinates(noded) == shapely.get_num_coordinates(both) + 2
    assert noded.equals(both)


def test_a_polygon_that_has_all_vertices_is_given_back_itself() -> None:
    assert with_nodes(FIELD, box(100, 0, 200, 100), 1e-6) is FIELD
