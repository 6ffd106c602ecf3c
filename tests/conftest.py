"""What every test may ask for: the browser's fixtures; each is only made when a test names it."""

import pytest

from tests.support.browser import chromium, sign_in, stack, watch

__all__ = ["chromium", "sign_in", "stack", "watch"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the tests in a browser last: once its driver runs, this thread has an event loop and no other can start."""
    items.sort(key=lambda item: "chromium" in getattr(item, "fixturenames", ()))
