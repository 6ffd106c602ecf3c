"""Hazard 4: the server asks no other machine for anything, so that no redirect and no name can lead it astray."""

import ast
import os
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

import pytest

from backend.rasters import sandbox

ROOT = Path(__file__).resolve().parents[2]
CLIENTS = {
    "aiohttp", "boto3", "botocore", "fsspec", "ftplib", "http.client", "httpx", "paramiko", "pooch", "requests",
    "smtplib", "telnetlib", "urllib.request", "urllib3", "websockets.client", "xmlrpc.client",
}  # fmt: skip
# The launcher runs on the person's own machine, before the server; `ml.models` has its own tests of what it fetches.
APART = (ROOT / "backend" / "launch", ROOT / "ml" / "models")


def imports(source: str) -> set[str]:
    """Every module that a source names in an import, with the modules above it."""
    named: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            named |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            named |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return named | {name.rpartition(".")[0] for name in named}


def sources() -> list[Path]:
    found = [path for room in ("backend", "ml") for path in (ROOT / room).rglob("*.py")]
    return [path for path in found if not any(path.is_relative_to(part) for part in APART)]


def test_no_module_of_the_server_knows_a_client() -> None:
    found = {str(path.relative_to(ROOT)): imports(path.read_text()) & CLIENTS for path in sources()}

    assert len(found) > 100
    assert {path: named for path, named in found.items() if named} == {}


@pytest.mark.parametrize(
    "source", ["import urllib.request", "from urllib import request", "import requests.api", "def f():\n import httpx"]
)
def test_the_check_sees_a_client(source: str) -> None:
    assert imports(source) & CLIENTS


class Canary(BaseHTTPRequestHandler):
    """Sings when asked, and would lead on to where nobody may go."""

    asked: ClassVar[list[str]] = []

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        Canary.asked.append(self.path)
        self.send_response(302)
        self.send_header("Location", "http://169.254.169.254/latest/meta-data/")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.mark.parametrize("fenced", [False, True])
def test_gdal_asks_no_address_in_the_processes_that_read_what_people_bring(fenced: bool) -> None:
    """Without the fence it does: so the canary is heard."""
    Canary.asked.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Canary)
    Thread(target=server.serve_forever, daemon=True).start()
    address = f"/vsicurl/http://127.0.0.1:{server.server_port}/a.tif"
    code = f"import rasterio\ntry: rasterio.open({address!r})\nexcept rasterio.errors.RasterioIOError: print('refused')"
    environment = sandbox.environment() if fenced else {"PATH": os.environ["PATH"]}
    try:
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    finally:
        server.shutdown()
        server.server_close()

    assert done.stdout.strip() == "refused"
    assert bool(Canary.asked) is not fenced
