"""The browser that the end-to-end tests drive."""

import shutil
from collections.abc import Callable
from pathlib import Path

from backend.launch.setup import Bench

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
OTHERWISE = "The end-to-end tests drive Chromium. Install it: apt-get install chromium"


def ensure_chromium(bench: Bench, which: Callable[[str], str | None] = shutil.which) -> str:
    """The browser's path; installed where there is none."""
    if found := _find(which):
        return found
    with bench.console.step("Chromium (for the end-to-end tests)"):
        if _is_ubuntu():  # its chromium package is a snap, which does not run without a session
            command: list[str | Path] = [bench.paths.python, "-m", "playwright", "install", "--with-deps", "chromium"]
            bench.shell.run("Installing Chromium", command, hint=OTHERWISE)
            return ""
        bench.apt.refresh(OTHERWISE)
        bench.apt.install(["chromium", "fonts-dejavu-core"], OTHERWISE)
    return _find(which) or ""


def _find(which: Callable[[str], str | None]) -> str | None:
    return next((path for name in NAMES if (path := which(name)) and "snap" not in str(Path(path).resolve())), None)


def _is_ubuntu() -> bool:
    try:
        return "ID=ubuntu" in Path("/etc/os-release").read_text(encoding="utf-8").splitlines()
    except OSError:
        return False
