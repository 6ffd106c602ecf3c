"""Who may do what with annotations; a refused request leaves everything as it was."""

from typing import Any
from uuid import uuid4

import pytest

from backend.accounts.models import User
from backend.annotations.models import Annotation, Revision
from backend.events.models import Event
from tests.support.worlds import World, client_of, make_world, move_status, new_annotation, put_annotation, square

pytestmark = pytest.mark.django_db

MISSING = "00000000-0000-4000-8000-000000000000"
WRITES = ("edit", "delete", "restore", "submit", "accept", "return", "take back")
READS = ("get", "revisions", "list", "stats", "events")


@pytest.fixture
def world() -> World:
    return make_world()


def ask(world: World, user: User | None, what: str, annotation: dict[str, Any], project: str | None = None) -> Any:
    """Does one of the things that can be done, as the user."""
    client = client_of(user)
    address = f"/api/annotations/{annotation['id']}"
    project_address = f"/api/projects/{project or world.project.id}"
    guard = {"version": annotation["version"], "edit_id": str(uuid4())}
    moves = {"submit": "submitted", "accept": "accepted", "return": "changes_requested", "take back": "draft"}
    if what in moves:
        return client.post(f"{address}/status", {**guard, "status": moves[what]})
    if what in ("list", "stats", "events"):
        return client.get(f"{project_address}/{'annotations' if what == 'list' else what}")
    calls = {
        "get": lambda: client.get(address),
        "revisions": lambda: client.get(f"{address}/revisions"),
        "edit": lambda: client.patch(address, {**guard, "geometry": square(12, 52)}),
        "delete": lambda: client.delete(address, guard),
        "restore": lambda: client.post(f"{address}/restore", guard),
    }
    return calls[what]()


def stored() -> list[Any]:
    rows = Annotation.objects.order_by("id").values_list("id", "version", "status", "deleted_at")
    return [*rows, Revision.objects.count(), Event.objects.count()]


def in_status(world: World, author: User, status: str) -> dict[str, Any]:
    saved = put_annotation(world, author, status="draft" if status == "draft" else "submitted")
    if status in ("accepted", "changes_requested"):
        reviewer = world.reviewer if author != world.reviewer else world.owner
        return dict(move_status(reviewer, saved, status).json())
    return saved


@pytest.mark.parametrize("what", [*READS, *WRITES])
def test_nobody_signed_in_nobody_answered(world: World, what: str) -> None:
    saved = put_annotation(world, world.annotator)
    before = stored()

    answer = ask(world, None, what, saved)

    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "auth.required"
    assert stored() == before


@pytest.mark.parametrize("what", [*READS, *WRITES])
def test_another_projects_owner_gets_the_answer_for_what_does_not_exist(world: World, what: str) -> None:
    saved = put_annotation(world, world.annotator)
    before = stored()

    foreign = ask(world, world.stranger, what, saved)
    missing = ask(world, world.stranger, what, {**saved, "id": MISSING}, MISSING)

    assert foreign.status_code == missing.status_code == 404
    assert foreign.json() == missing.json()
    assert foreign.json()["error"]["code"] in ("annotation.not_found", "project.not_found")
    assert stored() == before


@pytest.mark.parametrize("what", WRITES)
def test_a_viewer_changes_nothing(world: World, what: str) -> None:
    saved = put_annotation(world, world.annotator)
    before = stored()

    answer = ask(world, world.viewer, what, saved)

    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "auth.forbidden"
    assert stored() == before


@pytest.mark.parametrize("what", READS)
def test_a_viewer_reads_everything(world: World, what: str) -> None:
    saved = put_annotation(world, world.annotator)

    assert ask(world, world.viewer, what, saved).status_code == 200


@pytest.mark.parametrize(("part", "status"), [("viewer", 403), ("stranger", 404), ("nobody", 401)])
def test_a_new_annotation_is_refused_to_who_may_not_draw(world: World, part: str, status: int) -> None:
    before = stored()

    answer = client_of(world.users().get(part)).put(f"/api/annotations/{uuid4()}", new_annotation(world))

    assert answer.status_code == status
    assert stored() == before


@pytest.mark.parametrize("part", ["annotator", "colleague", "reviewer", "owner"])
def test_everybody_from_annotator_up_draws(world: World, part: str) -> None:
    assert put_annotation(world, world.users()[part])["author"]["id"] == str(world.users()[part].id)


# status of the annotator's work -> who may edit, delete and restore it
EDITORS = {
    "draft": {"annotator", "colleague", "reviewer", "owner"},
    "submitted": {"annotator", "reviewer", "owner"},
    "changes_requested": {"annotator", "reviewer", "owner"},
    "accepted": {"reviewer", "owner"},
}


@pytest.mark.parametrize("status", EDITORS)
@pytest.mark.parametrize("part", ["annotator", "colleague", "reviewer", "owner"])
def test_who_edits_and_deletes_depends_on_the_status_and_on_whose_it_is(world: World, status: str, part: str) -> None:
    user = world.users()[part]
    for what in ("edit", "delete"):
        saved = in_status(world, world.annotator, status)
        before = stored()

        answer = ask(world, user, what, saved)

        if part in EDITORS[status]:
            assert answer.status_code == 200
            continue
        assert answer.status_code == 403
        assert answer.json()["error"]["code"] in ("annotation.not_yours", "annotation.accepted")
        assert stored() == before


def test_who_may_not_edit_may_not_put_back_either(world: World) -> None:
    saved = in_status(world, world.annotator, "submitted")
    gone = ask(world, world.reviewer, "delete", saved).json()
    before = stored()

    refused = ask(world, world.colleague, "restore", gone)

    assert refused.status_code == 403
    assert stored() == before
    assert ask(world, world.annotator, "restore", gone).status_code == 200


def test_a_member_who_was_made_a_viewer_or_left_cannot_change_own_work(world: World) -> None:
    saved = put_annotation(world, world.annotator)
    member = world.member(world.annotator)
    member.role = "viewer"
    member.save()
    assert ask(world, world.annotator, "edit", saved).status_code == 403
    assert ask(world, world.annotator, "submit", saved).status_code == 403

    member.delete()
    assert ask(world, world.annotator, "edit", saved).status_code == 404
    assert ask(world, world.annotator, "get", saved).status_code == 404
    assert Annotation.objects.get(id=saved["id"]).version == 1


def test_staff_without_membership_are_strangers(world: World) -> None:
    saved = put_annotation(world, world.annotator)
    world.stranger.is_staff = world.stranger.is_superuser = True
    world.stranger.save()

    for what in (*READS, *WRITES):
        assert ask(world, world.stranger, what, saved).status_code == 404
