"""The default among installed models: kept by its name, whatever is installed beside it, and not removed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ml.models import ModelError
from ml.models.default import default_name, keep_default, set_default
from ml.models.install import remove
from tests.support import onnx_models

ROOT = Path(__file__).parents[3]


def command(*words: str, data: Path) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "EDGEWISE_DATA_DIR": str(data), "EDGEWISE_MODEL_DIRS": ""}
    return subprocess.run(
        [sys.executable, "-m", "ml", "models", *words], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )


def test_before_another_model_comes_the_first_one_is_kept_as_the_default(tmp_path: Path) -> None:
    onnx_models.install(tmp_path / "m")
    keep_default([tmp_path], tmp_path)
    onnx_models.install(tmp_path / "a")
    keep_default([tmp_path], tmp_path)

    assert default_name(tmp_path) == "m"


def test_where_there_is_no_model_nothing_is_kept(tmp_path: Path) -> None:
    keep_default([tmp_path], tmp_path)

    assert default_name(tmp_path) == ""
    assert list(tmp_path.iterdir()) == []


def test_an_unreadable_name_is_none(tmp_path: Path) -> None:
    (tmp_path / "default").write_bytes(b"\xff\xfe")

    assert default_name(tmp_path) == ""


def test_the_default_is_not_removed(tmp_path: Path) -> None:
    onnx_models.install(tmp_path / "m")
    set_default(tmp_path, "m")

    with pytest.raises(ModelError, match="is the default"):
        remove("m", tmp_path)

    assert (tmp_path / "m" / "model.json").is_file()


def test_the_command_chooses_it_and_the_list_shows_it(tmp_path: Path) -> None:
    onnx_models.install(tmp_path / "models" / "mine")

    done = command("default", "mine", data=tmp_path)
    absent = command("default", "absent", data=tmp_path)

    assert (done.returncode, absent.returncode) == (0, 1)
    assert "No model named 'absent'" in absent.stderr
    assert default_name(tmp_path / "models") == "mine"
    (line,) = [line for line in command("list", data=tmp_path).stdout.splitlines() if "(the default)" in line]
    assert "mine" in line
