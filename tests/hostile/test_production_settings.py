"""Hazard 21: in production the server does not start with default secrets, in debug mode, or with the demo in it."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GOOD = {
    "EDGEWISE_MODE": "production",
    "EDGEWISE_SECRET_KEY": "a-long-random-text-of-forty-characters-or-so",
    "EDGEWISE_HOSTS": "maps.example.org",
    "DATABASE_URL": "postgres://nobody@127.0.0.1:1/none",
}
READ = "from django.conf import settings; print(settings.{})"


def start(code: str, changes: Mapping[str, str | None] = {}) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("EDGEWISE_")}
    env.update(GOOD, DJANGO_SETTINGS_MODULE="backend.config.settings")
    for name, value in changes.items():
        env.pop(name, None)
        if value is not None:
            env[name] = value
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, check=False)


def test_a_complete_configuration_starts() -> None:
    ended = start(READ.format("PRODUCTION"))
    assert (ended.stdout, ended.returncode) == ("True\n", 0), ended.stderr


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"EDGEWISE_SECRET_KEY": None}, "EDGEWISE_SECRET_KEY is missing"),
        ({"EDGEWISE_SECRET_KEY": ""}, "EDGEWISE_SECRET_KEY is missing"),
        ({"EDGEWISE_SECRET_KEY": "short"}, "shorter than 32"),
        ({"EDGEWISE_DEBUG": "1"}, "EDGEWISE_DEBUG is on in production"),
        ({"EDGEWISE_HOSTS": None}, "EDGEWISE_HOSTS is not set"),
        ({"EDGEWISE_MODE": "prodution"}, "EDGEWISE_MODE must be local, production or test"),
        ({"EDGEWISE_DEBUG": "perhaps"}, "EDGEWISE_DEBUG must be 1 or 0"),
        ({"DATABASE_URL": None}, "DATABASE_URL is not set"),
        ({"DATABASE_URL": "mysql://x@y/z"}, "DATABASE_URL must look like"),
    ],
)
def test_it_refuses_with_one_line_that_names_the_setting(changes: Mapping[str, str | None], says: str) -> None:
    ended = start(READ.format("PRODUCTION"), changes)
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr.startswith("Edgewise does not start: ")
    assert says in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_a_secret_is_never_shown_in_a_refusal() -> None:
    ended = start(READ.format("PRODUCTION"), {"EDGEWISE_SECRET_KEY": "only-31-characters-of-a-secret!"})
    assert ended.returncode == 1
    assert "only-31" not in ended.stdout + ended.stderr


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("DEBUG", "False"),
        ("SESSION_COOKIE_SECURE", "True"),
        ("CSRF_COOKIE_SECURE", "True"),
        ("SESSION_COOKIE_HTTPONLY", "True"),
        ("SECURE_HSTS_SECONDS", "31536000"),
        ("ALLOWED_HOSTS", "['maps.example.org']"),
        ("PASSWORD_HASHERS", "['django.contrib.auth.hashers.PBKDF2PasswordHasher']"),
    ],
)
def test_production_is_closed_by_default(setting: str, value: str) -> None:
    assert start(READ.format(setting)).stdout == f"{value}\n"


def test_djangos_own_deployment_checks_find_nothing_serious() -> None:
    run = "from django.core.management import execute_from_command_line as run; run"
    ended = start(f"{run}(['manage.py', 'check', '--deploy', '--fail-level', 'ERROR'])")
    assert ended.returncode == 0, ended.stderr
