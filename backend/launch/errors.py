"""What can go wrong while Edgewise is set up or started; each message says what to do."""

from pathlib import Path

from backend.core.errors import EdgewiseError


class LaunchError(EdgewiseError):
    """The command ends with this message and exit status 1."""

    code = "launch.failed"


class StepFailed(LaunchError):
    """A program that was run for the set-up did not succeed."""

    code = "launch.step_failed"

    def __init__(self, what: str, tail: str, log: Path, hint: str = "") -> None:
        lines = [f"{what} did not succeed.", *(f"    {line}" for line in tail.splitlines())]
        lines += [hint] if hint else []
        lines += [f"All it said is in {log}. Mend the cause and run the same command again; it goes on from here."]
        super().__init__("\n".join(lines))


class NoDisk(LaunchError):
    """Too little room."""

    code = "launch.no_disk"


class NoPrivilege(LaunchError):
    """Something must be installed for the whole machine and this user may not."""

    code = "launch.no_privilege"


class PortTaken(LaunchError):
    """The port that was asked for belongs to another program."""

    code = "launch.port_taken"


class AlreadyRunning(LaunchError):
    """Another `make run` or `make dev` of this folder is alive."""

    code = "launch.already_running"


class ClusterDamaged(LaunchError):
    """The database folder is not what it should be, and it may hold somebody's data."""

    code = "launch.cluster_damaged"


class NotReachable(LaunchError):
    """The database that DATABASE_URL names does not answer, or lacks PostGIS."""

    code = "launch.database_not_reachable"
