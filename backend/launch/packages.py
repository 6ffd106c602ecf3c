"""Installs packages of the distribution, where that is allowed."""

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from backend.launch.errors import NoPrivilege, StepFailed
from backend.launch.shell import Shell

CREATECLUSTER = Path("/etc/postgresql-common/createcluster.d/edgewise-setup.conf")


def privilege() -> list[str] | None:
    """What to put before a command that needs root: nothing for root, sudo without a password, or None."""
    if os.geteuid() == 0:
        return []
    sudo = shutil.which("sudo")
    if sudo is None:
        return None
    asked = subprocess.run([sudo, "-n", "true"], capture_output=True, stdin=subprocess.DEVNULL, check=False)
    return [sudo, "-n"] if asked.returncode == 0 else None


@dataclass(frozen=True)
class Apt:
    """The package manager of Debian and Ubuntu, used only for what is missing."""

    shell: Shell
    may: Callable[[], list[str] | None] = privilege
    which: Callable[[str], str | None] = shutil.which

    def search(self, pattern: str) -> list[str]:
        """Package names on offer; empty without apt."""
        if self.which("apt-cache") is None:
            return []
        said = self.shell.run("Searching the packages", ["apt-cache", "search", "--names-only", pattern])
        return [line.split(" ", 1)[0] for line in said.splitlines() if " - " in line]

    def refresh(self, otherwise: str) -> None:
        """Reads the package lists anew."""
        self._as_root("Reading the package lists (apt-get update)", ["apt-get", "update", "-q"], otherwise)

    def install(self, names: Sequence[str], otherwise: str) -> None:
        """Installs the packages without their recommendations; `otherwise` says what to do when that is not allowed."""
        self._as_root(
            f"Installing {' '.join(names)} (apt-get)",
            [
                "apt-get",
                "install",
                "-y",
                "-q",
                "--no-install-recommends",
                "-o",
                "DPkg::Lock::Timeout=120",
                *names,
            ],
            otherwise,
        )

    def without_default_cluster(self, otherwise: str) -> "_NoDefaultCluster":
        """While this is entered, installing PostgreSQL does not make and start a cluster of the machine's own."""
        return _NoDefaultCluster(self, otherwise)

    def _as_root(self, what: str, argv: Sequence[str], otherwise: str) -> None:
        if self.which("apt-get") is None:
            raise NoPrivilege(f"This system has no apt-get to install it with.\n{otherwise}", code="launch.no_apt")
        before = self.may()
        if before is None:
            raise NoPrivilege(f"You are not root, and sudo is absent or asks for a password.\n{otherwise}")
        try:
            self.shell.run(what, [*before, "env", "DEBIAN_FRONTEND=noninteractive", *argv])
        except StepFailed as error:
            raise StepFailed(what, "\n".join(error.message.splitlines()[1:-1]), self.shell.log, otherwise) from error


@dataclass(frozen=True)
class _NoDefaultCluster:
    apt: Apt
    otherwise: str

    def __enter__(self) -> None:
        script = f"mkdir -p {CREATECLUSTER.parent} && echo 'create_main_cluster = false' > {CREATECLUSTER}"
        self.apt._as_root("Preparing PostgreSQL's packages", ["sh", "-c", script], self.otherwise)

    def __exit__(self, *_: object) -> None:
        script = f"rm -f {CREATECLUSTER}"
        self.apt._as_root("Tidying up after PostgreSQL's packages", ["sh", "-c", script], self.otherwise)
