"""Runs the worker process."""

import os
from typing import Any

from django.conf import settings
from django.core.checks import Tags
from django.core.management.base import BaseCommand, CommandParser

from backend.jobs import worker
from ml.encode import CHOICES


class Command(BaseCommand):
    """`manage.py work [--lane bulk --lane urgent …] [--encoder torch-cuda]`."""

    help = "Works on queued jobs until it is stopped."

    def add_arguments(self, parser: CommandParser) -> None:
        """Which lanes this process serves; all of them unless told."""
        parser.add_argument("--lane", action="append", choices=sorted(worker.LANES), help="serve only this lane")
        parser.add_argument("--encoder", choices=CHOICES, help="what to encode with, instead of EDGEWISE_ENCODER")

    def handle(self, *args: Any, **options: Any) -> None:
        """Starts and stays."""
        self.check(tags=[Tags.database], databases=["default"])  # not in production with demo accounts
        os.environ.setdefault("GDAL_CACHEMAX", "256")  # MB; else a twentieth of the machine's memory
        if options["encoder"]:
            settings.ENCODER = options["encoder"]
        worker.run(options["lane"] or list(worker.LANES))
