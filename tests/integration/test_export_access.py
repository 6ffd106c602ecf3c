"""Who may ask for, look at, fetch and remove exports; and what a refused request leaves as it was."""

from pathlib import Path
from typing import Any

import pytest

from backend.accounts.models import User
from backend.exchange import services
from backend.exchange.models import Export
from backend.jobs.models import Job
from tests.support.worlds import World, client_of, make_world

pytestmark = pytest.mark.django_db

MISSING = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def world(tmp_path: Path, settings: Any) -> World:
    settings.DATA_DIR = tmp_path
    return make_world()


def finished(world: World, user: User, name: str | None = None) -> Export:
    if name is not None:
        world.project.name = name
    export = services.ask(world.project, {"format": "geojson"}, actor=user)
    file = services.file_of(export)
    file.parent.mkdir(parents=True)
    file.write_text("{}")
    return export


def calls(client: Any, world: World, export_id: Any, project_id: Any) -> dict[str, Any]:
    return {
        "list": client.get(f"/api/projects/{project_id}/exports"),
        "ask": client.post(f"/api/projects/{project_id}/exports", {"format": "geojson"}),
        "get": client.get(f"/api/exports/{export_id}"),
        "download": client.get(f"/api/exports/{export_id}/download"),
        "delete": client.delete(f"/api/exports/{export_id}"),
    }


def test_a_stranger_gets_the_answers_for_what_does_not_exist_and_nobody_gets_401(world: World) -> None:
    export = finished(world, world.annotator)
    stranger = client_of(world.stranger)

    foreign = calls(stranger, world, export.id, world.project.id)
    missing = calls(stranger, world, MISSING, MISSING)
    anonymous = calls(client_of(None), world, export.id, world.project.id)

    for what, answer in foreign.items():
        assert answer.status_code == 404, what
        assert answer.json() == missing[what].json()
        assert anonymous[what].status_code == 401, what
    assert Export.objects.count() == Job.objects.count() == 1
    assert services.file_of(export).is_file()


@pytest.mark.parametrize("part", ["viewer", "annotator", "reviewer", "owner"])
def test_every_member_asks_looks_and_fetches(world: World, part: str) -> None:
    export = finished(world, world.annotator)
    client = client_of(world.users()[part])

    asked = client.post(f"/api/projects/{world.project.id}/exports", {"format": "gpkg", "crs": "EPSG:3857"})

    assert asked.status_code == 201
    assert asked.json()["created_by"]["id"] == str(world.users()[part].id)
    listed = client.get(f"/api/projects/{world.project.id}/exports").json()["exports"]
    assert [row["id"] for row in listed] == [asked.json()["id"], str(export.id)]
    assert client.get(f"/api/exports/{export.id}").json() == listed[1]
    download = client.get(f"/api/exports/{export.id}/download")
    assert b"".join(download) == b"{}"


def test_one_removes_ones_own_and_an_owner_every_export(world: World) -> None:
    for author, others in ((world.viewer, [world.annotator, world.reviewer]), (world.annotator, [world.viewer])):
        export = finished(world, author)
        for other in others:
            refused = client_of(other).delete(f"/api/exports/{export.id}")
            assert (refused.status_code, refused.json()["error"]["code"]) == (403, "auth.forbidden")
        assert services.file_of(export).is_file()
        remover = author if author == world.viewer else world.owner

        assert client_of(remover).delete(f"/api/exports/{export.id}").status_code == 204

        assert not Export.objects.filter(id=export.id).exists()


def test_a_download_is_an_attachment_that_no_browser_runs(world: World) -> None:
    export = finished(world, world.annotator, name='Häfen\r\nX-Evil: 1 "../../etc/passwd" <script>')

    answer = client_of(world.viewer).get(f"/api/exports/{export.id}/download")

    assert answer["Content-Type"] == "application/geo+json"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Cache-Control"] == "private, no-store"
    disposition = answer["Content-Disposition"]
    assert disposition.startswith('attachment; filename="h-fen-x-evil-1-etc-passwd-script-')
    assert disposition.endswith('.geojson"')
    assert "X-Evil" not in answer.headers
    answer.close()


def test_a_member_who_has_left_cannot_fetch_the_export_they_made(world: World) -> None:
    export = finished(world, world.annotator)
    world.member(world.annotator).delete()

    assert client_of(world.annotator).get(f"/api/exports/{export.id}/download").status_code == 404
    assert client_of(world.annotator).delete(f"/api/exports/{export.id}").status_code == 404
    assert services.file_of(export).is_file()


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({}, "export.invalid"),
        ({"format": "shp"}, "export.invalid"),
        ({"format": ["gpkg"]}, "export.invalid"),
        ({"format": "gpkg", "filters": []}, None),
        ({"format": "gpkg", "filters": [1]}, "export.invalid"),
        ({"format": "gpkg", "filters": {"where": "1=1"}}, "export.invalid"),
        ({"format": "gpkg", "filters": {"status": ["gone"]}}, "export.invalid"),
        ({"format": "gpkg", "crs": "EPSG:1"}, "export.invalid_crs"),
        ({"format": "gpkg", "crs": "/vsicurl/http://127.0.0.1/x"}, "export.invalid_crs"),
        ({"format": "gpkg", "crs": {"a": 1}}, "export.invalid_crs"),
        ([], "export.invalid"),
        ("gpkg", "export.invalid"),
    ],
)
def test_an_export_that_cannot_be_is_refused_and_nothing_is_queued(world: World, said: Any, code: str | None) -> None:
    answer = client_of(world.viewer).post(f"/api/projects/{world.project.id}/exports", said)

    if code is None:
        assert answer.status_code == 201
        return
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == code
    assert Export.objects.count() == Job.objects.count() == 0


def test_five_exports_under_way_are_enough_for_one_person(world: World) -> None:
    client = client_of(world.viewer)
    address = f"/api/projects/{world.project.id}/exports"
    for _ in range(services.OPEN_EXPORTS):
        assert client.post(address, {"format": "geojson"}).status_code == 201

    refused = client.post(address, {"format": "geojson"})

    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "export.too_many")
    assert Export.objects.count() == services.OPEN_EXPORTS
    assert client_of(world.annotator).post(address, {"format": "geojson"}).status_code == 201
