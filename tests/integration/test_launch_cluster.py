"""The private cluster with the real PostgreSQL: made, started again, joined, revived, and stopped by the last."""

import os
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from backend.launch import cluster as clusters
from backend.launch import postgres
from backend.launch.cluster import Cluster, running_port
from backend.launch.machine import is_alive
from backend.launch.paths import Paths
from backend.launch.postgres import Server
from backend.launch.shell import Shell


@pytest.fixture(scope="module")
def server() -> Server:
    found = [one for one in postgres.installed() if one.has_postgis and one.version >= postgres.OLDEST]
    if not found:
        pytest.skip("no PostgreSQL with PostGIS on this machine (DATABASE_URL names another's)")
    return found[0]


@pytest.fixture(scope="module")
def paths(server: Server) -> Iterator[Paths]:
    """A folder that the server's own operating-system user can reach; pytest's are closed to others."""
    root = Path(tempfile.mkdtemp(prefix="edgewise-launch-"))
    root.chmod(0o755)
    (root / "var").mkdir()
    yield Paths(root)
    end(root / "var" / "pg" / "data")
    shutil.rmtree(root)


@pytest.fixture
def cluster(paths: Paths, server: Server) -> Iterator[Cluster]:
    """The started cluster; the first test that asks for it has it made."""
    one = open_cluster(paths)
    one.start(server)
    yield one
    one.stop(server)


def open_cluster(paths: Paths) -> Cluster:
    return Cluster(clusters.place(paths, clusters.os_user()), paths, Shell(paths.var / "setup.log"))


def postmaster(cluster: Cluster) -> int:
    return int((cluster.data / "postmaster.pid").read_text().splitlines()[0])


def end(data: Path) -> None:
    """Kills a server that a failing test has left."""
    if (data / "postmaster.pid").exists():
        pid = int((data / "postmaster.pid").read_text().splitlines()[0])
        if running_port(data):
            os.kill(pid, signal.SIGKILL)


def wait_until_dead(pid: int) -> None:
    deadline = time.monotonic() + 20
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_alive(pid)


def test_it_has_a_database_with_postgis_owned_by_a_role_that_is_no_superuser(cluster: Cluster, server: Server) -> None:
    assert cluster.psql(server, "select postgis_lib_version()", clusters.DATABASE) != ""
    assert cluster.psql(server, "select rolsuper from pg_roles where rolname = 'edgewise'") == "f"
    owner = "select pg_get_userbyid(datdba) from pg_database where datname = 'edgewise'"
    assert cluster.psql(server, owner) == "edgewise"
    assert f"@127.0.0.1:{cluster.port}/edgewise" in cluster.url()


def test_it_listens_on_loopback_only_and_asks_for_the_password(cluster: Cluster, server: Server) -> None:
    assert cluster.psql(server, "show listen_addresses") == "127.0.0.1"
    assert cluster.psql(server, "show unix_socket_directories") == ""
    with psycopg.connect(cluster.url()) as db:
        assert db.execute("select 1").fetchone() == (1,)
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(cluster.url().replace("edgewise:", "edgewise:wrong"))


def test_root_runs_it_as_another_user(cluster: Cluster) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root has to")
    assert Path(f"/proc/{postmaster(cluster)}").stat().st_uid != 0


def test_a_second_start_finds_the_data_on_the_same_port(paths: Paths, server: Server, cluster: Cluster) -> None:
    cluster.psql(server, "create table if not exists kept as select 42 as answer", clusters.DATABASE)
    port, first = cluster.port, postmaster(cluster)
    assert cluster.stop(server)
    wait_until_dead(first)
    began = time.monotonic()
    cluster.start(server)
    assert time.monotonic() - began < 5
    assert cluster.port == port
    assert cluster.psql(server, "select answer from kept", clusters.DATABASE) == "42"


def test_it_runs_until_the_last_command_that_uses_it_ends(paths: Paths, server: Server, cluster: Cluster) -> None:
    other = open_cluster(paths)
    other.start(server)
    pid = postmaster(cluster)
    assert other.port == cluster.port
    assert not cluster.stop(server)
    assert is_alive(pid)
    assert other.stop(server)
    wait_until_dead(pid)


def test_a_killed_server_is_revived_on_the_same_port(server: Server, cluster: Cluster) -> None:
    pid, port = postmaster(cluster), cluster.port
    assert not cluster.revive(server)
    os.kill(pid, signal.SIGKILL)
    wait_until_dead(pid)
    assert cluster.revive(server)
    assert postmaster(cluster) != pid
    assert running_port(cluster.data) == port
    assert cluster.psql(server, "select 1") == "1"


def test_after_a_killed_server_and_supervisor_the_next_start_is_whole(
    paths: Paths, server: Server, cluster: Cluster
) -> None:
    cluster.psql(server, "create table if not exists acknowledged as select 7 as edit", clusters.DATABASE)
    pid = postmaster(cluster)
    os.kill(pid, signal.SIGKILL)
    wait_until_dead(pid)
    assert (cluster.data / "postmaster.pid").exists()
    later = open_cluster(paths)
    later.start(server)
    assert later.psql(server, "select edit from acknowledged", clusters.DATABASE) == "7"
    assert not later.stop(server)  # the first still counts as a user


def test_a_server_left_by_a_killed_supervisor_is_joined_and_then_stopped(
    paths: Paths, server: Server, cluster: Cluster
) -> None:
    pid = postmaster(cluster)
    cluster._in_use.release()  # what the system does for a killed holder
    later = open_cluster(paths)
    later.start(server)
    assert postmaster(later) == pid
    assert later.stop(server)
    wait_until_dead(pid)


def test_when_its_port_was_taken_meanwhile_it_gets_another(paths: Paths, server: Server, cluster: Cluster) -> None:
    port = cluster.port
    assert cluster.stop(server)
    with socket.socket() as thief:
        thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        thief.bind(("127.0.0.1", port))
        thief.listen()
        cluster.start(server)
    assert cluster.port != port
    assert cluster.psql(server, "select 1") == "1"
