"""Where an annotation comes from: drawn, suggested or imported; checked key by key, kept whole."""

from collections.abc import Callable
from typing import Any

from backend.core.errors import Invalid
from backend.core.numbers import is_number
from backend.core.text import is_storable

KINDS = {"drawn", "suggested", "imported"}
MAX_PROMPTS = 100
MAX_WINDOWS = 16


def clean_provenance(said: object) -> dict[str, Any]:
    """A checked copy. Raises `annotation.invalid_provenance` naming the key."""
    if said is None:
        return {"kind": "drawn"}
    if not isinstance(said, dict) or str(said.get("kind")) not in KINDS:
        raise _invalid("kind", "Say whether it was drawn, suggested or imported.")
    unknown = sorted(set(said) - {"kind", *CHECKS})
    if unknown:
        raise _invalid(str(unknown[0])[:40], "There is no such key in a provenance.")
    cleaned: dict[str, Any] = {"kind": said["kind"]}
    for key, fits in CHECKS.items():
        if key in said and said[key] is not None:
            if not fits(said[key]):
                raise _invalid(key, "This is not well formed.")
            cleaned[key] = said[key]
    return cleaned


def _text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= 200 and is_storable(value)


def _prompts(value: object) -> bool:
    return (
        isinstance(value, list)
        and len(value) <= MAX_PROMPTS
        and all(
            isinstance(item, dict)
            and set(item) == {"lon", "lat", "label"}
            and is_number(item["lon"])
            and is_number(item["lat"])
            and item["label"] in (0, 1)
            for item in value
        )
    )


def _box(value: object) -> bool:
    return isinstance(value, list) and len(value) == 4 and all(is_number(item) for item in value)


def _window(value: object) -> bool:
    return (
        isinstance(value, dict)
        and {"col", "row", "size"} <= set(value) <= {"id", "col", "row", "size"}
        and (value.get("id") is None or _text(value["id"]) or is_number(value["id"]))
        and all(is_number(value[key]) and abs(value[key]) < 2**31 for key in ("col", "row", "size"))
    )


def _windows(value: object) -> bool:
    return isinstance(value, list) and len(value) <= MAX_WINDOWS and all(_window(item) for item in value)


CHECKS: dict[str, Callable[[Any], bool]] = {
    "prompts": _prompts,
    "box": _box,
    "model": _text,
    "model_hash": _text,
    "recipe": _text,
    "window": _window,
    "windows": _windows,
    "score": is_number,
    "candidate": lambda value: isinstance(value, int) and 0 <= value <= 3,
    "thought_ms": lambda value: is_number(value) and 0 <= value < 1e10,
    "width_m": lambda value: is_number(value) and 0 < value < 1e5,
    "edited": lambda value: isinstance(value, bool),
    "source": _text,
}


def _invalid(key: str, message: str) -> Invalid:
    return Invalid(
        f"Provenance, {key}: {message}",
        code="annotation.invalid_provenance",
        details={"fields": {f"provenance.{key}": [message]}},
    )
