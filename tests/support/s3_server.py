"""A real S3 server on loopback: moto's, in an environment of its own, since it wants older packages than Edgewise."""

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.request
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOCKED = ROOT / "requirements" / "s3-server.txt"
HOME = ROOT / "var" / "s3-server"
START = "from moto.server import main; import sys; main(sys.argv[1:])"


@contextlib.contextmanager
def serving(port: int | None = None) -> Iterator[str]:
    """Its address; skips the test where the server cannot be installed."""
    python = _installed()
    port = port or _free_port()
    with subprocess.Popen(
        [python, "-c", START, "-H", "127.0.0.1", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            address = f"http://127.0.0.1:{port}"
            _wait(address, process)
            yield address
        finally:
            process.kill()


def make_bucket(address: str, name: str) -> None:
    """An empty bucket; this server asks for no signature here."""
    with urllib.request.urlopen(urllib.request.Request(f"{address}/{name}", method="PUT"), timeout=10) as answer:
        assert answer.status == 200


def _installed() -> Path:
    """The interpreter of the server's environment, made once from the locked packages."""
    python, stamp = HOME / "bin" / "python", HOME / "stamp"
    if stamp.exists() and stamp.read_text() == LOCKED.read_text():
        return python
    venv.create(HOME, with_pip=True, clear=True)
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes", "-r", LOCKED]
    done = subprocess.run([str(part) for part in pip], capture_output=True, text=True, check=False)
    if done.returncode:
        if os.environ.get("CI"):
            pytest.fail(f"The S3 server cannot be installed: {done.stderr[-500:]}")
        pytest.skip(f"The S3 server cannot be installed: {done.stderr[-300:]}")
    stamp.write_text(LOCKED.read_text())
    return python


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _wait(address: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None, "the S3 server ended"
        with contextlib.suppress(OSError):
            with urllib.request.urlopen(f"{address}/moto-api/", timeout=2):
                return
        time.sleep(0.2)
    sys.exit("the S3 server does not answer")
