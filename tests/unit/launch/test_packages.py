"""Distribution packages: what is asked for, and what is said where that is not allowed."""

import subprocess
from io import StringIO
from pathlib import Path

import pytest

from backend.launch import postgres
from backend.launch.console import Console
from backend.launch.errors import NoPrivilege, StepFailed
from backend.launch.packages import CREATECLUSTER, Apt
from backend.launch.postgres import Server, ensure_server
from backend.launch.shell import Shell


class RecordingShell(Shell):
    """Answers instead of running, and remembers what was asked."""

    def __init__(self, log: Path, answers: dict[str, str] | None = None, fails: str = "") -> None:
        super().__init__(log)
        object.__setattr__(self, "calls", [])
        object.__setattr__(self, "answers", answers or {})
        object.__setattr__(self, "fails", fails)

    def run(self, what, argv, **how):  # type: ignore[no-untyped-def]
        command = " ".join(str(part) for part in argv)
        self.calls.append(command)  # type: ignore[attr-defined]
        if self.fails and self.fails in command:  # type: ignore[attr-defined]
            raise StepFailed(what, "E: no network", self.log)
        return next((said for part, said in self.answers.items() if part in command), "")  # type: ignore[attr-defined]


OFFERS = "postgresql-13-postgis-3 - old\npostgresql-15-postgis-3 - geo\npostgresql-17-postgis-3 - geo\n"
HERE = {"apt-get": "/usr/bin/apt-get", "apt-cache": "/usr/bin/apt-cache"}


def apt(shell: Shell, may: list[str] | None) -> Apt:
    return Apt(shell, may=lambda: may, which=HERE.get)


@pytest.fixture
def silent() -> Console:
    return Console(StringIO())


def test_without_root_or_sudo_one_message_names_the_package_and_the_docker_way(tmp_path: Path, silent: Console) -> None:
    shell = RecordingShell(tmp_path / "log")
    with pytest.raises(NoPrivilege) as refused:
        ensure_server(apt(shell, None), silent, None, look=list)
    assert "apt-get install postgresql-15-postgis-3" in refused.value.message
    assert "docker run" in refused.value.message
    assert "DATABASE_URL=" in refused.value.message
    assert shell.calls == []  # type: ignore[attr-defined]


def test_without_apt_the_same_is_said(tmp_path: Path, silent: Console) -> None:
    shell = RecordingShell(tmp_path / "log")
    with pytest.raises(NoPrivilege) as refused:
        ensure_server(Apt(shell, may=lambda: [], which=lambda name: None), silent, None, look=list)
    assert refused.value.code == "launch.no_apt"
    assert "docker run" in refused.value.message


def test_the_newest_package_on_offer_is_installed_without_a_default_cluster(tmp_path: Path, silent: Console) -> None:
    shell = RecordingShell(tmp_path / "log", {"apt-cache search": OFFERS})
    found = Server(Path("/usr/lib/postgresql/17/bin"), 17, True)
    looks = iter([[], [], [found]])
    server = ensure_server(apt(shell, ["sudo", "-n"]), silent, None, look=lambda: next(looks))
    assert server == found
    calls = shell.calls  # type: ignore[attr-defined]
    install = next(index for index, call in enumerate(calls) if " install " in call)
    assert calls[install].startswith("sudo -n env DEBIAN_FRONTEND=noninteractive apt-get install")
    assert calls[install].endswith("postgresql-17-postgis-3")
    assert f"create_main_cluster = false' > {CREATECLUSTER}" in calls[install - 1]
    assert f"rm -f {CREATECLUSTER}" in calls[install + 1]


def test_a_server_that_is_there_gets_postgis_of_its_own_version(tmp_path: Path, silent: Console) -> None:
    shell = RecordingShell(tmp_path / "log", {"apt-cache search": OFFERS})
    bare = Server(Path("/usr/lib/postgresql/15/bin"), 15, False)
    whole = Server(bare.bin, 15, True)
    looks = iter([[bare], [bare], [whole]])
    assert ensure_server(apt(shell, []), silent, None, look=lambda: next(looks)) == whole
    assert any(call.endswith("postgresql-15-postgis-3") for call in shell.calls)  # type: ignore[attr-defined]


def test_a_cluster_is_served_only_by_the_version_that_made_it(tmp_path: Path, silent: Console) -> None:
    newer = Server(Path("/usr/lib/postgresql/17/bin"), 17, True)
    shell = RecordingShell(tmp_path / "log", {"apt-cache search": "postgresql-17-postgis-3 - geo\n"})
    with pytest.raises(NoPrivilege) as refused:
        ensure_server(apt(shell, []), silent, 15, look=lambda: [newer])
    assert "no PostGIS for PostgreSQL 15" in refused.value.message


def test_versions_below_14_are_not_taken(tmp_path: Path, silent: Console) -> None:
    shell = RecordingShell(tmp_path / "log", {"apt-cache search": "postgresql-13-postgis-3 - old\n"})
    with pytest.raises(NoPrivilege) as refused:
        ensure_server(apt(shell, []), silent, None, look=lambda: [Server(Path("/x"), 13, True)])
    assert refused.value.code == "launch.no_postgis"


def test_a_failing_installation_ends_with_the_other_ways_and_tidies_up(tmp_path: Path, silent: Console) -> None:
    shell = RecordingShell(tmp_path / "log", {"apt-cache search": OFFERS}, fails=" install ")
    with pytest.raises(StepFailed) as refused:
        ensure_server(apt(shell, []), silent, None, look=list)
    assert "no network" in refused.value.message
    assert "docker run" in refused.value.message
    assert f"rm -f {CREATECLUSTER}" in shell.calls[-1]  # type: ignore[attr-defined]


def test_a_folder_without_all_programs_is_no_server(tmp_path: Path) -> None:
    (tmp_path / "postgres").write_text("#!/bin/sh\necho postgres 16\n")
    assert postgres.installed([tmp_path]) == []


def test_the_version_and_postgis_of_a_server_are_found(tmp_path: Path) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("postgres", "initdb", "pg_ctl", "psql"):
        (folder / name).write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 16.4 (Debian)'\n")
        (folder / name).chmod(0o755)
    assert postgres.installed([folder]) == [Server(folder, 16, False)]
    extension = tmp_path / "share" / "extension"
    extension.mkdir(parents=True)
    (extension / "postgis.control").touch()
    assert postgres.installed([folder]) == [Server(folder, 16, True)]


def test_an_asked_for_password_counts_as_no_sudo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from backend.launch import packages

    sudo = tmp_path / "sudo"
    sudo.write_text("#!/bin/sh\nexit 1\n")
    sudo.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(packages.os, "geteuid", lambda: 1000)
    assert packages.privilege() is None
    sudo.write_text("#!/bin/sh\nexit 0\n")
    assert packages.privilege() == [str(sudo), "-n"]
    assert subprocess.run([sudo], check=False).returncode == 0
