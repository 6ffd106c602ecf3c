"""Parses what a browser says on the socket, at the door; anything unknown is refused."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID

from backend.core.errors import Invalid
from backend.core.numbers import is_number
from backend.projects.models import Role
from ml.vectorize import Recipe

MAX_BYTES = 64 * 1024
MAX_POINTS = 100
MAX_METRES = 50_000_000  # nobody sees more of the Earth


@dataclass(frozen=True)
class PromptSubmit:
    """All prompts of one draft so far."""

    kind: ClassVar[str] = "prompt.submit"
    prompt_seq: int
    draft: UUID
    raster: UUID
    points: tuple[tuple[float, float, int], ...]
    box: tuple[float, float, float, float] | None
    hover: bool
    feedback: bool
    candidate: int | None = None
    label_class: UUID | None = None
    view_m: float | None = None
    recipe: Recipe | None = None


@dataclass(frozen=True)
class PromptClear:
    """The draft is given up, or saved as an annotation."""

    kind: ClassVar[str] = "prompt.clear"
    draft: UUID
    annotation: UUID | None = None


@dataclass(frozen=True)
class PresenceUpdate:
    """Where the user's pointer is, on which raster, and what is being edited."""

    kind: ClassVar[str] = "presence.update"
    cursor: tuple[float, float] | None
    raster: UUID | None
    editing: UUID | None


@dataclass(frozen=True)
class Ping:
    """Asks for a pong with the same text or number."""

    kind: ClassVar[str] = "ping"
    t: float


Message = PromptSubmit | PromptClear | PresenceUpdate | Ping


def parse(text: str) -> Message:
    """The message. Raises `message.invalid` for anything that is not one, `message.too_large`."""
    if len(text.encode()) > MAX_BYTES:
        raise Invalid(f"A message has at most {MAX_BYTES} bytes.", code="message.too_large")
    try:
        said = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _invalid("This is not JSON.") from error
    named = said.get("type") if isinstance(said, dict) else None
    if not isinstance(named, str) or named not in CLIENT_MESSAGES:
        raise _invalid("This is not a message that the server knows.")
    kind = CLIENT_MESSAGES[named]
    unknown = set(said) - {"type"} - kind.fields
    if unknown:
        raise _invalid(f"{named} has no field {sorted(unknown)[0][:40]!r}.")
    try:
        return kind.read(said)
    except (KeyError, TypeError, ValueError) as error:
        raise _invalid(f"{named} is not well formed: {error}"[:200]) from error


@dataclass(frozen=True)
class Kind:
    """One type of message: its fields, how it is read, and the least role that may send it."""

    fields: frozenset[str]
    read: Callable[[Mapping[str, Any]], Message]
    least: Role


def _read_prompt(said: Mapping[str, Any]) -> PromptSubmit:
    points = said.get("points", [])
    if not isinstance(points, list) or len(points) > MAX_POINTS:
        raise ValueError(f"at most {MAX_POINTS} points")
    read = tuple((*_lonlat(point, frozenset({"label"})), _label(point)) for point in points)
    box = said.get("box")
    if not read and box is None:
        raise ValueError("no point and no box")
    seq = said["promptSeq"]
    if isinstance(seq, bool) or not isinstance(seq, int) or not 0 <= seq < 2**53:
        raise ValueError("promptSeq is a whole number")
    return PromptSubmit(
        prompt_seq=seq,
        draft=_uuid(said["draft"]),
        raster=_uuid(said["raster"]),
        points=read,
        box=None if box is None else _box(box),
        hover=_flag(said.get("hover", False)),
        feedback=_flag(said.get("feedback", False)),
        candidate=_candidate(said.get("candidate")),
        label_class=None if said.get("label_class") is None else _uuid(said["label_class"]),
        view_m=None if said.get("view_m") is None else _length(said["view_m"]),
        recipe=None if said.get("recipe") is None else Recipe.from_json(said["recipe"]),
    )


def _read_clear(said: Mapping[str, Any]) -> PromptClear:
    annotation = said.get("annotation")
    return PromptClear(_uuid(said["draft"]), None if annotation is None else _uuid(annotation))


def _read_presence(said: Mapping[str, Any]) -> PresenceUpdate:
    cursor, raster, editing = said.get("cursor"), said.get("raster"), said.get("editing")
    return PresenceUpdate(
        cursor=None if cursor is None else _lonlat(cursor),
        raster=None if raster is None else _uuid(raster),
        editing=None if editing is None else _uuid(editing),
    )


def _lonlat(said: Any, also: frozenset[str] = frozenset()) -> tuple[float, float]:
    unknown = set(said) - {"lon", "lat"} - also
    if unknown:
        raise ValueError(f"a place has no {sorted(unknown)[0]!r}")
    lon, lat = _number(said["lon"]), _number(said["lat"])
    if not (-180 <= lon <= 180 and -90 <= lat <= 90):
        raise ValueError("outside the world")
    return lon, lat


def _label(said: Any) -> int:
    label = said.get("label")
    if isinstance(label, bool) or not isinstance(label, int) or label not in (0, 1):
        raise ValueError("a label is 1 or 0")
    return label


def _box(said: Any) -> tuple[float, float, float, float]:
    if not isinstance(said, list) or len(said) != 4:
        raise ValueError("a box is [west, south, east, north]")
    west, south, east, north = (_number(value) for value in said)
    if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
        raise ValueError("a box is [west, south, east, north]")
    return west, south, east, north


def _number(said: Any) -> float:
    if not is_number(said):
        raise ValueError("not a number")
    return float(said)


def _length(said: Any) -> float:
    metres = _number(said)
    if not 0 < metres <= MAX_METRES:
        raise ValueError("a length is above 0 and on the Earth")
    return metres


def _candidate(said: Any) -> int | None:
    if said is None:
        return None
    if isinstance(said, bool) or not isinstance(said, int) or not 0 <= said <= 3:
        raise ValueError("a candidate is 0 to 3")
    return said


def _flag(said: Any) -> bool:
    if not isinstance(said, bool):
        raise ValueError("not true or false")
    return said


def _uuid(said: Any) -> UUID:
    if not isinstance(said, str) or len(said) != 36:
        raise ValueError("not an id")
    return UUID(said)


def _invalid(message: str) -> Invalid:
    return Invalid(message, code="message.invalid")


CLIENT_MESSAGES: dict[str, Kind] = {
    "prompt.submit": Kind(
        frozenset(
            {
                "promptSeq",
                "draft",
                "raster",
                "points",
                "box",
                "hover",
                "feedback",
                "candidate",
                "label_class",
                "view_m",
                "recipe",
            }
        ),
        _read_prompt,
        Role.ANNOTATOR,
    ),
    "prompt.clear": Kind(frozenset({"draft", "annotation"}), _read_clear, Role.ANNOTATOR),
    "presence.update": Kind(frozenset({"cursor", "raster", "editing"}), _read_presence, Role.VIEWER),
    "ping": Kind(frozenset({"t"}), lambda said: Ping(_number(said.get("t", 0))), Role.VIEWER),
}
