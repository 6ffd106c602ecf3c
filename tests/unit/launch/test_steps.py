"""Set-up steps: done again exactly when what they rest on has changed."""

import json
import os
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest

from backend.launch import frontend
from backend.launch.console import Console
from backend.launch.node_env import Node, is_new_enough, on_this_machine
from backend.launch.paths import Paths
from backend.launch.shell import Shell
from backend.launch.stamps import fingerprint, is_done, set_done

ROOT = Path(__file__).parents[3]


def test_a_fingerprint_changes_with_bytes_names_and_texts_but_not_with_the_place(tmp_path: Path) -> None:
    for place in ("a", "b"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "lock").write_text("one")
    first = fingerprint([tmp_path / "a" / "lock"], tmp_path / "a", "3.11")
    assert fingerprint([tmp_path / "b" / "lock"], tmp_path / "b", "3.11") == first
    assert fingerprint([tmp_path / "a" / "lock"], tmp_path / "a", "3.12") != first
    (tmp_path / "a" / "lock").write_text("two")
    assert fingerprint([tmp_path / "a" / "lock"], tmp_path / "a", "3.11") != first
    (tmp_path / "b" / "lock").rename(tmp_path / "b" / "other")
    assert fingerprint([tmp_path / "b" / "other"], tmp_path / "b", "3.11") != first


def test_a_stamp_counts_for_its_own_key_only(tmp_path: Path) -> None:
    stamp = tmp_path / "deep" / "stamp"
    assert not is_done(stamp, "x")
    set_done(stamp, "x")
    assert is_done(stamp, "x")
    assert not is_done(stamp, "y")


@pytest.mark.parametrize(
    ("version", "good"),
    [
        ("v20.19.0", True),
        ("20.20.2", True),
        ("v22.12.0", True),
        ("v24.1.0", True),
        ("v20.18.3", False),
        ("v22.11.0", False),
        ("v21.7.0", False),
        ("v18.20.4", False),
        ("", False),
    ],
)
def test_node_is_taken_from_the_versions_that_vite_supports(version: str, good: bool) -> None:
    assert is_new_enough(version) is good


def test_an_old_node_of_the_machine_is_passed_over(tmp_path: Path) -> None:
    node = tmp_path / "node"
    node.write_text("#!/bin/sh\necho v18.20.4\n")
    node.chmod(0o755)
    assert on_this_machine(lambda name: str(node)) is None
    node.write_text("#!/bin/sh\necho v22.20.0\n")
    assert on_this_machine(lambda name: str(node)) == Node(node, (str(node),), "22.20.0")


def test_the_browser_program_is_built_again_only_after_a_change(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    (tmp_path / "frontend" / "src").mkdir(parents=True)
    (tmp_path / "frontend" / "src" / "main.ts").write_text("1")
    count = tmp_path / "count"
    npm = tmp_path / "npm"
    npm.write_text(f"#!/bin/sh\necho x >> {count}\nmkdir -p dist && touch dist/index.html\n")
    npm.chmod(0o755)
    node = Node(Path(sys.executable), (str(npm),), "22.20.0")

    def build() -> int:
        frontend.ensure_built(paths, Shell(tmp_path / "log"), Console(StringIO()), node)
        return len(count.read_text().splitlines())

    assert build() == 1
    assert build() == 1
    (tmp_path / "frontend" / "src" / "main.ts").write_text("2")
    assert build() == 2
    (tmp_path / "frontend" / "dist" / "index.html").unlink()
    assert build() == 3
    (tmp_path / "frontend" / "node_modules").mkdir()
    (tmp_path / "frontend" / "node_modules" / "any").touch()
    assert build() == 3


def test_the_locks_name_no_registry_and_every_package_has_a_hash() -> None:
    for name in ("run", "test", "bench", "node"):
        text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
        assert "://" not in text and "--index" not in text and "--find-links" not in text
        blocks = text.replace("\\\n", " ").splitlines()
        assert blocks
        assert all("==" in block and "--hash=sha256:" in block for block in blocks)


def test_the_test_lock_contains_the_run_lock() -> None:
    def pins(name: str) -> set[str]:
        lines = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8").splitlines()
        return {line.split(" ")[0] for line in lines if "==" in line}

    assert pins("run") <= pins("test")
    assert pins("run") <= pins("bench")


def test_the_browser_lock_names_no_registry_and_every_package_has_a_hash() -> None:
    lock = json.loads((ROOT / "frontend" / "package-lock.json").read_text(encoding="utf-8"))
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert packages
    for entry in packages.values():
        assert "resolved" not in entry
        assert entry["integrity"].startswith("sha512-")


def test_the_makefile_finds_a_new_enough_python_behind_an_old_one(tmp_path: Path) -> None:
    (tmp_path / "python3").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "python3.12").write_text(
        f'#!/bin/sh\n[ "$1" = -m ] && echo "chosen $*" || exec {sys.executable} "$@"\n'
    )
    for name in ("python3", "python3.12"):
        (tmp_path / name).chmod(0o755)
    env = {**os.environ, "PATH": f"{tmp_path}:/usr/bin:/bin"}
    ended = subprocess.run(["make", "-s", "check"], cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert ended.stdout.strip() == "chosen -m backend.launch check"
