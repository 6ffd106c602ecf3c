"""What every test may ask for: the browser's fixtures; each is only made when a test names it."""

from tests.support.browser import chromium, sign_in, stack, watch

__all__ = ["chromium", "sign_in", "stack", "watch"]
