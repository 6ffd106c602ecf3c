"""Review over HTTP: the moves of the wire page, comments, own work, and what an edit does to accepted work."""

from typing import Any
from uuid import uuid4

import pytest

from backend.annotations.models import Annotation, Revision
from backend.events.models import Event
from tests.support.worlds import (
    World,
    client_of,
    make_world,
    move_status,
    patch_annotation,
    put_annotation,
    square,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> World:
    return make_world()


def refused(answer: Any, status: int, code: str) -> None:
    assert answer.status_code == status, answer.content
    assert answer.json()["error"]["code"] == code


def test_work_is_submitted_returned_mended_submitted_again_and_accepted(world: World) -> None:
    draft = put_annotation(world, world.annotator)

    submitted = move_status(world.annotator, draft, "submitted").json()
    returned = move_status(world.reviewer, submitted, "changes_requested", comment="The north edge is off.").json()
    mended = patch_annotation(world.annotator, returned, geometry=square(11, 51)).json()
    again = move_status(world.annotator, mended, "submitted").json()
    accepted = move_status(world.reviewer, again, "accepted").json()

    steps = [draft, submitted, returned, mended, again, accepted]
    assert [step["status"] for step in steps] == [
        "draft",
        "submitted",
        "changes_requested",
        "changes_requested",
        "submitted",
        "accepted",
    ]
    assert [step["version"] for step in steps] == [1, 2, 3, 4, 5, 6]
    assert accepted["author"]["display_name"] == "Anna"
    assert accepted["updated_by"]["display_name"] == "Rita"
    history = client_of(world.viewer).get(f"/api/annotations/{draft['id']}/revisions").json()["revisions"]
    comments = {row["version"]: row["comment"] for row in history if row["comment"]}
    assert comments == {3: "The north edge is off."}
    kinds = [event.kind for event in Event.objects.filter(subject_id=draft["id"]).order_by("seq")]
    assert kinds == [
        "annotation.created",
        "annotation.status_changed",
        "annotation.status_changed",
        "annotation.updated",
        "annotation.status_changed",
        "annotation.status_changed",
    ]


def test_nobody_accepts_their_own_work_not_even_an_owner(world: World) -> None:
    for author in (world.reviewer, world.owner):
        saved = put_annotation(world, author, status="submitted")

        refused(move_status(author, saved, "accepted"), 403, "review.own_work")

        assert Annotation.objects.get(id=saved["id"]).status == "submitted"
        assert Revision.objects.filter(annotation_id=saved["id"]).count() == 1
        other = world.owner if author == world.reviewer else world.reviewer
        assert move_status(other, saved, "accepted").json()["status"] == "accepted"


def test_an_annotator_neither_accepts_nor_submits_a_colleagues_work(world: World) -> None:
    draft = put_annotation(world, world.annotator)
    submitted = put_annotation(world, world.annotator, status="submitted")

    refused(move_status(world.colleague, draft, "submitted"), 403, "review.not_yours")
    refused(move_status(world.colleague, submitted, "accepted"), 403, "review.not_reviewer")
    refused(move_status(world.colleague, submitted, "changes_requested"), 403, "review.not_reviewer")
    refused(move_status(world.colleague, submitted, "draft"), 403, "review.not_yours")
    refused(move_status(world.reviewer, submitted, "draft"), 403, "review.not_yours")

    assert set(Annotation.objects.values_list("status", "version")) == {("draft", 1), ("submitted", 1)}


def test_a_move_that_the_table_lacks_is_refused(world: World) -> None:
    draft = put_annotation(world, world.annotator)

    for status in ("accepted", "changes_requested", "draft"):
        refused(move_status(world.reviewer, draft, status), 409, "review.not_allowed")
    refused(move_status(world.reviewer, draft, "finished"), 422, "request.invalid")

    assert Annotation.objects.get().version == 1


def test_a_reviewer_returns_accepted_work_and_incomplete_work(world: World) -> None:
    saved = put_annotation(world, world.annotator, status="submitted")
    accepted = move_status(world.reviewer, saved, "accepted").json()
    assert move_status(world.owner, accepted, "changes_requested").json()["status"] == "changes_requested"

    complete = put_annotation(
        world, world.annotator, label_class=str(world.field.id), status="submitted", geometry=square(12, 52)
    )
    incomplete = patch_annotation(world.annotator, complete, label_class=str(world.building.id)).json()
    refused(move_status(world.reviewer, incomplete, "accepted"), 422, "annotation.invalid_attributes")
    assert move_status(world.reviewer, incomplete, "changes_requested").json()["status"] == "changes_requested"


def test_accepted_work_stays_accepted_when_another_reviewer_edits_it_and_not_when_its_author_does(
    world: World,
) -> None:
    saved = put_annotation(world, world.reviewer, status="submitted")
    accepted = move_status(world.owner, saved, "accepted").json()

    by_other = patch_annotation(world.owner, accepted, geometry=square(11, 51)).json()
    assert by_other["status"] == "accepted"

    by_author = patch_annotation(world.reviewer, by_other, geometry=square(12, 52)).json()
    assert by_author["status"] == "submitted"


def test_a_deleted_annotation_is_not_moved(world: World) -> None:
    saved = put_annotation(world, world.annotator, status="submitted")
    guard = {"version": 1, "edit_id": str(uuid4())}
    gone = client_of(world.annotator).delete(f"/api/annotations/{saved['id']}", guard).json()

    refused(move_status(world.reviewer, gone, "accepted"), 409, "annotation.conflict")

    assert Annotation.objects.get().status == "submitted"


def test_a_decision_on_a_version_that_nobody_has_seen_is_refused(world: World) -> None:
    saved = put_annotation(world, world.annotator, status="submitted")
    patch_annotation(world.annotator, saved, geometry=square(11, 51))

    refused(move_status(world.reviewer, saved, "accepted"), 409, "annotation.conflict")

    assert Annotation.objects.get().status == "submitted"


def test_a_comment_is_bounded_and_kept_as_it_was_written(world: World) -> None:
    saved = put_annotation(world, world.annotator, status="submitted")
    words = "<script>alert(1)</script> =1+1 \u202e"

    refused(move_status(world.reviewer, saved, "changes_requested", comment="x" * 2001), 422, "request.invalid")
    refused(move_status(world.reviewer, saved, "changes_requested", comment="nul \x00"), 422, "request.invalid")
    assert move_status(world.reviewer, saved, "changes_requested", comment=words).status_code == 200

    newest = client_of(world.viewer).get(f"/api/annotations/{saved['id']}/revisions")
    assert newest.json()["revisions"][0]["comment"] == words
    assert newest["Content-Type"] == "application/json"
