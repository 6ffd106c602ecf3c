"""What a browser may say on the socket, and that nothing else passes the door."""

import json
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.core.errors import EdgewiseError
from backend.live.messages import CLIENT_MESSAGES, MAX_BYTES, MAX_POINTS, Ping, PresenceUpdate, PromptSubmit, parse
from ml.vectorize import Recipe

DRAFT = "6f0b8f4e-3d7c-4f0e-9a55-6a3f6c9f8a01"
RASTER = "0c2e41f0-8f2e-4bb0-8d0b-0f6f5a2f1a02"
PROMPT: dict[str, Any] = {
    "type": "prompt.submit",
    "promptSeq": 3,
    "draft": DRAFT,
    "raster": RASTER,
    "points": [{"lon": 10.5, "lat": 50, "label": 1}],
    "box": None,
    "hover": False,
    "feedback": True,
}
GOOD: dict[str, dict[str, Any]] = {
    "prompt.submit": PROMPT,
    "prompt.clear": {"type": "prompt.clear", "draft": DRAFT, "annotation": DRAFT},
    "presence.update": {"type": "presence.update", "cursor": {"lon": 1, "lat": 2}, "raster": RASTER, "editing": None},
    "ping": {"type": "ping", "t": 17},
}


def refused(said: Any) -> str:
    with pytest.raises(EdgewiseError) as caught:
        parse(said if isinstance(said, str) else json.dumps(said))
    return caught.value.code


def test_every_kind_of_message_has_an_example_here() -> None:
    assert set(GOOD) == set(CLIENT_MESSAGES)
    for kind, said in GOOD.items():
        assert parse(json.dumps(said)).kind == kind


def test_a_prompt_is_read_as_it_was_said() -> None:
    read = parse(json.dumps({**PROMPT, "box": [1, 2, 3, 4], "candidate": 2, "label_class": DRAFT, "view_m": 300}))

    assert read == PromptSubmit(
        3, UUID(DRAFT), UUID(RASTER), ((10.5, 50.0, 1),), (1.0, 2.0, 3.0, 4.0), False, True, 2, UUID(DRAFT), 300.0
    )


def test_a_recipe_that_is_tried_out_is_read_with_its_defaults() -> None:
    read = parse(json.dumps({**PROMPT, "recipe": {"form": "circle", "tolerance_m": 2}}))

    assert isinstance(read, PromptSubmit)
    assert read.recipe == Recipe(form="circle", tolerance_m=2)


def test_a_pointer_that_left_the_map_is_nowhere() -> None:
    assert parse('{"type": "presence.update", "cursor": null}') == PresenceUpdate(None, None, None)
    assert parse('{"type": "ping"}') == Ping(0.0)


@pytest.mark.parametrize(
    "said",
    [
        "", "null", "[]", "7", '"ping"', "{}", '{"type": null}', '{"type": []}', '{"type": {}}', '{"type": "nonsense"}',
        '{"type": "ping"', "{'type': 'ping'}", "[" * 5000, '{"a":' * 5000, '{"type": "ping", "t": NaN}',
        '{"type": "ping", "t": Infinity}', '{"type": "ping", "t": 1e999}', '{"type": "ping", "t": true}',
        '{"type": "ping", "t": ' + "9" * 400 + "}", '{"type": "ping", "t": ' + "9" * 6000 + "}",
        '{"type": "ping", "t": "1"}', '{"type": "ping", "more": 1}', '{"type": "hello"}', '{"type": "prompt.clear"}',
        '{"type": "ping", "\\ud800": 1}',
    ],
)  # fmt: skip
def test_what_is_not_a_message_is_refused(said: str) -> None:
    assert refused(said) == "message.invalid"


@pytest.mark.parametrize(
    "change",
    [
        {"promptSeq": -1}, {"promptSeq": 1.5}, {"promptSeq": True}, {"promptSeq": 2**53}, {"promptSeq": "1"},
        {"draft": "x"}, {"draft": 7}, {"draft": None}, {"raster": "../../etc/passwd"}, {"raster": "z" * 36},
        {"points": {}}, {"points": None}, {"points": [1]}, {"points": [[1, 2]]}, {"points": ["ab"]}, {"points": [{}]},
        {"points": [{"lon": 1, "lat": 2}]}, {"points": [{"lon": 1, "lat": 2, "label": 2}]},
        {"points": [{"lon": 1, "lat": 2, "label": True}]}, {"points": [{"lon": 1, "lat": 2, "label": [1]}]},
        {"points": [{"lon": 181, "lat": 2, "label": 1}]}, {"points": [{"lon": 1, "lat": -91, "label": 1}]},
        {"points": [{"lon": "1", "lat": 2, "label": 1}]}, {"points": [{"lon": 10**400, "lat": 2, "label": 1}]},
        {"points": [{"lon": 1, "lat": 2, "label": 1, "z": 3}]},
        {"points": [{"lon": 1, "lat": 2, "label": 1}] * (MAX_POINTS + 1)},
        {"points": [], "box": None}, {"box": [1, 2, 3]}, {"box": [3, 2, 1, 4]}, {"box": [1, 4, 3, 2]},
        {"box": [1, 2, 3, 91]}, {"box": [1, 2, 1, 4]}, {"box": "1234"}, {"box": {"w": 1}}, {"box": [1, 2, 3, None]},
        {"hover": 1}, {"hover": None}, {"feedback": "yes"}, {"candidate": 4}, {"candidate": -1}, {"candidate": True},
        {"recipe": {"form": "wobbly"}}, {"recipe": {"tolerance_m": -1}}, {"recipe": {"tolerance_m": True}},
        {"recipe": {"smooth_m": 1e300}}, {"recipe": {"what": 1}}, {"recipe": []}, {"recipe": "circle"},
        {"candidate": 1.0}, {"candidate": [1]}, {"label_class": "x"}, {"label_class": 1},
        {"view_m": 0}, {"view_m": -1}, {"view_m": 1e9}, {"view_m": True}, {"view_m": "9"}, {"view_m": [1]},
        {"user": "somebody"}, {"__class__": "x"},
    ],
)  # fmt: skip
def test_a_prompt_that_is_not_well_formed_is_refused(change: dict[str, Any]) -> None:
    assert refused({**PROMPT, **change}) == "message.invalid"


@pytest.mark.parametrize(
    "change", [{"cursor": [1, 2]}, {"cursor": {"lon": 1}}, {"cursor": {"lon": 1, "lat": 2, "label": 1}}, {"editing": 5}]
)
def test_a_pointer_that_is_not_well_formed_is_refused(change: dict[str, Any]) -> None:
    assert refused({**GOOD["presence.update"], **change}) == "message.invalid"


def test_as_many_points_as_are_allowed_pass() -> None:
    read = parse(json.dumps({**PROMPT, "points": PROMPT["points"] * MAX_POINTS}))

    assert isinstance(read, PromptSubmit)
    assert len(read.points) == MAX_POINTS


def test_size_is_counted_in_bytes() -> None:
    fits = json.dumps(GOOD["ping"]).ljust(MAX_BYTES)
    assert parse(fits) == Ping(17.0)
    assert refused(fits + " ") == "message.too_large"
    assert refused('{"type":"' + "é" * (MAX_BYTES // 2) + '"}') == "message.too_large"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(st.sampled_from(sorted(GOOD)), st.data())
def test_whatever_stands_in_a_field_it_is_read_or_refused(kind: str, data: st.DataObject) -> None:
    said = dict(GOOD[kind])
    said[data.draw(st.sampled_from(sorted(said)))] = data.draw(json_values)
    try:
        assert parse(json.dumps(said)).kind in CLIENT_MESSAGES
    except EdgewiseError as error:
        assert error.code == "message.invalid"
        json.dumps(error.message).encode()
