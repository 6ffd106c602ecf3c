"""A real web server and worker on a free port, over a database of their own; can be killed and started again."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import httpx
import psycopg

from backend.launch.programs import web_command

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60


@dataclass
class Stack:
    """The processes and where to reach them."""

    database_url: str
    data_dir: Path
    port: int
    settings: dict[str, str] = field(default_factory=dict)
    web: subprocess.Popen[bytes] | None = None
    worker: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The server's address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """What the processes are started with."""
        given = {
            "DATABASE_URL": self.database_url,
            "EDGEWISE_DATA_DIR": str(self.data_dir),
            "EDGEWISE_MODE": "local",
            "EDGEWISE_SECRET_KEY": "x" * 50,
            "DJANGO_SETTINGS_MODULE": "backend.config.settings",
            "PYTHONPATH": str(ROOT),
        }
        return {**os.environ, **given, **self.settings}

    def manage(self, *words: str) -> str:
        """Runs a management command and gives what it prints; raises when it fails."""
        command = [sys.executable, "manage.py", *words]
        done = subprocess.run(command, cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{' '.join(words)} failed:\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def python(self, code: str, *words: str) -> str:
        """Runs Python with Django set up, in this database; gives what it prints."""
        begin = "import django; django.setup()\n"
        command = [sys.executable, "-c", begin + code, *words]
        done = subprocess.run(command, cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr)
        return done.stdout

    def start_web(self, processes: int = 1) -> None:
        """Starts the web server and waits until it answers."""
        self.web = self._start(
            "web",
            [*web_command(Path(sys.executable), "127.0.0.1", self.port, processes)[1:], "--log-level", "warning"],
        )
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            if self.web.poll() is not None:
                raise RuntimeError(f"the web server ended: {self.log('web')}")
            try:
                if httpx.get(f"{self.url}/api/health", timeout=2).status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.1)
        raise RuntimeError(f"the web server does not answer: {self.log('web')}")

    def start_worker(self) -> None:
        """Starts the worker."""
        self.worker = self._start("worker", ["manage.py", "work"])

    def kill_web(self) -> None:
        """`kill -9`, without a word."""
        _kill(self.web)
        self.web = None

    def kill_worker(self) -> None:
        """`kill -9`, without a word."""
        _kill(self.worker)
        self.worker = None

    def log(self, name: str) -> str:
        """The end of what a process has printed."""
        path = self.data_dir / f"{name}.log"
        return path.read_text(errors="replace")[-4000:] if path.exists() else ""

    def stop(self) -> None:
        """Ends what runs, gently first."""
        for process in (self.web, self.worker):
            if process is not None and process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in (self.web, self.worker):
            if process is not None:
                try:
                    process.wait(timeout=10)
                except subprocess.TimeoutExpired:
                    _kill(process)
        self.web = self.worker = None

    def _start(self, name: str, words: list[str]) -> subprocess.Popen[bytes]:
        with (self.data_dir / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, *words],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )


@contextmanager
def running_stack(data_dir: Path, *, worker: bool = True, processes: int = 1, **settings: str) -> Iterator[Stack]:
    """A stack over a fresh, migrated database, which goes away with it."""
    data_dir.mkdir(parents=True, exist_ok=True)
    with fresh_database() as url:
        stack = Stack(url, data_dir, free_port(), settings)
        stack.manage("migrate", "--verbosity", "0")
        try:
            stack.start_web(processes)
            if worker:
                stack.start_worker()
            yield stack
        finally:
            stack.stop()


@contextmanager
def fresh_database() -> Iterator[str]:
    """The address of a new, empty database beside the one of `DATABASE_URL`."""
    parts = urlsplit(os.environ["DATABASE_URL"])
    name = f"edgewise_{os.getpid()}_{secrets.token_hex(4)}"
    with psycopg.connect(urlunsplit(parts), autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}"')
        try:
            yield urlunsplit(parts._replace(path=f"/{name}"))
        finally:
            admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def free_port() -> int:
    """A port of the loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _kill(process: subprocess.Popen[bytes] | None) -> None:
    if process is None:
        return
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # its children too: uvicorn's workers, a conversion
    process.wait()
