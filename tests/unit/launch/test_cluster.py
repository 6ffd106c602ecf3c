"""The private cluster's folder: half made, damaged, out of reach, left by a killed server."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from backend.launch import cluster as clusters
from backend.launch.cluster import clear_stale_pid, make_if_missing, place, running_port, version_of
from backend.launch.errors import ClusterDamaged, LaunchError
from backend.launch.paths import Paths
from backend.launch.postgres import Server
from backend.launch.shell import OsUser, Shell

SOMEBODY = OsUser("postgres", 105, 107)


@pytest.fixture(autouse=True)
def _as_ourselves(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fake server needs no other operating-system user."""
    monkeypatch.setattr(clusters, "os_user", lambda: None)


@pytest.fixture
def server(tmp_path: Path) -> Server:
    """An `initdb` that makes a folder as the real one does, and notes each call."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "initdb").write_text(
        f"#!/bin/sh\necho made >> {tmp_path}/calls\n"
        "mkdir -p $2/global && echo 15 > $2/PG_VERSION && touch $2/global/pg_control\n"
    )
    (folder / "initdb").chmod(0o755)
    return Server(folder, 15, True)


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path / "setup.log")


def calls(tmp_path: Path) -> int:
    noted = tmp_path / "calls"
    return len(noted.read_text().splitlines()) if noted.exists() else 0


def test_a_cluster_is_made_once_and_its_secrets_are_for_its_user_only(
    tmp_path: Path, server: Server, shell: Shell
) -> None:
    home = tmp_path / "pg"
    make_if_missing(home, server, shell)
    make_if_missing(home, server, shell)
    assert calls(tmp_path) == 1
    assert version_of(home) == 15
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    for role in (clusters.ADMIN, clusters.OWNER):
        assert stat.S_IMODE((home / f"password-{role}").stat().st_mode) == 0o600


def test_what_an_interrupted_making_left_is_thrown_away_and_made_again(
    tmp_path: Path, server: Server, shell: Shell
) -> None:
    half = tmp_path / "pg" / "data.making"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("15\n")
    make_if_missing(tmp_path / "pg", server, shell)
    assert not half.exists()
    assert (tmp_path / "pg" / "data" / "global" / "pg_control").exists()


def test_an_empty_data_folder_is_filled(tmp_path: Path, server: Server, shell: Shell) -> None:
    (tmp_path / "pg" / "data").mkdir(parents=True)
    make_if_missing(tmp_path / "pg", server, shell)
    assert version_of(tmp_path / "pg") == 15


def test_a_damaged_cluster_that_may_hold_work_is_refused_and_left_as_it_is(
    tmp_path: Path, server: Server, shell: Shell
) -> None:
    data = tmp_path / "pg" / "data"
    (data / "base").mkdir(parents=True)
    (data / "base" / "1").write_bytes(b"somebody's work")
    with pytest.raises(ClusterDamaged) as refused:
        make_if_missing(tmp_path / "pg", server, shell)
    assert "left as it is" in refused.value.message
    assert (data / "base" / "1").read_bytes() == b"somebody's work"
    assert calls(tmp_path) == 0


def test_a_failing_initdb_leaves_no_data_folder(tmp_path: Path, server: Server, shell: Shell) -> None:
    (server.bin / "initdb").write_text("#!/bin/sh\nmkdir -p $2; echo 'no space left on device' >&2; exit 1\n")
    with pytest.raises(LaunchError) as refused:
        make_if_missing(tmp_path / "pg", server, shell)
    assert "no space left on device" in refused.value.message
    assert not (tmp_path / "pg" / "data").exists()


def pid_file(tmp_path: Path, pid: int, status: str = "ready   ") -> Path:
    data = (tmp_path / "data").resolve()
    data.mkdir(exist_ok=True)
    lines = [str(pid), str(data), "1700000000", "54321", "", "127.0.0.1", "  1 2", status]
    (data / "postmaster.pid").write_text("\n".join(lines) + "\n")
    return data


def dead_pid() -> int:
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    child.wait()
    return child.pid


def test_the_note_of_a_dead_server_is_removed(tmp_path: Path) -> None:
    data = pid_file(tmp_path, dead_pid())
    assert running_port(data) == 0
    clear_stale_pid(data)
    assert not (data / "postmaster.pid").exists()


def test_a_number_that_now_belongs_to_another_program_does_not_count(tmp_path: Path) -> None:
    data = pid_file(tmp_path, os.getpid())
    assert running_port(data) == 0
    clear_stale_pid(data)
    assert not (data / "postmaster.pid").exists()


def test_a_server_that_stands_in_the_folder_counts(tmp_path: Path) -> None:
    data = pid_file(tmp_path, 0)
    child = subprocess.Popen([sys.executable, "-c", "input()"], cwd=data, stdin=subprocess.PIPE)
    try:
        pid_file(tmp_path, child.pid)
        assert running_port(data) == 54321
    finally:
        child.communicate(b"\n")


def test_the_note_stays_while_anything_of_the_server_lives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "ORPHANS_SECONDS", 0.3)
    data = pid_file(tmp_path, dead_pid())
    with pytest.raises(ClusterDamaged) as refused:
        clear_stale_pid(data, living_in=lambda folder: [4711])
    assert "4711" in refused.value.message
    assert (data / "postmaster.pid").exists()


def test_a_server_that_never_gets_ready_is_told_not_waited_for_forever(tmp_path: Path) -> None:
    data = pid_file(tmp_path, 0)
    child = subprocess.Popen([sys.executable, "-c", "input()"], cwd=data, stdin=subprocess.PIPE)
    try:
        pid_file(tmp_path, child.pid, "starting")
        with pytest.raises(ClusterDamaged) as refused:
            running_port(data, seconds=0.2)
    finally:
        child.communicate(b"\n")
    assert str(child.pid) in refused.value.message


def test_the_cluster_lies_in_the_checkout_where_its_user_can_reach_it(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    assert place(paths, SOMEBODY, reaches=lambda user, folder: True) == tmp_path / "var" / "pg"
    assert place(paths, None) == tmp_path / "var" / "pg"


def test_below_a_closed_folder_the_cluster_lies_where_its_user_can_reach_it(tmp_path: Path) -> None:
    chosen = place(Paths(tmp_path), SOMEBODY, reaches=lambda user, folder: False)
    assert chosen.parent == Path("/var/lib/edgewise")
    assert chosen != place(Paths(tmp_path / "other"), SOMEBODY, reaches=lambda user, folder: False)


def test_a_cluster_that_is_there_is_used_wherever_it_lies(tmp_path: Path) -> None:
    (tmp_path / "var" / "pg" / "data").mkdir(parents=True)
    assert place(Paths(tmp_path), SOMEBODY, reaches=lambda user, folder: False) == tmp_path / "var" / "pg"
