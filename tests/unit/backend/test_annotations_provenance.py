"""Provenance at the door: kept whole when it is well formed, refused by the key that is not."""

from typing import Any

import pytest

from backend.annotations.provenance import clean_provenance
from backend.core.errors import Invalid

SUGGESTED: dict[str, Any] = {
    "kind": "suggested",
    "prompts": [{"lon": 10.1, "lat": 50.2, "label": 1}, {"lon": 10.2, "lat": 50.3, "label": 0}],
    "box": [10, 50, 11, 51],
    "model": "nano",
    "model_hash": "ab" * 32,
    "recipe": "cd" * 32,
    "window": {"col": 896, "row": 0, "size": 1024},
    "windows": [{"col": 896, "row": 0, "size": 1024}, {"col": 1792, "row": 0, "size": 1024}],
    "score": 0.93,
    "candidate": 1,
    "thought_ms": 2300.5,
    "edited": False,
}


def test_a_full_provenance_is_kept_whole() -> None:
    assert clean_provenance(SUGGESTED) == SUGGESTED


def test_what_says_nothing_was_drawn_and_nulls_are_left_out() -> None:
    assert clean_provenance(None) == {"kind": "drawn"}
    assert clean_provenance({"kind": "drawn", "score": None, "box": None}) == {"kind": "drawn"}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("kind", "guessed"),
        ("kind", ["drawn"]),
        ("prompts", [{"lon": 1, "lat": 2}]),
        ("prompts", [{"lon": 1, "lat": 2, "label": 2}]),
        ("prompts", [{"lon": float("nan"), "lat": 2, "label": 1}]),
        ("prompts", [{"lon": 1, "lat": 2, "label": 1, "more": {}}]),
        ("prompts", [{"lon": 1, "lat": 2, "label": 1}] * 101),
        ("prompts", "many"),
        ("box", [1, 2, 3]),
        ("box", [1, 2, 3, None]),
        ("model", "m" * 201),
        ("model", "nul \x00"),
        ("model", "half \ud800"),
        ("model_hash", 7),
        ("window", {"col": 1, "row": 1}),
        ("window", {"col": 1, "row": 1, "size": 1024, "more": 1}),
        ("window", {"col": 2**31, "row": 1, "size": 1024}),
        ("windows", {"col": 896, "row": 0, "size": 1024}),
        ("windows", [{"col": 896, "row": 0}]),
        ("windows", [{"col": 896, "row": 0, "size": 1024}] * 17),
        ("window", {"col": 1, "row": 1, "size": 1024, "id": {"a": []}}),
        ("score", float("inf")),
        ("score", 10**400),
        ("score", "high"),
        ("candidate", 9),
        ("thought_ms", -1),
        ("edited", "yes"),
        ("anything_else", 1),
    ],
)
def test_a_key_that_is_not_well_formed_is_named(key: str, value: object) -> None:
    with pytest.raises(Invalid) as refused:
        clean_provenance({**SUGGESTED, key: value})

    assert refused.value.code == "annotation.invalid_provenance"
    assert list(refused.value.details["fields"]) == [f"provenance.{key}"]


def test_what_is_no_object_is_refused() -> None:
    for said in ([], "drawn", 7, {}):
        with pytest.raises(Invalid):
            clean_provenance(said)
