"""Room on the disk, ports, processes."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.launch.errors import NoDisk, PortTaken
from backend.launch.machine import birth_of, can_bind, choose_port, ensure_room, is_alive, processes_in


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def test_too_little_room_is_refused_with_both_numbers(tmp_path: Path) -> None:
    with pytest.raises(NoDisk) as refused:
        ensure_room(tmp_path, 2_000_000_000, free=lambda folder: 1_400_000_000)
    assert "1.4 GB are free" in refused.value.message
    assert "2.0 GB are needed" in refused.value.message
    assert "Make room" in refused.value.message


def test_enough_room_is_accepted(tmp_path: Path) -> None:
    ensure_room(tmp_path, 2_000_000_000, free=lambda folder: 2_000_000_000)


def test_a_port_that_was_asked_for_and_is_taken_is_refused(taken_port: int) -> None:
    with pytest.raises(PortTaken) as refused:
        choose_port("127.0.0.1", 8000, str(taken_port))
    assert f"Port {taken_port}" in refused.value.message
    assert "PORT=" in refused.value.message


@pytest.mark.parametrize("asked", ["0", "65536", "http", "-1", "80.5"])
def test_a_port_that_is_no_port_is_refused(asked: str) -> None:
    with pytest.raises(PortTaken) as refused:
        choose_port("127.0.0.1", 8000, asked, free=lambda host, port: True)
    assert refused.value.code == "launch.port_invalid"


def test_without_a_wish_the_next_free_port_is_taken() -> None:
    assert choose_port("127.0.0.1", 8000, "", free=lambda host, port: port > 8002) == 8003


def test_when_every_port_is_taken_it_says_so() -> None:
    with pytest.raises(PortTaken) as refused:
        choose_port("127.0.0.1", 8000, "", free=lambda host, port: False)
    assert "8000 to 8019" in refused.value.message


def test_a_listening_port_cannot_be_bound(taken_port: int) -> None:
    assert not can_bind("127.0.0.1", taken_port)


def test_a_process_that_ended_but_was_not_waited_for_is_not_alive() -> None:
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not is_alive(child.pid)
    child.wait()
    assert not is_alive(child.pid)
    assert birth_of(child.pid) == ""


def test_this_process_is_alive_and_has_a_birth() -> None:
    assert is_alive(os.getpid())
    assert birth_of(os.getpid()).isdigit()


def test_processes_are_found_by_the_folder_they_stand_in(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], cwd=tmp_path, stdin=subprocess.PIPE)
    try:
        assert child.pid in processes_in(tmp_path.resolve())
    finally:
        child.communicate(b"\n")
    assert processes_in(tmp_path.resolve()) == []
