"""Each address with each method for a stranger, a member of another project and a viewer (hazard 14).

The list of addresses is read from the server's routes: a new one without its line in `ACCESS` fails here.
"""

from typing import Any
from uuid import UUID, uuid4

import pytest
from django.test import Client

from backend.accounts.models import ApiToken, User
from backend.annotations.services import create as create_annotation
from backend.encoding.models import EncodeWindow
from backend.exchange.models import Export
from backend.jobs.models import Job
from backend.projects.models import Invite, LabelClass, Member, Project
from backend.rasters.models import Raster, Upload
from tests.hostile.matrix import Access, routes
from tests.support.worlds import World, make_world, new_annotation

pytestmark = pytest.mark.django_db(transaction=True)

GUARD = {"version": 1, "edit_id": "6f0b8f4e-3d7c-4f0e-9a55-6a3f6c9f8a01"}
OWNER, ANNOTATOR, VIEWER, USER, PUBLIC, ADMIN = "owner", "annotator", "viewer", "user", "public", "administrator"
PROJECT = "api/projects/<uuid:project_id>"
RASTER = "api/rasters/<uuid:raster_id>"
ANNOTATION = "api/annotations/<uuid:annotation_id>"
TUS = (("Tus-Resumable", "1.0.0"), ("Upload-Offset", "0"), ("Upload-Length", "10"))

ACCESS: dict[str, Access] = {
    "get api/health": Access(PUBLIC),
    r"get ^(?!api/|ws/|static/).*$": Access(PUBLIC),
    "get api/session": Access(PUBLIC),
    "post api/session": Access(PUBLIC, {"username": "x", "password": "y"}),
    "delete api/session": Access(PUBLIC),
    "post api/session/password": Access(USER, {"old": "a", "new": "b"}),
    "get api/tokens": Access(USER),
    "post api/tokens": Access(USER, {"name": "t"}),
    "delete api/tokens/<uuid:token_id>": Access(USER),
    "get api/workers": Access(ADMIN),
    "get api/projects": Access(USER),
    "post api/projects": Access(USER, {"name": "mine"}),
    f"get {PROJECT}": Access(VIEWER),
    f"patch {PROJECT}": Access(OWNER, {"name": "taken"}),
    f"delete {PROJECT}": Access(OWNER, {"confirm_name": "Harbour"}),
    f"get {PROJECT}/members": Access(VIEWER),
    f"patch {PROJECT}/members/<uuid:user_id>": Access(OWNER, {"role": "owner"}),
    f"delete {PROJECT}/members/<uuid:user_id>": Access(OWNER),
    f"get {PROJECT}/invites": Access(OWNER),
    f"post {PROJECT}/invites": Access(OWNER, {"role": "owner"}),
    f"delete {PROJECT}/invites/<uuid:invite_id>": Access(OWNER),
    "get api/invites/<str:token>": Access(PUBLIC),
    "post api/invites/<str:token>/accept": Access(PUBLIC, {}),
    f"get {PROJECT}/classes": Access(VIEWER),
    f"post {PROJECT}/classes": Access(OWNER, {"name": "Mine", "colour": "#000000"}),
    f"patch {PROJECT}/classes/<uuid:class_id>": Access(OWNER, {"name": "Mine"}),
    f"delete {PROJECT}/classes/<uuid:class_id>": Access(OWNER),
    f"post {PROJECT}/outlines": Access(ANNOTATOR, {"recipe": {}, "sample": "building"}),
    "post api/annotations/<uuid:annotation_id>/outline": Access(ANNOTATOR, {"recipe": {}}),
    f"post {PROJECT}/fit": Access(ANNOTATOR, {"label_class": GUARD["edit_id"], "geometry": {"type": "Point"}}),
    f"get {PROJECT}/rasters": Access(VIEWER),
    f"post {PROJECT}/rasters": Access(OWNER, {"path": "a/b.tif"}),
    f"get {PROJECT}/raster-folders": Access(OWNER),
    f"post {PROJECT}/uploads": Access(OWNER, headers=TUS),
    "patch api/uploads/<uuid:upload_id>": Access(
        OWNER, b"0123456789", content_type="application/offset+octet-stream", headers=TUS
    ),
    "delete api/uploads/<uuid:upload_id>": Access(OWNER, headers=TUS),
    f"get {RASTER}": Access(VIEWER),
    f"patch {RASTER}": Access(OWNER, {"name": "mine"}),
    f"delete {RASTER}": Access(OWNER),
    f"post {RASTER}/crs": Access(OWNER, {"crs": "EPSG:4326"}),
    f"post {RASTER}/retry": Access(OWNER),
    f"get {RASTER}/tilejson.json": Access(VIEWER),
    f"get {RASTER}/tiles/<int:z>/<int:x>/<int:y>": Access(VIEWER),
    f"get {RASTER}/thumbnail": Access(VIEWER),
    f"get {RASTER}/windows": Access(VIEWER),
    f"get {RASTER}/encode-plan": Access(VIEWER),
    f"post {RASTER}/encode-jobs": Access(OWNER, {}),
    f"get {PROJECT}/model": Access(VIEWER),
    f"put {PROJECT}/model": Access(OWNER, {"name": "edgewise-nano"}),
    f"get {PROJECT}/jobs": Access(VIEWER),
    "get api/jobs/<uuid:job_id>": Access(VIEWER),
    "post api/jobs/<uuid:job_id>/cancel": Access(OWNER),
    "post api/jobs/<uuid:job_id>/retry": Access(OWNER),
    f"get {PROJECT}/annotations": Access(VIEWER),
    f"get {PROJECT}/stats": Access(VIEWER),
    f"get {PROJECT}/events": Access(VIEWER),
    f"get {ANNOTATION}": Access(VIEWER),
    f"put {ANNOTATION}": Access(ANNOTATOR, "new annotation"),
    f"patch {ANNOTATION}": Access(ANNOTATOR, {**GUARD, "attributes": {}}),
    f"delete {ANNOTATION}": Access(ANNOTATOR, GUARD),
    f"post {ANNOTATION}/restore": Access(ANNOTATOR, GUARD),
    f"post {ANNOTATION}/status": Access(ANNOTATOR, {**GUARD, "status": "submitted"}),
    f"get {ANNOTATION}/revisions": Access(VIEWER),
    f"get {PROJECT}/exports": Access(VIEWER),
    f"post {PROJECT}/exports": Access(VIEWER, {"format": "geojson", "filters": {}}),
    "get api/exports/<uuid:export_id>": Access(VIEWER),
    "delete api/exports/<uuid:export_id>": Access(OWNER),
    "get api/exports/<uuid:export_id>/download": Access(VIEWER),
    "get api/models": Access(ADMIN),
    "post api/models": Access(ADMIN, {"name": "sam2.1_hiera_tiny"}),
    "delete api/models/<str:name>": Access(ADMIN, {}),
    "post api/models/<str:name>/verify": Access(ADMIN),
    "post api/models/<str:name>/default": Access(ADMIN),
    "delete api/embeddings/<str:model_hash>": Access(ADMIN),
}
WRITTEN = (Project, Member, Invite, LabelClass, Raster, Upload, EncodeWindow, Job, Export)


def test_every_route_has_its_line_and_every_line_its_route() -> None:
    served = {f"{method} {route}" for method, route in routes()}

    assert served - set(ACCESS) == set(), "routes without a line in ACCESS"
    assert set(ACCESS) - served == set(), "lines in ACCESS without a route"


def test_a_stranger_gets_nowhere_but_to_the_public_addresses() -> None:
    world, ids = _furnished()
    before = _everything(world)

    answers = {name: _ask(Client(), name, world, ids) for name in ACCESS}

    wrong = {
        name: answer
        for name, answer in answers.items()
        if (answer[0] == 401) == (ACCESS[name].least == PUBLIC) and name != "post api/session"
    }
    assert wrong == {}
    assert answers["post api/session"] == (401, "auth.bad_credentials")
    assert _everything(world) == before


def test_a_member_of_another_project_finds_nothing_here() -> None:
    world, ids = _furnished()
    before = _everything(world)
    client = Client()
    client.force_login(world.stranger)
    assert client.get(f"/api/projects/{world.foreign_project.id}").status_code == 200

    inside = [name for name, access in ACCESS.items() if access.least not in (PUBLIC, USER, ADMIN)]
    answers = {name: _ask(client, name, world, ids) for name in inside}

    assert {name: answer for name, answer in answers.items() if answer[0] != 404} == {}
    assert all((code or "").endswith(".not_found") for _, code in answers.values())
    assert _everything(world) == before


def test_who_is_no_administrator_sees_and_changes_nothing_of_the_server() -> None:
    world, ids = _furnished()
    before = _everything(world)
    of_server = Job.objects.create(
        kind="models", project_id=None, state="failed", params={"name": "administration.work"}
    )
    own = [name for name, access in ACCESS.items() if access.least == ADMIN]
    jobs = [name for name in ACCESS if "api/jobs/" in name]

    for user in (world.owner, world.viewer):
        client = Client()
        client.force_login(user)
        answers = {name: _ask(client, name, world, ids) for name in own}
        assert {name: answer for name, answer in answers.items() if answer != (403, "auth.forbidden")} == {}
        hidden = {name: _ask(client, name, world, {**ids, "job_id": of_server.id}) for name in jobs}
        assert set(hidden.values()) == {(404, "job.not_found")}

    of_server.delete()
    assert _everything(world) == before


def test_a_viewer_reads_everything_and_changes_nothing() -> None:
    world, ids = _furnished()
    before = _everything(world)
    client = Client()
    client.force_login(world.viewer)

    higher = [name for name, access in ACCESS.items() if access.least in (OWNER, ANNOTATOR, ADMIN)]
    refused = {name: _ask(client, name, world, ids) for name in higher}
    assert {name: answer for name, answer in refused.items() if answer != (403, "auth.forbidden")} == {}
    assert _everything(world) == before

    own = [name for name, access in ACCESS.items() if access.least == VIEWER]
    allowed = {name: _ask(client, name, world, ids) for name in own}
    shut_out = {401, 403}
    assert {name: a for name, a in allowed.items() if a[0] in shut_out or (a[1] or "").endswith(".not_found")} == {}


def _furnished() -> tuple[World, dict[str, Any]]:
    """A world with one of everything that an address can name."""
    world = make_world()
    raster = Raster.objects.create(
        project=world.project, name="r", state="inspecting", source_path="", created_by=world.owner
    )
    job = Job.objects.create(
        kind="encode", project_id=world.project.id, raster_id=raster.id, state="failed", params={"name": "encoding.run"}
    )
    invite = Invite.objects.create(
        project=world.project, role="viewer", digest="0" * 64, created_by=world.owner, expires_at="2999-01-01T00:00Z"
    )
    upload = Upload.objects.create(raster=raster, filename="a.tif", length=10, created_by=world.owner)
    export = Export.objects.create(project=world.project, format="geojson", crs="EPSG:4326", filename="a.geojson")
    token = ApiToken.objects.create(user=world.owner, name="t", prefix="ew_", digest="1" * 64)
    said = {key: value for key, value in new_annotation(world).items() if key != "project"}
    annotation, _ = create_annotation(uuid4(), said, member=world.member(world.annotator))
    ids: dict[str, Any] = {
        "project_id": world.project.id,
        "user_id": world.annotator.id,
        "invite_id": invite.id,
        "class_id": world.tree.id,
        "raster_id": raster.id,
        "job_id": job.id,
        "upload_id": upload.id,
        "export_id": export.id,
        "annotation_id": annotation.id,
        "token_id": token.id,
        "token": "no-such-token",
        "name": "edgewise-nano",
        "model_hash": "2" * 64,
        "z": 1,
        "x": 0,
        "y": 0,
    }
    return world, ids


def _ask(client: Client, name: str, world: World, ids: dict[str, Any]) -> tuple[int, str | None]:
    method, route = name.split(" ", 1)
    access = ACCESS[name]
    address = "/" if route.startswith("^") else "/" + route
    for key, value in ids.items():
        for kind in ("uuid", "str", "int"):
            address = address.replace(f"<{kind}:{key}>", str(value))
    assert "<" not in address, f"no example for {address}"
    body: Any = new_annotation(world) if access.body == "new annotation" else access.body
    if access.body == "new annotation":
        address = address.replace(str(ids["annotation_id"]), str(uuid4()))
    answer = getattr(client, method)(
        address,
        **({} if method == "get" else {"data": body if body is not None else {}, "content_type": access.content_type}),
        headers=dict(access.headers),
    )
    code = None
    if answer.headers.get("Content-Type", "").startswith("application/json") and answer.content:
        said = answer.json()
        code = (said.get("error") or {}).get("code") if isinstance(said, dict) else None
    return answer.status_code, code


def _everything(world: World) -> dict[str, Any]:
    """All rows that somebody who may not could have changed."""
    rows = {model.__name__: sorted(map(str, model.objects.values_list())) for model in WRITTEN}
    rows["annotations"] = sorted(
        map(str, world.project.annotations.values_list("id", "version", "status", "deleted_at"))
    )
    rows["users"] = sorted(map(str, User.objects.values_list("id", "password")))
    tokens: list[UUID] = sorted(ApiToken.objects.values_list("id", flat=True))
    return {**rows, "tokens": tokens}
