"""Loads the demo once: three people, a village in two dates, a calibration sheet, work in each status."""

import json
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.db.models import ProtectedError

from backend.accounts.models import User
from backend.accounts.services import close_account, create_user
from backend.annotations import services as annotations
from backend.config.demo import DEMO_PASSWORD, PEOPLE
from backend.encoding import services as encoding
from backend.projects import classes, services
from backend.projects.models import LabelClass, Member, Project, Role
from backend.rasters import services as rasters
from backend.rasters.models import Raster
from backend.review.rules import require_may_move

SQUARE = {"form": "right_angles", "group_directions": True, "fill_holes_m2": 2, "drop_parts_m2": 4}
FIXTURES = settings.ROOT / "fixtures"
PROJECTS = VILLAGE, SHAPES = "Edgewick", "Calibration"
LEGEND: list[dict[str, Any]] = [
    {
        "name": "Building",
        "colour": "#f76707",
        "digit": 1,
        "recipe": SQUARE,
        "attributes": [
            {
                "key": "roof",
                "label": "Roof",
                "type": "choice",
                "required": True,
                "choices": ["gabled", "hipped", "flat", "other"],
            },
            {"key": "storeys", "label": "Storeys", "type": "number", "required": False},
        ],
    },
    {
        "name": "Field",
        "colour": "#ffd43b",
        "digit": 2,
        "attributes": [
            {"key": "crop", "label": "Crop", "type": "text", "required": False},
            {"key": "irrigated", "label": "Irrigated", "type": "boolean", "required": False},
        ],
    },
    {
        "name": "Water",
        "colour": "#22b8cf",
        "digit": 3,
        "recipe": {"smooth_m": 4, "fill_holes_m2": 20, "drop_parts_m2": 20},
    },
    {"name": "Solar", "colour": "#7950f2", "digit": 4, "recipe": SQUARE},
    {"name": "Tree", "colour": "#51cf66", "digit": 5},
    {"name": "Track", "colour": "#e64980", "digit": 6, "geometry_type": "line"},
]
# How many of the true outlines of a class are loaded, and in which status; by whom they are drawn and decided.
PLAN: tuple[tuple[str, str, int], ...] = (
    ("Building", "accepted", 5),
    ("Building", "submitted", 3),
    ("Building", "changes_requested", 1),
    ("Building", "draft", 2),
    ("Field", "accepted", 2),
    ("Field", "submitted", 1),
    ("Water", "accepted", 1),
    ("Solar", "submitted", 4),
    ("Solar", "draft", 2),
    ("Tree", "draft", 3),
    ("Track", "accepted", 1),
)
RETURNED = "The outline follows the shadow on the north side. Please move it to the eaves."


class Command(BaseCommand):
    """`manage.py load_demo`: does nothing where the demo was loaded before."""

    help = "Loads the demo project and its three people, once."

    def add_arguments(self, parser: CommandParser) -> None:
        """`--reset` removes the demo first."""
        parser.add_argument("--reset", action="store_true", help="remove the demo and load it again")

    def handle(self, *args: Any, **options: Any) -> None:
        """Loads, and says how to sign in."""
        if settings.PRODUCTION:
            self.stdout.write("The demo is not loaded in production.")
            return
        if options["reset"]:
            remove_demo()
        if not User.objects.filter(is_demo=True).exists():
            with transaction.atomic():
                people = {name: _person(name) for name in PEOPLE}
                _village(people)
                _calibration(people)
        names = ", ".join(f"{name} ({role})" for name, (_, role) in PEOPLE.items())
        self.stdout.write(f"Sign in as {names}; the password of each is {DEMO_PASSWORD}")


def remove_demo() -> None:
    """Removes the demo's projects and its people. Raises `CommandError` while they own anything else.

    Somebody of the demo who has worked in a project of others stays as its author, with an account that is closed.
    """
    people = User.objects.filter(is_demo=True)
    own = Project.objects.filter(created_by__in=people, name__in=PROJECTS)
    others = Project.objects.filter(members__user__in=people, members__role=Role.OWNER).exclude(id__in=own).distinct()
    if others:
        names = ", ".join(sorted(project.name for project in others))
        raise CommandError(f"Demo people own {names}. Delete these projects, or make somebody else their owner.")
    with transaction.atomic():
        for project in own:
            services.delete_project(project, project.name)
        for person in people:
            try:
                with transaction.atomic():
                    person.delete()
            except ProtectedError:
                close_account(person)


def _person(username: str) -> User:
    display_name, _ = PEOPLE[username]
    return create_user(username, DEMO_PASSWORD, display_name, is_demo=True)


def _village(people: dict[str, User]) -> None:
    owner = people["olivia"]
    project = services.create_project(owner, VILLAGE, "A village at 0.3 m in two dates, painted for trying things out.")
    for username, (_, role) in PEOPLE.items():
        if role != Role.OWNER:
            services.add_member(project.id, people[username], Role(role), actor=people[username])
    legend = {entry["name"]: classes.create(project.id, owner, dict(entry)) for entry in LEGEND}
    first, *later = sorted((FIXTURES / "demo").glob("*.tif"))
    for scene in reversed(later):
        _raster(project, owner, scene)
    raster = _raster(project, owner, first)  # the newest in the list is the one that is shown first
    encoding.start_when_viewable(raster, actor=owner)
    _annotations(project, people, legend, raster, first.with_suffix(".geojson"))


def _calibration(people: dict[str, User]) -> None:
    owner = people["olivia"]
    project = services.create_project(owner, SHAPES, "Plain shapes of high contrast: one click outlines each.")
    services.add_member(project.id, people["anton"], Role.ANNOTATOR, actor=people["anton"])
    services.add_member(project.id, people["rita"], Role.REVIEWER, actor=people["rita"])
    classes.create(project.id, owner, {"name": "Shape", "colour": "#f76707", "digit": 1})
    raster = _raster(project, owner, FIXTURES / "calibration" / "calibration.tif")
    encoding.start_when_viewable(raster, actor=owner)


def _raster(project: Project, owner: User, scene: Path) -> Raster:
    name = scene.stem.replace("-", " ", 1).title()
    return rasters.adopt_file(project.id, scene, name, actor=owner)


def _annotations(
    project: Project, people: dict[str, User], legend: dict[str, LabelClass], raster: Raster, truth: Path
) -> None:
    """Some of the true outlines, drawn by Anton, decided by Rita."""
    members = {name: Member.objects.get(project=project, user=user) for name, user in people.items()}
    waiting: dict[str, list[dict[str, Any]]] = {}
    for feature in json.loads(truth.read_text(encoding="utf-8"))["features"]:
        waiting.setdefault(feature["properties"]["class"], []).append(feature)
    for name, status, count in PLAN:
        label_class = legend[name]
        keys = {entry["key"] for entry in label_class.attributes}
        for _ in range(count):
            feature = waiting[name].pop(0)
            said = {
                "raster": str(raster.id),
                "label_class": str(label_class.id),
                "geometry": feature["geometry"],
                "attributes": {key: value for key, value in feature["properties"].items() if key in keys},
                "provenance": {"kind": "imported", "source": "the demo's true outlines"},
            }
            row, _ = annotations.create(uuid4(), said, member=members["anton"])
            if status != "draft":
                _move(row.id, row.version, "submitted", members["anton"])
            if status == "accepted":
                _move(row.id, 2, "accepted", members["rita"])
            elif status == "changes_requested":
                _move(row.id, 2, "changes_requested", members["rita"], RETURNED)


def _move(annotation_id: UUID, version: int, status: str, member: Member, comment: str = "") -> None:
    guard = annotations.Edit(version, uuid4())
    annotations.set_status(
        annotation_id,
        guard,
        status,
        member=member,
        comment=comment,
        require_allowed=lambda annotation: require_may_move(member, annotation, status),
    )
