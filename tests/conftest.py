"""What every test may ask for: the browser's fixtures; each is only made when a test names it."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

import pytest

from backend.segmentation import groups, remembered
from tests.support.browser import chromium, sign_in, stack, watch

__all__ = ["chromium", "sign_in", "stack", "watch"]

T = TypeVar("T")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the tests in a browser last: once its driver runs, this thread has an event loop and no other can start."""
    items.sort(key=lambda item: "chromium" in getattr(item, "fixturenames", ()))


@pytest.fixture(autouse=True)
def nothing_read_beside(monkeypatch: pytest.MonkeyPatch) -> None:
    """What clicks need is not read on another thread, which would not see what a test has not committed."""
    monkeypatch.setattr(remembered, "STALE_SECONDS", 0.0)
    monkeypatch.setattr(groups, "beside", done)


def done(read: Callable[[], T]) -> "Future[T]":
    """What was read on this thread."""
    future: Future[T] = Future()
    try:
        future.set_result(read())
    except Exception as error:
        future.set_exception(error)
    return future
