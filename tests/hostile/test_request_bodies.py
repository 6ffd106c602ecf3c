"""A body that is larger than anything taken here is refused before it is stored, whoever sends it."""

import asyncio
from typing import Any

import pytest

from backend.config.body_limit import BodyLimit


def sent_through(headers: list[tuple[bytes, bytes]], pieces: list[bytes], most: int = 100) -> tuple[int, int, bool]:
    """The status, how many bytes the application got, and whether it was hung up on."""
    got, statuses, hung_up = 0, [], False
    left = list(pieces)

    async def application(scope: Any, receive: Any, send: Any) -> None:
        nonlocal got, hung_up
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                hung_up = True
                return
            got += len(message["body"])
            if not message["more_body"]:
                break
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def receive() -> dict[str, Any]:
        piece = left.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(left)}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    asyncio.run(BodyLimit(application, most)({"type": "http", "headers": headers}, receive, send))
    return (statuses or [0])[0], got, hung_up


def test_a_body_within_the_limit_arrives_whole() -> None:
    assert sent_through([(b"content-length", b"100")], [b"x" * 60, b"x" * 40]) == (200, 100, False)
    assert sent_through([], [b""]) == (200, 0, False)


@pytest.mark.parametrize("said", [b"101", b"99999999999999999999", b"-1", b"ten"])
def test_a_length_beyond_the_limit_is_refused_before_a_byte_is_read(said: bytes) -> None:
    assert sent_through([(b"content-length", said)], [b"x" * 200]) == (413, 0, False)


@pytest.mark.parametrize("headers", [[], [(b"content-length", b"10")]])
def test_more_bytes_than_allowed_without_a_true_length_end_the_connection(headers: list[tuple[bytes, bytes]]) -> None:
    status, got, hung_up = sent_through(headers, [b"x" * 50] * 100)

    assert (status, hung_up) == (0, True)
    assert got <= 100
