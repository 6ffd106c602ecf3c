"""Slows down guessing of passwords and invite links (anti-automation)."""

from datetime import timedelta

from django.db import transaction

from backend.accounts.models import Attempt
from backend.core.clock import now
from backend.core.errors import TooMany

WINDOW = timedelta(minutes=15)
LIMITS = {"user": 10, "address": 50}


def check(kind: str, *, user: str, address: str) -> None:
    """Raises `auth.too_many_attempts` when this name or this address failed too often of late."""
    since = now() - WINDOW
    for scope, key in (("user", user.lower()), ("address", address)):
        if (
            key
            and Attempt.objects.filter(kind=kind, scope=scope, key=key[:150], at__gte=since).count() >= LIMITS[scope]
        ):
            raise TooMany("Too many failed attempts. Wait a quarter of an hour.", code="auth.too_many_attempts")


def failed(kind: str, *, user: str, address: str) -> None:
    """Notes one failed attempt and forgets those that no longer count."""
    with transaction.atomic():
        Attempt.objects.filter(at__lt=now() - WINDOW).delete()
        Attempt.objects.bulk_create(
            Attempt(kind=kind, scope=scope, key=key[:150], at=now())
            for scope, key in (("user", user.lower()), ("address", address))
            if key
        )
