"""Hazard 10: what is said in filters, orders and cursors reaches no query but as a value."""

import base64
import json
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from backend.annotations.models import Annotation
from tests.support.worlds import World, client_of, make_world, put_annotation

pytestmark = pytest.mark.django_db

INJECTIONS = [
    "'",
    "';--",
    "' OR '1'='1",
    "1); DROP TABLE annotations_annotation; --",
    "\\",
    '"',
    "%",
    "%s",
    "%(x)s",
    "$$",
    "\x00",
    "\ud800",
    "١٢٣",
    "NULL",
    "NaN",
    "Infinity",
    "1e400",
    "9" * 5000,
    "{}",
    "[]",
    "author__password__startswith",
    "project__members__user__password",
    "-author__password",
    "?",
    "..",
    "../../etc/passwd",
    "a" * 20_000,
]
PARAMETERS = ["bbox", "raster", "status", "label_class", "author", "order", "cursor", "limit"]


@pytest.fixture
def world() -> World:
    return make_world()


def answer(world: World, query: dict[str, Any]) -> Any:
    return client_of(world.viewer).get(f"/api/projects/{world.project.id}/annotations", query)


@pytest.mark.parametrize("parameter", PARAMETERS)
def test_every_hostile_value_is_refused_with_one_code_or_finds_nothing(world: World, parameter: str) -> None:
    put_annotation(world, world.annotator)
    for value in INJECTIONS:
        if value == "\ud800":  # no address can carry it
            continue
        with CaptureQueriesContext(connection) as queries:
            found = answer(world, {parameter: value})

        if found.status_code == 200:
            assert parameter == "limit"
            continue
        assert found.status_code == 422, (parameter, value, found.content)
        assert found.json()["error"]["code"] == "annotation.invalid_query"
        assert not [query for query in queries if "annotations_annotation" in query["sql"]]
    assert Annotation.objects.count() == 1


def test_a_parameter_that_is_not_on_the_list_is_refused(world: World) -> None:
    names = [
        "author__password",
        "project",
        "id",
        "deleted_at",
        "geometry__isvalid",
        "Status",
        "status[]",
        "_",
        "$where",
    ]
    for name in names:
        found = answer(world, {name: "1"})

        assert found.status_code == 422, name
        assert found.json()["error"]["code"] == "annotation.invalid_query"


@pytest.mark.parametrize(
    "box",
    [
        "1,2,3",
        "1,2,3,4,5",
        "1,2,3,",
        "a,b,c,d",
        "nan,0,1,1",
        "0,0,inf,1",
        "0,1,1,0",
        "-181,0,0,1",
        "0,-91,1,1",
        "0,0,1e400,1",
        "0x1,0,1,1",
    ],
)
def test_a_box_that_is_none_is_refused(world: World, box: str) -> None:
    found = answer(world, {"bbox": box})

    assert found.status_code == 422
    assert found.json()["error"]["code"] == "annotation.invalid_query"


CURSORS: list[Any] = [
    [],
    {},
    7,
    None,
    ["x"],
    ["2026-01-01T00:00:00", "00000000-0000-4000-8000-000000000000"],
    ["2026-01-01T00:00:00+00:00", "no id"],
    ["2026-01-01T00:00:00+00:00", 5],
    [["2026-01-01"], "00000000-0000-4000-8000-000000000000"],
    [None, "00000000-0000-4000-8000-000000000000"],
    ["9" * 50, "00000000-0000-4000-8000-000000000000"],
    [10**40, "00000000-0000-4000-8000-000000000000"],
    {"a": 1, "b": 2},
]


@pytest.mark.parametrize("order", ["created", "-score", "area"])
def test_a_forged_cursor_is_refused_or_is_only_a_place_in_the_order(world: World, order: str) -> None:
    put_annotation(world, world.annotator)
    forged = [base64.urlsafe_b64encode(json.dumps(said).encode()).decode() for said in CURSORS]
    nested = base64.urlsafe_b64encode(b"[" * 30_000).decode()
    huge = base64.urlsafe_b64encode(b"[" + b"9" * 10_000 + b',"x"]').decode()

    for cursor in [*forged, nested, huge, "====", "AAAA", "é", "a" * 201]:
        found = answer(world, {"order": order, "cursor": cursor})

        assert found.status_code in (200, 422), (cursor, found.content)
        if found.status_code == 422:
            assert found.json()["error"]["code"] == "annotation.invalid_query"


def test_a_cursor_of_another_project_shows_nothing_of_it(world: World) -> None:
    elsewhere = make_world("Elsewhere")
    for _ in range(2):
        put_annotation(elsewhere, elsewhere.annotator)
    client = client_of(elsewhere.viewer)
    cursor = client.get(f"/api/projects/{elsewhere.project.id}/annotations", {"limit": 1}).json()["next_cursor"]

    found = answer(world, {"cursor": cursor})

    assert found.json()["annotations"] == []


@pytest.mark.parametrize("value", ["-1", str(10**30), str(-(10**30)), "0"])
def test_event_numbers_beyond_all_bounds_are_numbers_like_others(world: World, value: str) -> None:
    found = client_of(world.viewer).get(f"/api/projects/{world.project.id}/events", {"since": value, "limit": value})

    assert found.status_code == 200
    assert len(found.json()["events"]) <= 1000


@pytest.mark.parametrize("value", ["x", "1.5", "1;--", "\x00", "9" * 5000])
def test_an_event_number_that_is_none_is_refused(world: World, value: str) -> None:
    for name in ("since", "limit"):
        found = client_of(world.viewer).get(f"/api/projects/{world.project.id}/events", {name: value})

        assert found.status_code == 422
        assert found.json()["error"]["code"] == "annotation.invalid_query"
