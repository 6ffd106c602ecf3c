"""The server's settings as the tests run them: quick password hashes, no connection pool."""

import os

os.environ.setdefault("EDGEWISE_MODE", "test")

from backend.config.settings import *  # noqa: F403
