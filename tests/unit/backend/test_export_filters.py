"""What may be asked of an export: filters and CRSs, checked when it is asked for."""

from typing import Any
from uuid import uuid4

import pytest

from backend.core.errors import EdgewiseError, Invalid
from backend.exchange import filters
from tests.support.worlds import square

ID = str(uuid4())


def test_nothing_said_is_everything() -> None:
    wanted = filters.read({})

    assert (wanted.plain.bbox, wanted.plain.raster, wanted.area) == (None, None, None)
    assert not wanted.plain.statuses
    assert not wanted.plain.classes


def test_every_filter_is_read() -> None:
    wanted = filters.read(
        {"label_class": [ID], "status": ["accepted"], "raster": ID, "bbox": [1, 2, 3, 4], "area": square()}
    )

    assert [str(item) for item in wanted.plain.classes] == [ID]
    assert wanted.plain.statuses == ["accepted"]
    assert str(wanted.plain.raster) == ID
    assert wanted.plain.bbox == (1, 2, 3, 4)
    assert wanted.area is not None
    assert wanted.area.srid == 4326


@pytest.mark.parametrize(
    "said",
    [
        [],
        "all",
        {"colour": "red"},
        {"status": "accepted"},
        {"status": ["finished"]},
        {"status": [["accepted"]]},
        {"status": {"accepted": 1}},
        {"label_class": ["building"]},
        {"label_class": 7},
        {"raster": "r"},
        {"raster": ["x"]},
        {"bbox": [1, 2, 3]},
        {"bbox": [1, 2, 3, "x"]},
        {"bbox": [1, 2, 3, None]},
        {"bbox": [1, 2, 3, 10**400]},
        {"bbox": "1,2,3"},
        {"bbox": {"west": 1}},
        {"area": {"type": "Point", "coordinates": [0, 0]}},
        {"area": [1, 2]},
        {"area": {"type": "Polygon", "coordinates": [[[0, 0], [2, 2], [2, 0], [0, 2], [0, 0]]]}},
    ],
)
def test_filters_that_are_none_are_refused(said: Any) -> None:
    with pytest.raises(EdgewiseError) as refused:
        filters.read(said)

    assert refused.value.kind == "invalid"


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("EPSG:4326", "EPSG:4326"),
        (" epsg:32633 ", "EPSG:32633"),
        ("ESRI:54009", "ESRI:54009"),
        ("OGC:CRS84", "OGC:CRS84"),
    ],
)
def test_a_crs_is_taken_by_its_code(said: str, code: str) -> None:
    assert filters.read_crs(said) == code


@pytest.mark.parametrize(
    "said",
    [
        "EPSG:999999",
        "EPSG:",
        "4326",
        "WGS 84",
        "EPSG:4978",  # geocentric
        "EPSG:4979",  # with a height
        "EPSG:5773",  # a height alone
        "EPSG:7415",  # compound
        "+proj=longlat +nadgrids=@/etc/passwd",
        "+proj=utm +zone=33",
        "/etc/passwd",
        "file:///etc/passwd",
        "EPSG:4326'; DROP TABLE x; --",
        'GEOGCRS["x"]',
        "EPSG:" + "9" * 5000,
        4326,
        None,
        ["EPSG:4326"],
        {"code": 4326},
    ],
)
def test_what_is_no_code_of_a_two_dimensional_crs_is_refused(said: object) -> None:
    with pytest.raises(Invalid) as refused:
        filters.read_crs(said)

    assert refused.value.code == "export.invalid_crs"
    assert list(refused.value.details["fields"]) == ["crs"]
