"""Web server and worker refuse production while the demo accounts, whose passwords are public, are in the database."""

import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest
from django.db import connection

from backend.accounts.models import User

ROOT = Path(__file__).parents[2]
WEB = ("-m", "uvicorn", "backend.config.asgi:application", "--lifespan", "off", "--port", "0")
WORKER = ("manage.py", "work")

pytestmark = pytest.mark.django_db(transaction=True)


def production() -> dict[str, str]:
    """A good production environment on the test database."""
    to = connection.settings_dict
    env = {name: value for name, value in os.environ.items() if not name.startswith("EDGEWISE_")}
    return env | {
        "DJANGO_SETTINGS_MODULE": "backend.config.settings",
        "DATABASE_URL": f"postgres://{to['USER']}:{quote(to['PASSWORD'])}@{to['HOST']}:{to['PORT']}/{to['NAME']}",
        "EDGEWISE_MODE": "production",
        "EDGEWISE_SECRET_KEY": "a-long-random-text-of-forty-characters-or-so",
        "EDGEWISE_HOSTS": "maps.example.org",
        "PYTHONUNBUFFERED": "1",
    }


@pytest.mark.parametrize("program", [WEB, WORKER], ids=["web", "worker"])
def test_with_a_demo_account_it_refuses_to_start(program: tuple[str, ...]) -> None:
    User.objects.create(username="somebody", is_demo=False)
    User.objects.create(username="ada-of-the-demo", is_demo=True)
    ended = subprocess.run(
        [sys.executable, *program], cwd=ROOT, env=production(), capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 1
    assert "The demo accounts ada-of-the-demo exist" in ended.stderr
    assert "manage.py remove_demo" in ended.stderr
    assert "somebody" not in ended.stderr
    assert "Traceback" not in ended.stderr


def test_without_one_the_web_server_starts() -> None:
    User.objects.create(username="somebody", is_demo=False)
    process = subprocess.Popen(
        [sys.executable, *WEB], cwd=ROOT, env=production(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        assert process.stdout is not None
        said = ""
        for line in process.stdout:
            said += line
            if "Uvicorn running on" in line:
                break
        assert "Uvicorn running on" in said
    finally:
        process.terminate()
        process.communicate(timeout=20)
