"""The steps from a fresh checkout to a machine that can run it; each is skipped when it is done already."""

import hashlib
import os
import secrets
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from backend.launch import cluster as clusters
from backend.launch import frontend, node_env, postgres, python_env
from backend.launch.cluster import Cluster
from backend.launch.console import Console
from backend.launch.errors import LaunchError, NotReachable, StepFailed
from backend.launch.locks import Lock
from backend.launch.machine import GIGABYTE, ensure_room, free_bytes
from backend.launch.node_env import Node
from backend.launch.packages import Apt
from backend.launch.paths import Paths
from backend.launch.postgres import Server
from backend.launch.shell import Shell, tail

ROOM_TO_SET_UP, ROOM_TO_RUN = 2 * GIGABYTE, GIGABYTE // 4
PROBE = """
import os, sys, psycopg
try:
    with psycopg.connect(os.environ["DATABASE_URL"].replace("postgis://", "postgres://"), connect_timeout=10) as db:
        number = db.info.server_version // 10000
        found = db.execute("select 1 from pg_available_extensions where name = 'postgis'").fetchone()
except psycopg.Error as error:
    sys.exit(str(error).strip() or type(error).__name__)
if number < 14:
    sys.exit(f"it is PostgreSQL {number}; 14 or newer is needed")
if not found:
    sys.exit("it has no PostGIS; install the package postgresql-%d-postgis-3 on its machine" % number)
"""


@dataclass(frozen=True)
class Bench:
    """What every step works with."""

    paths: Paths
    console: Console
    shell: Shell
    apt: Apt

    @classmethod
    def of(cls, paths: Paths, console: Console) -> "Bench":
        """The usual one, with its log in `var/log/setup.log`."""
        shell = Shell(paths.logs / "setup.log")
        return cls(paths, console, shell, Apt(shell))


@dataclass
class Database:
    """The database of one command: the private cluster, or the one that DATABASE_URL names."""

    url: str
    admin_url: str
    cluster: Cluster | None = None
    server: Server | None = None

    def stop(self) -> None:
        """Stops the private cluster unless others use it; an external database is left alone."""
        if self.cluster and self.server:
            self.cluster.stop(self.server)

    def revive(self) -> bool:
        """Starts the private cluster again if it has died."""
        return bool(self.cluster and self.server and self.cluster.revive(self.server))


def prepare_folders(paths: Paths, free: Callable[[Path], int] = free_bytes) -> None:
    """`var/` and enough room for what is still to come."""
    is_set_up = (paths.venv / ".edgewise-run").exists() and (paths.frontend / "dist").exists()
    ensure_room(paths.root, ROOM_TO_RUN if is_set_up else ROOM_TO_SET_UP, free)
    for folder in (paths.var, paths.logs, paths.locks, paths.stamps, paths.data):
        folder.mkdir(parents=True, exist_ok=True)
    log = paths.logs / "setup.log"
    if log.exists() and log.stat().st_size > 5_000_000:
        log.replace(log.with_name("setup.log.1"))


def install_programs(bench: Bench, lock: str = "run", *, build: bool = True) -> Node:
    """The Python packages, Node.js and, unless told otherwise, the built browser program; one command at a time."""
    mutex = Lock(bench.paths.locks / "setup")
    if not mutex.take():
        with bench.console.step("Another command is setting this folder up: waiting"):
            mutex.take(wait=True)
    try:
        python_env.ensure_venv(bench.paths, bench.shell, bench.apt, bench.console)
        python_env.ensure_packages(bench.paths, bench.shell, bench.console, lock)
        node = node_env.ensure_node(bench.paths, bench.shell, bench.console)
        frontend.ensure_modules(bench.paths, bench.shell, bench.console, node)
        if build:
            frontend.ensure_built(bench.paths, bench.shell, bench.console, node)
    finally:
        mutex.release()
    return node


def ensure_database(bench: Bench, environment: Mapping[str, str] = os.environ) -> Database:
    """A database that answers."""
    if url := environment.get("DATABASE_URL", "").strip():
        with bench.console.step("Database (the one that DATABASE_URL names)"):
            _probe(bench, url)
        return Database(url, url)
    place = clusters.place(bench.paths, None)
    server = postgres.ensure_server(bench.apt, bench.console, clusters.version_of(place))
    if not (place / "data").exists():
        place = clusters.place(bench.paths, clusters.os_user())
    cluster = Cluster(place, bench.paths, bench.shell)
    title = (
        "Database server" if (place / "data").exists() else f"Private database cluster (PostgreSQL {server.version})"
    )
    with bench.console.step(title):
        try:
            cluster.start(server)
        except BaseException:
            cluster.stop(server)
            raise
    return Database(cluster.url(), cluster.url(clusters.ADMIN), cluster, server)


def secret_key(paths: Paths) -> str:
    """The key that signs sessions: made once, kept for this user's eyes only."""
    path = paths.secret_key
    if not path.exists():
        aside = path.with_name(path.name + ".new")
        aside.unlink(missing_ok=True)
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(48) + "\n")
        aside.rename(path)
    key = path.read_text(encoding="ascii").strip()
    if len(key) < 32:
        raise LaunchError(f"{path} is damaged. Remove it and run this again; everybody signs in anew then.")
    return key


def server_environment(paths: Paths, database_url: str, given: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What the server's programs get: what the administrator has set, and the rest filled in."""
    result = dict(given)
    result.update(DATABASE_URL=database_url, PYTHONUNBUFFERED="1", DJANGO_SETTINGS_MODULE="backend.config.settings")
    result.setdefault("EDGEWISE_MODE", "local")
    result.setdefault("EDGEWISE_DATA_DIR", str(paths.data))
    if not result.get("EDGEWISE_SECRET_KEY") and result["EDGEWISE_MODE"] == "local":
        result["EDGEWISE_SECRET_KEY"] = secret_key(paths)
    return result


def migrate(bench: Bench, env: Mapping[str, str]) -> None:
    """Brings the tables up to date."""
    with bench.console.step("Tables"):
        bench.shell.run(
            "Bringing the database's tables up to date",
            [bench.paths.python, "manage.py", "migrate", "--noinput", "--verbosity", "0"],
            cwd=bench.paths.root,
            env=env,
        )


def load_demo(bench: Bench, database: Database, env: Mapping[str, str]) -> str:
    """Loads the demo project once for each database; gives what it said about signing in."""
    if env["EDGEWISE_MODE"] != "local":
        return ""
    home = database.cluster.home if database.cluster else bench.paths.stamps
    name = "demo" if database.cluster else "demo-" + _short_hash(database.url)
    stamp = home / name
    if not stamp.exists():
        with bench.console.step("Demo project"):
            said = bench.shell.run(
                "Loading the demo project",
                [bench.paths.python, "manage.py", "load_demo"],
                cwd=bench.paths.root,
                env=env,
            )
            stamp.write_text(said, encoding="utf-8")
    return stamp.read_text(encoding="utf-8").strip()


def remove_data(bench: Bench) -> list[Path]:
    """What `make clean-data` removes: the cluster, the rasters and all that was made from them."""
    paths, removed = bench.paths, []
    place = clusters.place(paths, None)
    if clusters.running_port(place / "data"):  # left by a run that was killed
        server = next(one for one in postgres.installed() if one.version == clusters.version_of(place))
        if not Cluster(place, paths, bench.shell).stop(server):
            raise LaunchError("Another command of this folder uses the database. End it, then run this again.")
    for folder in (paths.cluster, paths.cluster_elsewhere, paths.data):
        if folder.exists():
            shutil.rmtree(folder)
            removed.append(folder)
    return removed


def _probe(bench: Bench, url: str) -> None:
    try:
        bench.shell.run(
            "Asking the database", [bench.paths.python, "-c", PROBE], env={**os.environ, "DATABASE_URL": url}
        )
    except StepFailed as error:
        why = tail("\n".join(line for line in error.message.splitlines() if line.startswith("    ")))
        raise NotReachable(
            f"The database that DATABASE_URL names cannot be used:\n{why}\n"
            "Mend the address or the database, or unset DATABASE_URL for a private one."
        ) from error


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
