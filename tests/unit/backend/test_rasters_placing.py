"""Where a raster lies: on Earth, in one piece, at the right zoom; and no CRS opens a file."""

import math

import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from pyproj import CRS

from backend.rasters.errors import RasterRefusedError
from backend.rasters.placing import earthly_crs, place_of, zoom_levels
from ml.frames import FrameError, RasterFrame


def test_a_raster_in_utm_has_its_pixel_size_and_footprint() -> None:
    place = place_of("EPSG:32633", (0.5, 0, 500_000, 0, -0.5, 5_200_000), 2000, 1000)

    assert place.epsg == 32633
    assert place.pixel_size_m == pytest.approx((0.5, 0.5), rel=0.002)
    west, south, east, north = place.footprint.bounds
    assert west == pytest.approx(15.0, abs=1e-6)
    assert east - west == pytest.approx(math.degrees(1000 / 6_378_137 / math.cos(math.radians(46.95))), rel=0.01)
    assert north - south == pytest.approx(500 / 111_180, rel=0.01)


def test_a_raster_across_the_antimeridian_stays_in_one_piece() -> None:
    place = place_of("EPSG:32660", (100, 0, 570_585, 0, -100, 5_847_615), 2325, 2355)

    west, _, east, _ = place.footprint.bounds
    assert 177 < west < 180 < east < 183
    assert place.footprint.is_valid
    assert 9 <= place.maxzoom <= 11


def test_degrees_may_run_from_0_to_360() -> None:
    frame = RasterFrame("EPSG:4326", Affine(1, 0, 0, 0, -1, 90), 360, 180)

    assert frame.pixel_from_lonlat([[-90.0, 0.0]]).tolist() == [[270.0, 90.0]]
    assert frame.lonlat_from_pixel([[270.0, 90.0]]).tolist() == [[-90.0, 0.0]]
    assert place_of(frame.crs, tuple(frame.transform)[:6], 360, 180).footprint.area == pytest.approx(360 * 180)


def test_degrees_across_the_antimeridian_take_both_names_of_a_place() -> None:
    frame = RasterFrame("EPSG:4326", Affine(0.1, 0, 175, 0, -0.1, 5), 100, 100)

    assert frame.pixel_from_lonlat([[-179.0, 0.0], [181.0, 0.0]])[:, 0] == pytest.approx([60.0, 60.0])
    west, _, east, _ = frame.footprint_lonlat().bounds
    assert (west, east) == pytest.approx((175, 185))


def test_a_raster_around_a_pole_covers_the_cap() -> None:
    place = place_of("EPSG:3413", (1000, 0, -500_000, 0, -1000, 500_000), 1000, 1000)

    west, south, east, north = place.footprint.bounds
    assert (west, east, north) == (-180, 180, 90)
    assert 83 < south < 86.5


@pytest.mark.parametrize(
    ("crs", "transform", "code"),
    [
        ("IAU_2015:30110", (1, 0, 0, 0, -1, 0), "raster.unsupported_crs"),
        ('LOCAL_CS["ground",UNIT["metre",1]]', (1, 0, 0, 0, -1, 0), "raster.unsupported_crs"),
        ("nonsense", (1, 0, 0, 0, -1, 0), "raster.unsupported_crs"),
        ("EPSG:32633", (1e9, 0, 0, 0, -1e9, 0), "raster.out_of_world"),
        ("EPSG:4326", (1, 0, 500_000, 0, -1, 5_200_000), "raster.out_of_world"),
        ("EPSG:4326", (10, 0, -180, 0, -10, 90), "raster.out_of_world"),
        ("+proj=geos +h=35786023 +sweep=x", (60_000, 0, -6e6, 0, -60_000, 6e6), "raster.off_earth"),
    ],
)
def test_what_lies_nowhere_on_earth_is_refused(crs: str, transform: tuple[float, ...], code: str) -> None:
    with pytest.raises(RasterRefusedError) as caught:
        place_of(crs, transform, 200, 200)

    assert caught.value.code == code


@pytest.mark.parametrize(
    "crs",
    [
        "+init=/etc/passwd:root",
        "+init=epsg:4326",
        "+proj=longlat +datum=WGS84 +nadgrids=/etc/passwd +type=crs",
        "+proj=longlat +ellps=WGS84 +geoidgrids=../../secret.gtx +type=crs",
        "+proj=longlat +ellps=WGS84 +NADGRIDS=x +type=crs",
        "x" * 30_000,
    ],
)
def test_a_crs_never_makes_a_file_be_opened(crs: str) -> None:
    with pytest.raises(FrameError):
        earthly_crs(crs)


def test_the_old_web_mercator_with_its_null_grid_is_still_known() -> None:
    old = CRS.from_epsg(3857).to_wkt("WKT1_GDAL")
    assert "nadgrids=@null" in old

    assert earthly_crs(old).ellipsoid is not None


@given(size=st.floats(0.01, 5000), latitude=st.floats(-80, 80), longest=st.integers(1, 200_000))
def test_at_the_last_zoom_a_tile_has_about_the_rasters_own_pixels(size: float, latitude: float, longest: int) -> None:
    low, high = zoom_levels((size, size), latitude, longest)

    tile_pixel = 2 * math.pi * 6_378_137 / 256 / 2**high * math.cos(math.radians(latitude))
    assert 0 <= low <= high
    if 0 < high < 26:
        assert 0.35 < tile_pixel / size < 1.5
