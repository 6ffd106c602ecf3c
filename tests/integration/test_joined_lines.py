"""In a class of lines that joins its neighbours, ends meet stored lines in vertices of both, and all is versioned."""

from functools import partial
from typing import Any
from uuid import uuid4

import pytest

from backend.annotations.models import Annotation, Revision
from backend.events.models import Event
from backend.projects.models import LabelClass
from tests.support.at_once import at_once
from tests.support.worlds import (
    METRE,
    World,
    client_of,
    in_metres,
    make_world,
    move_status,
    new_annotation,
    patch_annotation,
    put_annotation,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def world() -> World:
    made = make_world()
    LabelClass.objects.filter(id=made.road.id).update(shared_border_m=5.0)
    return made


def line(*places: tuple[float, float]) -> dict[str, Any]:
    """In metres from 0 E 0 N."""
    return {"type": "LineString", "coordinates": in_metres(*places)}


STREET = line((0, 0), (100, 0))
SHORT = line((50, 60), (50, 3))


def draw(world: World, geometry: dict[str, Any], who: Any = None) -> dict[str, Any]:
    return put_annotation(world, who or world.annotator, label_class=str(world.road.id), geometry=geometry)


def stored(world: World, annotation: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = client_of(world.viewer).get(f"/api/annotations/{annotation['id']}").json()
    return found


def places(annotation: dict[str, Any]) -> list[list[float]]:
    found: list[list[float]] = annotation["geometry"]["coordinates"]
    return found


def test_an_end_is_led_to_a_stored_line_and_both_have_the_very_vertex_as_edits_of_one_act(world: World) -> None:
    street = draw(world, STREET)

    side = draw(world, SHORT, world.colleague)

    meeting = [round(50 * METRE, 9), 0.0]
    after = stored(world, street)
    assert places(side)[-1] == meeting
    assert places(after) == [STREET["coordinates"][0], meeting, STREET["coordinates"][1]]
    assert (after["version"], after["updated_by"]["display_name"]) == (2, "Carl")
    assert side["length_m"] == pytest.approx(60, rel=0.01)
    assert list(Revision.objects.filter(annotation=street["id"]).values_list("version", "kind")) == [
        (1, "created"), (2, "updated"),
    ]  # fmt: skip
    events = list(Event.objects.filter(project_id=world.project.id).order_by("seq"))
    assert [event.kind for event in events[-2:]] == ["annotation.created", "annotation.updated"]
    assert events[-1].data == {"annotation": after, "edit_id": side["id"]}


def test_an_end_that_runs_past_is_cut_off_and_one_out_of_reach_stays(world: World) -> None:
    street = draw(world, STREET)

    past, far = draw(world, line((30, 60), (30, -4))), draw(world, line((70, 60), (70, 6)))

    assert places(past) == [[round(30 * METRE, 9), round(60 * METRE, 9)], [round(30 * METRE, 9), 0.0]]
    assert far["geometry"] == line((70, 60), (70, 6))
    assert len(places(stored(world, street))) == 3


def test_an_end_near_an_end_takes_it_and_leaves_the_neighbour_alone(world: World) -> None:
    street = draw(world, STREET)

    on = draw(world, line((103, 60), (102, 2)))

    assert places(on)[-1] == STREET["coordinates"][1]
    assert stored(world, street) == street


def test_of_several_lines_as_one_each_end_is_joined_and_each_part_of_a_neighbour_may_be_met(world: World) -> None:
    both = {
        "type": "MultiLineString",
        "coordinates": [STREET["coordinates"], line((0, 200), (100, 200))["coordinates"]],
    }
    there = draw(world, both)
    fork = [line((50, 100), (40, 196))["coordinates"], line((50, 100), (50, 3))["coordinates"]]

    found = draw(world, {"type": "MultiLineString", "coordinates": fork})

    after = stored(world, there)["geometry"]
    assert [len(part) for part in after["coordinates"]] == [3, 3]
    assert [part[-1] for part in places(found)] == [after["coordinates"][1][1], after["coordinates"][0][1]]
    assert places(found)[0][0] == places(found)[1][0] == fork[0][0]


def test_an_edit_is_joined_too_and_taking_it_back_restores_the_line(world: World) -> None:
    street = draw(world, STREET)
    side = draw(world, line((50, 60), (50, 20)))

    edited = patch_annotation(world.annotator, side, geometry=SHORT).json()
    met = stored(world, street)
    again = patch_annotation(world.annotator, edited, geometry=edited["geometry"]).json()
    back = patch_annotation(world.annotator, again, geometry=side["geometry"]).json()

    assert edited["version"] == 2
    assert places(edited)[-1] in places(met)
    assert again["geometry"] == edited["geometry"], "what is joined stays as it is"
    assert back["geometry"] == side["geometry"]
    assert stored(world, street) == met, "its vertex stays, as a shared border's does"


def test_what_comes_into_the_class_or_back_from_deletion_is_joined(world: World) -> None:
    path = LabelClass.objects.create(
        project=world.project, name="Path", colour="#112233", geometry_type="line", order=9
    )
    street = draw(world, STREET)
    foot = put_annotation(world, world.annotator, label_class=str(path.id), geometry=SHORT)
    gone = draw(world, line((20, 60), (20, 30)))
    client = client_of(world.annotator)
    client.delete(f"/api/annotations/{gone['id']}", {"version": 1, "edit_id": str(uuid4())})
    draw(world, line((0, 28), (100, 28)))

    assert foot["geometry"] == SHORT
    moved = patch_annotation(world.annotator, foot, label_class=str(world.road.id)).json()
    back = client.post(f"/api/annotations/{gone['id']}/restore", {"version": 2, "edit_id": str(uuid4())}).json()

    assert places(moved)[-1] in places(stored(world, street))
    assert places(back)[-1] == [round(20 * METRE, 9), round(28 * METRE, 9)]


@pytest.mark.parametrize("standing", ["accepted", "submitted"])
def test_a_neighbour_that_the_member_may_not_edit_is_left_as_it_is_and_the_line_still_ends_on_it(
    world: World, standing: str
) -> None:
    street = draw(world, line((0, 0), (97, 31)))
    street = move_status(world.annotator, street, "submitted").json()
    if standing == "accepted":
        street = move_status(world.reviewer, street, "accepted").json()
    before = Event.objects.count()

    side = draw(world, line((50, 60), (50, 18)), world.colleague)
    again = patch_annotation(world.colleague, side, geometry=side["geometry"]).json()

    assert stored(world, street) == street
    assert Revision.objects.filter(annotation=street["id"]).count() == street["version"]
    assert Event.objects.count() == before + 2
    x, y = places(side)[-1]
    assert y == pytest.approx(x * 31 / 97, abs=2e-9)
    assert again["geometry"] == side["geometry"]


def test_even_a_reviewer_gives_accepted_work_no_vertex_by_drawing_beside_it(world: World) -> None:
    street = draw(world, STREET)
    street = move_status(world.annotator, street, "submitted").json()
    street = move_status(world.reviewer, street, "accepted").json()

    side = draw(world, SHORT, world.reviewer)

    assert places(side)[-1] == [round(50 * METRE, 9), 0.0]
    assert stored(world, street) == street


def test_a_viewer_can_neither_draw_nor_ask_and_nothing_changes(world: World) -> None:
    street = draw(world, STREET)
    client, body = client_of(world.viewer), new_annotation(world, label_class=str(world.road.id), geometry=SHORT)
    counts = (Annotation.objects.count(), Revision.objects.count(), Event.objects.count())

    put = client.put(f"/api/annotations/{uuid4()}", body)
    asked = client.post(f"/api/projects/{world.project.id}/fit", {"label_class": str(world.road.id), "geometry": SHORT})

    assert (put.status_code, asked.status_code) == (403, 403)
    assert (Annotation.objects.count(), Revision.objects.count(), Event.objects.count()) == counts
    assert stored(world, street) == street


def test_the_preview_is_what_would_be_stored_and_stores_nothing(world: World) -> None:
    street = draw(world, STREET)
    draw(world, line((45, 40), (55, 40)))  # crossed on the way, which is no joint
    counts = (Annotation.objects.count(), Revision.objects.count(), Event.objects.count())

    said = client_of(world.annotator).post(
        f"/api/projects/{world.project.id}/fit", {"label_class": str(world.road.id), "geometry": SHORT}
    )

    assert said.status_code == 200
    assert (Annotation.objects.count(), Revision.objects.count(), Event.objects.count()) == counts
    assert stored(world, street) == street
    assert said.json()["neighbours"] == 1
    assert said.json()["geometry"] == draw(world, SHORT)["geometry"]


def test_other_classes_and_lines_elsewhere_are_no_neighbours_nor_is_the_line_itself(world: World) -> None:
    path = LabelClass.objects.create(
        project=world.project, name="Path", colour="#112233", geometry_type="line", order=9, shared_border_m=5.0
    )
    put_annotation(world, world.annotator, label_class=str(path.id), geometry=STREET)
    bow = line((0, 60), (50, 3), (60, 60), (52, 62), (53, 5))

    first = draw(world, bow)
    edited = patch_annotation(world.annotator, first, geometry=bow).json()

    assert first["geometry"] == edited["geometry"] == bow


def test_a_line_past_many_others_is_no_trouble_while_many_at_its_ends_are_refused_by_number(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.annotations.borders.MOST_NEIGHBOURS", 1)
    for x in (20, 50, 80):
        draw(world, line((x, -30), (x, 30)))

    through = draw(world, line((0, 0), (100, 0)))
    draw(world, line((200, 4), (300, 90)))
    draw(world, line((200, -4), (300, -90)))
    counts = (Annotation.objects.count(), Event.objects.count())
    body = new_annotation(world, label_class=str(world.road.id), geometry=line((150, 0), (200, 0)))
    crowded = client_of(world.annotator).put(f"/api/annotations/{uuid4()}", body)

    assert through["geometry"] == line((0, 0), (100, 0))
    assert (crowded.status_code, crowded.json()["error"]["code"]) == (422, "annotation.too_many_neighbours")
    assert (Annotation.objects.count(), Event.objects.count()) == counts


def test_two_people_who_draw_towards_each_other_at_once_meet(world: World) -> None:
    for turn in range(3):
        y = 1000.0 * turn
        pair = [line((0, y), (50, y)), line((53, y + 40), (53, y + 2))]
        body = partial(new_annotation, world, label_class=str(world.road.id))
        puts = [
            partial(client_of(who).put, f"/api/annotations/{uuid4()}", body(geometry=geometry))
            for who, geometry in zip((world.annotator, world.colleague), pair, strict=True)
        ]

        answers = at_once(puts)

        assert [answer.status_code for answer in answers] == [201, 201]
        one, other = (stored(world, answer.json()) for answer in answers)
        assert places(one)[-1] == places(other)[-1]


def test_owners_set_the_reach_of_a_class_of_lines_and_points_have_none(world: World) -> None:
    client, address = client_of(world.owner), f"/api/projects/{world.project.id}/classes"

    road = client.patch(f"{address}/{world.road.id}", {"shared_border_m": 7.5})
    tree = client.patch(f"{address}/{world.tree.id}", {"shared_border_m": 2})

    assert (road.status_code, road.json()["shared_border_m"]) == (200, 7.5)
    assert tree.status_code == 422
    assert tree.json()["error"]["details"]["fields"]["shared_border_m"]
    world.tree.refresh_from_db()
    assert world.tree.shared_border_m is None
