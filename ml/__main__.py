"""The same work from a shell, without a server: `python -m ml models …`."""

import argparse
import sys

from ml.models import commands


def main() -> int:
    """Reads the command line; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m ml", description=__doc__)
    rooms = parser.add_subparsers(dest="room", required=True, metavar="ROOM")
    models = rooms.add_parser("models", help=commands.__doc__, description=commands.__doc__)
    commands.add_to(models)
    return commands.main(parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
