"""Reads the settings that an administrator gives through environment variables."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

ROOT = Path(__file__).resolve().parents[2]


class BadSetting(SystemExit):
    """A setting that the server refuses to start with; the message says which and what to do."""

    def __init__(self, message: str) -> None:
        super().__init__(f"Edgewise does not start: {message}")


def text(name: str, default: str = "") -> str:
    """The variable's text, stripped; the default when it is unset or empty."""
    return os.environ.get(name, "").strip() or default


def flag(name: str, default: bool) -> bool:
    """A yes/no variable: 1, true, yes, on / 0, false, no, off."""
    value = text(name).lower()
    if not value:
        return default
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"0", "false", "no", "off"}:
        return False
    raise BadSetting(f"{name} must be 1 or 0, not {value!r}.")


def number(name: str, default: int) -> int:
    """A whole-number variable."""
    value = text(name)
    if not value:
        return default
    if not value.lstrip("-").isdigit():
        raise BadSetting(f"{name} must be a whole number, not {value!r}.")
    return int(value)


def items(name: str, default: str = "") -> list[str]:
    """A comma-separated variable."""
    return [part.strip() for part in text(name, default).split(",") if part.strip()]


@dataclass(frozen=True)
class Database:
    """What `DATABASE_URL` says."""

    name: str
    user: str
    password: str
    host: str
    port: str
    options: dict[str, Any]


def database() -> Database:
    """Parses `DATABASE_URL` (`postgres://user:password@host:port/name?sslmode=…`)."""
    url = text("DATABASE_URL")
    if not url:
        raise BadSetting("DATABASE_URL is not set. `make run` sets it; else give postgres://user:password@host/name.")
    parts = urlsplit(url)
    if parts.scheme not in {"postgres", "postgresql", "postgis"} or not parts.path.strip("/"):
        raise BadSetting("DATABASE_URL must look like postgres://user:password@host:port/name.")
    query = dict(parse_qsl(parts.query))
    host = unquote(parts.hostname or query.pop("host", ""))
    return Database(
        name=unquote(parts.path.lstrip("/")),
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        host=host,
        port=str(parts.port or ""),
        options=query,
    )
