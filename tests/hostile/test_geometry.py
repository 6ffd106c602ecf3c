"""Hazard 9: geometries that would cost more than they are worth are refused before GEOS sees them, within a second."""

import json
import math
import random
import time
from typing import Any
from uuid import uuid4

import pytest

from backend.annotations import geometry
from backend.annotations.models import Annotation
from backend.events.models import Event
from tests.support.worlds import World, client_of, make_world, new_annotation, put_annotation

pytestmark = pytest.mark.django_db

Ring = list[list[float]]


@pytest.fixture
def world() -> World:
    return make_world()


def circle(count: int, lon: float = 10, lat: float = 50, radius: float = 0.1) -> Ring:
    turns = [2 * math.pi * step / (count - 1) for step in range(count - 1)]
    points = [[lon + radius * math.cos(turn), lat + radius * math.sin(turn)] for turn in turns]
    return [*points, points[0]]


def scribble(count: int) -> Ring:
    dice = random.Random(7)
    points = [[10 + dice.random(), 50 + dice.random()] for _ in range(count - 1)]
    return [*points, points[0]]


def comb(count: int) -> Ring:
    """Thousands of thin teeth: valid, and as slow for GEOS as a ring of that size gets."""
    teeth = [[10 + step * 1e-5, 50 + (step % 2) * 0.5] for step in range(count - 3)]
    return [*teeth, [teeth[-1][0], 49.9], [10, 49.9], teeth[0]]


def nested(depth: int) -> str:
    inner = '{"type":"Point","coordinates":[0,0]}'
    return '{"type":"GeometryCollection","geometries":[' * depth + inner + "]}" * depth


def deep(depth: int) -> str:
    return '{"type":"Polygon","coordinates":' + "[" * depth + "]" * depth + "}"


REFUSED: dict[str, Any] = {
    "100,000 vertices": {"type": "Polygon", "coordinates": [circle(100_000)]},
    "100,000 rings": {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]]] * 100_000},
    "100,000 parts": {"type": "MultiPolygon", "coordinates": [[[[0, 0], [1, 0], [1, 1], [0, 0]]]] * 100_000},
    "parts of many rings": {"type": "MultiPolygon", "coordinates": [[[[0, 0], [1, 0], [1, 1], [0, 0]]] * 900] * 90},
    "a bow-tie of 50,000 vertices": {"type": "Polygon", "coordinates": [scribble(50_000)]},
    "holes that all overlap": {"type": "Polygon", "coordinates": [circle(5), *[circle(40, radius=0.01)] * 900]},
    "parts that all overlap": {"type": "MultiPolygon", "coordinates": [[circle(400)]] * 100},
    "collections 900 deep": json.loads(nested(300)),
    "numbers beyond a double": {"type": "Polygon", "coordinates": [[[10**400, 0], [1, 0], [1, 1], [10**400, 0]]]},
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_hostile_geometry_is_refused_within_two_seconds_and_nothing_is_stored(world: World, name: str) -> None:
    events = Event.objects.count()
    body = json.dumps(new_annotation(world, geometry=REFUSED[name]))
    client = client_of(world.annotator)
    began = time.process_time()

    answer = client.generic("PUT", f"/api/annotations/{uuid4()}", body, content_type="application/json")

    assert time.process_time() - began < 2
    assert answer.status_code in (413, 422)
    assert answer.json()["error"]["code"] in (
        "annotation.too_large",
        "annotation.invalid_geometry",
        "request.too_large",
    )
    assert Annotation.objects.count() == 0
    assert Event.objects.count() == events


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (nested(10_000), "request.malformed"),
        (deep(100_000), "request.malformed"),
        ('{"type":"Point","coordinates":[NaN,0]}', "request.malformed"),
        ('{"type":"Point","coordinates":[Infinity,0]}', "request.malformed"),
        ('{"type":"Point","coordinates":[' + "9" * 5000 + ",0]}", "request.malformed"),
        ('{"type":"Point","coordinates":[1e999,0]}', "annotation.invalid_geometry"),
        ('{"type":"Polygon","coordinates":[[' + "[0,0]," * 1_500_000 + "[0,0]]]}", "request.too_large"),
        ('"' + "x" * 9_000_000 + '"', "request.too_large"),
    ],
    ids=["deep collections", "deep arrays", "NaN", "Infinity", "endless digits", "1e999", "10 MB", "one text"],
)
def test_a_hostile_body_is_refused_before_it_is_built(world: World, said: str, code: str) -> None:
    head = json.dumps(new_annotation(world, label_class=str(world.tree.id), geometry=None))
    body = head.replace('"geometry": null', f'"geometry": {said}')
    began = time.process_time()

    for method, address in (("PUT", f"/api/annotations/{uuid4()}"), ("PATCH", f"/api/annotations/{_saved(world)}")):
        text = body
        if method == "PATCH":
            text = json.dumps({"version": 1, "edit_id": str(uuid4()), "geometry": 0}).replace(": 0}", f": {said}}}")
        answer = client_of(world.annotator).generic(method, address, text, content_type="application/json")

        assert answer.status_code in (413, 422), answer.content[:300]
        assert answer.json()["error"]["code"] in (code, "annotation.invalid_geometry")
    assert time.process_time() - began < 2
    assert Annotation.objects.get().version == 1


def test_the_largest_that_is_allowed_is_taken_in_within_two_seconds(world: World) -> None:
    for ring in (circle(geometry.MAX_VERTICES), comb(geometry.MAX_VERTICES)):
        began = time.process_time()

        saved = put_annotation(world, world.annotator, geometry={"type": "Polygon", "coordinates": [ring]})

        assert time.process_time() - began < 2
        assert len(saved["geometry"]["coordinates"][0]) == geometry.MAX_VERTICES


@pytest.mark.parametrize(
    "attributes",
    [
        {"roof": "flat", "floors": 10**400},
        {"roof": "flat", "floors": True},
        {"roof": "flat", "note": "half \ud800"},
        {"roof": "flat", "note": "nul \x00"},
        {"roof": "flat", "note": "x" * 1001},
        {"roof": "flat", "note": {"$ne": 1}},
        {"roof": ["flat"]},
        {"__proto__": {"x": 1}},
        {"roof": "flat", **{f"k{index}": index for index in range(10_000)}},
    ],
)
def test_attribute_values_that_no_column_could_hold_are_refused_by_name(
    world: World, attributes: dict[str, Any]
) -> None:
    body = json.dumps(new_annotation(world, label_class=str(world.building.id), attributes=attributes))

    answer = client_of(world.annotator).generic(
        "PUT", f"/api/annotations/{uuid4()}", body, content_type="application/json"
    )

    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "annotation.invalid_attributes"
    assert Annotation.objects.count() == 0


def _saved(world: World) -> str:
    tree = {"label_class": str(world.tree.id), "geometry": {"type": "Point", "coordinates": [1, 2]}}
    return str(put_annotation(world, world.annotator, **tree)["id"])
