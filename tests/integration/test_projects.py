"""Projects, members, invites and the legend, as HTTP sees them."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import override_settings
from rest_framework.test import APIClient

from backend.accounts.models import User
from backend.accounts.services import create_user
from backend.core.clock import now
from backend.events.models import Event
from backend.projects import services
from backend.projects.models import Invite, LabelClass, Member, Project, Role

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery"
ROOF = {"key": "roof", "label": "Roof", "type": "choice", "required": True, "choices": ["flat", "gabled"]}


@pytest.fixture
def owner() -> User:
    return create_user("olga", PASSWORD, "Olga")


@pytest.fixture
def project(owner: User) -> Project:
    return services.create_project(owner, "Harbour")


def client_of(user: User) -> APIClient:
    client = APIClient()
    client.force_authenticate(user)
    return client


def joined(project: Project, name: str, role: Role) -> User:
    user = create_user(name, PASSWORD, name.title())
    services.add_member(project.id, user, role, actor=user)
    return user


def test_who_makes_a_project_owns_it_and_only_members_see_it(owner: User) -> None:
    made = client_of(owner).post("/api/projects", {"name": "Fields", "description": "of gold"})

    assert made.status_code == 201
    assert made.json()["role"] == "owner"
    assert [p["name"] for p in client_of(owner).get("/api/projects").json()["projects"]] == ["Fields"]
    stranger = client_of(create_user("sam", PASSWORD))
    assert stranger.get("/api/projects").json()["projects"] == []
    assert stranger.get(f"/api/projects/{made.json()['id']}").status_code == 404


def test_where_only_administrators_make_projects_another_is_refused(owner: User) -> None:
    with override_settings(ANYONE_CREATES_PROJECTS=False):
        answer = client_of(owner).post("/api/projects", {"name": "Fields"})

    assert answer.status_code == 403
    assert Project.objects.count() == 0


def test_a_missing_project_and_a_foreign_one_answer_alike(project: Project) -> None:
    stranger = client_of(create_user("sam", PASSWORD))

    foreign = stranger.get(f"/api/projects/{project.id}")
    missing = stranger.get("/api/projects/00000000-0000-4000-8000-000000000000")

    assert foreign.status_code == missing.status_code == 404
    assert foreign.json() == missing.json()
    assert foreign.json()["error"]["code"] == "project.not_found"


def test_a_project_goes_only_when_its_name_is_repeated(owner: User, project: Project) -> None:
    refused = client_of(owner).delete(f"/api/projects/{project.id}", {"confirm_name": "harbour"})
    assert refused.status_code == 422
    assert Project.objects.filter(id=project.id).exists()

    gone = client_of(owner).delete(f"/api/projects/{project.id}", {"confirm_name": "Harbour"})
    assert gone.status_code == 204
    assert not Project.objects.filter(id=project.id).exists()
    assert not Event.objects.filter(project_id=project.id).exists()


def test_the_last_owner_neither_leaves_nor_steps_down(owner: User, project: Project) -> None:
    client = client_of(owner)

    leaves = client.delete(f"/api/projects/{project.id}/members/{owner.id}")
    steps_down = client.patch(f"/api/projects/{project.id}/members/{owner.id}", {"role": "viewer"})

    assert leaves.status_code == steps_down.status_code == 409
    assert leaves.json()["error"]["code"] == "member.last_owner"
    assert Member.objects.get(project=project, user=owner).role == Role.OWNER


def test_a_viewer_may_leave_but_not_put_another_out(owner: User, project: Project) -> None:
    viewer, other = joined(project, "vera", Role.VIEWER), joined(project, "otto", Role.VIEWER)

    refused = client_of(viewer).delete(f"/api/projects/{project.id}/members/{other.id}")
    assert refused.status_code == 403
    assert Member.objects.filter(project=project, user=other).exists()

    assert client_of(viewer).delete(f"/api/projects/{project.id}/members/{viewer.id}").status_code == 204
    assert not Member.objects.filter(project=project, user=viewer).exists()


def test_a_change_of_role_is_an_event_with_the_next_number(owner: User, project: Project) -> None:
    annotator = joined(project, "anna", Role.ANNOTATOR)
    before = Event.objects.filter(project_id=project.id).count()

    answer = client_of(owner).patch(f"/api/projects/{project.id}/members/{annotator.id}", {"role": "reviewer"})

    event = Event.objects.filter(project_id=project.id).latest("seq")
    assert answer.json()["role"] == "reviewer"
    assert (event.seq, event.kind) == (before + 1, "member.changed")
    assert event.data["member"]["user"]["id"] == str(annotator.id)


def test_an_invited_stranger_makes_an_account_and_joins_once(owner: User, project: Project) -> None:
    made = client_of(owner).post(f"/api/projects/{project.id}/invites", {"role": "annotator"}).json()
    stranger = APIClient()
    shown = stranger.get(f"/api/invites/{made['token']}").json()
    account = {"username": "ivan", "password": PASSWORD, "display_name": "Ivan"}

    joined_as = stranger.post(f"/api/invites/{made['token']}/accept", account)
    again = APIClient().post(f"/api/invites/{made['token']}/accept", {**account, "username": "ivan2"})

    assert shown["project"] == {"name": "Harbour"}
    assert shown["needs_account"] is True
    assert joined_as.status_code == 200
    assert stranger.get("/api/session").json()["user"]["username"] == "ivan"
    assert Member.objects.get(project=project, user__username="ivan").role == "annotator"
    assert again.status_code == 404
    assert not User.objects.filter(username="ivan2").exists()


def test_a_weak_password_leaves_neither_account_nor_spent_invite(owner: User, project: Project) -> None:
    made = client_of(owner).post(f"/api/projects/{project.id}/invites", {"role": "viewer"}).json()

    answer = APIClient().post(f"/api/invites/{made['token']}/accept", {"username": "ivan", "password": "1234"})

    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "account.invalid"
    assert not User.objects.filter(username="ivan").exists()
    assert Invite.objects.get().used_at is None


def test_expired_revoked_and_unknown_invites_answer_alike(owner: User, project: Project) -> None:
    client = client_of(owner)
    expired = client.post(f"/api/projects/{project.id}/invites", {"role": "viewer"}).json()
    Invite.objects.filter(id=expired["id"]).update(expires_at=now() - timedelta(seconds=1))
    revoked = client.post(f"/api/projects/{project.id}/invites", {"role": "viewer"}).json()
    assert client.delete(f"/api/projects/{project.id}/invites/{revoked['id']}").status_code == 204

    answers = [APIClient().get(f"/api/invites/{t}") for t in (expired["token"], revoked["token"], "nonsense")]

    assert [a.status_code for a in answers] == [404, 404, 404]
    assert answers[0].json() == answers[1].json() == answers[2].json()


def test_a_member_who_follows_an_invite_keeps_role_and_leaves_the_invite(owner: User, project: Project) -> None:
    made = client_of(owner).post(f"/api/projects/{project.id}/invites", {"role": "viewer"}).json()

    answer = client_of(owner).post(f"/api/invites/{made['token']}/accept", {})

    assert answer.status_code == 409
    assert Member.objects.get(project=project, user=owner).role == Role.OWNER
    assert Invite.objects.get().used_at is None


def test_the_legend_keeps_its_order_and_refuses_a_taken_digit(owner: User, project: Project) -> None:
    client = client_of(owner)
    url = f"/api/projects/{project.id}/classes"
    first = client.post(url, {"name": "Building", "colour": "#e8590c", "digit": 1, "attributes": [ROOF]})
    second = client.post(url, {"name": "Track", "colour": "#1c7ed6", "digit": 2, "geometry_type": "line"})
    taken = client.post(url, {"name": "Field", "colour": "#2b8a3e", "digit": 1})

    assert first.status_code == second.status_code == 201
    assert first.json()["attributes"] == [ROOF]
    assert taken.status_code == 409
    assert taken.json()["error"]["code"] == "class.taken"
    assert [c["name"] for c in client.get(url).json()["classes"]] == ["Building", "Track"]
    client.patch(f"{url}/{second.json()['id']}", {"order": -1})
    assert [c["name"] for c in client.get(url).json()["classes"]] == ["Track", "Building"]


@pytest.mark.parametrize(
    "fields",
    [
        {"colour": "red"},
        {"colour": "#12345"},
        {"digit": 0},
        {"digit": 10},
        {"geometry_type": "circle"},
        {"recipe": {"form": "wobbly"}},
        {"recipe": {"wobble": 1}},
        {"recipe": {"tolerance_m": -1}},
        {"recipe": {"tolerance_m": 1e300}},
        {"recipe": {"smooth_m": "wide"}},
        {"recipe": {"fill_holes_m2": True}},
        {"recipe": [1]},
        {"recipe": "circle"},
        {"recipe": None},
        {"name": ""},
        {"attributes": {"key": "a"}},
        {"attributes": [{**ROOF, "key": "Roof!"}]},
        {"attributes": [{**ROOF, "type": "json"}]},
        {"attributes": [{**ROOF, "choices": []}]},
        {"attributes": [ROOF, ROOF]},
    ],
)
def test_a_class_that_is_not_well_formed_is_refused(owner: User, project: Project, fields: dict[str, Any]) -> None:
    body = {"name": "Building", "colour": "#e8590c", **fields}

    answer = client_of(owner).post(f"/api/projects/{project.id}/classes", body)

    assert answer.status_code == 422
    assert answer.json()["error"]["details"]["fields"]
    assert LabelClass.objects.count() == 0


def test_only_an_owner_changes_the_legend_the_members_and_the_name(project: Project) -> None:
    reviewer = client_of(joined(project, "rita", Role.REVIEWER))
    base = f"/api/projects/{project.id}"

    answers = [
        reviewer.patch(base, {"name": "Mine"}),
        reviewer.delete(base, {"confirm_name": "Harbour"}),
        reviewer.post(f"{base}/classes", {"name": "X", "colour": "#000000"}),
        reviewer.get(f"{base}/invites"),
        reviewer.post(f"{base}/invites", {"role": "owner"}),
    ]

    assert [answer.status_code for answer in answers] == [403] * 5
    assert Project.objects.get(id=project.id).name == "Harbour"
    assert LabelClass.objects.count() == Invite.objects.count() == 0
