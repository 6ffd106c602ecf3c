"""Says by its exit status whether the worker of this machine or container lives."""

import socket
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from backend.core.clock import now
from backend.jobs.selectors import worker_seen_at

SILENT_SECONDS = 45


class Command(BaseCommand):
    """`manage.py worker_health`, for the health check of a container."""

    help = "Succeeds when a worker on this host has said within 45 seconds that it lives."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        """Looks at the newest beat of this host."""
        seen = worker_seen_at(host=socket.gethostname())
        if seen is None or now() - seen > timedelta(seconds=SILENT_SECONDS):
            raise CommandError(f"No worker on {socket.gethostname()} has been seen since {seen or 'ever'}.")
        self.stdout.write(f"seen {seen:%H:%M:%S}")
