"""Annotations over HTTP: saved, changed, taken off and put back, each with its revision and its numbered event."""

from typing import Any
from uuid import uuid4

import pytest

from backend.annotations.models import Annotation, Revision
from backend.events.models import Event
from backend.projects import services as projects
from backend.rasters.models import Raster
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

pytestmark = pytest.mark.django_db

GIVEN = {"roof": "flat", "floors": 3, "note": "Grün <b>", "occupied": False}


@pytest.fixture
def world() -> World:
    return make_world()


def refused(answer: Any, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.content
    error: dict[str, Any] = answer.json()["error"]
    assert error["code"] == code
    assert error["message"].endswith(".")
    return error


def stored() -> list[tuple[Any, ...]]:
    """Everything that a refused request must leave as it was."""
    return [
        *Annotation.objects.order_by("id").values_list("id", "version", "status", "geometry", "attributes"),
        ("revisions", Revision.objects.count()),
        ("events", Event.objects.count()),
    ]


def test_a_saved_annotation_is_the_same_in_every_answer(world: World) -> None:
    annotation_id = uuid4()
    provenance = {"kind": "suggested", "prompts": [{"lon": 10.0005, "lat": 50.0005, "label": 1}], "score": 0.91}
    body = new_annotation(
        world,
        label_class=str(world.building.id),
        geometry=square(10.123456789, 50.987654321),
        attributes=GIVEN,
        provenance=provenance,
    )

    answer = client_of(world.annotator).put(f"/api/annotations/{annotation_id}", body)

    assert answer.status_code == 201
    saved = answer.json()
    assert saved["geometry"] == body["geometry"]
    assert (saved["id"], saved["version"], saved["status"], saved["deleted"]) == (str(annotation_id), 1, "draft", False)
    assert (saved["attributes"], saved["provenance"], saved["raster"]) == (GIVEN, provenance, None)
    assert saved["author"] == saved["updated_by"]
    assert saved["author"]["display_name"] == "Anna"
    assert 7700 < saved["area_m2"] < 7900
    viewer = client_of(world.viewer)
    assert viewer.get(f"/api/annotations/{annotation_id}").json() == saved
    assert viewer.get(f"/api/projects/{world.project.id}/annotations").json()["annotations"] == [saved]
    event = viewer.get(f"/api/projects/{world.project.id}/events").json()["events"][-1]
    assert event["kind"] == "annotation.created"
    assert event["data"]["annotation"] == saved
    assert event["actor"]["id"] == str(world.annotator.id)
    [revision] = viewer.get(f"/api/annotations/{annotation_id}/revisions").json()["revisions"]
    assert (revision["kind"], revision["version"], revision["geometry"]) == ("created", 1, saved["geometry"])


def test_saying_the_same_again_changes_nothing_even_after_an_edit(world: World) -> None:
    annotation_id, body = uuid4(), new_annotation(world)
    client = client_of(world.annotator)
    first = client.put(f"/api/annotations/{annotation_id}", body)

    again = client.put(f"/api/annotations/{annotation_id}", body)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()

    edited = patch_annotation(world.reviewer, first.json(), geometry=square(11, 51)).json()
    after = stored()
    late = client.put(f"/api/annotations/{annotation_id}", body)
    assert late.status_code == 200
    assert late.json() == edited
    assert stored() == after


def test_another_body_another_author_or_another_project_under_the_id_is_refused(world: World) -> None:
    annotation_id = uuid4()
    put_annotation(world, world.annotator, annotation_id)
    before = stored()
    elsewhere = make_world("Elsewhere")

    others = [
        (world.annotator, new_annotation(world, geometry=square(11, 51))),
        (world.colleague, new_annotation(world)),
        (elsewhere.owner, new_annotation(elsewhere)),
    ]
    events = Event.objects.count()
    for user, body in others:
        refused(client_of(user).put(f"/api/annotations/{annotation_id}", body), 409, "annotation.id_taken")

    assert Event.objects.count() == events
    assert stored()[:-1] == before[:-1]


def test_a_class_or_a_raster_of_another_project_is_not_found(world: World) -> None:
    elsewhere = make_world("Elsewhere")
    raster = Raster.objects.create(project=elsewhere.project, name="theirs", state="viewable", source_path="x")
    before = stored()
    client = client_of(world.annotator)

    foreign_class = client.put(
        f"/api/annotations/{uuid4()}", new_annotation(world, label_class=str(elsewhere.field.id))
    )
    foreign_raster = client.put(f"/api/annotations/{uuid4()}", new_annotation(world, raster=str(raster.id)))

    refused(foreign_class, 404, "class.not_found")
    refused(foreign_raster, 404, "raster.not_found")
    assert stored() == before


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"geometry": {"type": "Point", "coordinates": [0, 0]}}, 422, "annotation.invalid_geometry"),
        ({"attributes": {"roof": "flat"}}, 422, "annotation.invalid_attributes"),
        ({"provenance": {"kind": "guessed"}}, 422, "annotation.invalid_provenance"),
        ({"status": "accepted"}, 422, "annotation.invalid_status"),
        ({"status": "changes_requested"}, 422, "annotation.invalid_status"),
        ({"status": "finished"}, 422, "request.invalid"),
        ({"geometry": None}, 422, "request.invalid"),
        ({"label_class": "building"}, 422, "request.invalid"),
        ({"project": None}, 422, "request.invalid"),
    ],
)
def test_a_body_that_does_not_fit_is_refused(world: World, changes: dict[str, Any], status: int, code: str) -> None:
    before = stored()

    answer = client_of(world.annotator).put(f"/api/annotations/{uuid4()}", new_annotation(world, **changes))

    assert refused(answer, status, code)
    assert stored() == before


@pytest.mark.parametrize("whole", [[], "text", 7, None, {}])
def test_a_body_that_is_no_annotation_is_refused(world: World, whole: Any) -> None:
    before = stored()

    refused(client_of(world.annotator).put(f"/api/annotations/{uuid4()}", whole), 422, "request.invalid")

    assert stored() == before


def test_an_edit_makes_the_next_version_a_revision_and_an_event(world: World) -> None:
    saved = put_annotation(world, world.annotator)
    edit_id = str(uuid4())

    answer = patch_annotation(world.colleague, saved, geometry=square(11, 51), edit_id=edit_id)

    assert answer.status_code == 200
    edited = answer.json()
    assert edited["geometry"] == square(11, 51)
    assert edited["version"] == 2
    assert edited["updated_by"]["display_name"] == "Carl"
    assert edited["author"] == saved["author"]
    assert edited["area_m2"] != saved["area_m2"]
    event = Event.objects.filter(project_id=world.project.id).order_by("seq").last()
    assert event is not None
    assert (event.kind, event.data) == ("annotation.updated", {"annotation": edited, "edit_id": edit_id})
    revisions = client_of(world.viewer).get(f"/api/annotations/{saved['id']}/revisions").json()["revisions"]
    assert [(row["version"], row["kind"]) for row in revisions] == [(2, "updated"), (1, "created")]
    assert [row["geometry"] for row in revisions] == [edited["geometry"], saved["geometry"]]


def test_an_edit_on_an_older_version_is_refused_with_the_current_row(world: World) -> None:
    saved = put_annotation(world, world.annotator)
    current = patch_annotation(world.reviewer, saved, geometry=square(11, 51)).json()
    before = stored()
    guard = {"version": 1, "edit_id": str(uuid4())}
    client = client_of(world.annotator)
    address = f"/api/annotations/{saved['id']}"

    answers = [
        client.patch(address, {**guard, "geometry": square(12, 52)}),
        client.delete(address, guard),
        client.post(f"{address}/restore", guard),
        client.post(f"{address}/status", {**guard, "status": "submitted"}),
        client.patch(address, {**guard, "version": 3, "geometry": square(12, 52)}),
    ]

    for answer in answers:
        assert refused(answer, 409, "annotation.conflict")["details"]["current"] == current
    assert stored() == before


def test_the_same_edit_again_is_answered_with_the_current_row_and_done_once(world: World) -> None:
    saved = put_annotation(world, world.annotator)
    edit_id = str(uuid4())
    first = patch_annotation(world.annotator, saved, geometry=square(11, 51), edit_id=edit_id).json()
    submitted = move_status(world.annotator, first, "submitted").json()
    accepted = move_status(world.reviewer, submitted, "accepted").json()
    before = stored()

    # the answer was lost; the browser says it again, though by now its author may not edit any more
    again = patch_annotation(world.annotator, saved, geometry=square(11, 51), edit_id=edit_id)

    assert again.status_code == 200
    assert again.json() == accepted
    assert stored() == before


def test_every_kind_of_change_said_twice_is_done_once(world: World) -> None:
    saved = put_annotation(world, world.annotator)
    client = client_of(world.annotator)
    address = f"/api/annotations/{saved['id']}"
    deletion = {"version": 1, "edit_id": str(uuid4())}
    return_ = {"version": 2, "edit_id": str(uuid4())}
    submission = {"version": 3, "edit_id": str(uuid4()), "status": "submitted"}

    versions = []
    for _ in range(2):
        versions.append(client.delete(address, deletion).json()["version"])
    for _ in range(2):
        versions.append(client.post(f"{address}/restore", return_).json()["version"])
    for _ in range(2):
        versions.append(client.post(f"{address}/status", submission).json()["version"])

    assert versions == [2, 2, 3, 3, 4, 4]
    kinds = Event.objects.filter(subject_id=saved["id"]).order_by("seq").values_list("kind", flat=True)
    assert list(kinds) == [f"annotation.{kind}" for kind in ("created", "deleted", "restored", "status_changed")]


def test_a_deleted_annotation_leaves_the_list_but_can_be_looked_at_and_put_back(world: World) -> None:
    saved = put_annotation(world, world.annotator)
    client = client_of(world.annotator)
    address = f"/api/annotations/{saved['id']}"

    deleted = client.delete(address, {"version": 1, "edit_id": str(uuid4())})

    assert deleted.status_code == 200
    assert deleted.json()["deleted"] is True
    listed = f"/api/projects/{world.project.id}/annotations"
    assert client.get(listed).json()["total"] == 0
    assert client.get(address).json() == deleted.json()
    late = patch_annotation(world.annotator, deleted.json(), geometry=square(12, 52))
    assert refused(late, 409, "annotation.conflict")["details"]["current"]["deleted"] is True
    restored = client.post(f"{address}/restore", {"version": 2, "edit_id": str(uuid4())}).json()
    assert restored == {**saved, "version": 3, "updated_at": restored["updated_at"]}
    assert client.get(listed).json()["annotations"] == [restored]


def test_a_patch_that_changes_nothing_or_has_no_guard_is_refused(world: World) -> None:
    saved = put_annotation(world, world.annotator)
    before = stored()
    address = f"/api/annotations/{saved['id']}"
    client = client_of(world.annotator)

    refused(client.patch(address, {"version": 1, "edit_id": str(uuid4())}), 422, "annotation.no_change")
    for body in (
        {"geometry": square()},
        {"version": 0, "edit_id": str(uuid4())},
        {"version": 1, "edit_id": "first"},
        [],
    ):
        refused(client.patch(address, body), 422, "request.invalid")
        refused(client.delete(address, body), 422, "request.invalid")
        refused(client.post(f"{address}/restore", body), 422, "request.invalid")
        refused(client.post(f"{address}/status", body), 422, "request.invalid")

    assert stored() == before


def test_another_class_keeps_the_values_that_fit_it_and_drops_the_rest(world: World) -> None:
    saved = put_annotation(world, world.annotator, label_class=str(world.building.id), attributes=GIVEN)

    field = patch_annotation(world.annotator, saved, label_class=str(world.field.id))
    assert (field.status_code, field.json()["attributes"]) == (200, {})

    other = make_world("Elsewhere")
    foreign = patch_annotation(world.annotator, field.json(), label_class=str(other.field.id))
    refused(foreign, 404, "class.not_found")
    line = patch_annotation(world.annotator, field.json(), label_class=str(world.road.id))
    refused(line, 422, "annotation.wrong_geometry_type")
    drawn = patch_annotation(
        world.annotator,
        field.json(),
        label_class=str(world.road.id),
        geometry={"type": "LineString", "coordinates": [[10, 50], [10.1, 50]]},
    )
    assert drawn.status_code == 200
    assert (drawn.json()["area_m2"], drawn.json()["label_class"]) == (0, str(world.road.id))


def test_required_attributes_are_asked_for_when_work_is_submitted_not_while_it_is_a_draft(world: World) -> None:
    draft = put_annotation(world, world.annotator, label_class=str(world.building.id))
    before = stored()

    missing = refused(move_status(world.annotator, draft, "submitted"), 422, "annotation.invalid_attributes")
    assert missing["details"]["fields"] == {"roof": ["Roof is required. Fill it in first."]}
    straight = new_annotation(world, label_class=str(world.building.id), status="submitted")
    refused(
        client_of(world.annotator).put(f"/api/annotations/{uuid4()}", straight), 422, "annotation.invalid_attributes"
    )
    assert stored() == before

    filled = patch_annotation(world.annotator, draft, attributes={"roof": "gabled"}).json()
    submitted = move_status(world.annotator, filled, "submitted")
    assert submitted.status_code == 200
    emptied = patch_annotation(world.annotator, submitted.json(), attributes={})
    assert refused(emptied, 422, "annotation.invalid_attributes")["details"]["fields"].keys() == {"roof"}


def test_submitted_work_that_got_another_class_is_filled_in_one_attribute_at_a_time(world: World) -> None:
    world.building.attributes = [{**entry, "required": True} for entry in world.building.attributes]
    world.building.save()
    submitted = put_annotation(world, world.annotator, status="submitted")

    row = patch_annotation(world.annotator, submitted, label_class=str(world.building.id)).json()
    for count in range(1, 5):
        some = dict(list(GIVEN.items())[:count])
        answer = patch_annotation(world.annotator, row, attributes=some)
        assert (answer.status_code, answer.json()["attributes"]) == (200, some)
        row = answer.json()

    refused(patch_annotation(world.annotator, row, attributes={}), 422, "annotation.invalid_attributes")
    assert move_status(world.reviewer, row, "accepted").status_code == 200


def test_work_with_an_attribute_that_the_legend_has_lost_can_still_be_submitted(world: World) -> None:
    saved = put_annotation(world, world.annotator, label_class=str(world.building.id), attributes=GIVEN)
    world.building.attributes = [entry for entry in world.building.attributes if entry["key"] != "note"]
    world.building.save()

    submitted = move_status(world.annotator, saved, "submitted")

    assert submitted.status_code == 200
    assert submitted.json()["attributes"] == GIVEN


def test_a_raster_that_goes_leaves_its_annotations(world: World) -> None:
    raster = Raster.objects.create(project=world.project, name="ours", state="viewable", source_path="x")
    saved = put_annotation(world, world.annotator, raster=str(raster.id))
    assert saved["raster"] == str(raster.id)

    raster.delete()

    assert client_of(world.viewer).get(f"/api/annotations/{saved['id']}").json() == {**saved, "raster": None}


def test_a_class_in_use_stays_and_a_whole_project_goes_with_all_it_holds(world: World) -> None:
    saved = put_annotation(world, world.annotator, label_class=str(world.field.id))
    owner = client_of(world.owner)

    in_use = owner.delete(f"/api/projects/{world.project.id}/classes/{world.field.id}")
    assert refused(in_use, 409, "class.in_use")["details"]["count"] == 1

    projects.delete_project(world.project, world.project.name)
    assert Annotation.objects.count() == Revision.objects.count() == 0
    refused(client_of(world.annotator).get(f"/api/annotations/{saved['id']}"), 404, "annotation.not_found")


def test_stats_and_the_project_card_count_what_is_on_the_map(world: World) -> None:
    roofed = {"label_class": str(world.building.id), "attributes": {"roof": "flat"}}
    one = put_annotation(world, world.annotator, **roofed)
    two = put_annotation(world, world.colleague, geometry=square(11, 51), **roofed)
    put_annotation(world, world.annotator)
    gone = put_annotation(world, world.annotator)
    client_of(world.annotator).delete(f"/api/annotations/{gone['id']}", {"version": 1, "edit_id": str(uuid4())})
    move_status(world.annotator, one, "submitted")

    stats = client_of(world.viewer).get(f"/api/projects/{world.project.id}/stats").json()

    assert stats["by_status"] == {"draft": 2, "submitted": 1, "accepted": 0, "changes_requested": 0}
    by_class = {row["label_class"]: row for row in stats["by_class"]}
    assert by_class[str(world.building.id)]["count"] == 2
    assert by_class[str(world.building.id)]["area_m2"] == pytest.approx(one["area_m2"] + two["area_m2"], abs=0.02)
    assert {row["user"]["display_name"]: row["count"] for row in stats["by_author"]} == {"Anna": 2, "Carl": 1}
    [card] = client_of(world.viewer).get("/api/projects").json()["projects"]
    assert card["counts"] == stats["by_status"]
