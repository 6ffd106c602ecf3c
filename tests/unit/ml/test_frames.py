"""Every coordinate conversion, against GDAL's own and there and back."""

import math
from typing import Any

import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.warp import transform as gdal_transform
from shapely.geometry import LineString, Point, Polygon, box

from ml.frames import (
    FrameError,
    RasterFrame,
    geodesic_area_m2,
    lonlat_from_map,
    model_from_pixel,
    pixel_from_model,
)
from ml.windows import Window

EQUAL_EARTH = "+proj=eqearth +datum=WGS84 +units=m +type=crs"
SINUSOIDAL = "+proj=sinu +lon_0=0 +R=6371007.181 +units=m +type=crs"
FRAMES = {
    "utm": RasterFrame("EPSG:32633", Affine(0.5, 0, 500_000, 0, -0.5, 5_200_000), 4000, 3000),
    "utm-rotated": RasterFrame(
        "EPSG:32737",
        Affine.translation(530_000, 9_320_000) @ Affine.rotation(33) @ Affine.scale(0.08, -0.08),
        9000,
        7000,
    ),
    "utm-sheared": RasterFrame("EPSG:32633", Affine(0.5, 0.21, 500_000, -0.13, -0.4, 5_200_000), 2000, 2000),
    "south-up": RasterFrame("EPSG:32633", Affine(2, 0, 500_000, 0, 2, 5_200_000), 700, 900),
    "degrees": RasterFrame("EPSG:4326", Affine(2e-6, 0, 39.2, 0, -2e-6, -6.1), 8000, 8000),
    "degrees-rotated": RasterFrame(
        "EPSG:4326", Affine.translation(-84.4, 33.7) @ Affine.rotation(-12) @ Affine.scale(5e-6, -5e-6), 3000, 2000
    ),
    "degrees-0-to-360": RasterFrame("EPSG:4326", Affine(0.25, 0, 0, 0, -0.25, 80), 1440, 640),
    "swiss": RasterFrame("EPSG:2056", Affine(0.1, 0, 2_683_000, 0, -0.1, 1_248_000), 10_000, 10_000),
    "web-mercator": RasterFrame("EPSG:3857", Affine(0.3, 0, 4_364_000, 0, -0.3, -690_000), 5000, 5000),
    "equal-earth": RasterFrame(EQUAL_EARTH, Affine(300, 0, -9_000_000, 0, -300, 4_000_000), 6000, 5000),
    "sinusoidal": RasterFrame(SINUSOIDAL, Affine(231.656, 0, -6_100_000, 0, -231.656, -1_300_000), 4000, 4000),
    "arctic": RasterFrame("EPSG:3413", Affine(10, 0, -60_000, 0, -10, 70_000), 12_000, 14_000),
    "antarctic": RasterFrame("EPSG:3031", Affine(30, 0, -1_600_000, 0, -30, 1_300_000), 9000, 9000),
    "feet": RasterFrame("EPSG:2263", Affine(0.5, 0, 980_000, 0, -0.5, 200_000), 5000, 5000),
    "fiji": RasterFrame("EPSG:32760", Affine(10, 0, 800_000, 0, -10, 8_150_000), 9000, 9000),
    "new-zealand": RasterFrame("EPSG:2193", Affine(0.075, 0, 1_750_000, 0, -0.075, 5_920_000), 8000, 8000),
}
# Where GDAL cannot be asked as it is: it gives longitudes past 180 for a raster that counts from 0 to 360.
ASKED_OF_GDAL = sorted(set(FRAMES) - {"degrees-0-to-360"})

share = st.floats(0, 1, allow_nan=False)


@pytest.mark.parametrize("name", FRAMES)
@settings(max_examples=60, deadline=None)
@given(shares=st.lists(st.tuples(share, share), min_size=1, max_size=8))
def test_a_pixel_comes_back_from_lonlat_within_a_hundredth(name: str, shares: list[tuple[float, float]]) -> None:
    """Or within 2 mm, where PROJ's way back through a datum shift is no better (Switzerland)."""
    frame = FRAMES[name]
    tolerance = max(0.01, 0.002 / min(frame.pixel_size_m()))
    pixel = np.array(shares) * (frame.width, frame.height)

    back = frame.pixel_from_lonlat(frame.lonlat_from_pixel(pixel))

    # at 0 and 360 degrees a world-wide raster has the same place twice
    off = np.abs(back - pixel)
    if name == "degrees-0-to-360":
        off[:, 0] = np.minimum(off[:, 0], np.abs(off[:, 0] - frame.width))
    assert off.max() < tolerance


@pytest.mark.parametrize("name", ASKED_OF_GDAL)
def test_corners_and_centre_lie_where_gdal_says(name: str) -> None:
    frame = FRAMES[name]
    pixel = [(0, 0), (frame.width, 0), (frame.width, frame.height), (0, frame.height), (frame.width / 2, 0.5)]
    said = _gdal_lonlat(frame, pixel)

    lonlat = frame.lonlat_from_pixel(pixel)

    assert np.abs(frame.pixel_from_lonlat(said) - pixel).max() < 0.1
    assert np.abs((lonlat - said + 180) % 360 - 180).max() < 1e-7


def test_a_known_corner_of_a_raster_in_degrees_is_exact() -> None:
    lonlat = FRAMES["degrees"].lonlat_from_pixel([[0, 0], [8000, 8000]])

    assert lonlat.tolist() == [pytest.approx([39.2, -6.1], abs=1e-12), pytest.approx([39.216, -6.116], abs=1e-12)]


def test_a_known_corner_of_a_rotated_transform_is_turned_about_its_origin() -> None:
    """By hand: 100 px along the rows of a raster turned by 30 degrees are 100 px * (cos 30, sin 30)."""
    turned = Affine.translation(1000, 2000) @ Affine.rotation(30) @ Affine.scale(2, -2)
    frame = RasterFrame("EPSG:32633", turned, 100, 100)

    (x, y), (down_x, down_y) = frame.raster_from_pixel([[100, 0], [0, 100]])

    assert (x, y) == pytest.approx((1000 + 200 * math.cos(math.pi / 6), 2000 + 200 * math.sin(math.pi / 6)))
    assert (down_x, down_y) == pytest.approx((1000 + 200 * math.sin(math.pi / 6), 2000 - 200 * math.cos(math.pi / 6)))


def test_longitudes_stay_within_half_a_turn() -> None:
    for frame in FRAMES.values():
        lonlat = frame.lonlat_from_pixel([[0, 0], [frame.width, frame.height / 2], [frame.width / 3, frame.height]])
        assert (np.abs(lonlat[:, 0]) <= 180).all()


@pytest.mark.parametrize("name", ["arctic", "utm", "equal-earth", "sinusoidal", "swiss", "antarctic"])
def test_densified_edges_stay_within_a_tenth_of_a_pixel_of_the_straight_ones(name: str) -> None:
    frame = FRAMES[name]
    for corner in ((0.05, 0.05), (0.55, 0.1), (0.1, 0.6), (0.7, 0.7)):
        col, row = corner[0] * frame.width, corner[1] * frame.height
        drawn = box(col, row, col + 0.2 * frame.width, row + 0.2 * frame.height)
        lonlat = frame.lonlat_geometry_from_pixel(drawn)
        along = shapely.get_coordinates(shapely.segmentize(lonlat, _shortest(lonlat) / 4))

        back = frame.pixel_from_lonlat(along[np.abs(along[:, 0]) < 180])  # not where it is cut

        assert max(drawn.exterior.distance(Point(*place)) for place in back) < 0.1


def test_a_shape_across_the_antimeridian_is_cut_there() -> None:
    frame = FRAMES["fiji"]
    meridian = frame.pixel_from_lonlat([[180.0, -17.0]])[0]
    shape = Point(*meridian).buffer(300, quad_segs=16)

    lonlat = frame.lonlat_geometry_from_pixel(shape)

    assert lonlat.geom_type == "MultiPolygon"
    assert lonlat.is_valid
    assert sorted(round(part.bounds[0]) for part in lonlat.geoms) == [-180, 180]
    assert np.abs(shapely.get_coordinates(lonlat)[:, 0]).max() <= 180
    assert geodesic_area_m2(lonlat) == pytest.approx(shape.area * 100, rel=0.005)


def test_a_line_across_the_antimeridian_is_cut_there() -> None:
    frame = FRAMES["fiji"]
    col, row = frame.pixel_from_lonlat([[180.0, -17.0]])[0]

    lonlat = frame.lonlat_geometry_from_pixel(LineString([(col - 100, row), (col + 100, row)]))

    assert lonlat.geom_type == "MultiLineString"
    assert lonlat.length < 0.1


def test_a_shape_around_a_pole_is_refused() -> None:
    frame = FRAMES["arctic"]
    pole = Point(*frame.pixel_from_lonlat([[0.0, 90.0]])[0])

    with pytest.raises(FrameError, match="pole"):
        frame.lonlat_geometry_from_pixel(pole.buffer(200))


def test_a_shape_in_pixels_comes_back_from_lonlat_as_the_same_shape() -> None:
    for name, frame in FRAMES.items():
        shape = box(frame.width * 0.4, frame.height * 0.4, frame.width * 0.4 + 64, frame.height * 0.4 + 40)
        back = frame.pixel_geometry_from_lonlat(frame.lonlat_geometry_from_pixel(shape))

        assert back.intersection(shape).area / back.union(shape).area > 0.999, name


def test_the_footprint_holds_what_the_raster_holds() -> None:
    for name, frame in FRAMES.items():
        footprint = frame.footprint_lonlat()
        inner = np.array([[0.1, 0.1], [0.5, 0.5], [0.9, 0.2], [0.3, 0.9]]) * (frame.width, frame.height)
        held = [
            any(footprint.buffer(1e-9).contains(Point(lon + turn, lat)) for turn in (-360, 0, 360))
            for lon, lat in frame.lonlat_from_pixel(inner)
        ]
        assert footprint.is_valid, name
        assert all(held), name


def test_pixel_sizes_are_metres_on_the_ground() -> None:
    assert FRAMES["utm"].pixel_size_m() == pytest.approx((0.5, 0.5), rel=1e-3)
    assert FRAMES["feet"].pixel_size_m() == pytest.approx((0.1524, 0.1524), rel=1e-3)
    assert FRAMES["degrees"].pixel_size_m() == pytest.approx((0.2214, 0.2212), rel=1e-3)
    # Web Mercator stretches by 1 / cos(latitude)
    assert FRAMES["web-mercator"].pixel_size_m()[0] == pytest.approx(0.3 * math.cos(math.radians(6.19)), rel=1e-3)


def test_places_that_the_system_cannot_express_are_refused() -> None:
    frame = FRAMES["utm"]
    with pytest.raises(FrameError):
        frame.pixel_from_lonlat([[15.0, math.nan]])
    with pytest.raises(FrameError):
        frame.pixel_from_lonlat([[15.0, 400.0]])


@pytest.mark.parametrize("crs", ["", "EPSG:999999", "not a system", "+proj=nonsense"])
def test_an_unknown_system_is_refused(crs: str) -> None:
    frame = RasterFrame(crs, Affine(1, 0, 0, 0, -1, 0), 10, 10)
    with pytest.raises(FrameError):
        frame.lonlat_from_pixel([[1, 1]])


def test_a_transform_without_area_is_refused() -> None:
    frame = RasterFrame("EPSG:32633", Affine(1, 1, 0, 1, 1, 0), 10, 10)
    with pytest.raises(FrameError, match="degenerate"):
        frame.pixel_from_lonlat([[15, 47]])


@given(
    col=st.integers(0, 100_000),
    row=st.integers(0, 100_000),
    size=st.sampled_from([256, 1024, 4096]),
    x=st.floats(0, 1024),
    y=st.floats(0, 1024),
)
def test_the_models_frame_comes_back_from_pixels(col: int, row: int, size: int, x: float, y: float) -> None:
    window = Window(col, row, size)

    back = model_from_pixel(window, pixel_from_model(window, [[x, y]]))

    assert back.tolist() == [pytest.approx([x, y], abs=1e-6)]


def test_the_models_frame_spans_the_window() -> None:
    window = Window(896, 1792, 512)

    assert model_from_pixel(window, [[896, 1792], [1408, 2304], [1152, 2048]]).tolist() == [
        [0, 0],
        [1024, 1024],
        [512, 512],
    ]


@given(lon=st.floats(-180, 180), lat=st.floats(-85, 85))
def test_web_mercator_is_read_as_proj_reads_it(lon: float, lat: float) -> None:
    (x,), (y,) = gdal_transform("EPSG:4326", "EPSG:3857", [lon], [lat])

    assert lonlat_from_map([[x, y]]).tolist() == [pytest.approx([lon, lat], abs=1e-8)]


def test_areas_are_geodesic_and_holes_are_taken_away() -> None:
    """A degree square at the equator is 12,308.8 km² on WGS 84 (111,319.49 m by 110,574.39 m, a little less)."""
    square = box(0, 0, 1, 1)
    with_hole = Polygon(square.exterior.coords, [box(0.25, 0.25, 0.75, 0.75).exterior.coords])

    assert geodesic_area_m2(square) == pytest.approx(12_308.8e6, rel=1e-4)
    assert geodesic_area_m2(with_hole) == pytest.approx(12_308.8e6 * 0.75, rel=1e-3)
    assert geodesic_area_m2(LineString([(0, 0), (1, 1)])) == 0


def _gdal_lonlat(frame: RasterFrame, pixel: Any) -> Any:
    places = [frame.transform @ place for place in pixel]
    lon, lat = gdal_transform(frame.crs, "EPSG:4326", [x for x, _ in places], [y for _, y in places])
    return np.column_stack([lon, lat])


def _shortest(geometry: Any) -> float:
    """The median edge length, in degrees."""
    coordinates = shapely.get_coordinates(geometry)
    return float(np.median(np.hypot(*np.diff(coordinates, axis=0).T)))
