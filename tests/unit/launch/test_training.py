"""`make train-nano` without what it needs."""

from io import StringIO
from pathlib import Path

import pytest

from backend.launch.console import Console
from backend.launch.errors import LaunchError
from backend.launch.paths import Paths
from backend.launch.training import train_nano


def test_training_says_what_it_needs_and_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(LaunchError, match=r"pip install '\.\[torch,train\]'"):
        train_nano(Paths(tmp_path), Console(StringIO()))
    assert not list(tmp_path.iterdir())


def test_an_environment_without_torch_is_told_the_same(tmp_path: Path) -> None:
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\nexit 1\n")
    python.chmod(0o755)
    with pytest.raises(LaunchError, match="which are not installed"):
        train_nano(Paths(tmp_path), Console(StringIO()))
    assert [path.name for path in tmp_path.iterdir()] == [".venv"]
