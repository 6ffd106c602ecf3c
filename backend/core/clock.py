"""The current time, in one place so that tests can hold it."""

from datetime import UTC, datetime


def now() -> datetime:
    """The current instant, aware, in UTC."""
    return datetime.now(UTC)


def iso(moment: datetime) -> str:
    """An instant as ISO 8601 in UTC with milliseconds and a trailing `Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
