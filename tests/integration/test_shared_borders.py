"""In a class that shares borders new shapes fit their neighbours: no overlaps, no gaps, and everything versioned."""

import math
from collections import Counter
from functools import partial
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
import shapely
from django.contrib.gis.geos import GEOSGeometry
from django.db import connection

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
    square,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def world() -> World:
    made = make_world()
    LabelClass.objects.filter(id=made.field.id).update(shared_border_m=5.0)
    return made


def rectangle(west: float, south: float, east: float, north: float) -> dict[str, Any]:
    """A rectangle in metres from 0 E 0 N."""
    ring = [(west, south), (east, south), (east, north), (west, north), (west, south)]
    return {"type": "Polygon", "coordinates": [in_metres(*ring)]}


def draw(world: World, geometry: dict[str, Any], who: Any = None) -> dict[str, Any]:
    return put_annotation(world, who or world.annotator, geometry=geometry)


def overlap_and_gap(one: dict[str, Any], other: dict[str, Any]) -> tuple[float, float]:
    """In square degrees, as PostGIS has it: what both cover, and what neither does within both's common hull."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT ST_Area(ST_Intersection(a.geometry, b.geometry)),"
            " ST_Area(ST_Difference(ST_Envelope(ST_Collect(a.geometry, b.geometry)), ST_Union(a.geometry, b.geometry)))"
            " FROM annotations_annotation a, annotations_annotation b WHERE a.id = %s AND b.id = %s",
            [one["id"], other["id"]],
        )
        row: tuple[float, float] = cursor.fetchone()
        return row


def changes_of(annotation: dict[str, Any]) -> list[tuple[int, str]]:
    rows = Revision.objects.filter(annotation=annotation["id"]).order_by("version")
    return list(rows.values_list("version", "kind"))


def test_a_gap_narrower_than_the_tolerance_is_closed_exactly(world: World) -> None:
    first = draw(world, rectangle(0, 0, 100, 100))

    second = draw(world, rectangle(103, 0, 200, 100))

    assert overlap_and_gap(first, second) == (0.0, 0.0)
    assert second["area_m2"] == pytest.approx(100 * 100, rel=0.01)
    assert changes_of(first) == [(1, "created")], "their corners were the same already"


def test_a_gap_wider_than_the_tolerance_stays(world: World) -> None:
    draw(world, rectangle(0, 0, 100, 100))
    wide = rectangle(106, 0, 200, 100)

    assert draw(world, wide)["geometry"] == wide


def test_the_new_shape_yields_where_both_overlap(world: World) -> None:
    first = draw(world, rectangle(0, 0, 100, 100))

    second = draw(world, rectangle(60, 0, 200, 100))

    assert overlap_and_gap(first, second) == (0.0, 0.0)
    kept = client_of(world.viewer).get(f"/api/annotations/{first['id']}").json()
    assert kept == first


def test_a_neighbour_gets_a_vertex_where_the_border_leaves_its_own_as_an_edit_of_the_same_act(world: World) -> None:
    first = draw(world, rectangle(0, 0, 100, 100))

    second = draw(world, rectangle(102, 20, 200, 70), world.colleague)

    assert changes_of(first) == [(1, "created"), (2, "updated")]
    noded = client_of(world.viewer).get(f"/api/annotations/{first['id']}").json()
    corners = {tuple(place) for place in noded["geometry"]["coordinates"][0]}
    shared = {tuple(place) for place in second["geometry"]["coordinates"][0]} & corners
    assert len(shared) == 2
    assert len(corners) == 6
    assert noded["updated_by"]["display_name"] == "Carl"
    assert overlap_and_gap(first, second)[0] == 0.0
    events = list(Event.objects.filter(project_id=world.project.id).order_by("seq"))
    assert [event.kind for event in events[-2:]] == ["annotation.created", "annotation.updated"]
    assert events[-1].data["annotation"] == noded
    assert events[-1].data["edit_id"] == second["id"]


@pytest.mark.parametrize("standing", ["accepted", "submitted"])
def test_what_the_member_may_not_edit_is_left_as_it_is_and_the_new_one_still_fits(world: World, standing: str) -> None:
    first = draw(world, rectangle(0, 0, 100, 100))
    first = move_status(world.annotator, first, "submitted").json()
    if standing == "accepted":
        first = move_status(world.reviewer, first, "accepted").json()

    second = draw(world, rectangle(102, 20, 200, 70), world.colleague)

    assert client_of(world.viewer).get(f"/api/annotations/{first['id']}").json() == first
    assert overlap_and_gap(first, second)[0] < 1e-18  # a vertex of nine decimals beside a straight side


def test_even_a_reviewer_does_not_change_accepted_work_by_drawing_beside_it(world: World) -> None:
    first = draw(world, rectangle(0, 0, 100, 100))
    first = move_status(world.annotator, first, "submitted").json()
    first = move_status(world.reviewer, first, "accepted").json()

    draw(world, rectangle(102, 20, 200, 70), world.reviewer)

    assert client_of(world.viewer).get(f"/api/annotations/{first['id']}").json() == first


def test_what_its_neighbours_cover_wholly_is_refused_and_nothing_is_stored(world: World) -> None:
    draw(world, rectangle(0, 0, 100, 100))
    events = Event.objects.count()

    answer = client_of(world.annotator).put(
        f"/api/annotations/{uuid4()}", new_annotation(world, geometry=rectangle(20, 20, 60, 60))
    )

    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "annotation.covered")
    assert Annotation.objects.count() == Revision.objects.count() == 1
    assert Event.objects.count() == events


def test_beside_a_stored_shape_that_crosses_itself_one_is_told_so_and_nothing_is_stored(world: World) -> None:
    """As none is taken in, but an older import may have left."""
    first = draw(world, rectangle(0, 0, 100, 100))
    crossed = GEOSGeometry("POLYGON((0 0, 0.001 0.001, 0.001 0, 0 0.001, 0 0))", srid=4326)
    Annotation.objects.filter(id=first["id"]).update(geometry=crossed)
    events = Event.objects.count()

    answer = client_of(world.annotator).put(
        f"/api/annotations/{uuid4()}", new_annotation(world, geometry=rectangle(103, 20, 160, 60))
    )

    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "annotation.does_not_fit")
    assert (Annotation.objects.count(), Event.objects.count()) == (1, events)


def test_other_classes_and_other_projects_are_no_neighbours(world: World) -> None:
    draw(world, rectangle(0, 0, 100, 100))
    roof = new_annotation(world, label_class=str(world.building.id), geometry=rectangle(20, 20, 60, 60))
    elsewhere = make_world("Elsewhere")
    LabelClass.objects.filter(id=elsewhere.field.id).update(shared_border_m=5.0)

    stored = client_of(world.annotator).put(f"/api/annotations/{uuid4()}", roof)
    foreign = put_annotation(elsewhere, elsewhere.annotator, geometry=rectangle(20, 20, 60, 60))

    assert stored.json()["geometry"] == roof["geometry"]
    assert foreign["geometry"] == rectangle(20, 20, 60, 60)


def test_a_class_without_the_option_stores_shapes_as_they_are(world: World) -> None:
    LabelClass.objects.filter(id=world.field.id).update(shared_border_m=None)
    draw(world, rectangle(0, 0, 100, 100))

    assert draw(world, rectangle(60, 0, 200, 100))["geometry"] == rectangle(60, 0, 200, 100)


def test_what_is_stored_matches_vertex_by_vertex_though_it_was_rounded(world: World) -> None:
    """Wavy fields, turned, one after another: the last one lies between the others."""
    for x, y in ((0, 0), (97, 3), (2, 99), (104, 101), (50, 51)):
        turns = np.linspace(0, 2 * math.pi, 40, endpoint=False)
        ring = (x, y) + (58 + 2 * np.sin(7 * turns))[:, None] * np.column_stack([np.cos(turns), np.sin(turns)])
        places = np.round(np.vstack([ring, ring[:1]]) * METRE, 9).tolist()
        draw(world, {"type": "Polygon", "coordinates": [places]})

    kept = [shapely.from_wkb(bytes(row.geometry.wkb)) for row in Annotation.objects.order_by("created_at")]

    assert len(kept) == 5
    assert shapely.coverage_is_valid(kept)
    assert max(row.version for row in Annotation.objects.all()) > 1


def test_the_same_said_again_is_answered_with_the_fitted_shape_and_nothing_is_done_twice(world: World) -> None:
    draw(world, rectangle(0, 0, 100, 100))
    address, body = f"/api/annotations/{uuid4()}", new_annotation(world, geometry=rectangle(103, 0, 200, 100))
    first = client_of(world.annotator).put(address, body)
    events = Event.objects.count()

    again = client_of(world.annotator).put(address, body)

    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    assert Event.objects.count() == events


def test_an_edit_of_the_geometry_is_fitted_too_and_taking_it_back_restores_the_shape(world: World) -> None:
    first = draw(world, rectangle(0, 0, 100, 100))
    second = draw(world, rectangle(110, 0, 200, 100))

    edited = patch_annotation(world.annotator, second, geometry=rectangle(70, 0, 200, 100)).json()
    fits = overlap_and_gap(first, second)
    back = patch_annotation(world.annotator, edited, geometry=second["geometry"]).json()

    assert edited["version"] == 2
    assert fits == (0.0, 0.0)
    assert back["geometry"] == second["geometry"]


def test_a_shape_that_comes_into_the_class_yields_to_those_that_are_there(world: World) -> None:
    first = draw(world, rectangle(0, 0, 100, 100))
    other = put_annotation(
        world, world.annotator, label_class=str(world.building.id), geometry=rectangle(60, 0, 200, 100)
    )

    moved = patch_annotation(world.annotator, other, label_class=str(world.field.id)).json()

    assert moved["version"] == 2
    assert overlap_and_gap(first, moved) == (0.0, 0.0)


def test_what_comes_back_from_deletion_yields_to_what_was_drawn_meanwhile(world: World) -> None:
    first = draw(world, rectangle(0, 0, 100, 100))
    client = client_of(world.annotator)
    gone = client.delete(f"/api/annotations/{first['id']}", {"version": 1, "edit_id": str(uuid4())}).json()
    second = draw(world, rectangle(50, 0, 150, 100))

    back = client.post(
        f"/api/annotations/{first['id']}/restore", {"version": gone["version"], "edit_id": str(uuid4())}
    ).json()

    assert overlap_and_gap(back, second) == (0.0, 0.0)
    assert second["geometry"] == rectangle(50, 0, 150, 100)


def test_an_edit_that_changes_no_geometry_leaves_the_shape_alone(world: World) -> None:
    LabelClass.objects.filter(id=world.field.id).update(shared_border_m=None)
    draw(world, rectangle(0, 0, 100, 100))
    second = draw(world, rectangle(60, 0, 200, 100))
    LabelClass.objects.filter(id=world.field.id).update(shared_border_m=5.0)

    sent = move_status(world.annotator, second, "submitted").json()

    assert sent["geometry"] == second["geometry"]


def test_two_people_who_accept_neighbours_at_once_never_overlap(world: World) -> None:
    for turn in range(8):
        south = 1000 * turn
        pair = [rectangle(0, south, 103, south + 100), rectangle(97, south, 200, south + 100)]
        puts = [
            partial(client_of(who).put, f"/api/annotations/{uuid4()}", new_annotation(world, geometry=geometry))
            for who, geometry in zip((world.annotator, world.colleague), pair, strict=True)
        ]

        one, other = at_once(puts)

        assert (one.status_code, other.status_code) == (201, 201)
        assert overlap_and_gap(one.json(), other.json()) == (0.0, 0.0)


def test_accepts_edits_reviews_and_deletions_of_neighbours_at_once_end_without_deadlock(world: World) -> None:
    seen: Counter[int] = Counter()
    for turn in range(6):
        south = 1000 * turn
        middle = draw(world, rectangle(100, south, 200, south + 100))
        right = draw(world, rectangle(200, south, 300, south + 100))
        body = new_annotation(world, geometry=rectangle(0, south + 20, 98, south + 70))
        other = new_annotation(world, geometry=rectangle(302, south + 20, 400, south + 70))
        guard = {"version": right["version"], "edit_id": str(uuid4())}

        answers = at_once(
            [
                partial(client_of(world.annotator).put, f"/api/annotations/{uuid4()}", body),
                partial(client_of(world.colleague).put, f"/api/annotations/{uuid4()}", other),
                partial(patch_annotation, world.reviewer, middle, geometry=rectangle(90, south, 200, south + 100)),
                partial(client_of(world.owner).delete, f"/api/annotations/{right['id']}", guard),
                partial(move_status, world.annotator, middle, "submitted"),
            ]
        )

        seen.update(answer.status_code for answer in answers)
        assert [answer.status_code for answer in answers[:2]] == [201, 201]
    assert set(seen) <= {200, 201, 409}
    for annotation in Annotation.objects.all():
        versions = Revision.objects.filter(annotation=annotation).order_by("version").values_list("version", flat=True)
        assert list(versions) == list(range(1, annotation.version + 1))
    seqs = list(Event.objects.filter(project_id=world.project.id).order_by("seq").values_list("seq", flat=True))
    assert seqs == list(range(1, len(seqs) + 1))


def test_the_preview_is_what_would_be_stored_and_stores_nothing(world: World) -> None:
    draw(world, rectangle(0, 0, 100, 100))
    geometry = rectangle(103, 20, 200, 70)
    before = (Annotation.objects.count(), Event.objects.count(), Revision.objects.count())

    said = client_of(world.annotator).post(
        f"/api/projects/{world.project.id}/fit", {"label_class": str(world.field.id), "geometry": geometry}
    )

    assert said.status_code == 200
    assert (Annotation.objects.count(), Event.objects.count(), Revision.objects.count()) == before
    assert said.json()["neighbours"] == 1
    stored = draw(world, geometry)
    assert (said.json()["geometry"], said.json()["area_m2"]) == (stored["geometry"], stored["area_m2"])


def test_the_preview_of_a_foreign_class_is_refused_as_if_there_were_none(world: World) -> None:
    foreign = make_world("Elsewhere")

    said = client_of(world.annotator).post(
        f"/api/projects/{world.project.id}/fit", {"label_class": str(foreign.field.id), "geometry": square()}
    )

    assert (said.status_code, said.json()["error"]["code"]) == (404, "class.not_found")


@pytest.mark.parametrize("tolerance", [0, -1, 101, "wide", "NaN", "Infinity", [1]])
def test_a_tolerance_that_cannot_be_is_refused(world: World, tolerance: Any) -> None:
    address = f"/api/projects/{world.project.id}/classes/{world.field.id}"

    answer = client_of(world.owner).patch(address, {"shared_border_m": tolerance})

    assert answer.status_code in (400, 422)
    world.field.refresh_from_db()
    assert world.field.shared_border_m == 5.0


def test_too_many_neighbours_are_refused_by_number(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.annotations.borders.MOST_NEIGHBOURS", 1)
    draw(world, rectangle(0, 0, 100, 100))
    draw(world, rectangle(200, 0, 300, 100))

    answer = client_of(world.annotator).put(
        f"/api/annotations/{uuid4()}", new_annotation(world, geometry=rectangle(102, 0, 198, 100))
    )

    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "annotation.too_many_neighbours")
    assert Annotation.objects.count() == 2
