"""An export the way a user has it: a real server, a real worker, the queue between them, and the file over HTTP."""

import json
import time
from pathlib import Path
from typing import Any

import httpx
import pyogrio
import pytest

from tests.support.server import Stack, running_stack

SETUP = """
import json
from backend.accounts.services import create_token
from tests.support.many import draw_many
from tests.support.worlds import make_world
world = make_world()
draw_many(world, 3000)
print(json.dumps({"project": str(world.project.id), "secret": create_token(world.viewer, "script", None)[1]}))
"""
LARGE = 256 * 1024 * 1024


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with running_stack(tmp_path_factory.mktemp("served") / "data") as stack:
        said = json.loads(stack.python(SETUP))
        headers = {"Authorization": f"Bearer {said['secret']}"}
        with httpx.Client(base_url=stack.url, headers=headers, timeout=30) as client:
            yield stack, client, said["project"]


def wait_for(client: httpx.Client, export_id: str, state: str) -> dict[str, Any]:
    end = time.monotonic() + 60
    found: dict[str, Any] = {}
    while time.monotonic() < end:
        found = client.get(f"/api/exports/{export_id}").json()
        if found["state"] == state:
            return found
        time.sleep(0.1)
    raise AssertionError(found)


@pytest.mark.parametrize("format_", ["geojson", "gpkg"])
def test_what_is_asked_for_is_made_by_the_worker_and_opens_in_gdal(
    served: tuple[Stack, httpx.Client, str], tmp_path: Path, format_: str
) -> None:
    _, client, project = served
    asked = client.post(f"/api/projects/{project}/exports", json={"format": format_, "filters": {"status": ["draft"]}})
    assert asked.status_code == 201, asked.text

    done = wait_for(client, asked.json()["id"], "done")
    file = client.get(f"/api/exports/{done['id']}/download")

    assert (done["done"], done["total"], done["error"]) == (750, 750, None)
    assert file.headers["content-disposition"] == f'attachment; filename="{done["filename"]}"'
    path = tmp_path / done["filename"]
    path.write_bytes(file.content)
    assert len(file.content) == done["size_bytes"]
    assert pyogrio.read_info(path)["features"] == 750
    jobs = client.get(f"/api/projects/{project}/jobs").json()["jobs"]
    assert [job["state"] for job in jobs if job["id"] == done["job"]] == ["done"]


def test_an_export_that_fails_says_why_to_who_asked(served: tuple[Stack, httpx.Client, str]) -> None:
    stack, client, project = served
    stack.python(
        "import sys\n"
        "from backend.annotations.models import Annotation\n"
        "from django.contrib.gis.geos import GEOSGeometry\n"
        "row = Annotation.objects.filter(project_id=sys.argv[1], status='accepted').first()\n"
        "row.geometry = GEOSGeometry('POLYGON((3 -90, 4 -90, 4 -89, 3 -90))', srid=4326)\n"
        "row.save()\n",
        project,
    )
    body = {"format": "gpkg", "crs": "EPSG:2154", "filters": {"status": ["accepted"]}}
    asked = client.post(f"/api/projects/{project}/exports", json=body).json()

    failed = wait_for(client, asked["id"], "failed")

    assert failed["error"]["code"] == "export.outside_crs"
    assert "Choose a coordinate system" in failed["error"]["message"]
    assert client.get(f"/api/exports/{asked['id']}/download").status_code == 409


def test_a_download_of_a_large_file_does_not_pass_through_memory(served: tuple[Stack, httpx.Client, str]) -> None:
    stack, client, project = served
    asked = client.post(f"/api/projects/{project}/exports", json={"format": "geojson"}).json()
    wait_for(client, asked["id"], "done")
    with (stack.data_dir / "exports" / asked["id"] / "data.geojson").open("rb+") as file:
        file.truncate(LARGE)
    before = peak_mb(stack)

    received = 0
    with client.stream("GET", f"/api/exports/{asked['id']}/download") as answer:
        for piece in answer.iter_raw():
            received += len(piece)

    assert received == LARGE
    assert peak_mb(stack) - before < 80


def peak_mb(stack: Stack) -> float:
    """The most memory that the web server has had."""
    assert stack.web is not None
    status = Path(f"/proc/{stack.web.pid}/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1024
