"""The demo: loaded once, whole, through the services; removed without taking anybody's own work along."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.test import Client, override_settings

from backend.accounts.models import ApiToken, User
from backend.accounts.services import create_token
from backend.annotations import services as annotations
from backend.annotations.models import Annotation, Revision
from backend.config.demo import DEMO_PASSWORD, PEOPLE
from backend.jobs.models import Job
from backend.projects import classes, services
from backend.projects.models import LabelClass, Member, Project, Role
from backend.rasters.models import Raster

pytestmark = pytest.mark.django_db(transaction=True)
SQUARE = {"type": "Polygon", "coordinates": [[[10, 50], [10.001, 50], [10.001, 50.001], [10, 50.001], [10, 50]]]}


@pytest.fixture
def demo(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[str]:
    """Loads it; gives what was said."""
    with override_settings(DATA_DIR=tmp_path):
        call_command("load_demo")
        yield capsys.readouterr().out


def counted() -> list[int]:
    return [model.objects.count() for model in (User, Project, Member, LabelClass, Raster, Job, Annotation, Revision)]


def test_it_says_how_to_sign_in_and_everybody_can(demo: str) -> None:
    for username in PEOPLE:
        assert username in demo
        assert Client().login(username=username, password=DEMO_PASSWORD)
    assert DEMO_PASSWORD in demo


def test_the_sign_in_page_learns_of_its_accounts_on_ones_own_machine_only(demo: str) -> None:
    with override_settings(MODE="local"):
        app = Client().get("/api/session").json()["app"]
    assert app["demo_accounts"] == {"usernames": sorted(PEOPLE), "password": DEMO_PASSWORD}
    with override_settings(MODE="production"):
        served = Client().get("/api/session").content.decode()
    assert '"demo_accounts":null' in served
    assert DEMO_PASSWORD not in served


def test_it_has_work_in_every_status_none_of_it_accepted_by_its_author(demo: str) -> None:
    village = Annotation.objects.filter(project__name="Edgewick")
    counts = Counter(village.values_list("status", flat=True))
    assert set(counts) == {"draft", "submitted", "accepted", "changes_requested"}
    for accepted in village.filter(status="accepted"):
        assert accepted.updated_by_id != accepted.author_id
        assert accepted.revisions.count() == accepted.version == 3
    returned = Revision.objects.get(status="changes_requested")
    assert "eaves" in returned.comment


def test_every_raster_waits_for_the_worker_and_the_first_date_is_to_be_encoded_and_shown_first(demo: str) -> None:
    assert Raster.objects.count() == Job.objects.filter(kind="prepare", state="queued").count() == 3
    newest = Raster.objects.filter(project__name="Edgewick").latest("created_at")
    assert newest.name == "Edgewick 2025-05"
    assert Job.objects.filter(kind="encode", state="queued", raster_id=newest.id).count() == 1


def test_loading_it_again_changes_nothing(demo: str) -> None:
    before = counted()
    call_command("load_demo")
    assert counted() == before


def test_reset_loads_it_anew(demo: str) -> None:
    before, old = counted(), set(Project.objects.values_list("id", flat=True))
    call_command("load_demo", "--reset")
    assert counted()[:5] == before[:5]
    assert not old & set(Project.objects.values_list("id", flat=True))


def test_it_is_not_loaded_in_production() -> None:
    with override_settings(PRODUCTION=True):
        call_command("load_demo")
    assert counted() == [0] * 8


def test_removing_it_leaves_nothing_of_it(demo: str, tmp_path: Path) -> None:
    call_command("remove_demo")
    assert counted()[:5] == [0] * 5
    assert Annotation.objects.count() == 0
    assert list((tmp_path / "rasters").iterdir()) == []


def test_it_is_not_removed_while_its_people_own_anything_else(demo: str) -> None:
    services.create_project(User.objects.get(username="olivia"), "Our river valley")
    before = counted()
    with pytest.raises(CommandError, match="Our river valley"):
        call_command("remove_demo")
    assert counted() == before


def test_somebody_of_the_demo_who_drew_for_others_stays_as_author_with_a_closed_account(demo: str) -> None:
    anton, ada = User.objects.get(username="anton"), User.objects.create(username="ada")
    project = services.create_project(ada, "Our river valley")
    member = services.add_member(project.id, anton, Role.ANNOTATOR, actor=ada)
    field = classes.create(project.id, ada, {"name": "Field", "colour": "#00ff00", "digit": 1})
    create_token(anton, "script", None)
    annotations.create(uuid4(), {"label_class": str(field.id), "geometry": SQUARE, "attributes": {}}, member=member)

    call_command("remove_demo")

    assert list(User.objects.order_by("username").values_list("username", flat=True)) == ["ada", "anton"]
    assert Annotation.objects.get().author.username == "anton"
    assert not User.objects.filter(is_demo=True).exists()
    assert not Client().login(username="anton", password=DEMO_PASSWORD)
    assert not ApiToken.objects.exists()
