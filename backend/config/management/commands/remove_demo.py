"""Removes the demo projects and the demo's people, whose passwords are public."""

from typing import Any

from django.core.management.base import BaseCommand

from backend.config.management.commands.load_demo import remove_demo


class Command(BaseCommand):
    """`manage.py remove_demo`."""

    help = "Removes the demo projects and accounts, for example before going into production."

    def handle(self, *args: Any, **options: Any) -> None:
        """Removes them."""
        remove_demo()
        self.stdout.write("The demo projects and accounts are gone.")
