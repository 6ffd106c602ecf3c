"""The typed attributes of a label class: what a schema may be, and whether values fit it."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from backend.core.errors import Invalid
from backend.core.numbers import is_number
from backend.core.text import is_storable

TYPES = ("text", "number", "choice", "boolean")
KEY = re.compile(r"[a-z][a-z0-9_]{0,39}\Z")
MAX_ATTRIBUTES = 40
MAX_CHOICES = 200
MAX_TEXT = 1000


def clean_schema(schema: object) -> list[dict[str, Any]]:
    """A checked copy of `[{key, label, type, required, choices?}]`; `class.invalid` names the wrong entry."""
    if not isinstance(schema, list) or len(schema) > MAX_ATTRIBUTES:
        raise _invalid("attributes", f"Give a list of at most {MAX_ATTRIBUTES} attributes.")
    cleaned = [_clean_entry(index, entry) for index, entry in enumerate(schema)]
    keys = [entry["key"] for entry in cleaned]
    if len(set(keys)) != len(keys):
        raise _invalid("attributes", "Two attributes have the same key. Rename one.")
    return cleaned


def clean_values(schema: Sequence[Mapping[str, Any]], values: object, *, complete: bool = False) -> dict[str, Any]:
    """A checked copy of an annotation's attribute values; unset ones left out.

    Raises `annotation.invalid_attributes` for unknown keys, wrong types and, when `complete`, for a required
    attribute without a value; `details.fields` names each.
    """
    problems: dict[str, list[str]] = {}
    known = {entry["key"]: entry for entry in schema}
    cleaned: dict[str, Any] = {}
    if not isinstance(values, Mapping):
        raise _bad_values({"attributes": ["Give an object of attribute values."]})
    for key, value in values.items():
        if key not in known:
            problems[str(key)[:60]] = ["This class has no such attribute."]
        elif value is not None and value != "":
            problem = _value_problem(known[key], value)
            if problem:
                problems[key] = [problem]
            else:
                cleaned[key] = value
    if complete:
        for entry in schema:
            if entry.get("required") and entry["key"] not in cleaned and entry["key"] not in problems:
                problems[entry["key"]] = [f"{entry['label']} is required. Fill it in first."]
    if problems:
        raise _bad_values(problems)
    return cleaned


def _clean_entry(index: int, entry: object) -> dict[str, Any]:
    field = f"attributes.{index}"
    if not isinstance(entry, Mapping):
        raise _invalid(field, "Give an object with key, label and type.")
    key, label, kind = entry.get("key"), entry.get("label"), entry.get("type")
    if not isinstance(key, str) or not KEY.match(key):
        raise _invalid(f"{field}.key", "A key is 1 to 40 small letters, digits or _, and begins with a letter.")
    if not isinstance(label, str) or not 1 <= len(label.strip()) <= 80 or not is_storable(label):
        raise _invalid(f"{field}.label", "Give a label of 1 to 80 characters.")
    if kind not in TYPES:
        raise _invalid(f"{field}.type", f"The type is one of {', '.join(TYPES)}.")
    cleaned: dict[str, Any] = {
        "key": key,
        "label": label.strip(),
        "type": kind,
        "required": entry.get("required") is True,
    }
    if kind == "choice":
        choices = entry.get("choices")
        if (
            not isinstance(choices, list)
            or not 1 <= len(choices) <= MAX_CHOICES
            or not all(isinstance(choice, str) and 1 <= len(choice) <= 80 and is_storable(choice) for choice in choices)
            or len(set(choices)) != len(choices)
        ):
            raise _invalid(f"{field}.choices", f"Give 1 to {MAX_CHOICES} different texts to choose from.")
        cleaned["choices"] = list(choices)
    return cleaned


def _value_problem(entry: Mapping[str, Any], value: object) -> str | None:
    kind = entry["type"]
    if kind == "text" and not (isinstance(value, str) and len(value) <= MAX_TEXT and is_storable(value)):
        return f"Give a text of at most {MAX_TEXT} characters."
    if kind == "number" and not is_number(value):
        return "Give a number."
    if kind == "choice" and value not in entry["choices"]:
        return "Choose one of " + ", ".join(entry["choices"][:20]) + "."
    if kind == "boolean" and not isinstance(value, bool):
        return "Answer yes or no."
    return None


def _invalid(field: str, message: str) -> Invalid:
    return Invalid(message, code="class.invalid", details={"fields": {field: [message]}})


def _bad_values(problems: dict[str, list[str]]) -> Invalid:
    first = next(iter(problems.values()))[0]
    return Invalid(first, code="annotation.invalid_attributes", details={"fields": problems})
