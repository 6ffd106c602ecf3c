"""docker-compose.yml: right by its specification, without a default secret, with exactly the settings there are."""

import ast
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
SECRETS = {"POSTGRES_PASSWORD": "p" * 20, "EDGEWISE_SECRET_KEY": "s" * 40, "EDGEWISE_HOSTS": "maps.example.org"}
# Read by the server, but of no use or of a sufficient default in a container.
NOT_IN_COMPOSE = {
    "EDGEWISE_DEBUG",
    "EDGEWISE_HTTPS",
    "EDGEWISE_LOG_LEVEL",
}


class Missing(Exception):
    """A variable that must be given was not."""


def filled_in(text: str, given: dict[str, str]) -> str:
    """Compose's interpolation of `${NAME}`, `${NAME:-default}` and `${NAME:?message}`."""

    def value(found: re.Match[str]) -> str:
        name, operator, rest = found["name"], found["operator"], found["rest"] or ""
        if given.get(name):
            return given[name]
        if operator == ":-":
            return rest
        raise Missing(f"{name}: {rest}")

    return re.sub(r"\$\{(?P<name>\w+)(?:(?P<operator>:-|:\?)(?P<rest>[^}]*))?\}", value, text)


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    """The services as compose reads them, anchors and merges resolved."""
    whole = yaml.safe_load(filled_in(TEXT, SECRETS))
    found: dict[str, Any] = whole["services"]
    return found


def settings_read() -> set[str]:
    """Every variable that the server's modules read through `backend.config.env` or the environment."""
    names = set()
    for path in (ROOT / "backend").rglob("*.py"):
        if "launch" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                names |= set(re.findall(r"^(?:EDGEWISE_[A-Z_]+|DATABASE_URL)$", node.value))
    return names


def test_it_is_right_by_the_compose_specification() -> None:
    compose = PyCompose.from_yaml(yaml.safe_dump(yaml.safe_load(filled_in(TEXT, SECRETS))))
    compose.validate()
    assert set(compose.service_names()) == {"postgis", "redis", "migrate", "web", "worker", "worker-gpu"}


def test_the_specification_check_would_notice_a_wrong_key() -> None:
    with pytest.raises(ValueError, match="healthchecks"):
        PyCompose.from_yaml(TEXT.replace("    healthcheck:", "    healthchecks:", 1))


@pytest.mark.parametrize("name", sorted(SECRETS))
def test_no_secret_has_a_default(name: str) -> None:
    with pytest.raises(Missing, match=name):
        filled_in(TEXT, {key: value for key, value in SECRETS.items() if key != name})


def test_every_lasting_service_has_a_health_check_that_runs(services: dict[str, Any]) -> None:
    for name, service in services.items():
        check = service["healthcheck"]
        if name == "migrate":  # ends by itself; the others wait for its success
            assert check == {"disable": True}
            continue
        assert check["test"][0] in {"CMD", "CMD-SHELL"}
        assert {"interval", "timeout", "retries"} <= set(check)
        if "-c" in check["test"]:
            compile(check["test"][-1], name, "exec")


def test_what_must_be_there_first_is_waited_for(services: dict[str, Any]) -> None:
    for name in ("web", "worker", "worker-gpu"):
        assert {other: how["condition"] for other, how in services[name]["depends_on"].items()} == {
            "migrate": "service_completed_successfully",
            "postgis": "service_healthy",
            "redis": "service_healthy",
        }


def test_the_gpu_worker_starts_only_when_asked_for(services: dict[str, Any]) -> None:
    assert {name for name, service in services.items() if service.get("profiles")} == {"worker-gpu"}
    assert services["worker-gpu"]["build"]["args"] == {"RUNTIME": "gpu"}
    (device,) = services["worker-gpu"]["deploy"]["resources"]["reservations"]["devices"]
    assert device["capabilities"] == ["gpu"]


def test_nothing_but_the_web_server_is_published_and_that_to_this_machine_only(services: dict[str, Any]) -> None:
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert published == {"web": ["127.0.0.1:8000:8000"]}


def test_every_setting_passed_is_one_that_the_server_reads(services: dict[str, Any]) -> None:
    read = settings_read()
    for name in ("migrate", "web", "worker", "worker-gpu"):
        passed = {key for key in services[name]["environment"] if key.startswith(("EDGEWISE_", "DATABASE_"))}
        assert passed
        assert passed <= read


def test_every_setting_of_the_server_can_be_given_through_compose(services: dict[str, Any]) -> None:
    passed = set(services["web"]["environment"])
    assert settings_read() - passed == NOT_IN_COMPOSE


def test_data_outlives_the_containers(services: dict[str, Any]) -> None:
    assert services["postgis"]["volumes"] == ["database:/var/lib/postgresql/data"]
    for name in ("web", "worker", "worker-gpu"):
        assert services[name]["volumes"] == ["data:/data"]
        assert services[name]["environment"]["EDGEWISE_DATA_DIR"] == "/data"


def test_the_image_runs_the_same_web_server_as_make_run_and_not_as_root() -> None:
    from backend.launch.programs import web_command

    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    joined = dockerfile[dockerfile.index("\nCMD ") :].replace("\\\n", "")
    command = ast.literal_eval(joined.removeprefix("\nCMD ").strip())
    assert command[1:] == list(web_command(Path("python"), "0.0.0.0", 8000))[3:]
    assert "\nUSER edgewise\n" in dockerfile
    assert dockerfile.index("\nUSER edgewise\n") < dockerfile.index("\nCMD ")


def test_every_file_that_the_image_copies_is_there() -> None:
    for line in (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines():
        if line.startswith("COPY ") and "--from" not in line:
            for source in line.split()[1:-1]:
                assert (ROOT / source).exists(), source


def test_the_settings_table_of_the_readme_names_every_setting() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^\| `(EDGEWISE_[A-Z_]+|DATABASE_URL)`", readme, re.MULTILINE))
    assert named == settings_read()
