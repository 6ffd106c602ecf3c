"""`make check`: every tool that judges the code without running it, one line each; and `make lock`."""

import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from backend.launch import setup
from backend.launch.console import Console
from backend.launch.node_env import Node
from backend.launch.paths import Paths
from backend.launch.python_env import ensure_venv
from backend.launch.setup import Bench
from backend.launch.shell import with_path_first

AT_ONCE = 2
LOCK_TOOL = "uv==0.13.9"
NO_DATABASE = "postgres://nobody@127.0.0.1:1/none"
LOCKS: dict[str, tuple[str, ...]] = {
    "run": (),
    "test": ("--extra", "test", "--constraint", "requirements/run.txt"),
    "bench": ("--extra", "bench", "--constraint", "requirements/test.txt"),
}


@dataclass(frozen=True)
class Tool:
    """One tool: its name, its command, where it runs."""

    name: str
    argv: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str]


@dataclass(frozen=True)
class Verdict:
    """What a tool said."""

    tool: Tool
    good: bool
    seconds: float
    said: str


def check(paths: Paths, console: Console) -> int:
    """Runs the tools; 1 when any of them objects."""
    setup.prepare_folders(paths)
    bench = Bench.of(paths, console)
    node = setup.install_programs(bench, "test", build=False)
    return 0 if judge(paths, console, node) else 1


def judge(paths: Paths, console: Console, node: Node) -> bool:
    """Runs every tool, two at a time, and prints one line for each, then what the objecting ones said."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        verdicts = []
        for verdict in pool.map(_run, tools(paths, node)):
            console.result(verdict.tool.name, verdict.good, verdict.seconds)
            verdicts.append(verdict)
    bad = [verdict for verdict in verdicts if not verdict.good]
    for verdict in bad:
        console.say(f"\n--- {verdict.tool.name}: {' '.join(verdict.tool.argv)}\n{verdict.said.rstrip()}")
    console.say(f"\ncheck: {len(verdicts) - len(bad)} good, {len(bad)} objecting" if bad else "check: all good")
    return not bad


def tools(paths: Paths, node: Node) -> list[Tool]:
    """Every tool; the slow ones first, so that two at a time end together."""
    env = {**with_path_first(paths.python.parent), "DATABASE_URL": NO_DATABASE, "EDGEWISE_MODE": "test"}
    browser = with_path_first(node.folder)
    programs = paths.frontend / "node_modules" / ".bin"

    def python(name: str, *arguments: str) -> Tool:
        return Tool(name, (str(paths.python), *arguments), paths.root, env)

    def script(name: str, *arguments: str) -> Tool:
        return Tool(name, (str(programs / arguments[0]), *arguments[1:]), paths.frontend, browser)

    return [
        python("types (mypy --strict)", "-m", "mypy"),
        script("browser: types (tsc)", "tsc", "--noEmit"),
        script("browser: lint and rooms (eslint)", "eslint", ".", "--max-warnings", "0"),
        script("browser: format (prettier)", "prettier", "--check", "."),
        script("browser: unused code (knip)", "knip"),
        python("format (ruff format)", "-m", "ruff", "format", "--check", "."),
        python("lint (ruff)", "-m", "ruff", "check", "."),
        python(
            "import rules (import-linter)", "-c", "from importlinter.cli import lint_imports_command as lint; lint()"
        ),
        python("unused code (vulture)", "-m", "vulture"),
        python("migrations", "-W", "ignore", "manage.py", "makemigrations", "--check", "--dry-run"),
        python("docker-compose.yml", "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/unit/test_compose.py"),
    ]


def lock(paths: Paths, console: Console) -> int:
    """Resolves pyproject.toml's dependencies anew into requirements/, for every Python from 3.11 on, with hashes."""
    setup.prepare_folders(paths)
    bench = Bench.of(paths, console)
    ensure_venv(paths, bench.shell, bench.apt, console)
    home = paths.var / "lock-tool"
    uv = home / "bin" / "uv"
    with console.step(f"The lock tool ({LOCK_TOOL})"):
        shutil.rmtree(home, ignore_errors=True)
        bench.shell.run("Making the lock tool's environment", [paths.python, "-m", "venv", home])
        bench.shell.run("Installing the lock tool", [home / "bin" / "pip", "install", "-q", LOCK_TOOL])
    for name, more in LOCKS.items():
        with console.step(f"requirements/{name}.txt"):
            _compile(bench, uv, ["pyproject.toml", *more], name)
    with console.step("requirements/node.txt"):
        _compile(bench, uv, ["requirements/node.in"], "node")
    with console.step("requirements/s3-server.txt"):
        _compile(bench, uv, ["requirements/s3-server.in"], "s3-server")
    return 0


def _compile(bench: Bench, uv: Path, what: Sequence[str], name: str) -> None:
    bench.shell.run(
        f"Resolving {name}",
        [
            *(str(uv), "pip", "compile", *what, "--universal", "--fork-strategy", "fewest", "--python-version", "3.11"),
            *("--generate-hashes", "--no-annotate", "--no-header", "--no-emit-index-url", "--no-emit-find-links"),
            *("--quiet", "--upgrade", "--output-file", f"requirements/{name}.txt"),
        ],
        cwd=bench.paths.root,
    )


def _run(tool: Tool) -> Verdict:
    began = time.monotonic()
    try:
        ended = subprocess.run(
            tool.argv,
            cwd=tool.cwd,
            env=dict(tool.env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        good, said = ended.returncode == 0, ended.stdout.decode(errors="replace")
    except FileNotFoundError:
        good, said = False, f"{tool.argv[0]} is not installed"
    return Verdict(tool, good, time.monotonic() - began, said)
