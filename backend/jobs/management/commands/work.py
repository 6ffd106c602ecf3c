"""Runs the worker process."""

from typing import Any

from django.core.checks import Tags
from django.core.management.base import BaseCommand, CommandParser

from backend.jobs import worker


class Command(BaseCommand):
    """`manage.py work [--lane bulk --lane urgent …]`."""

    help = "Works on queued jobs until it is stopped."

    def add_arguments(self, parser: CommandParser) -> None:
        """Which lanes this process serves; all of them unless told."""
        parser.add_argument("--lane", action="append", choices=sorted(worker.LANES), help="serve only this lane")

    def handle(self, *args: Any, **options: Any) -> None:
        """Starts and stays."""
        self.check(tags=[Tags.database], databases=["default"])  # not in production with demo accounts
        worker.run(options["lane"] or list(worker.LANES))
