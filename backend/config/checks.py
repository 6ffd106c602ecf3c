"""Refuses to serve in production while demo accounts exist."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import connections

from backend.config import env


@register(Tags.database)
def no_demo_accounts(databases: Any = None, **_: Any) -> list[CheckMessage]:
    """An error for each demo account found in production (hazard 21)."""
    if not (settings.PRODUCTION and databases):
        return []
    from backend.accounts.selectors import demo_usernames

    names = demo_usernames()
    if not names:
        return []
    return [
        Error(
            f"The demo accounts {', '.join(names)} exist and their passwords are public.",
            hint="Remove them with `manage.py remove_demo`, or use a database without the demo.",
            id="edgewise.E001",
        )
    ]


def refuse_demo_accounts() -> None:
    """Ends the web server's start with that error. In a thread: the server loads us inside its event loop."""
    if not settings.PRODUCTION:
        return
    with ThreadPoolExecutor(1) as thread:
        found = thread.submit(no_demo_accounts, databases=["default"]).result()
        thread.submit(connections.close_all).result()
    if found:
        raise env.BadSetting(f"{found[0].msg} {found[0].hint}")
