"""The virtual environment with the locked Python packages."""

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from backend.launch.console import Console
from backend.launch.errors import LaunchError
from backend.launch.machine import GIGABYTE, ensure_room
from backend.launch.packages import Apt
from backend.launch.paths import Paths
from backend.launch.shell import Shell
from backend.launch.stamps import fingerprint, is_done, set_done

ROOM_FOR_TORCH = 3 * GIGABYTE


def ensure_venv(paths: Paths, shell: Shell, apt: Apt, console: Console) -> None:
    """`.venv` with this Python's version; one that is broken, or was copied from elsewhere, is made anew."""
    if _works(paths):
        return
    with console.step(f"Python {sys.version_info[0]}.{sys.version_info[1]} environment"):
        if importlib.util.find_spec("ensurepip") is None:
            package = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
            otherwise = f"This Python has no venv module. Install it: apt-get install {package}; then run this again."
            apt.refresh(otherwise)
            apt.install([package], otherwise)
        if paths.venv.exists():
            shutil.rmtree(paths.venv)
        shell.run("Making the virtual environment", [sys.executable, "-m", "venv", paths.venv])


def ensure_packages(paths: Paths, shell: Shell, console: Console, lock: str) -> None:
    """The packages of `requirements/<lock>.txt`, by their hashes; `test` contains all of `run`."""
    wanted = paths.requirements / f"{lock}.txt"
    stamp = paths.venv / f".edgewise-{lock}"
    key = fingerprint([wanted], paths.requirements, _version_of(paths.python))
    if is_done(stamp, key):
        return
    count = sum(1 for line in wanted.read_text(encoding="utf-8").splitlines() if "==" in line)
    with console.step(f"Python packages ({count}, locked)"):
        install(paths, shell, ["--requirement", str(wanted)], "Installing the Python packages")
        set_done(stamp, key)
        if lock == "test":  # its versions of `run`'s packages are the same
            run = paths.requirements / "run.txt"
            set_done(paths.venv / ".edgewise-run", fingerprint([run], paths.requirements, _version_of(paths.python)))


def ensure_torch(paths: Paths, shell: Shell, console: Console) -> None:
    """torch and the package sam2, which only conversions of checkpoints, comparisons and training need.

    sam2 is built without isolation, which would fetch a second torch, without its CUDA part and without torchvision.
    """
    files = [paths.requirements / "torch.txt", paths.requirements / "sam2.txt"]
    stamp = paths.venv / ".edgewise-torch"
    key = fingerprint(files, paths.requirements, _version_of(paths.python))
    if is_done(stamp, key):
        return
    ensure_room(paths.root, ROOM_FOR_TORCH)
    with console.step("torch and sam2"):
        install(paths, shell, ["--requirement", str(files[0])], "Installing torch")
        without = ["--no-build-isolation", "--no-deps", "--requirement", str(files[1])]
        install(paths, shell, without, "Installing sam2", {**os.environ, "SAM2_BUILD_CUDA": "0"})
        set_done(stamp, key)


def install(
    paths: Paths, shell: Shell, what: list[str], title: str, environment: Mapping[str, str] | None = None
) -> None:
    """pip, with nothing asked and no cache kept beyond pip's own."""
    shell.run(
        title,
        [paths.python, "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--quiet", *what],
        env=environment,
        hint="Without a network connection the packages cannot come; a proxy is taken from pip's own settings.",
    )


def _works(paths: Paths) -> bool:
    if not paths.python.exists():
        return False
    said = subprocess.run(
        [paths.python, "-c", "import sys, pip; print(sys.prefix)"],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    if said.returncode or Path(said.stdout.strip()).resolve() != paths.venv.resolve():
        return False
    version = _version_of(paths.python)
    if tuple(int(part) for part in version.split(".")[:2]) < (3, 11):
        raise LaunchError(
            f"{paths.venv} holds Python {version}; Edgewise needs 3.11 or newer. Remove that folder, run this again.",
            code="launch.old_venv",
        )
    return True


def _version_of(python: Path) -> str:
    """`3.11` of the environment, without starting it."""
    config = python.parent.parent / "pyvenv.cfg"
    for line in config.read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition("=")
        if name.strip() == "version":
            return ".".join(value.strip().split(".")[:2])
    return ".".join(str(part) for part in sys.version_info[:2])
