"""Small worlds for tests: people in every role, a legend with every shape, and the words to draw in it."""

from dataclasses import dataclass, fields
from typing import Any
from uuid import UUID, uuid4

from rest_framework.test import APIClient

from backend.accounts.models import User
from backend.accounts.services import create_user
from backend.projects import classes, services
from backend.projects.models import LabelClass, Member, Project, Role

PASSWORD = "correct horse battery"
ROOF = {"key": "roof", "label": "Roof", "type": "choice", "required": True, "choices": ["flat", "gabled"]}
FLOORS = {"key": "floors", "label": "Floors", "type": "number", "required": False}
NOTE = {"key": "note", "label": "Note", "type": "text", "required": False}
OCCUPIED = {"key": "occupied", "label": "Occupied", "type": "boolean", "required": False}

METRE = 1 / 111_320  # degrees of latitude


@dataclass(frozen=True)
class World:
    """A project with a member in each role, a second annotator, a stranger with a project, and three classes.

    `building` (polygon) requires the attribute `roof`; `field` (polygon) has no attributes; `road` is a line
    and `tree` a point.
    """

    project: Project
    owner: User
    reviewer: User
    annotator: User
    colleague: User
    viewer: User
    stranger: User
    foreign_project: Project
    building: LabelClass
    field: LabelClass
    road: LabelClass
    tree: LabelClass

    def users(self) -> dict[str, User]:
        """Everybody, by the name of their part."""
        parts = {part.name: getattr(self, part.name) for part in fields(self)}
        return {name: value for name, value in parts.items() if isinstance(value, User)}

    def member(self, user: User) -> Member:
        """The user's membership in the project."""
        return Member.objects.select_related("project", "user").get(project=self.project, user=user)


def make_world(name: str = "Harbour") -> World:
    """A fresh world; make several with different names."""
    owner = make_user(f"{name}-olga")
    project = services.create_project(owner, name)
    people = {
        "reviewer": join(project, make_user(f"{name}-rita"), Role.REVIEWER),
        "annotator": join(project, make_user(f"{name}-anna"), Role.ANNOTATOR),
        "colleague": join(project, make_user(f"{name}-carl"), Role.ANNOTATOR),
        "viewer": join(project, make_user(f"{name}-vera"), Role.VIEWER),
    }
    stranger = make_user(f"{name}-sam")
    legend: list[dict[str, Any]] = [
        {"name": "Building", "colour": "#d6336c", "digit": 1, "attributes": [ROOF, FLOORS, NOTE, OCCUPIED]},
        {"name": "Field", "colour": "#74b816", "digit": 2},
        {"name": "Road", "colour": "#868e96", "digit": 3, "geometry_type": "line"},
        {"name": "Tree", "colour": "#2b8a3e", "digit": 4, "geometry_type": "point"},
    ]
    building, field, road, tree = (classes.create(project.id, owner, entry) for entry in legend)
    return World(
        project=project,
        owner=owner,
        stranger=stranger,
        foreign_project=services.create_project(stranger, f"{name} elsewhere"),
        building=building,
        field=field,
        road=road,
        tree=tree,
        **people,
    )


def make_user(username: str) -> User:
    """An account; its display name is the last part of the user name."""
    return create_user(username, PASSWORD, username.rsplit("-", 1)[-1].title())


def join(project: Project, user: User, role: Role) -> User:
    """Makes the user a member."""
    services.add_member(project.id, user, role, actor=user)
    return user


def client_of(user: User | None) -> APIClient:
    """A client that is signed in as the user; as nobody for None."""
    client = APIClient()
    if user is not None:
        client.force_authenticate(user)
    return client


def in_metres(*places: tuple[float, float]) -> list[list[float]]:
    """Positions in metres from 0 E 0 N, where both axes have the same scale, as the database keeps them."""
    return [[round(x * METRE, 9), round(y * METRE, 9)] for x, y in places]


def square(lon: float = 10.0, lat: float = 50.0, size: float = 0.001) -> dict[str, Any]:
    """A square in degrees whose south-western corner is given, counter-clockwise."""
    east, north = round(lon + size, 9), round(lat + size, 9)
    ring = [[lon, lat], [east, lat], [east, north], [lon, north], [lon, lat]]
    return {"type": "Polygon", "coordinates": [ring]}


def new_annotation(world: World, **changes: Any) -> dict[str, Any]:
    """The body of a `PUT`: a drawn square of the class without attributes, unless told otherwise."""
    body: dict[str, Any] = {
        "project": str(world.project.id),
        "label_class": str(world.field.id),
        "geometry": square(),
        "attributes": {},
        "provenance": {"kind": "drawn"},
    }
    return {**body, **changes}


def put_annotation(world: World, user: User, annotation_id: UUID | str | None = None, **changes: Any) -> dict[str, Any]:
    """Saves a new annotation over HTTP, and gives it back as the wire has it."""
    body = new_annotation(world, **changes)
    answer = client_of(user).put(f"/api/annotations/{annotation_id or uuid4()}", body)
    assert answer.status_code in (200, 201), answer.content
    saved: dict[str, Any] = answer.json()
    return saved


def patch_annotation(user: User, annotation: dict[str, Any], **changes: Any) -> Any:
    """Changes an annotation over HTTP at the version it was seen in; gives the answer."""
    body = {"version": annotation["version"], "edit_id": str(uuid4()), **changes}
    return client_of(user).patch(f"/api/annotations/{annotation['id']}", body)


def move_status(user: User, annotation: dict[str, Any], status: str, **changes: Any) -> Any:
    """Moves an annotation's review status over HTTP; gives the answer."""
    body = {"version": annotation["version"], "edit_id": str(uuid4()), "status": status, **changes}
    return client_of(user).post(f"/api/annotations/{annotation['id']}/status", body)
