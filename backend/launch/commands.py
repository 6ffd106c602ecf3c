"""The commands of `python3 -m backend.launch`, and how their errors are told."""

import errno
import os
import sys
from collections.abc import Callable, Sequence

from backend.launch import quality, serve, setup, suite, training
from backend.launch.console import Console
from backend.launch.errors import LaunchError
from backend.launch.locks import Lock
from backend.launch.paths import Paths
from backend.launch.setup import Bench
from backend.launch.supervisor import Interrupted


def main(arguments: Sequence[str]) -> int:
    """Runs one command; every expected failure is one message, without a stack trace."""
    os.umask(0o022)
    console = Console()
    if len(arguments) != 1 or arguments[0] not in COMMANDS:
        console.say(f"usage: python3 -m backend.launch {{{','.join(COMMANDS)}}}")
        return 2
    try:
        return COMMANDS[arguments[0]](Paths.of_this_checkout(), console)
    except LaunchError as error:
        print(f"\n{error.message}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, Interrupted):
        print("\nStopped.", file=sys.stderr)
        return 130
    except OSError as error:
        print(f"\n{explain(error)}", file=sys.stderr)
        return 1


def explain(error: OSError) -> str:
    """What the operating system refused, and what to do."""
    where = f" ({error.filename})" if error.filename else ""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return f"The disk is full{where}. Make room and run the same command again; nothing is broken."
    if error.errno in {errno.EACCES, errno.EPERM}:
        return (
            f"This user may not use {error.filename or 'a file'}: it probably belongs to another user, for example "
            "after a run with sudo.\nRun this as that user, or give the folder back with chown."
        )
    if error.errno == errno.EROFS:
        return f"The disk is read-only{where}. Run this in a folder that can be written to."
    return f"The operating system refused something{where}: {error.strerror}. Mend it and run this again."


def clean_data(paths: Paths, console: Console, ask: Callable[[str], str] = input) -> int:
    """Removes the private database and the data folder, after asking."""
    alone = Lock(paths.locks / "run")
    if not alone.take():
        raise LaunchError("Edgewise runs. Stop it first, then run this again.")
    console.say(f"This removes every project, raster and annotation of {paths.root}, for good.")
    if ask("Type yes to go on: ").strip().lower() != "yes":
        console.say("Nothing was removed.")
        return 1
    for folder in setup.remove_data(Bench.of(paths, console)):
        console.say(f"  removed {folder}")
    return 0


COMMANDS: dict[str, Callable[[Paths, Console], int]] = {
    "run": lambda paths, console: serve.serve(paths, console, developing=False),
    "dev": lambda paths, console: serve.serve(paths, console, developing=True),
    "check": quality.check,
    "test": suite.test,
    "bench": suite.bench,
    "manage": serve.manage,
    "lock": quality.lock,
    "clean-data": clean_data,
    "train-nano": training.train_nano,
}
