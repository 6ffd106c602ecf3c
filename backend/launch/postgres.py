"""Finds PostgreSQL with PostGIS on this machine, or has the distribution's packages installed."""

import re
import shutil
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from backend.launch.console import Console
from backend.launch.errors import NoPrivilege
from backend.launch.packages import Apt

OLDEST = 14
FOLDERS = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/pgsql/bin",
)
PACKAGE = re.compile(r"postgresql-(\d+)-postgis-3")
BY_DOCKER = """Or use a database of your own, for example one in Docker:
    docker run -d --name edgewise-db -p 127.0.0.1:5433:5432 \\
        -e POSTGRES_USER=edgewise -e POSTGRES_PASSWORD=edgewise postgis/postgis:16-3.4
    DATABASE_URL=postgres://edgewise:edgewise@127.0.0.1:5433/edgewise make run"""


@dataclass(frozen=True)
class Server:
    """One installed PostgreSQL."""

    bin: Path
    version: int
    has_postgis: bool


def installed(folders: Iterable[Path] | None = None) -> list[Server]:
    """Every complete PostgreSQL server of this machine, the newest first."""
    servers = [server for folder in (folders or _folders()) if (server := _look_at(folder))]
    return sorted(servers, key=lambda server: (server.has_postgis, server.version), reverse=True)


def ensure_server(
    apt: Apt, console: Console, needed: int | None, look: Callable[[], list[Server]] = installed
) -> Server:
    """A server with PostGIS: of exactly the version `needed` (the one that made the cluster), or any from 14 on."""
    if server := _fitting(look(), needed):
        return server
    with console.step("PostgreSQL with PostGIS (distribution packages)"):
        otherwise = _otherwise(needed)
        apt.refresh(otherwise)
        package = _package(apt, look(), needed)
        if package is None:
            raise NoPrivilege(
                f"The distribution offers no PostGIS for PostgreSQL {needed or f'{OLDEST} or newer'}.\n{otherwise}",
                code="launch.no_postgis",
            )
        with apt.without_default_cluster(otherwise):
            apt.install([package], otherwise)
    if server := _fitting(look(), needed):
        return server
    raise NoPrivilege(
        f"{package} is installed, but its programs are not in {FOLDERS[0]}.\n{otherwise}", code="launch.no_postgis"
    )


def _fitting(servers: list[Server], needed: int | None) -> Server | None:
    for server in servers:
        if server.has_postgis and (server.version == needed if needed else server.version >= OLDEST):
            return server
    return None


def _package(apt: Apt, servers: list[Server], needed: int | None) -> str | None:
    """The package that adds PostGIS to a server that is there already, else the newest on offer."""
    offers = {
        int(found[1]): name
        for name in apt.search("^postgresql-[0-9]+-postgis-3$")
        if (found := PACKAGE.fullmatch(name))
    }
    if needed:
        return offers.get(needed)
    for server in servers:
        if server.version in offers and server.version >= OLDEST:
            return offers[server.version]
    return max(((version, name) for version, name in offers.items() if version >= OLDEST), default=(0, None))[1]


def _otherwise(needed: int | None) -> str:
    name = f"postgresql-{needed}-postgis-3" if needed else "postgresql-15-postgis-3 (the number is the distribution's)"
    return f"Edgewise needs PostgreSQL with PostGIS. Install the package: apt-get install {name}\n{BY_DOCKER}"


def _folders() -> list[Path]:
    found = [path for pattern in FOLDERS for path in sorted(Path("/").glob(pattern.lstrip("/")), reverse=True)]
    if config := shutil.which("pg_config"):
        said = subprocess.run([config, "--bindir"], capture_output=True, text=True, check=False)
        if said.returncode == 0:
            found.append(Path(said.stdout.strip()))
    return list(dict.fromkeys(path.resolve() for path in found))


def _look_at(folder: Path) -> Server | None:
    if not all((folder / name).exists() for name in ("postgres", "initdb", "pg_ctl", "psql")):
        return None
    said = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=False)
    numbers = re.search(r"(\d+)", said.stdout)
    if said.returncode or numbers is None:
        return None
    version = int(numbers[1])
    return Server(folder, version, any((share / "extension" / "postgis.control").exists() for share in _shares(folder)))


def _shares(folder: Path) -> list[Path]:
    shares = [folder.parent / "share", folder.parent / "share" / "postgresql"]
    if folder.parts[:4] == ("/", "usr", "lib", "postgresql"):
        shares.append(Path("/usr/share/postgresql") / folder.parts[4])
    config = folder / "pg_config"
    if config.exists():
        said = subprocess.run([config, "--sharedir"], capture_output=True, text=True, check=False)
        shares.append(Path(said.stdout.strip() or "/nowhere"))
    return shares
