"""Recipes of vectorisation: kept with the class, tried out on samples, carried over from the older choice."""

from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from backend.events.models import Event
from backend.outlines.samples import NAMES
from backend.projects.models import LabelClass
from ml.vectorize import Recipe
from tests.support.worlds import World, client_of, make_world

pytestmark = pytest.mark.django_db

BUILDING = {"form": "right_angles", "group_directions": True, "fill_holes_m2": 2}


@pytest.fixture
def world() -> World:
    return make_world()


def test_a_recipe_is_kept_whole_with_its_class_and_told_to_everybody(world: World) -> None:
    address = f"/api/projects/{world.project.id}/classes/{world.field.id}"

    answer = client_of(world.owner).patch(address, {"recipe": BUILDING})

    whole = Recipe(form="right_angles", group_directions=True, fill_holes_m2=2).as_json()
    assert answer.json()["recipe"] == whole
    shown = client_of(world.viewer).get(f"/api/projects/{world.project.id}/classes").json()["classes"]
    assert [one["recipe"] for one in shown if one["id"] == str(world.field.id)] == [whole]
    last = Event.objects.filter(project_id=world.project.id).order_by("-seq")[0]
    assert (last.kind, last.data["label_class"]["recipe"]) == ("class.changed", whole)


def test_a_class_of_lines_always_asks_for_a_centreline_and_one_of_polygons_for_ground(world: World) -> None:
    classes = f"/api/projects/{world.project.id}/classes"
    client = client_of(world.owner)

    road = client.patch(f"{classes}/{world.road.id}", {"recipe": {"form": "circle", "width_m": 4}}).json()["recipe"]
    paved = client.patch(f"{classes}/{world.field.id}", {"recipe": {"form": "centreline"}}).json()["recipe"]

    assert (road["form"], road["buffered"], road["width_m"]) == ("centreline", False, 4)
    assert (paved["form"], paved["buffered"]) == ("centreline", True)


@pytest.mark.parametrize("sample", NAMES)
def test_every_sample_shows_what_a_recipe_does(world: World, sample: str) -> None:
    said = client_of(world.annotator).post(
        f"/api/projects/{world.project.id}/outlines", {"recipe": {"tolerance_m": 1}, "sample": sample}
    )

    assert said.status_code == 200
    preview = said.json()
    assert 3 <= preview["after"]["vertices"] < preview["before"]["vertices"]
    assert preview["before"]["geometry"]["type"] in ("Polygon", "MultiPolygon")
    assert preview["iou"] > 0.7


def test_the_building_gets_its_corners_and_the_tank_its_circle(world: World) -> None:
    client, address = client_of(world.annotator), f"/api/projects/{world.project.id}/outlines"

    house = client.post(address, {"recipe": BUILDING, "sample": "building"}).json()
    tank = client.post(address, {"recipe": {"form": "circle"}, "sample": "tank"}).json()
    plain = client.post(address, {"recipe": {}, "sample": "building"}).json()

    assert house["formed"] and tank["formed"]
    assert house["after"]["vertices"] <= 12 < plain["after"]["vertices"]


@pytest.mark.parametrize(
    "body",
    [
        {"recipe": {"form": "wobbly"}, "sample": "field"},
        {"recipe": {"tolerance_m": "NaN"}, "sample": "field"},
        {"recipe": {"tolerance_m": 1e9}, "sample": "field"},
        {"recipe": {"tolerance": 1}, "sample": "field"},
        {"recipe": [], "sample": "field"},
        {"recipe": {}, "sample": "../field"},
        {"recipe": {}},
        {"sample": "field"},
        {"recipe": {"smooth_m": True}, "sample": "field"},
    ],
)
def test_a_recipe_or_a_sample_that_cannot_be_is_refused_by_name(world: World, body: dict[str, Any]) -> None:
    answer = client_of(world.annotator).post(f"/api/projects/{world.project.id}/outlines", body)

    assert answer.status_code == 422
    assert answer.json()["error"]["details"]["fields"]


def test_only_annotators_of_the_project_try_recipes_out(world: World) -> None:
    address, body = f"/api/projects/{world.project.id}/outlines", {"recipe": {}, "sample": "field"}

    assert client_of(world.viewer).post(address, body).status_code == 403
    assert client_of(world.stranger).post(address, body).status_code == 404
    assert client_of(world.annotator).post(f"/api/projects/{uuid4()}/outlines", body).status_code == 404


@pytest.mark.django_db(transaction=True)
def test_the_older_choice_of_an_outline_becomes_the_form_of_the_recipe_and_back(world: World) -> None:
    LabelClass.objects.filter(id=world.tree.id).update(recipe={"form": "circle", "smooth_m": 2})
    before, after = [("projects", "0004_class_borders")], [("projects", "0005_class_recipe")]
    try:
        MigrationExecutor(connection).migrate(before)
        with connection.cursor() as cursor:
            cursor.execute("SELECT outline FROM projects_labelclass WHERE id = %s", [world.tree.id])
            assert cursor.fetchone() == ("circle",)
            cursor.execute("UPDATE projects_labelclass SET outline = 'right_angles' WHERE id = %s", [world.field.id])
    finally:
        MigrationExecutor(connection).migrate(after)

    kept = {row.id: row.recipe for row in LabelClass.objects.filter(project=world.project)}
    assert kept == {
        world.building.id: {},
        world.field.id: {"form": "right_angles"},
        world.road.id: {},
        world.tree.id: {"form": "circle"},
    }
