"""What a person is told: one message, never a stack trace."""

import errno
import os
import signal
import stat
import subprocess
import sys
import time
from io import StringIO
from pathlib import Path
from threading import Timer

import pytest

from backend.launch import commands, setup
from backend.launch.console import Console
from backend.launch.errors import LaunchError, NoDisk, StepFailed
from backend.launch.locks import Lock
from backend.launch.machine import is_alive
from backend.launch.paths import Paths
from backend.launch.shell import Shell

ROOT = Path(__file__).parents[3]


def test_an_expected_failure_is_its_message_and_status_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(paths: Paths, console: Console) -> int:
        raise NoDisk("Only 0.1 GB are free.")

    monkeypatch.setitem(commands.COMMANDS, "run", fail)
    assert commands.main(["run"]) == 1
    assert capsys.readouterr().err == "\nOnly 0.1 GB are free.\n"


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (errno.ENOSPC, "The disk is full"),
        (errno.EDQUOT, "The disk is full"),
        (errno.EACCES, "belongs to another user"),
        (errno.EROFS, "read-only"),
        (errno.EMFILE, "Mend it and run this again"),
    ],
)
def test_what_the_operating_system_refuses_is_explained(
    number: int, says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(paths: Paths, console: Console) -> int:
        raise OSError(number, os.strerror(number), "/some/file")

    monkeypatch.setitem(commands.COMMANDS, "run", fail)
    assert commands.main(["run"]) == 1
    said = capsys.readouterr().err
    assert says in said
    assert "/some/file" in said
    assert "Traceback" not in said


def test_an_interruption_is_one_word(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(paths: Paths, console: Console) -> int:
        raise KeyboardInterrupt

    monkeypatch.setitem(commands.COMMANDS, "run", fail)
    assert commands.main(["run"]) == 130
    assert capsys.readouterr().err == "\nStopped.\n"


def test_an_unknown_command_lists_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.main(["fly"]) == 2
    assert "clean-data" in capsys.readouterr().out


def test_an_old_python_is_told_which_one_is_needed() -> None:
    old = "import sys, runpy; sys.version_info = (3, 9, 2); runpy.run_module('backend.launch', run_name='__main__')"
    ended = subprocess.run([sys.executable, "-c", old], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "needs Python 3.11 or newer; this is 3.9" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_set_up_rests_on_the_standard_library_alone() -> None:
    code = (
        "import sys; sys.path.insert(0, '.'); import backend.launch.commands; "
        "print([n for n in sys.modules if n.partition('.')[0] not in sys.stdlib_module_names "
        "and not n.startswith(('backend', '__main__'))])"
    )
    ended = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ended.stdout.strip() == "[]"


def test_a_failing_step_shows_the_end_of_what_it_said_and_where_the_rest_is(tmp_path: Path) -> None:
    shell = Shell(tmp_path / "setup.log")
    code = "import sys; [print('line', i) for i in range(40)]; sys.exit(3)"
    with pytest.raises(StepFailed) as failed:
        shell.run("Building", [sys.executable, "-c", code], hint="Look at the network.")
    message = failed.value.message
    assert message.startswith("Building did not succeed.")
    assert "    line 39" in message and "line 3\n" not in message
    assert "Look at the network." in message
    assert str(tmp_path / "setup.log") in message
    assert "line 0" in (tmp_path / "setup.log").read_text()


def test_a_program_that_is_missing_is_a_failed_step(tmp_path: Path) -> None:
    with pytest.raises(StepFailed) as failed:
        Shell(tmp_path / "log").run("Building", [tmp_path / "nothing"])
    assert "is not there" in failed.value.message


def test_a_fresh_checkout_needs_two_gigabytes_and_a_used_one_less(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    with pytest.raises(NoDisk):
        setup.prepare_folders(paths, free=lambda folder: 1_900_000_000)
    assert not paths.var.exists()
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / ".edgewise-run").touch()
    (tmp_path / "frontend" / "dist").mkdir(parents=True)
    setup.prepare_folders(paths, free=lambda folder: 1_900_000_000)
    assert paths.logs.is_dir()


def test_the_secret_key_is_made_once_for_this_user_only(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    paths.var.mkdir()
    key = setup.secret_key(paths)
    assert len(key) >= 50
    assert setup.secret_key(paths) == key
    assert stat.S_IMODE(paths.secret_key.stat().st_mode) == 0o600


def test_a_damaged_secret_key_is_refused(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    paths.var.mkdir()
    paths.secret_key.write_text("short\n")
    with pytest.raises(LaunchError) as refused:
        setup.secret_key(paths)
    assert str(paths.secret_key) in refused.value.message


def test_the_programs_get_what_the_administrator_set_and_the_rest_filled_in(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    paths.var.mkdir()
    env = setup.server_environment(paths, "postgres://db", {"EDGEWISE_DATA_DIR": "/mnt/big", "EDGEWISE_MODEL": "x"})
    assert env["DATABASE_URL"] == "postgres://db"
    assert env["EDGEWISE_DATA_DIR"] == "/mnt/big"
    assert env["EDGEWISE_MODEL"] == "x"
    assert env["EDGEWISE_MODE"] == "local"
    assert env["EDGEWISE_SECRET_KEY"] == setup.secret_key(paths)


def test_in_production_no_secret_key_is_made_up(tmp_path: Path) -> None:
    env = setup.server_environment(Paths(tmp_path), "postgres://db", {"EDGEWISE_MODE": "production"})
    assert "EDGEWISE_SECRET_KEY" not in env
    assert not Paths(tmp_path).secret_key.exists()


def test_a_lock_is_had_by_one_and_tells_who(tmp_path: Path) -> None:
    first, second = Lock(tmp_path / "run"), Lock(tmp_path / "run")
    assert first.take()
    first.write(pid=7, address="http://x")
    assert not second.take()
    assert second.read() == {"pid": 7, "address": "http://x"}
    first.release()
    assert second.take()
    second.release()


def test_steps_are_lines_with_a_tick_or_a_cross_and_seconds() -> None:
    out = StringIO()
    now = iter([0.0, 1.25, 2.0, 2.5])
    console = Console(out, clock=lambda: next(now))
    with console.step("Tables"):
        pass
    with pytest.raises(ValueError, match="no"), console.step("Demo"):
        raise ValueError("no")
    good, bad = out.getvalue().splitlines()
    assert good.split() == ["ok", "Tables", "1.2", "s"]
    assert bad.split() == ["NO", "Demo", "0.5", "s"]


def test_an_interrupted_step_ends_with_all_that_it_started(tmp_path: Path) -> None:
    note = tmp_path / "helper"
    code = (
        "import pathlib, subprocess, sys, time\n"
        "helper = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"pathlib.Path({str(note)!r}).write_text(str(helper.pid))\n"
        "time.sleep(60)\n"
    )

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGUSR1, interrupt)
    Timer(1.5, os.kill, (os.getpid(), signal.SIGUSR1)).start()
    try:
        with pytest.raises(KeyboardInterrupt):
            Shell(tmp_path / "log").run("Building", [sys.executable, "-c", code])
    finally:
        signal.signal(signal.SIGUSR1, before)
    deadline = time.monotonic() + 5
    while is_alive(int(note.read_text())) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_alive(int(note.read_text()))
