"""Who may open a project's socket, what each role may say on it, and how soon a right that ends is gone."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.sessions.models import Session
from django.test import Client

from backend.accounts.models import ApiToken, User
from backend.accounts.services import create_token
from backend.core.clock import now
from backend.events.models import Event
from backend.live import consumers, conversation, hub
from backend.live.messages import CLIENT_MESSAGES
from backend.live.threads import in_database
from backend.projects import services as projects
from backend.projects.models import Role
from tests.support.sockets import HOST, OWN_PAGE, Headers, browser_of, cookie_of, opened, refusal
from tests.support.worlds import PASSWORD, World, make_world
from tests.unit.backend.test_live_messages import GOOD

pytestmark = pytest.mark.django_db(transaction=True)

RIGHTS_END_WITHIN = 5.0


@pytest.fixture
def world() -> World:
    return make_world()


@pytest.fixture
def prompts(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every prompt that reaches the click conversation; none is answered."""
    asked: list[Any] = []
    monkeypatch.setattr(conversation.Conversation, "ask", lambda self, message: asked.append(message))
    monkeypatch.setattr(conversation.Conversation, "clear", lambda self, *said: asked.append(said))
    return asked


def bearer(user: User, **more: Any) -> Headers:
    _, secret = create_token(user, "script", None)
    return [HOST, (b"authorization", f"Bearer {secret}".encode())]


@pytest.mark.parametrize("role", ["owner", "reviewer", "annotator", "viewer"])
async def test_every_member_is_let_in_and_greeted(world: World, role: str) -> None:
    user = world.users()[role]

    async with opened(world.project.id, await in_database(browser_of, user)) as socket:
        assert socket.hello["role"] == role
        assert socket.hello["user"]["id"] == str(user.id)
        assert socket.hello["seq"] == await in_database(Event.objects.filter(project_id=world.project.id).count)
        assert [member["session"] for member in socket.hello["members"]] == [socket.hello["session"]]
        assert socket.hello["model"]["name"]


@pytest.mark.parametrize("kind", sorted(CLIENT_MESSAGES))
async def test_a_stranger_without_a_session_says_nothing(world: World, kind: str) -> None:
    assert kind in GOOD
    assert await refusal(world.project.id, [HOST]) == 403
    for headers in ([HOST, OWN_PAGE], [HOST, OWN_PAGE, (b"cookie", b"sessionid=" + b"a" * 32)]):
        assert await refusal(world.project.id, headers) == 4401, "a page of ours is told to sign in"
        assert await refusal(uuid4(), headers) == 4401


@pytest.mark.parametrize("kind", sorted(CLIENT_MESSAGES))
async def test_a_member_of_another_project_says_nothing(world: World, kind: str, prompts: list[Any]) -> None:
    assert kind in GOOD
    headers = await in_database(browser_of, world.stranger)

    assert await refusal(world.project.id, headers) == 4403
    assert await refusal(uuid4(), headers) == 4403, "a project that does not exist looks the same"
    assert prompts == []


@pytest.mark.parametrize("kind", sorted(CLIENT_MESSAGES))
@pytest.mark.parametrize("role", ["viewer", "annotator"])
async def test_a_message_is_taken_from_those_whose_role_allows_it(
    world: World, kind: str, role: str, prompts: list[Any]
) -> None:
    allowed = role == "annotator" or CLIENT_MESSAGES[kind].least == Role.VIEWER

    async with opened(world.project.id, await in_database(browser_of, world.users()[role])) as socket:
        await socket.say(**GOOD[kind])
        if not allowed:
            said = await socket.hear("error")
            assert (said["code"], said["ref"]) == ("auth.forbidden", kind)
        await socket.say(type="ping", t=5)
        assert (await socket.hear("pong"))["t"] in (5.0, 17.0), "the socket stays open"
    assert len(prompts) == (1 if allowed and kind.startswith("prompt.") else 0)


def test_the_table_says_who_may_and_viewers_may_not_prompt() -> None:
    assert {kind: said.least for kind, said in CLIENT_MESSAGES.items()} == {
        "prompt.submit": Role.ANNOTATOR,
        "prompt.clear": Role.ANNOTATOR,
        "presence.update": Role.VIEWER,
        "ping": Role.VIEWER,
    }


async def test_a_script_comes_in_with_a_token_and_no_origin(world: World) -> None:
    headers = await in_database(bearer, world.annotator)

    async with opened(world.project.id, headers) as socket:
        assert socket.hello["user"]["id"] == str(world.annotator.id)


async def test_a_token_in_the_address_is_no_token(world: World) -> None:
    _, secret = await in_database(create_token, world.annotator, "script", None)
    for query in (f"token={secret}", f"access_token={secret}", f"authorization=Bearer%20{secret}"):
        assert await refusal(world.project.id, [HOST], query) == 403
        assert await refusal(world.project.id, [HOST, OWN_PAGE], query) == 4401


@pytest.mark.parametrize("wrong", ["unknown", "expired", "revoked", "inactive", "empty", "basic"])
async def test_a_token_that_is_not_good_opens_nothing(world: World, wrong: str) -> None:
    def headers() -> Headers:
        token, secret = create_token(world.annotator, "script", None)
        if wrong == "unknown":
            secret = "ew_" + "x" * 40
        elif wrong == "expired":
            ApiToken.objects.filter(id=token.id).update(expires_at=now() - timedelta(seconds=1))
        elif wrong == "revoked":
            token.delete()
        elif wrong == "inactive":
            User.objects.filter(id=world.annotator.id).update(is_active=False)
        scheme = "Basic" if wrong == "basic" else "Bearer"
        return [HOST, (b"authorization", f"{scheme} {'' if wrong == 'empty' else secret}".encode())]

    assert await refusal(world.project.id, await in_database(headers)) == 403


ORIGINS = [
    b"http://evil.example", b"null", b"", b"http://localhost:9999", b"http://localhost:8000.evil.example",
    b"https://localhost.evil.example", b"file://", b"http://[::1", b"\xff\xfe",
]  # fmt: skip


@pytest.mark.parametrize("origin", [None, *ORIGINS])
async def test_a_good_cookie_from_another_page_opens_nothing(world: World, origin: bytes | None) -> None:
    cookie = await in_database(cookie_of, world.owner)
    headers = [HOST, cookie] + ([(b"origin", origin)] if origin is not None else [])

    assert await refusal(world.project.id, headers) == 403


@pytest.mark.parametrize("twice", [b"origin", b"host", b"authorization"])
async def test_a_header_that_is_said_twice_opens_nothing(world: World, twice: bytes) -> None:
    def headers() -> Headers:
        base = bearer(world.owner) if twice == b"authorization" else browser_of(world.owner)
        return [*base, *[pair for pair in base if pair[0] == twice]]

    assert await refusal(world.project.id, await in_database(headers)) == 403


async def test_a_name_that_is_not_this_servers_opens_nothing(world: World) -> None:
    cookie = await in_database(cookie_of, world.owner)
    rebound = [(b"host", b"evil.example"), (b"origin", b"http://evil.example"), cookie]

    assert await refusal(world.project.id, rebound) == 403


async def test_a_user_has_so_many_sockets_and_no_more_and_they_are_given_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "SOCKETS_PER_USER", 2)
    headers = await in_database(browser_of, world.annotator)

    async with opened(world.project.id, headers), opened(world.project.id, headers):
        assert await refusal(world.project.id, headers) == 4429
        assert await refusal(world.project.id, await in_database(browser_of, world.viewer)) is None
    assert await refusal(world.project.id, headers) is None
    assert consumers._sockets == {}


def sign_out(world: World, headers: Headers) -> None:
    key = dict(headers)[b"cookie"].decode().partition("=")[2]
    browser = Client()
    browser.cookies["sessionid"] = key
    assert browser.delete("/api/session").status_code == 204


def change_password(world: World, headers: Headers) -> None:
    other_browser = Client()
    other_browser.force_login(world.annotator)
    said = {"old": PASSWORD, "new": "a whole new horse battery"}
    assert other_browser.post("/api/session/password", said, "application/json").status_code == 204


def bar(world: World, headers: Headers) -> None:
    User.objects.filter(id=world.annotator.id).update(is_active=False)


def expire(world: World, headers: Headers) -> None:
    Session.objects.update(expire_date=now() - timedelta(seconds=1))


def revoke(world: World, headers: Headers) -> None:
    ApiToken.objects.all().delete()


def expire_token(world: World, headers: Headers) -> None:
    ApiToken.objects.update(expires_at=now() - timedelta(seconds=1))


def take_out(world: World, headers: Headers) -> None:
    projects.remove_member(world.project.id, world.annotator.id, actor=world.owner)


def delete_project(world: World, headers: Headers) -> None:
    projects.delete_project(world.project, world.project.name)


ENDS = [
    (sign_out, browser_of, 4401), (change_password, browser_of, 4401), (bar, browser_of, 4401),
    (expire, browser_of, 4401), (revoke, bearer, 4401), (expire_token, bearer, 4401), (bar, bearer, 4401),
    (take_out, browser_of, 4403), (take_out, bearer, 4403), (delete_project, browser_of, 4403),
]  # fmt: skip


@pytest.mark.parametrize(
    ("end", "come", "code"), ENDS, ids=[f"{end.__name__}-{come.__name__}" for end, come, _ in ENDS]
)
async def test_a_right_that_ends_ends_its_socket(
    world: World, end: Any, come: Any, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "CHECK_SECONDS", 0.3)
    headers = await in_database(come, world.annotator)
    async with opened(world.project.id, headers) as socket:
        await in_database(end, world, headers)
        assert await socket.closed() == code


async def test_signing_out_ends_every_socket_of_the_session_within_five_seconds(world: World) -> None:
    headers = await in_database(browser_of, world.annotator)
    async with opened(world.project.id, headers) as first, opened(world.project.id, headers) as second:
        await in_database(sign_out, world, headers)
        began = asyncio.get_running_loop().time()
        assert [await first.closed(), await second.closed()] == [4401, 4401]
        assert asyncio.get_running_loop().time() - began < RIGHTS_END_WITHIN


async def test_who_is_taken_out_hears_nothing_of_what_comes_after(world: World) -> None:
    async with opened(world.project.id, await in_database(browser_of, world.annotator)) as socket:

        def out_then_more() -> None:
            take_out(world, [])
            projects.change_project(world.project.id, world.owner, {"description": "secret"})

        await in_database(out_then_more)
        kinds = []
        while (output := await socket.output())["type"] == "websocket.send":
            kinds.append(output["text"])
        assert output["code"] == 4403
        assert not [text for text in kinds if "secret" in text]


async def test_a_new_role_is_told_and_holds_at_once(world: World, prompts: list[Any]) -> None:
    async with opened(world.project.id, await in_database(browser_of, world.annotator)) as socket:
        await in_database(
            lambda: projects.change_role(world.project.id, world.annotator.id, Role.VIEWER, actor=world.owner)
        )
        assert (await socket.hear("role.changed"))["role"] == "viewer"
        await socket.say(**GOOD["prompt.submit"])
        assert (await socket.hear("error"))["code"] == "auth.forbidden"
        assert prompts == []

        await in_database(
            lambda: projects.change_role(world.project.id, world.annotator.id, Role.REVIEWER, actor=world.owner)
        )
        assert (await socket.hear("role.changed"))["role"] == "reviewer"
        await socket.say(**GOOD["prompt.submit"])
        await socket.say(type="ping", t=1)
        await socket.hear("pong")
        assert len(prompts) == 1


async def test_a_database_that_is_away_for_a_while_does_not_end_the_checks(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.db import OperationalError

    from backend.live import access

    real, asked = access.standings, []

    def away_at_first(pairs: Any) -> Any:
        asked.append(1)
        if len(asked) < 3:
            raise OperationalError("the server is starting up")
        return real(pairs)

    monkeypatch.setattr(hub, "CHECK_SECONDS", 0.2)
    monkeypatch.setattr(access, "standings", away_at_first)
    async with opened(world.project.id, await in_database(browser_of, world.annotator)) as socket:
        await in_database(bar, world, [])
        assert await socket.closed() == 4401
    assert len(asked) >= 3


def everybody(project_id: UUID) -> int:
    """How many rows say what happened in the project."""
    return Event.objects.filter(project_id=project_id).count()


@pytest.mark.parametrize("said", ["", "nonsense", '{"type": []}', '{"type": "ping", "t": 1e999}', b"\x00\x01"])
async def test_what_is_no_message_closes_the_socket_and_changes_nothing(world: World, said: str | bytes) -> None:
    before = await in_database(everybody, world.project.id)
    async with opened(world.project.id, await in_database(browser_of, world.owner)) as socket:
        await socket.say_text(said)
        assert (await socket.hear("error"))["code"] == "message.invalid"
        assert await socket.closed() == 4400
    assert await in_database(everybody, world.project.id) == before


async def test_a_message_that_is_too_big_closes_the_socket(world: World) -> None:
    async with opened(world.project.id, await in_database(browser_of, world.owner)) as socket:
        await socket.say_text('{"type": "ping"}'.ljust(64 * 1024 + 1))
        assert (await socket.hear("error"))["code"] == "message.too_large"
        assert await socket.closed() == 1009
