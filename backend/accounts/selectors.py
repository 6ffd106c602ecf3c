"""Reads users."""

from typing import Any

from backend.accounts.models import User


def demo_usernames() -> list[str]:
    """The demo accounts that exist; empty before the tables do."""
    return sorted(User.objects.filter(is_demo=True).values_list("username", flat=True))


def user_json(user: User) -> dict[str, Any]:
    """A user as the wire has it."""
    return {
        "id": str(user.id),
        "username": user.username,
        "display_name": user.display_name or user.username,
        "is_staff": user.is_staff or user.is_superuser,
        "colour": user.colour,
    }
