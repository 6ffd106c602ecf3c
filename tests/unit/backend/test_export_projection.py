"""Shapes on their way into an export's CRS: to the millimetre, dense where they curve, refused where they cannot go."""

import numpy as np
import pytest
import shapely
from pyproj import Transformer
from shapely.geometry import LineString, Point, Polygon, box

from backend.core.errors import Invalid
from backend.exchange.projection import MOST_ADDED, densified, is_lonlat, projector


def wkb(*shapes: shapely.Geometry) -> list[bytes]:
    return [shapely.to_wkb(shape) for shape in shapes]


def test_lonlat_stays_as_it_is_to_the_last_digit() -> None:
    shape = Polygon([(10.123456789, 50.1), (10.2, 50.1), (10.2, 50.2)])

    for crs in ("EPSG:4326", "OGC:CRS84"):
        assert is_lonlat(crs)
        assert projector(crs)(wkb(shape), ["a"])[0].equals_exact(shape, 0)


@pytest.mark.parametrize(
    ("crs", "lon", "lat", "east", "north"),
    [
        ("EPSG:32632", 9.0, 0.0, 500_000.0, 0.0),  # the central meridian of zone 32 at the equator
        ("EPSG:32732", 9.0, 0.0, 500_000.0, 10_000_000.0),
        ("EPSG:3857", 180.0, 0.0, 20_037_508.342789, 0.0),
        ("EPSG:2056", 7.438632495, 46.951082877, 2_600_000.0, 1_200_000.0),  # Bern, the origin of LV95
    ],
)
def test_known_points_land_where_the_books_say(crs: str, lon: float, lat: float, east: float, north: float) -> None:
    point = projector(crs)(wkb(Point(lon, lat)), ["a"])[0]

    assert point.x == pytest.approx(east, abs=1.0 if crs == "EPSG:2056" else 0.001)
    assert point.y == pytest.approx(north, abs=1.0 if crs == "EPSG:2056" else 0.001)


@pytest.mark.parametrize("crs", ["EPSG:32632", "EPSG:2154", "EPSG:27700", "EPSG:4258", "EPSG:3035"])
def test_there_and_back_is_the_same_place_to_a_millimetre(crs: str) -> None:
    shape = box(2.0, 49.9, 2.004, 49.903)

    projected = projector(crs)(wkb(shape), ["a"])[0]

    back = Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    lonlat = shapely.transform(projected, lambda xy: np.column_stack(back.transform(xy[:, 0], xy[:, 1])))
    assert shapely.hausdorff_distance(lonlat, shape) < 1e-8


def test_a_long_edge_follows_the_parallel_that_it_was_drawn_on() -> None:
    parallel = LineString([(6.0, 60.0), (12.0, 60.0)])

    projected = projector("EPSG:32632")(wkb(parallel), ["a"])[0]

    along = [parallel.interpolate(share, normalized=True) for share in np.linspace(0, 1, 200)]
    true = projector("EPSG:32632")(wkb(*along), ["a"] * 200)
    assert max(projected.distance(point) for point in true) < 0.01
    assert LineString([projected.coords[0], projected.coords[-1]]).distance(true[100]) > 1000


def test_short_edges_get_no_vertices_and_a_shape_around_the_world_gets_only_so_many() -> None:
    short, huge = box(10, 50, 10.004, 50.004), box(-180, -80, 180, 80)

    dense = densified(np.array([short, huge], object))

    assert len(dense[0].exterior.coords) == 5
    assert 1000 < len(dense[1].exterior.coords) <= MOST_ADDED + 10


def test_a_place_without_coordinates_in_the_crs_is_refused_by_the_annotations_id() -> None:
    shapes = wkb(Point(3, 47), Point(3, -90))

    with pytest.raises(Invalid, match="annotation pole") as refused:
        projector("EPSG:2154")(shapes, ["here", "pole"])  # a cone over France

    assert refused.value.code == "export.outside_crs"
