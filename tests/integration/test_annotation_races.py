"""Nothing acknowledged is lost or doubled: the same said twice at once, edits at once, and a killed server."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection

from backend.annotations.models import Annotation, Revision
from backend.events.models import Event
from backend.projects import classes
from backend.projects import services as projects
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

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def world() -> World:
    return make_world()


def whole(world: World) -> None:
    """What must hold at any time: versions and event numbers without gaps, one event and revision per change."""
    seqs = list(Event.objects.filter(project_id=world.project.id).order_by("seq").values_list("seq", flat=True))
    assert seqs == list(range(1, len(seqs) + 1))
    for annotation in Annotation.objects.filter(project=world.project):
        versions = Revision.objects.filter(annotation=annotation).order_by("version").values_list("version", flat=True)
        assert list(versions) == list(range(1, annotation.version + 1))
        told = Event.objects.filter(subject_id=annotation.id).order_by("seq")
        assert [event.data["annotation"]["version"] for event in told] == list(versions)
        last = told.last()
        assert last is not None
        shown = client_of(world.viewer).get(f"/api/annotations/{annotation.id}").json()
        assert last.data["annotation"] == shown


def test_the_same_new_annotation_said_eight_times_at_once_is_stored_once(world: World) -> None:
    for _ in range(5):
        address, body = f"/api/annotations/{uuid4()}", new_annotation(world)
        put = partial(client_of(world.annotator).put, address, body)

        answers = at_once([put] * 8)

        assert Counter(answer.status_code for answer in answers) == {201: 1, 200: 7}
        assert len({answer.content for answer in answers}) == 1
    assert Annotation.objects.count() == Revision.objects.count() == 5
    whole(world)


def test_two_annotations_under_one_id_at_once_leave_one_and_refuse_the_other(world: World) -> None:
    for _ in range(5):
        address = f"/api/annotations/{uuid4()}"
        bodies = [new_annotation(world, geometry=square(10 + step, 50)) for step in range(4)]

        answers = at_once([partial(client_of(world.annotator).put, address, body) for body in bodies])

        assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 3}
        [kept] = [body for body, answer in zip(bodies, answers, strict=True) if answer.status_code == 201]
        assert client_of(world.viewer).get(address).json()["geometry"] == kept["geometry"]
    whole(world)


def test_of_edits_on_one_version_at_once_exactly_one_wins_and_the_others_see_it(world: World) -> None:
    saved = put_annotation(world, world.annotator)
    for _ in range(10):
        edits = [
            partial(patch_annotation, user, saved, geometry=square(10 + step, 50))
            for step, user in enumerate([world.annotator, world.colleague, world.reviewer, world.owner])
        ]

        answers = at_once(edits)

        assert Counter(answer.status_code for answer in answers) == {200: 1, 409: 3}
        [won] = [answer.json() for answer in answers if answer.status_code == 200]
        lost = [answer.json()["error"] for answer in answers if answer.status_code == 409]
        assert [error["details"]["current"] for error in lost] == [won] * 3
        saved = won
    assert saved["version"] == 11
    whole(world)


def test_the_same_edit_said_six_times_at_once_is_done_once_and_acknowledged_to_all(world: World) -> None:
    saved = put_annotation(world, world.annotator)
    for _ in range(8):
        edit = partial(patch_annotation, world.annotator, saved, geometry=square(11, 51), edit_id=str(uuid4()))

        answers = at_once([edit] * 6)

        assert {answer.status_code for answer in answers} == {200}
        assert {answer.json()["version"] for answer in answers} == {saved["version"] + 1}
        saved = answers[0].json()
    whole(world)


def test_a_class_that_is_removed_while_it_is_drawn_in_is_either_used_or_gone(world: World) -> None:
    outcomes: Counter[tuple[int, str]] = Counter()
    for turn in range(12):
        label_class = classes.create(world.project.id, world.owner, {"name": f"C{turn}", "colour": "#000000"})
        body = new_annotation(world, label_class=str(label_class.id))
        put = partial(client_of(world.annotator).put, f"/api/annotations/{uuid4()}", body)
        remove = partial(client_of(world.owner).delete, f"/api/projects/{world.project.id}/classes/{label_class.id}")

        drawn, removed = at_once([put, remove])

        outcomes[drawn.status_code, removed.status_code] += 1
    assert set(outcomes) <= {(201, 409), (404, 204)}, outcomes
    whole(world)


def test_a_raster_that_is_removed_while_it_is_drawn_on_is_either_kept_in_mind_or_gone(world: World) -> None:
    for turn in range(12):
        raster = Raster.objects.create(project=world.project, name=f"r{turn}", state="viewable", source_path="x")
        old = put_annotation(world, world.annotator, raster=str(raster.id))
        body = new_annotation(world, raster=str(raster.id))

        drawn, edited, _ = at_once(
            [
                partial(client_of(world.annotator).put, f"/api/annotations/{uuid4()}", body),
                partial(patch_annotation, world.annotator, old, geometry=square(11, 51)),
                partial(rasters.delete, raster, actor=world.owner),
            ]
        )

        assert (drawn.status_code, edited.status_code) in {(201, 200), (404, 200)}
        assert client_of(world.viewer).get(f"/api/annotations/{old['id']}").json()["raster"] is None


def test_a_project_that_is_removed_while_it_is_drawn_in_leaves_nothing_behind() -> None:
    for turn in range(6):
        world = make_world(f"Harbour{turn}")
        put = partial(client_of(world.annotator).put, f"/api/annotations/{uuid4()}", new_annotation(world))
        remove = partial(projects.delete_project, world.project, world.project.name)

        drawn, _ = at_once([put, remove])

        assert drawn.status_code in (201, 404)
        assert not Annotation.objects.filter(project_id=world.project.id).exists()


def test_an_author_who_guesses_the_version_to_come_never_edits_what_is_being_accepted(world: World) -> None:
    answers: Counter[int] = Counter()
    for _ in range(20):
        saved = put_annotation(world, world.annotator, status="submitted")
        accept = partial(move_status, world.reviewer, saved, "accepted")
        edit = partial(patch_annotation, world.annotator, {**saved, "version": 2}, geometry=square(11, 51))

        accepted, edited = at_once([accept, edit])

        assert accepted.status_code == 200
        answers[edited.status_code] += 1
        assert client_of(world.viewer).get(f"/api/annotations/{saved['id']}").json() == accepted.json()
    assert set(answers) <= {403, 409}, answers


SERVER = """
import json, os, signal, sys
import django
django.setup()
from backend.accounts.models import User
from backend.annotations import services
from django.db import connection, transaction
from rest_framework.test import APIClient

die = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
tell = services._tell
def tell_and(*args):
    tell(*args)                          # row, revision and event are written
    if sys.argv[1] == "before":
        die()
    transaction.on_commit(die)           # committed, not answered
services._tell = tell_and
method, address, body, user = json.loads(sys.argv[2])
client = APIClient(SERVER_NAME="localhost")
client.force_authenticate(User.objects.get(id=user))
getattr(client, method)(address, body)
"""


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("method", ["put", "patch"])
def test_a_request_whose_server_was_killed_at_its_commit_is_repeated_without_harm(
    world: World, moment: str, method: str
) -> None:
    annotation_id = str(uuid4())
    address = f"/api/annotations/{annotation_id}"
    body: dict[str, Any] = new_annotation(world)
    if method == "patch":
        put_annotation(world, world.annotator, annotation_id)
        body = {"version": 1, "edit_id": str(uuid4()), "geometry": square(11, 51)}
    seen = Event.objects.count()
    db = connection.settings_dict
    url = f"postgres://{db['USER']}:{db['PASSWORD']}@{db['HOST']}:{db['PORT']}/{db['NAME']}"
    request = json.dumps([method, address, body, str(world.annotator.id)])

    killed = subprocess.run(
        [sys.executable, "-c", SERVER, moment, request],
        env={**os.environ, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "tests.settings"},
        timeout=60,
        check=False,
    )

    assert killed.returncode == -signal.SIGKILL
    assert Event.objects.count() == seen + (moment == "after")
    again = getattr(client_of(world.annotator), method)(address, body)
    assert again.status_code == (201 if (method, moment) == ("put", "before") else 200)
    assert again.json()["geometry"] == body["geometry"]
    assert Event.objects.count() == seen + 1
    whole(world)
