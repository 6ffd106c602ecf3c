"""`python -m ml models`: what is there, installing, exporting, verifying, removing, and which is the default."""

import argparse
import sys
from pathlib import Path

from ml.models import places
from ml.models.default import default_name, keep_default, set_default
from ml.models.install import Source, Steps, agreement, export, install, quicken, remove, verify
from ml.models.installed import ModelError, bytes_of, choose_model, load_model, model_folders
from ml.models.progress import Lines, Progress, give_way
from ml.models.registry import PUBLISHED


def add_to(parser: argparse.ArgumentParser) -> None:
    """The commands and their options."""
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, run, help_text in (
        ("list", _list, "what is installed, and what can be"),
        ("install", _install, "download and convert a published model"),
        ("export", _export, "write an installed model's ONNX files anew into a folder"),
        ("verify", _verify, "compare an installed model with Meta's code and its own weights"),
        ("tune", _tune, "measure whether a model may be encoded and decoded more quickly, and write what agrees"),
        ("remove", _remove, "remove an installed model"),
        ("default", _default, "choose the model of projects that have chosen none"),
    ):
        one = commands.add_parser(name, help=help_text, description=help_text)
        one.set_defaults(run=run)
        if name != "list":
            one.add_argument("name", metavar="NAME")
        if name in ("install", "verify"):
            one.add_argument("--lines", action="store_true", help=argparse.SUPPRESS)  # for the server's worker
        if name in ("install", "remove"):
            one.add_argument("--into", type=Path, default=places.home(), help="the folder of models (%(default)s)")
        if name == "install":
            one.add_argument("--checkpoint", type=Path, help="a checkpoint at hand, instead of a download")
            one.add_argument("--own", action="store_true", help="weights of your own, not those that are published")
        if name == "export":
            one.add_argument("--to", type=Path, required=True, help="a folder that gets a folder NAME")
        if name == "verify":
            one.add_argument("--prompts", type=int, default=200, help="prompt sets to compare (%(default)s)")
        if name == "tune":
            one.add_argument(
                "--encoder",
                choices=("measured", "exported"),
                default="measured",
                help="the quickest encoder that agrees, or the one that was exported (%(default)s)",
            )
        if name in ("verify", "tune"):
            scenes = 12 if name == "tune" else 0
            one.add_argument("--scenes", type=int, default=scenes, help="scenes to decode in parts (%(default)s)")


def main(given: argparse.Namespace) -> int:
    """Runs a command; 1, with words that say what to do, when it cannot be done."""
    lines = getattr(given, "lines", False)
    try:
        if lines:
            give_way()
        code: int = given.run(given)
    except ModelError as error:
        if lines:
            Lines().error(str(error))
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. What was downloaded is kept: run this again to go on.", file=sys.stderr)
        return 130
    return code


def _list(_: argparse.Namespace) -> int:
    here: set[str] = set()
    default = default_name(places.home())
    for folder in model_folders(places.folders()):
        try:
            model = load_model(folder)
        except ModelError as error:
            print(f"  broken     {folder.name:<26} {error}")
            continue
        hidden = " (hidden by one of the same name above)" if model.name in here else ""
        here.add(model.name)
        note = " (the default)" if model.name == default else hidden
        print(f"  installed  {model.name:<26} {bytes_of(model) / 1e6:6.0f} MB  {folder}{note}")
    for one in PUBLISHED:
        if one.name not in here:
            print(f"  available  {one.name:<26} {one.bytes / 1e6:6.0f} MB  python -m ml models install {one.name}")
    return 0


def _install(given: argparse.Namespace) -> int:
    progress = Lines() if given.lines else Progress()
    steps = Steps(progress.say, progress.bytes)
    source = Source(given.checkpoint, given.own, places.mirror(), places.offline(), steps)
    keep_default(places.folders(), places.home())
    model = install(given.name, given.into, source)
    progress.end()
    if isinstance(progress, Lines):
        progress.result({"model": model.name, "hash": model.sha256})
    else:
        print(
            f"{model.name} is installed. Owners choose it in their project's settings; for all projects that have "
            f"chosen none: python -m ml models default {model.name}"
        )
    return 0


def _export(given: argparse.Namespace) -> int:
    progress = Progress()
    folder = export(choose_model(places.folders(), given.name), given.to, Steps(progress.say))
    progress.end()
    print(folder)
    return 0


def _verify(given: argparse.Namespace) -> int:
    model = choose_model(places.folders(), given.name)
    progress = Lines() if given.lines else Progress()
    progress.say(f"Comparing {model.name} with Meta's code")
    found = verify(model, given.prompts, lambda done: progress.count(done, given.prompts))
    progress.end()
    if isinstance(progress, Lines):
        progress.result({"hash": model.sha256, **found.as_json(), "prompts": given.prompts})
        return 0
    print(found.table())
    if given.scenes:
        way = agreement(model, given.scenes, print)
        print(f"of these: fields {way.fields}, {way.precision}; in use: fields {model.fields}, {model.precision}")
    return 0 if found.passed else 1


def _tune(given: argparse.Namespace) -> int:
    model = quicken(choose_model(places.folders(), given.name), print, measured=given.encoder == "measured")
    way = agreement(model, given.scenes, print, write=True)
    print(f"{model.name} is decoded in fields of {way.fields} tokens in {way.precision}. A running server finds out.")
    return 0


def _remove(given: argparse.Namespace) -> int:
    remove(given.name, given.into)
    print(f"{given.name} is removed.")
    return 0


def _default(given: argparse.Namespace) -> int:
    choose_model(places.folders(), given.name)
    set_default(places.home(), given.name)
    print(f"{given.name} is the default.")
    return 0
