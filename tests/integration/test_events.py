"""A project's numbered events: in order, without gaps, and enough to follow everything that happens."""

from functools import partial
from random import Random
from typing import Any
from uuid import uuid4

import pytest

from backend.annotations.models import Annotation
from backend.projects import classes
from backend.rasters import services as rasters
from backend.rasters.models import Raster
from tests.support.at_once import at_once
from tests.support.worlds import (
    World,
    client_of,
    make_world,
    move_status,
    new_annotation,
    patch_annotation,
    put_annotation,
    square,
)

State = dict[str, dict[str, Any]]


@pytest.fixture
def world() -> World:
    return make_world()


def asked(world: World, **query: Any) -> dict[str, Any]:
    answer = client_of(world.viewer).get(f"/api/projects/{world.project.id}/events", query)
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def fetched(world: World) -> tuple[State, int]:
    """Everything on the map, and the number of the last event that it holds."""
    page = client_of(world.viewer).get(f"/api/projects/{world.project.id}/annotations", {"limit": 2000}).json()
    return {row["id"]: row for row in page["annotations"]}, page["seq"]


def followed(world: World, state: State, seq: int, limit: int) -> tuple[State, int]:
    """The state after all events since, as a browser applies them."""
    state = dict(state)
    while True:
        answer = asked(world, since=seq, limit=limit)
        for event in answer["events"]:
            assert event["seq"] == seq + 1
            seq = event["seq"]
            if event["kind"] == "raster.deleted":
                gone = event["data"]["id"]
                state = {key: {**row, "raster": None} if row["raster"] == gone else row for key, row in state.items()}
            if not event["kind"].startswith("annotation."):
                continue
            row = event["data"]["annotation"]
            if row["deleted"]:
                state.pop(row["id"], None)
            else:
                state[row["id"]] = row
        if not answer["more"]:
            assert seq == answer["seq"]
            return state, seq


def do_something(world: World, dice: Random, rasters_here: list[Raster]) -> None:
    """One request of somebody; some are refused, which must not show."""
    user = dice.choice([world.owner, world.reviewer, world.annotator, world.colleague, world.viewer])
    rows = list(Annotation.objects.filter(project=world.project).values_list("id", "version", "deleted_at"))
    if not rows or dice.random() < 0.3:
        raster = str(dice.choice(rasters_here).id) if rasters_here and dice.random() < 0.5 else None
        body = new_annotation(world, geometry=square(dice.uniform(0, 90), 10), raster=raster)
        client_of(user).put(f"/api/annotations/{uuid4()}", body)
        return
    row_id, version, deleted_at = dice.choice(rows)
    annotation = {"id": str(row_id), "version": version - (dice.random() < 0.1)}
    guard = {"version": annotation["version"], "edit_id": str(uuid4())}
    address = f"/api/annotations/{row_id}"
    deeds = {
        "edit": partial(patch_annotation, user, annotation, geometry=square(dice.uniform(0, 90), 10)),
        "class": partial(patch_annotation, user, annotation, label_class=str(world.building.id)),
        "delete": partial(client_of(user).delete, address, guard),
        "restore": partial(client_of(user).post, f"{address}/restore", guard),
        "move": partial(
            move_status, user, annotation, dice.choice(["draft", "submitted", "accepted", "changes_requested"])
        ),
    }
    deeds["restore" if deleted_at and dice.random() < 0.7 else dice.choice(list(deeds))]()
    if dice.random() < 0.03 and rasters_here:
        rasters.delete(rasters_here.pop(), actor=world.owner)
    if dice.random() < 0.05:
        classes.change(world.project.id, world.road.id, world.owner, {"colour": f"#{dice.randrange(2**24):06x}"})


@pytest.mark.django_db
@pytest.mark.parametrize("seed", [1, 2])
def test_an_old_state_and_the_events_since_make_the_state_that_a_fresh_fetch_gives(world: World, seed: int) -> None:
    dice = Random(seed)
    here = [
        Raster.objects.create(project=world.project, name=f"r{index}", state="viewable", source_path="x")
        for index in range(4)
    ]
    states = [fetched(world)]
    for step in range(120):
        do_something(world, dice, here)
        if step % 30 == 0:
            states.append(fetched(world))

    fresh = fetched(world)

    assert len(fresh[0]) > 5
    for state, seq in states:
        assert followed(world, state, seq, limit=dice.choice([1, 7, 500])) == fresh
    from_nothing: State = {}
    assert followed(world, from_nothing, 0, limit=500) == fresh


@pytest.mark.django_db
def test_events_come_in_order_in_pages_and_say_whether_there_are_more(world: World) -> None:
    for step in range(5):
        put_annotation(world, world.annotator, geometry=square(10 + step, 50))
    everything = asked(world)

    first = asked(world, limit=3)
    rest = asked(world, since=3, limit=1000)
    past = asked(world, since=everything["seq"])
    future = asked(world, since=everything["seq"] + 100)

    assert [event["seq"] for event in everything["events"]] == list(range(1, everything["seq"] + 1))
    assert (first["more"], rest["more"], past["more"], future["more"]) == (True, False, False, False)
    assert first["events"] + rest["events"] == everything["events"]
    assert past["events"] == future["events"] == []
    assert asked(world, limit=0)["events"] == first["events"][:1]


@pytest.mark.django_db
def test_a_refused_change_makes_no_event_and_uses_up_no_number(world: World) -> None:
    saved = put_annotation(world, world.annotator)
    before = asked(world)

    assert patch_annotation(world.viewer, saved, geometry=square()).status_code == 403
    assert patch_annotation(world.annotator, {**saved, "version": 9}, geometry=square()).status_code == 409
    assert patch_annotation(world.annotator, saved, geometry={"type": "Polygon", "coordinates": []}).status_code == 422

    assert asked(world) == before
    put_annotation(world, world.annotator)
    assert asked(world)["seq"] == before["seq"] + 1


@pytest.mark.django_db
@pytest.mark.parametrize(("part", "status"), [("nobody", 401), ("stranger", 404), ("viewer", 200)])
def test_events_are_for_members(world: World, part: str, status: int) -> None:
    user = world.users().get(part)

    assert client_of(user).get(f"/api/projects/{world.project.id}/events").status_code == status


@pytest.mark.django_db(transaction=True)
def test_numbers_have_no_gap_and_no_double_when_many_write_at_once(world: World) -> None:
    def draw(turn: int) -> list[int]:
        user = [world.owner, world.reviewer, world.annotator, world.colleague][turn % 4]
        return [len(put_annotation(world, user, geometry=square(10 + turn, 50 + step))) for step in range(6)]

    at_once([partial(draw, turn) for turn in range(8)])

    seqs = [event["seq"] for event in asked(world, limit=1000)["events"]]
    assert seqs == list(range(1, len(seqs) + 1))
    assert followed(world, {}, 0, limit=500) == fetched(world)
    assert len(fetched(world)[0]) == 48
