"""Geometry at the door: what is taken in, how it is measured, and what is refused with which words."""

import math
from typing import Any

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Geod

from backend.annotations.geometry import MAX_PARTS, MAX_VERTICES, parse_geometry
from backend.core.errors import Invalid, TooLarge
from tests.support.worlds import square

SQUARE = [[10, 50], [10.001, 50], [10.001, 50.001], [10, 50.001], [10, 50]]


def polygon(*rings: Any) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": list(rings)}


def test_a_squares_area_and_perimeter_are_those_on_the_ellipsoid() -> None:
    shape = parse_geometry(square(10, 50, 0.001), "polygon")

    geod = Geod(ellps="WGS84")
    south = geod.inv(10, 50, 10.001, 50)[2]
    north = geod.inv(10, 50.001, 10.001, 50.001)[2]
    side = geod.inv(10, 50, 10, 50.001)[2]
    assert shape.length_m == pytest.approx(south + north + 2 * side, rel=1e-9)
    assert shape.area_m2 == pytest.approx((south + north) / 2 * side, rel=1e-6)
    assert 7900 < shape.area_m2 < 8000


def test_a_hole_is_taken_off_the_area() -> None:
    hole = [[10.0002, 50.0002], [10.0002, 50.0004], [10.0004, 50.0004], [10.0004, 50.0002], [10.0002, 50.0002]]

    whole, holed = parse_geometry(polygon(SQUARE), "polygon"), parse_geometry(polygon(SQUARE, hole), "polygon")

    assert holed.area_m2 == pytest.approx(whole.area_m2 * 0.96, rel=1e-4)


def test_rings_are_turned_so_that_the_interior_lies_left() -> None:
    clockwise_shell, counter_hole = (
        SQUARE[::-1],
        [[10.0002, 50.0002], [10.0004, 50.0002], [10.0004, 50.0004], [10.0002, 50.0002]],
    )

    shape = parse_geometry(polygon(clockwise_shell, counter_hole), "polygon").geometry

    assert shapely.is_ccw(shape.exterior)
    assert not shapely.is_ccw(shape.interiors[0])


def test_a_lines_length_is_geodesic_and_a_point_has_neither_length_nor_area() -> None:
    line = parse_geometry({"type": "LineString", "coordinates": [[0, 0], [1, 0]]}, "line")
    point = parse_geometry({"type": "Point", "coordinates": [7.1, 46.2]}, "point")

    assert line.length_m == pytest.approx(111319.4908, abs=0.001)
    assert (line.area_m2, point.area_m2, point.length_m) == (0, 0, 0)
    assert (point.geometry.x, point.geometry.y) == (7.1, 46.2)


def test_a_height_is_left_out_and_nine_decimals_are_kept() -> None:
    point = parse_geometry({"type": "Point", "coordinates": [7.12345678949, 46.2, 512.5]}, "point").geometry

    assert not point.has_z
    assert point.x == 7.123456789


@pytest.mark.parametrize(
    ("said", "geometry_type"),
    [
        ({"type": "LineString", "coordinates": [[0, 0], [1, 1]]}, "polygon"),
        ({"type": "Polygon", "coordinates": [SQUARE]}, "line"),
        ({"type": "MultiPoint", "coordinates": [[0, 0]]}, "point"),
        ({"type": "GeometryCollection", "geometries": []}, "polygon"),
        ({"type": "Feature", "geometry": {"type": "Point", "coordinates": [0, 0]}}, "point"),
        ({"type": ["Polygon"]}, "polygon"),
        ({}, "polygon"),
        ("POINT (0 0)", "point"),
        (None, "point"),
    ],
)
def test_another_kind_than_the_classs_is_refused(said: object, geometry_type: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse_geometry(said, geometry_type)

    assert refused.value.code == "annotation.invalid_geometry"
    assert refused.value.details["fields"]["geometry"] == [refused.value.message]


@pytest.mark.parametrize(
    "coordinates",
    [
        None,
        [],
        [[]],
        [[[0, 0], [1, 0], [0, 0]]],
        [[[0, 0], [1, 0], [1, 1], [0, 1]]],
        [[[0, 0], [1, 0], [1, "1"], [0, 0]]],
        [[[0, 0], [1, 0], [1, None], [0, 0]]],
        [[[0, 0], [1, 0], [1, True], [0, 0]]],
        [[[0, 0], [1, 0], [1], [0, 0]]],
        [[[0, 0], [1, 0], [1, 1, 1, 1], [0, 0]]],
        [[[0, 0], [1, 0], [math.nan, 1], [0, 0]]],
        [[[0, 0], [1, 0], [math.inf, 1], [0, 0]]],
        [[[0, 0], [1, 0], [1e308, 1], [0, 0]]],
        [[[0, 0], [1, 0], [10**400, 1], [0, 0]]],
        [[[0, 0], [181, 0], [1, 1], [0, 0]]],
        [[[0, 0], [1, 0], [1, 90.1], [0, 0]]],
        [[[0, 0], [1, 0], [2, 0], [0, 0]]],
        [[[0, 0], [0, 0], [0, 0], [0, 0]]],
        [0, 0],
        "0 0",
        {"0": [0, 0]},
    ],
)
def test_coordinates_that_make_no_polygon_are_refused(coordinates: object) -> None:
    with pytest.raises(Invalid, match=r".+\.$") as refused:
        parse_geometry({"type": "Polygon", "coordinates": coordinates}, "polygon")

    assert refused.value.code == "annotation.invalid_geometry"


def test_a_bow_tie_is_refused_with_the_place_where_it_crosses_itself() -> None:
    with pytest.raises(Invalid) as refused:
        parse_geometry(polygon([[0, 0], [2, 2], [2, 0], [0, 2], [0, 0]]), "polygon")

    assert "self-intersection at 1.000000, 1.000000" in refused.value.message
    assert refused.value.details["where"] == [1.0, 1.0]


def test_parts_that_overlap_and_holes_outside_are_refused() -> None:
    shifted = [[lon + 0.0005, lat] for lon, lat in SQUARE]
    outside = [[lon + 1, lat] for lon, lat in SQUARE]

    for said in ({"type": "MultiPolygon", "coordinates": [[SQUARE], [shifted]]}, polygon(SQUARE, outside)):
        with pytest.raises(Invalid) as refused:
            parse_geometry(said, "polygon")
        assert len(refused.value.details["where"]) == 2


def test_the_most_vertices_are_taken_and_one_more_is_not() -> None:
    def ring(count: int) -> list[list[float]]:
        turns = [2 * math.pi * step / (count - 1) for step in range(count - 1)]
        points = [[10 + 0.1 * math.cos(turn), 50 + 0.1 * math.sin(turn)] for turn in turns]
        return [*points, points[0]]

    assert parse_geometry(polygon(ring(MAX_VERTICES)), "polygon").area_m2 > 0
    with pytest.raises(TooLarge) as refused:
        parse_geometry(polygon(ring(MAX_VERTICES + 1)), "polygon")
    assert refused.value.code == "annotation.too_large"
    assert "50000 vertices" in refused.value.message


def test_the_most_parts_are_taken_and_one_more_is_not() -> None:
    parts = [square(10 + index / 100, 50)["coordinates"] for index in range(MAX_PARTS + 1)]

    assert parse_geometry({"type": "MultiPolygon", "coordinates": parts[:-1]}, "polygon").area_m2 > 0
    with pytest.raises(TooLarge):
        parse_geometry({"type": "MultiPolygon", "coordinates": parts}, "polygon")


@given(
    st.lists(
        st.tuples(st.floats(-179, 179, allow_nan=False), st.floats(-89, 89, allow_nan=False)), min_size=3, max_size=12
    )
)
def test_what_is_taken_in_is_valid_and_what_is_not_is_refused_in_words(points: list[tuple[float, float]]) -> None:
    ring = [list(point) for point in [*points, points[0]]]

    try:
        shape = parse_geometry(polygon(ring), "polygon")
    except Invalid as refused:
        assert refused.code == "annotation.invalid_geometry"
        return
    assert shape.geometry.is_valid
    assert shapely.is_ccw(shape.geometry.exterior)
    assert shape.area_m2 > 0
    assert shapely.from_wkb(bytes(shape.wkb)).equals(shape.geometry)
