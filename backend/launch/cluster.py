"""The private PostgreSQL cluster of this checkout: made once, shared by several commands, stopped by the last."""

import os
import pwd
import secrets
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from backend.launch.errors import ClusterDamaged, LaunchError, StepFailed
from backend.launch.locks import Lock
from backend.launch.machine import any_free_port, can_bind, is_alive, processes_in
from backend.launch.paths import Paths
from backend.launch.postgres import Server
from backend.launch.shell import OsUser, Shell

ADMIN, OWNER, DATABASE = "edgewise_admin", "edgewise", "edgewise"
HOST = "127.0.0.1"
TRIES = 3
ORPHANS_SECONDS = 15.0


@dataclass
class Cluster:
    """One cluster: `home` holds `data`, the passwords and the port; `user` runs it when we are root."""

    home: Path
    paths: Paths
    shell: Shell
    port: int = 0
    _in_use: Lock = field(init=False)

    def __post_init__(self) -> None:
        self._in_use = Lock(self.paths.locks / "cluster-in-use")

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def log(self) -> Path:
        return self.home / "server.log"

    def url(self, role: str = OWNER, database: str = DATABASE) -> str:
        """The address for DATABASE_URL."""
        return f"postgres://{role}:{self._password(role)}@{HOST}:{self.port}/{database}"

    def start(self, server: Server) -> None:
        """Makes what is missing, starts the server or joins the one that runs, and makes sure of role and database."""
        with Lock(self.paths.locks / "cluster-starting").held():
            self._in_use.take(shared=True, wait=True)
            make_if_missing(self.home, server, self.shell)
            self.port = running_port(self.data) or self._start(server)
            self._make_database(server)

    def revive(self, server: Server) -> bool:
        """Starts the server again on the same port if it has died; True when it had."""
        if running_port(self.data):
            return False
        with Lock(self.paths.locks / "cluster-starting").held():
            if running_port(self.data):
                return False
            self._start(server, self.port)
        return True

    def stop(self, server: Server) -> bool:
        """Stops the server, unless another command of this checkout still uses it: False then."""
        with Lock(self.paths.locks / "cluster-starting").held():
            alone = self._in_use.take()
            if alone and running_port(self.data):
                self.shell.run(
                    "Stopping the database",
                    [server.bin / "pg_ctl", "-D", self.data, "-m", "fast", "-w", "-t", "60", "stop"],
                    env=plain_environment(),
                    user=owner_of(self.home),
                )
            self._in_use.release()
        return alone

    def psql(self, server: Server, statement: str, database: str = "postgres") -> str:
        """Runs SQL as the cluster's administrator."""
        said = subprocess.run(
            [
                *(server.bin / "psql", "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1"),
                *("-h", HOST, "-p", str(self.port), "-U", ADMIN, "-d", database, "-c", statement),
            ],
            env={**plain_environment(), "PGPASSWORD": self._password(ADMIN)},
            capture_output=True,
            text=True,
            check=False,
        )
        if said.returncode:
            raise StepFailed("Talking to the private database", said.stderr, self.log)
        return said.stdout.strip()

    def _start(self, server: Server, port: int = 0) -> int:
        clear_stale_pid(self.data)
        remembered = self.home / "port"
        wanted = port or _number(remembered)
        for attempt in range(TRIES):
            if not (wanted and can_bind(HOST, wanted)):
                wanted = any_free_port(HOST)
            options = f"-p {wanted} -c listen_addresses={HOST} -c unix_socket_directories=''"
            try:
                self.shell.run(
                    "Starting the database",
                    [
                        *(server.bin / "pg_ctl", "-D", self.data, "-l", self.log),
                        *("-w", "-t", "60", "-o", options, "start"),
                    ],
                    env=plain_environment(),
                    user=owner_of(self.home),
                )
                break
            except StepFailed as error:
                if attempt == TRIES - 1 or can_bind(HOST, wanted):  # not a race for the port
                    said = _end_of(self.log)
                    raise StepFailed(
                        "Starting the database", f"{error.message.splitlines()[0]}\n{said}", self.log
                    ) from error
                wanted = 0
        remembered.write_text(f"{wanted}\n", encoding="ascii")
        return wanted

    def _make_database(self, server: Server) -> None:
        if not self.psql(server, f"select 1 from pg_roles where rolname = '{OWNER}'"):  # noqa: S608
            self.psql(server, f"create role {OWNER} login password '{self._password(OWNER)}'")
        if not self.psql(server, f"select 1 from pg_database where datname = '{DATABASE}'"):  # noqa: S608
            self.psql(server, f"create database {DATABASE} owner {OWNER}")
        if not self.psql(server, "select 1 from pg_extension where extname = 'postgis'", DATABASE):
            self.psql(server, "create extension postgis", DATABASE)

    def _password(self, role: str) -> str:
        return (self.home / f"password-{role}").read_text(encoding="ascii").strip()


def place(paths: Paths, user: OsUser | None, reaches: Callable[[OsUser, Path], bool] | None = None) -> Path:
    """The cluster's folder: `var/pg`, or one outside where its operating-system user cannot reach the checkout."""
    reaches = reaches or can_reach
    for folder in (paths.cluster, paths.cluster_elsewhere):
        if (folder / "data").exists():
            return folder
    if user is None or reaches(user, paths.var):
        return paths.cluster
    return paths.cluster_elsewhere


def os_user() -> OsUser | None:
    """Who runs the server: ourselves, or for root the user that comes with PostgreSQL's packages."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", os.environ.get("SUDO_USER", "")):
        try:
            entry = pwd.getpwnam(name) if name and name != "root" else None
        except KeyError:
            continue
        if entry:
            return OsUser(entry.pw_name, entry.pw_uid, entry.pw_gid)
    raise LaunchError(
        "PostgreSQL refuses to run as root, and there is no user `postgres`.\n"
        "Make one (useradd --system postgres), run this as an ordinary user, or set DATABASE_URL.",
        code="launch.no_os_user",
    )


def owner_of(home: Path) -> OsUser | None:
    """The user that the cluster belongs to, when that is not ourselves."""
    status = home.stat()
    if status.st_uid == os.geteuid():
        return None
    if os.geteuid() != 0:
        raise LaunchError(
            f"{home} belongs to another user (number {status.st_uid}). Run this as that user, or as root.",
            code="launch.not_yours",
        )
    return OsUser(str(status.st_uid), status.st_uid, status.st_gid)


def can_reach(user: OsUser, folder: Path) -> bool:
    """Whether the user may pass through every folder on the way."""
    said = subprocess.run(
        ["test", "-x", str(folder)], user=user.uid, group=user.gid, extra_groups=[], cwd="/", check=False
    )
    return said.returncode == 0


def make_if_missing(home: Path, server: Server, shell: Shell) -> None:
    """Makes the cluster aside and renames it, so that a folder named `data` is always a whole one.

    What an interrupted run left aside never served anybody and is thrown away. A `data` that is not whole is
    never touched: raises ClusterDamaged.
    """
    data, aside = home / "data", home / "data.making"
    if data.exists() and any(data.iterdir()):
        if not ((data / "PG_VERSION").exists() and (data / "global" / "pg_control").exists()):
            raise ClusterDamaged(
                f"The database folder {data} is not whole, and it may hold work of yours, so it is left as it is.\n"
                "Bring it back from a backup, or move it away and run this again for an empty database."
            )
        return
    user = (owner_of(home) if home.exists() else None) or os_user()
    _make_home(home, user)
    if aside.exists():
        shutil.rmtree(aside)
    for role in (ADMIN, OWNER):
        _write_secret(home / f"password-{role}", user)
    shell.run(
        "Making the private database cluster",
        [
            *(server.bin / "initdb", "-D", aside, "-U", ADMIN, "-E", "UTF8", "--locale=C.UTF-8"),
            *("--auth=scram-sha-256", "--pwfile", home / f"password-{ADMIN}"),
        ],
        env=plain_environment(),
        user=user,
    )
    if data.exists():
        data.rmdir()
    aside.rename(data)


def plain_environment() -> dict[str, str]:
    """The environment without the PG… variables, which would lead PostgreSQL's programs to some other server."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}


def version_of(home: Path) -> int | None:
    """The PostgreSQL version that made the cluster; None before it is made."""
    return _number(home / "data" / "PG_VERSION") or None


def running_port(data: Path, seconds: float = 60.0) -> int:
    """The port of the server that runs on this folder; 0 when none does.

    One that is just starting, recovering or stopping is waited for.
    """
    deadline = time.monotonic() + seconds
    while True:
        lines = _pid_lines(data)
        if not (lines and lines[0].isdigit() and is_alive(int(lines[0])) and _serves(int(lines[0]), data)):
            return 0
        if len(lines) >= 8 and lines[7].strip() == "ready":
            return int(lines[3])
        if time.monotonic() > deadline:
            raise ClusterDamaged(
                f"The database server (process {lines[0]}) has been starting or stopping for {seconds:.0f} seconds.\n"
                f"What it says is in {data.parent / 'server.log'}. Wait for it to end, or end it; then run this again.",
                code="launch.cluster_in_use",
            )
        time.sleep(0.1)


def clear_stale_pid(data: Path, living_in: Callable[[Path], list[int]] = processes_in) -> None:
    """Waits until nothing of an earlier server is left, then removes its note of its number.

    PostgreSQL would itself see a dead number, but not that the number now belongs to some other program.
    Never removed while any process still stands in the folder: that would allow two servers on the same files.
    """
    lines = _pid_lines(data)
    if not lines:
        return
    deadline = time.monotonic() + ORPHANS_SECONDS
    while living_in(data):
        if time.monotonic() > deadline:
            raise ClusterDamaged(
                f"Parts of an earlier database server still run on {data} (processes "
                f"{', '.join(map(str, living_in(data)))}). End them, then run this again.",
                code="launch.cluster_in_use",
            )
        time.sleep(0.2)
    if not (lines[0].isdigit() and is_alive(int(lines[0])) and _serves(int(lines[0]), data)):
        (data / "postmaster.pid").unlink(missing_ok=True)


def _serves(pid: int, data: Path) -> bool:
    """Whether this process is a server on the folder; believed where the system does not say."""
    try:
        return Path(f"/proc/{pid}/cwd").readlink() == data.resolve()
    except FileNotFoundError:
        return not Path("/proc/self").exists()
    except OSError:
        return True


def _pid_lines(data: Path) -> list[str]:
    try:
        return (data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []


def _make_home(home: Path, user: OsUser | None) -> None:
    home.mkdir(parents=True, exist_ok=True, mode=0o755)
    home.chmod(0o700)
    if user:
        os.chown(home, user.uid, user.gid)


def _write_secret(path: Path, user: OsUser | None) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(secrets.token_urlsafe(24) + "\n")
    if user:
        os.chown(path, user.uid, user.gid)


def _number(path: Path) -> int:
    try:
        text = path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return 0
    return int(text) if text.isdigit() else 0


def _end_of(log: Path) -> str:
    try:
        return log.read_text(encoding="utf-8", errors="replace")[-2000:]
    except OSError:
        return ""
