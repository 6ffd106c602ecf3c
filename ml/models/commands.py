"""`python -m ml models`: what is there, installing, exporting, verifying, removing."""

import argparse
import shutil
import sys
import time
from pathlib import Path

from ml.models import places
from ml.models.install import Source, Steps, agreement, export, install, remove, verify
from ml.models.installed import InstalledModel, ModelError, choose_model, load_model, model_folders
from ml.models.registry import PUBLISHED

BAR = 30


def add_to(parser: argparse.ArgumentParser) -> None:
    """The commands and their options."""
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, run, help_text in (
        ("list", _list, "what is installed, and what can be"),
        ("install", _install, "download and convert a published model"),
        ("export", _export, "write an installed model's ONNX files anew into a folder"),
        ("verify", _verify, "compare an installed model with Meta's code and its own weights"),
        ("tune", _tune, "measure whether a model may be decoded in parts and in eight bits, and write what agrees"),
        ("remove", _remove, "remove an installed model"),
    ):
        one = commands.add_parser(name, help=help_text, description=help_text)
        one.set_defaults(run=run)
        if name != "list":
            one.add_argument("name", metavar="NAME")
        if name in ("install", "remove"):
            one.add_argument("--into", type=Path, default=places.home(), help="the folder of models (%(default)s)")
        if name == "install":
            one.add_argument("--checkpoint", type=Path, help="a checkpoint at hand, instead of a download")
            one.add_argument("--own", action="store_true", help="weights of your own, not those that are published")
        if name == "export":
            one.add_argument("--to", type=Path, required=True, help="a folder that gets a folder NAME")
        if name == "verify":
            one.add_argument("--prompts", type=int, default=200, help="prompt sets to compare (%(default)s)")
        if name in ("verify", "tune"):
            scenes = 12 if name == "tune" else 0
            one.add_argument("--scenes", type=int, default=scenes, help="scenes to decode in parts (%(default)s)")


def main(given: argparse.Namespace) -> int:
    """Runs a command; 1, with words that say what to do, when it cannot be done."""
    try:
        code: int = given.run(given)
    except ModelError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. What was downloaded is kept: run this again to go on.", file=sys.stderr)
        return 130
    return code


def _list(_: argparse.Namespace) -> int:
    here: set[str] = set()
    for folder in model_folders(places.folders()):
        try:
            model = load_model(folder)
        except ModelError as error:
            print(f"  broken     {folder.name:<26} {error}")
            continue
        hidden = " (hidden by one of the same name above)" if model.name in here else ""
        here.add(model.name)
        print(f"  installed  {model.name:<26} {_bytes_of(model) / 1e6:6.0f} MB  {folder}{hidden}")
    for one in PUBLISHED:
        if one.name not in here:
            print(f"  available  {one.name:<26} {one.bytes / 1e6:6.0f} MB  python -m ml models install {one.name}")
    return 0


def _install(given: argparse.Namespace) -> int:
    progress = Progress()
    steps = Steps(progress.say, progress.bytes)
    source = Source(given.checkpoint, given.own, places.mirror(), places.offline(), steps)
    model = install(given.name, given.into, source)
    progress.end()
    print(f"{model.name} is installed. Use it: EDGEWISE_MODEL={model.name} make run")
    return 0


def _export(given: argparse.Namespace) -> int:
    progress = Progress()
    folder = export(choose_model(places.folders(), given.name), given.to, Steps(progress.say))
    progress.end()
    print(folder)
    return 0


def _verify(given: argparse.Namespace) -> int:
    model = choose_model(places.folders(), given.name)
    progress = Progress()
    progress.say(f"Comparing {model.name} with Meta's code")
    found = verify(model, given.prompts, lambda done: progress.count(done, given.prompts))
    progress.end()
    print(found.table())
    if given.scenes:
        way = agreement(model, given.scenes, print)
        print(f"of these: fields {way.fields}, {way.precision}; in use: fields {model.fields}, {model.precision}")
    return 0 if found.passed else 1


def _tune(given: argparse.Namespace) -> int:
    model = choose_model(places.folders(), given.name)
    way = agreement(model, given.scenes, print, write=True)
    print(f"{model.name} is decoded in fields of {way.fields} tokens in {way.precision}. A running server finds out.")
    return 0


def _remove(given: argparse.Namespace) -> int:
    remove(given.name, given.into)
    print(f"{given.name} is removed.")
    return 0


class Progress:
    """A bar on a terminal, a line for each tenth elsewhere."""

    def __init__(self) -> None:
        self.live = sys.stderr.isatty()
        self.began, self.first, self.told, self.open = 0.0, 0, -1, False

    def say(self, what: str) -> None:
        """A new step."""
        self.end()
        print(what, file=sys.stderr, flush=True)
        self.began, self.first, self.told = time.monotonic(), -1, -1

    def bytes(self, done: int, total: int | None) -> None:
        """Bytes of the step's download."""
        if self.first < 0:
            self.first, self.began = done, time.monotonic()
        pace = (done - self.first) / max(time.monotonic() - self.began, 0.001)
        left = f", {(total - done) / pace:.0f} s left" if total and pace > 0 and done < total else ""
        of = f" of {total / 1e6:.0f}" if total else ""
        self._show(done, total, f"{done / 1e6:.0f}{of} MB, {pace / 1e6:.1f} MB/s{left}")

    def count(self, done: int, total: int) -> None:
        """Pieces of the step."""
        self._show(done, total, f"{done} of {total}")

    def end(self) -> None:
        """Leaves the line."""
        if self.open:
            print(file=sys.stderr)
        self.open = False

    def _show(self, done: int, total: int | None, text: str) -> None:
        share = done / total if total else 0.0
        if self.live:
            bar = ("#" * round(share * BAR)).ljust(BAR, "-")
            line = f"  [{bar}] {share:4.0%}  {text}"[: shutil.get_terminal_size().columns - 1]
            print(f"\r{line}\x1b[K", end="", file=sys.stderr, flush=True)
            self.open = True
        elif int(share * 10) > self.told:
            self.told = int(share * 10)
            print(f"  {share:4.0%}  {text}", file=sys.stderr, flush=True)


def _bytes_of(model: InstalledModel) -> int:
    return sum(path.stat().st_size for path in model.encoder.path.parent.iterdir() if path.is_file())
