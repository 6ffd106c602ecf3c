"""`make test`: everything, after its own set-up, with one summary at the end; and `make bench`."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from backend.launch import python_env, quality, setup
from backend.launch.chromium import ensure_chromium
from backend.launch.console import Console
from backend.launch.node_env import Node
from backend.launch.paths import Paths
from backend.launch.setup import Bench, Database
from backend.launch.shell import with_path_first
from backend.launch.supervisor import StopSignals

WITH_TORCH = "EDGEWISE_WITH_TORCH"
GIVEN_FOLDERS = ("EDGEWISE_TEST_DATA", "EDGEWISE_TEST_MODELS")  # real rasters; weights to compare with
FOLDERS = ("tests/unit", "tests/integration", "tests/hostile", "tests/e2e")


@dataclass(frozen=True)
class Part:
    """One part of the suite and how it went."""

    name: str
    good: bool
    seconds: float


def test(paths: Paths, console: Console) -> int:
    """Runs everything, goes on after a failing part, and fails when any did."""
    setup.prepare_folders(paths)
    bench = Bench.of(paths, console)
    StopSignals().listen()
    database: Database | None = None
    try:
        node = setup.install_programs(bench, "test")
        if wants_torch():
            python_env.ensure_torch(paths, bench.shell, console)
        chromium = ensure_chromium(bench)
        database = setup.ensure_database(bench)
        forget_old_test_databases(database)
        env = environment(paths, database, chromium)
        began = time.monotonic()
        console.say("\n=== check")
        parts = [Part("check", quality.judge(paths, console, node), time.monotonic() - began)]
        parts.append(_vitest(paths, console, node))
        part, summary = _pytest(paths, console, env)
        parts.append(part)
    finally:
        if database:
            database.stop()
    console.say("\n=== result")
    for part in parts:
        console.result(part.name, part.good, part.seconds)
    for line in left_out(paths, env):
        console.say(f"  left out: {line}")
    console.say(summary)
    return 0 if all(part.good for part in parts) else 1


def environment(paths: Paths, database: Database, chromium: str) -> dict[str, str]:
    """What the tests get: the private database as its administrator, and none of the person's own settings."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("EDGEWISE_")}
    for name in GIVEN_FOLDERS:
        if folder := os.environ.get(name):
            env[name] = str(Path(folder).resolve())
    env.update(DATABASE_URL=database.admin_url, PYTHONUNBUFFERED="1")
    if chromium:
        env["EDGEWISE_CHROMIUM"] = chromium
    return with_path_first(paths.python.parent, env)


def left_out(paths: Paths, env: Mapping[str, str]) -> list[str]:
    """What was not run, and how to have it run."""
    missing = []
    if "EDGEWISE_TEST_DATA" not in env:
        missing.append("the tests on real rasters; set EDGEWISE_TEST_DATA to the folder that holds them")
    if not any((paths.venv / "lib").glob("python3.*/site-packages/torch")):
        missing.append(
            f"comparisons with Meta's SAM 2.1, and training; {WITH_TORCH}=1 installs torch and sam2 "
            "(1.3 GB, and 5 GB where pip brings the build for graphics cards)"
        )
    return missing


def wants_torch(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether torch is to be installed for the tests that need it."""
    return environment.get(WITH_TORCH, "").strip().lower() in {"1", "true", "yes", "on"}


def forget_old_test_databases(database: Database) -> None:
    """Removes what a killed test run has left behind in the private cluster."""
    if not (database.cluster and database.server):
        return
    names = database.cluster.psql(database.server, "select datname from pg_database where datname like 'test\\_%'")
    for name in names.splitlines():
        database.cluster.psql(database.server, f'drop database if exists "{name}" with (force)')


def bench(paths: Paths, console: Console) -> int:
    """`make bench [BENCH=click,tiles]`: the measurements, against a database of their own."""
    setup.prepare_folders(paths)
    tools = Bench.of(paths, console)
    StopSignals().listen()
    database: Database | None = None
    try:
        setup.install_programs(tools, "test")
        python_env.ensure_packages(paths, tools.shell, console, "bench")
        database = setup.ensure_database(tools)
        env = environment(paths, database, "")
        return subprocess.run([paths.python, "-m", "tests.bench"], cwd=paths.root, env=env, check=False).returncode
    finally:
        if database:
            database.stop()


def _vitest(paths: Paths, console: Console, node: Node) -> Part:
    console.say("\n=== TypeScript tests")
    began = time.monotonic()
    env = with_path_first(node.folder) | ({} if sys.stdout.isatty() else {"NO_COLOR": "1"})
    code = _run([*node.npm, "test", "--silent"], paths.frontend, env)
    return Part("TypeScript tests (vitest)", code == 0, time.monotonic() - began)


def _pytest(paths: Paths, console: Console, env: Mapping[str, str]) -> tuple[Part, str]:
    console.say("\n=== unit, integration, hostile and end-to-end tests")
    began = time.monotonic()
    command = [str(paths.python), "-m", "pytest", "--color=no", *FOLDERS]
    process = subprocess.Popen(
        command,
        cwd=paths.root,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    last = ""
    try:
        assert process.stdout is not None
        for line in process.stdout:
            sys.stdout.write(line)
            sys.stdout.flush()
            last = line.strip() or last
        code = process.wait()
    except BaseException:
        process.terminate()
        process.wait()
        raise
    return Part("unit, integration, hostile, end-to-end (pytest)", code == 0, time.monotonic() - began), last


def _run(command: list[str], cwd: Path, env: Mapping[str, str]) -> int:
    return subprocess.run(command, cwd=cwd, env=dict(env), stdin=subprocess.DEVNULL, check=False).returncode
