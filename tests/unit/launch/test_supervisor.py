"""Programs under the supervisor: started again after a crash, and none left behind."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from backend.launch.children import Program, end_leftovers, remember, rotate
from backend.launch.machine import birth_of, is_alive
from backend.launch.supervisor import StopSignals, Supervisor

LIVES = "import time\nwhile True: time.sleep(0.05)"
WITH_HELPER = """
import pathlib, subprocess, sys, time
helper = subprocess.Popen([sys.executable, "-c", "import time\\nwhile True: time.sleep(0.05)"])
pathlib.Path(sys.argv[1]).write_text(str(helper.pid))
while True: time.sleep(0.05)
"""
STUBBORN = """
import pathlib, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path(sys.argv[1]).write_text("ready")
while True: time.sleep(0.05)
"""


def program(name: str, code: str, folder: Path, *arguments: str, grace: float = 5.0) -> Program:
    return Program(name, (sys.executable, "-c", code, *arguments), dict(os.environ), folder, grace)


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Supervisor]]:
    made: list[Supervisor] = []

    def supervisor(*programs: Program, said: list[str] | None = None) -> Supervisor:
        tell = said.append if said is not None else (lambda text: None)
        stop = StopSignals()
        stop.only_count()
        made.append(Supervisor(programs, tmp_path / "log", tmp_path / "record.json", stop, tell))
        return made[-1]

    yield supervisor
    for one in made:
        if (tmp_path / "record.json").exists():
            one.shut_down()
        os.close(one.stop.read_end)
        os.close(one.stop._write_end)


def pids(tmp_path: Path) -> list[int]:
    return [pid for pid, _ in json.loads((tmp_path / "record.json").read_text())]


def wait_for(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_a_crashed_program_is_started_again_and_the_others_go_on(
    make: Callable[..., Supervisor], tmp_path: Path
) -> None:
    said: list[str] = []
    supervisor = make(program("web", LIVES, tmp_path), program("worker", LIVES, tmp_path), said=said)
    supervisor.start()
    web, worker = pids(tmp_path)
    os.kill(web, signal.SIGKILL)
    assert supervisor.run_until(lambda: len(now := pids(tmp_path)) == 2 and now[0] != web, 10)
    assert pids(tmp_path)[1] == worker
    assert supervisor.crashes("web") == 1
    assert "web was ended by signal 9" in said[0]


def test_the_pause_grows_with_each_crash(make: Callable[..., Supervisor], tmp_path: Path) -> None:
    said: list[str] = []
    supervisor = make(program("web", "raise SystemExit(3)", tmp_path), said=said)
    supervisor.start()
    assert supervisor.run_until(lambda: supervisor.crashes("web") >= 2, 15)
    assert "ended with status 3; it starts again in 1 s" in said[0]
    assert "it starts again in 2 s" in said[1]


def test_shutting_down_ends_the_programs_and_their_helpers(make: Callable[..., Supervisor], tmp_path: Path) -> None:
    note = tmp_path / "helper"
    supervisor = make(program("web", WITH_HELPER, tmp_path, str(note)))
    supervisor.start()
    assert supervisor.run_until(lambda: note.exists() and note.read_text() != "", 10)
    helper, (web,) = int(note.read_text()), pids(tmp_path)
    assert is_alive(helper)
    supervisor.shut_down()
    assert not is_alive(web)
    assert wait_for(lambda: not is_alive(helper))
    assert not (tmp_path / "record.json").exists()


def test_a_program_that_will_not_stop_is_ended_after_its_grace(make: Callable[..., Supervisor], tmp_path: Path) -> None:
    note = tmp_path / "ready"
    supervisor = make(program("web", STUBBORN, tmp_path, str(note), grace=0.5))
    supervisor.start()
    assert supervisor.run_until(note.exists, 10)
    (web,) = pids(tmp_path)
    began = time.monotonic()
    supervisor.shut_down()
    assert 0.4 < time.monotonic() - began < 5
    assert not is_alive(web)


def test_what_a_program_says_is_in_its_log_with_name_and_time(make: Callable[..., Supervisor], tmp_path: Path) -> None:
    supervisor = make(program("web", f"print('hello', flush=True)\n{LIVES}", tmp_path))
    supervisor.start()
    assert supervisor.run_until(lambda: "hello" in supervisor.last_words("web"), 10)
    date, hour, name, word = supervisor.last_words("web").split()
    assert (name, word) == ("web:", "hello")
    assert len(date) == 10 and len(hour) == 8


def test_a_stop_signal_ends_the_waiting_at_once(make: Callable[..., Supervisor], tmp_path: Path) -> None:
    supervisor = make(program("web", LIVES, tmp_path))
    supervisor.start()
    supervisor.stop._on_signal(signal.SIGTERM, None)
    assert supervisor.run_until(lambda: False, 5) is False
    assert supervisor.stop.count == 1


def test_programs_of_a_killed_supervisor_stop_by_themselves(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    code = f"""
import os, pathlib, sys
sys.path.insert(0, {str(Path(__file__).parents[3])!r})
from backend.launch.children import Child, Program
program = Program("web", (sys.executable, "-c", {LIVES!r}), dict(os.environ), pathlib.Path("/"))
child = Child(program, pathlib.Path("/dev/null"))
pathlib.Path({str(note)!r}).write_text(str(child.pid))
{LIVES}
"""
    supervisor = subprocess.Popen([sys.executable, "-c", code])
    assert wait_for(lambda: note.exists() and note.read_text() != "")
    child = int(note.read_text())
    supervisor.kill()
    supervisor.wait()
    assert wait_for(lambda: not is_alive(child))


def test_programs_left_by_a_killed_run_are_ended(tmp_path: Path) -> None:
    left = subprocess.Popen([sys.executable, "-c", LIVES], start_new_session=True)
    record = tmp_path / "record.json"
    remember(record, [left.pid])
    assert end_leftovers(record) == 1
    assert left.wait(5) == -signal.SIGTERM
    assert not record.exists()


def test_a_later_process_with_a_noted_number_is_spared(tmp_path: Path) -> None:
    stranger = subprocess.Popen([sys.executable, "-c", LIVES], start_new_session=True)
    record = tmp_path / "record.json"
    record.write_text(json.dumps([[stranger.pid, str(int(birth_of(stranger.pid)) - 1)]]))
    try:
        assert end_leftovers(record) == 0
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_log_that_has_grown_large_is_put_aside(tmp_path: Path) -> None:
    log = tmp_path / "web.log"
    log.write_text("x" * 100)
    rotate(log, limit=50)
    assert not log.exists()
    assert (tmp_path / "web.log.1").read_text() == "x" * 100
