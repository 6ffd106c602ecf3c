"""Signing in and out, passwords and API tokens, as HTTP sees them."""

from datetime import timedelta

import pytest
from django.test import Client
from rest_framework.test import APIClient

from backend.accounts.models import ApiToken, User
from backend.accounts.services import create_token, create_user
from backend.core.clock import now

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery"


@pytest.fixture
def ada() -> User:
    return create_user("ada", PASSWORD, "Ada L.")


def test_a_stranger_has_no_session_and_gets_the_csrf_cookie() -> None:
    answer = APIClient().get("/api/session")

    assert answer.status_code == 200
    assert answer.json()["user"] is None
    assert answer.json()["app"]["open_signup"] is False
    assert "csrftoken" in answer.cookies


def test_signing_in_with_the_csrf_header_starts_a_session_and_signing_out_ends_it(ada: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.get("/api/session")
    header = {"X-CSRFToken": client.cookies["csrftoken"].value}

    signed_in = client.post(
        "/api/session",
        {"username": "ada", "password": PASSWORD},
        content_type="application/json",
        headers=header,
    )
    assert signed_in.status_code == 200
    assert signed_in.json()["user"]["display_name"] == "Ada L."
    assert client.get("/api/session").json()["user"]["id"] == str(ada.id)

    header = {"X-CSRFToken": client.cookies["csrftoken"].value}
    assert client.delete("/api/session", headers=header).status_code == 204
    assert client.get("/api/session").json()["user"] is None


def test_signing_in_without_the_csrf_header_is_refused(ada: User) -> None:
    client = Client(enforce_csrf_checks=True)

    answer = client.post("/api/session", {"username": "ada", "password": PASSWORD}, content_type="application/json")

    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "auth.csrf"
    assert client.get("/api/session").json()["user"] is None


def test_a_write_in_a_session_without_the_csrf_header_is_refused(ada: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(ada)

    answer = client.post("/api/tokens", {"name": "t"}, content_type="application/json")

    assert answer.status_code == 403
    assert ApiToken.objects.count() == 0


def test_an_unknown_name_and_a_wrong_password_look_alike(ada: User) -> None:
    client = APIClient()

    wrong = client.post("/api/session", {"username": "ada", "password": "not it at all"})
    unknown = client.post("/api/session", {"username": "nobody", "password": "not it at all"})

    assert wrong.status_code == unknown.status_code == 401
    assert wrong.json() == unknown.json()
    assert wrong.json()["error"]["code"] == "auth.bad_credentials"


def test_the_eleventh_guess_at_a_name_is_refused_even_with_the_right_password(ada: User) -> None:
    client = APIClient()
    for _ in range(10):
        assert client.post("/api/session", {"username": "ada", "password": "guess"}).status_code == 401

    answer = client.post("/api/session", {"username": "ada", "password": PASSWORD})

    assert answer.status_code == 429
    assert answer.json()["error"]["code"] == "auth.too_many_attempts"


def test_a_token_signs_a_script_in_and_its_secret_is_told_once(ada: User) -> None:
    browser = APIClient()
    browser.force_authenticate(ada)

    made = browser.post("/api/tokens", {"name": "export script"})
    secret = made.json()["secret"]
    script = APIClient(HTTP_AUTHORIZATION=f"Bearer {secret}")

    assert made.status_code == 201
    assert script.get("/api/session").json()["user"]["username"] == "ada"
    assert "secret" not in browser.get("/api/tokens").json()["tokens"][0]
    assert ApiToken.objects.get().last_used_at is not None
    assert secret not in ApiToken.objects.get().digest


@pytest.mark.parametrize("header", ["Bearer ew_wrong", "Bearer", "Bearer a b", "bearer  "])
def test_a_wrong_token_is_a_stranger(ada: User, header: str) -> None:
    assert APIClient(HTTP_AUTHORIZATION=header).get("/api/tokens").status_code == 401


def test_an_expired_token_and_one_of_an_inactive_user_are_strangers(ada: User) -> None:
    token, secret = create_token(ada, "t", 1)
    script = APIClient(HTTP_AUTHORIZATION=f"Bearer {secret}")
    assert script.get("/api/tokens").status_code == 200

    ApiToken.objects.filter(id=token.id).update(expires_at=now() - timedelta(seconds=1))
    assert script.get("/api/tokens").status_code == 401

    ApiToken.objects.filter(id=token.id).update(expires_at=None)
    User.objects.filter(id=ada.id).update(is_active=False)
    assert script.get("/api/tokens").status_code == 401


def test_nobody_revokes_the_token_of_another(ada: User) -> None:
    token, _ = create_token(ada, "t", None)
    other = APIClient()
    other.force_authenticate(create_user("bob", PASSWORD))

    answer = other.delete(f"/api/tokens/{token.id}")

    assert answer.status_code == 404
    assert ApiToken.objects.filter(id=token.id).exists()


def test_changing_the_password_needs_the_old_one_and_ends_other_sessions(ada: User) -> None:
    here, elsewhere = Client(), Client()
    here.force_login(ada)
    elsewhere.force_login(ada)

    wrong = here.post(
        "/api/session/password", {"old": "no", "new": "another long phrase"}, content_type="application/json"
    )
    weak = here.post("/api/session/password", {"old": PASSWORD, "new": "short"}, content_type="application/json")
    right = here.post(
        "/api/session/password",
        {"old": PASSWORD, "new": "another long phrase"},
        content_type="application/json",
    )

    assert wrong.status_code == weak.status_code == 422
    assert "new" in weak.json()["error"]["details"]["fields"]
    assert right.status_code == 204
    assert here.get("/api/session").json()["user"] is not None
    assert elsewhere.get("/api/session").json()["user"] is None
