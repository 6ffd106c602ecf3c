"""torch and sam2 are installed only when asked for, once, and what is left out without them is said."""

import shutil
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from backend.launch import python_env, suite
from backend.launch.console import Console
from backend.launch.errors import NoDisk
from backend.launch.paths import Paths
from backend.launch.shell import Shell

ROOT = Path(__file__).parents[3]


class Recorded(Shell):
    """Runs nothing, and keeps what would have been run."""

    def run(self, what: str, argv: Any, *, env: Mapping[str, str] | None = None, **_: Any) -> str:
        with self.log.open("a") as file:
            file.write(" ".join(map(str, argv)) + f" CUDA={(env or {}).get('SAM2_BUILD_CUDA')}\n")
        return ""


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "pyvenv.cfg").write_text("version = 3.11.7\n")
    return Paths(tmp_path)


def ran(paths: Paths) -> list[str]:
    log = paths.root / "log"
    python_env.ensure_torch(paths, Recorded(log), Console(StringIO()))
    return log.read_text().splitlines() if log.exists() else []


def test_torch_comes_first_and_sam2_without_its_cuda_part_and_dependencies(paths: Paths) -> None:
    torch, sam2 = ran(paths)

    assert torch.endswith(f"--requirement {paths.requirements / 'torch.txt'} CUDA=None")
    assert sam2.endswith(f"--no-build-isolation --no-deps --requirement {paths.requirements / 'sam2.txt'} CUDA=0")


def test_they_are_installed_again_only_after_a_change(paths: Paths) -> None:
    assert len(ran(paths)) == 2
    assert len(ran(paths)) == 2
    with (paths.requirements / "torch.txt").open("a") as file:
        file.write("# changed\n")
    assert len(ran(paths)) == 4


def test_without_room_nothing_is_installed(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(python_env, "ROOM_FOR_TORCH", 10**18)

    with pytest.raises(NoDisk):
        ran(paths)

    assert not (paths.root / "log").exists()


def test_sam2_is_taken_by_its_hash_and_all_else_in_one_version() -> None:
    lines = [
        line
        for name in ("torch.txt", "sam2.txt")
        for line in (ROOT / "requirements" / name).read_text().splitlines()
        if line and not line.startswith(("#", " "))
    ]
    assert all("==" in line for line in lines)
    assert "--hash=sha256:" in (ROOT / "requirements" / "sam2.txt").read_text()
    assert any(line.startswith("sam2==") for line in lines)


@pytest.mark.parametrize(("value", "wanted"), [("1", True), ("yes", True), ("0", False), ("", False), (None, False)])
def test_torch_is_wanted_only_when_asked_for(value: str | None, wanted: bool) -> None:
    assert suite.wants_torch({} if value is None else {"EDGEWISE_WITH_TORCH": value}) is wanted


def test_what_is_left_out_without_torch_is_said_with_the_way_to_include_it(paths: Paths) -> None:
    assert any("EDGEWISE_WITH_TORCH=1" in line for line in suite.left_out(paths, {"EDGEWISE_TEST_DATA": "x"}))
    (paths.venv / "lib" / "python3.11" / "site-packages" / "torch").mkdir(parents=True)
    assert suite.left_out(paths, {"EDGEWISE_TEST_DATA": "x"}) == []
