"""Which programs make up a running Edgewise, and how each is called."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from backend.launch.children import Program
from backend.launch.errors import LaunchError
from backend.launch.machine import choose_port
from backend.launch.node_env import Node
from backend.launch.paths import Paths
from backend.launch.shell import with_path_first

DEFAULT_PORT, DEFAULT_VITE_PORT = 8000, 5173


@dataclass(frozen=True)
class Layout:
    """The programs, where the web server listens, and the address that people open."""

    programs: tuple[Program, ...]
    env: Mapping[str, str]
    host: str
    port: int
    address: str


def web_command(python: Path, host: str, port: int, processes: int = 1) -> tuple[str, ...]:
    """The web server. Deflate off: it makes binary messages fifteen times slower. `wire` bounds what it reads."""
    return (
        *(str(python), "-m", "uvicorn", "backend.config.asgi:application", "--host", host, "--port", str(port)),
        *("--loop", "uvloop", "--http", "backend.config.wire:BoundedHttp", "--ws", "backend.config.wire:BoundedSocket"),
        *("--lifespan", "off", "--no-access-log", "--no-server-header"),
        *("--ws-per-message-deflate", "false", "--ws-max-size", "131072", "--timeout-graceful-shutdown", "5"),
        *(("--workers", str(processes)) if processes > 1 else ()),
    )


def running_layout(paths: Paths, env: Mapping[str, str], host: str, port: int) -> Layout:
    """`make run`: web server and worker."""
    processes = os.environ.get("WEB_PROCESSES", "").strip() or "1"
    if not processes.isdigit() or int(processes) < 1:
        raise LaunchError(f"WEB_PROCESSES must be a number from 1 on, not {processes!r}.")
    programs = (
        Program("web", web_command(paths.python, host, port, int(processes)), env, paths.root),
        Program("worker", (str(paths.python), "manage.py", "work"), env, paths.root, grace_seconds=20.0),
    )
    return Layout(programs, env, host, port, _address(host, port))


def developing_layout(paths: Paths, env: Mapping[str, str], node: Node, host: str, port: int) -> Layout:
    """`make dev`: the same with autoreload, and Vite in front of the web server."""
    vite_port = choose_port(host, DEFAULT_VITE_PORT, os.environ.get("VITE_PORT", "").strip())
    watched = ("--reload", "--reload-dir", "backend", "--reload-dir", "ml")
    env = {**env, "EDGEWISE_DEBUG": env.get("EDGEWISE_DEBUG", "1")}
    vite = {
        **with_path_first(node.folder, env),
        "EDGEWISE_BACKEND": f"http://{host}:{port}",
        "EDGEWISE_VITE_PORT": str(vite_port),
    }
    work = f"{paths.python} manage.py work"
    script = str(paths.frontend / "node_modules" / "vite" / "bin" / "vite.js")
    programs = (
        Program("web", (*web_command(paths.python, host, port), *watched), env, paths.root),
        Program(
            "worker",
            (str(paths.python), "-m", "watchfiles", "--filter", "python", work, "backend", "ml"),
            env,
            paths.root,
        ),
        Program("vite", (str(node.program), script, "--host", host), vite, paths.frontend),
    )
    return Layout(programs, env, host, port, _address(host, vite_port))


def _address(host: str, port: int) -> str:
    name = "localhost" if host in {"0.0.0.0", "::"} else host  # noqa: S104  (shown, not listened on)
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"
