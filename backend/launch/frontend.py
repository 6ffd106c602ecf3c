"""The browser program: its locked packages, and its built files."""

from collections.abc import Iterator
from pathlib import Path

from backend.launch.console import Console
from backend.launch.node_env import Node
from backend.launch.paths import Paths
from backend.launch.shell import Shell, with_path_first
from backend.launch.stamps import fingerprint, is_done, set_done

NOT_SOURCES = frozenset({"node_modules", "dist", "coverage"})


def ensure_modules(paths: Paths, shell: Shell, console: Console, node: Node) -> None:
    """`npm ci`, when the lock has changed."""
    lock, package = paths.frontend / "package-lock.json", paths.frontend / "package.json"
    stamp = paths.frontend / "node_modules" / ".edgewise"
    key = fingerprint([lock, package], paths.frontend, node.version)
    if is_done(stamp, key):
        return
    with console.step(f"Browser packages (npm ci, Node {node.version})"):
        shell.run(
            "Installing the browser program's packages",
            [*node.npm, "ci", "--include=dev", "--no-audit", "--no-fund"],
            cwd=paths.frontend,
            env=with_path_first(node.folder),
            hint="Without a network connection the packages cannot come; a proxy is taken from npm's own settings.",
        )
        set_done(stamp, key)


def ensure_built(paths: Paths, shell: Shell, console: Console, node: Node) -> None:
    """`npm run build`, when a source has changed or the built files are gone."""
    stamp, key = paths.stamps / "frontend", fingerprint(sources(paths.frontend), paths.frontend, node.version)
    if is_done(stamp, key) and (paths.frontend / "dist" / "index.html").exists():
        return
    with console.step("Browser program (vite build)"):
        shell.run(
            "Building the browser program",
            [*node.npm, "run", "build"],
            cwd=paths.frontend,
            env=with_path_first(node.folder),
        )
        set_done(stamp, key)


def sources(folder: Path) -> Iterator[Path]:
    """Every file that the built program may depend on."""
    for path in sorted(folder.iterdir()):
        if path.name in NOT_SOURCES:
            continue
        if path.is_dir():
            yield from sources(path)
        elif not path.name.startswith(".eslint"):
            yield path
