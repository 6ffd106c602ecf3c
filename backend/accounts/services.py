"""Every write about users and their tokens."""

import secrets
from collections.abc import Callable
from datetime import timedelta

from django.contrib.auth import authenticate, login, logout, password_validation, update_session_auth_hash
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.http import HttpRequest

from backend.accounts import throttling
from backend.accounts.authentication import digest_of
from backend.accounts.models import ApiToken, User
from backend.core.clock import now
from backend.core.errors import AuthRequired, Conflict, Invalid

TOKEN_PREFIX = "ew_"  # noqa: S105  (a marker that secret scanners can look for, not a secret)
TOKEN_MAX_DAYS = 3650


def sign_in(request: HttpRequest, username: str, password: str) -> User:
    """Starts a session. Raises `auth.bad_credentials`, alike for an unknown name and a wrong password."""
    address = request.META.get("REMOTE_ADDR", "")
    throttling.check("sign-in", user=username, address=address)
    user = authenticate(request, username=username, password=password)
    if not isinstance(user, User):
        throttling.failed("sign-in", user=username, address=address)
        raise AuthRequired("The name or the password is not right.", code="auth.bad_credentials")
    login(request, user)
    return user


def sign_out(request: HttpRequest) -> None:
    """Ends the session; harmless when there is none."""
    logout(request)


def create_user(username: str, password: str, display_name: str = "", *, is_demo: bool = False) -> User:
    """Makes an account. Raises `account.invalid` naming the field, `account.name_taken`."""
    user = User(username=username, display_name=display_name[:80], is_demo=is_demo)
    _check_field("username", lambda: UnicodeUsernameValidator()(username))
    if not username or len(username) > 150:
        raise _invalid("username", ["Choose a name of 1 to 150 characters."])
    if not is_demo:
        _check_field("password", lambda: password_validation.validate_password(password, user))
    user.set_password(password)
    try:
        with transaction.atomic():
            user.save(force_insert=True)
    except IntegrityError as error:
        raise Conflict("This name is taken. Choose another.", code="account.name_taken") from error
    return user


def close_account(user: User) -> None:
    """Nobody signs in with this account any more; what was done with it stays under its name."""
    user.set_unusable_password()
    user.is_active = user.is_demo = False
    with transaction.atomic():
        user.save(update_fields=["password", "is_active", "is_demo"])
        ApiToken.objects.filter(user=user).delete()


def change_password(request: HttpRequest, user: User, old: str, new: str) -> None:
    """Sets a new password; other sessions of the user end. Raises `account.invalid`."""
    throttling.check("password", user=user.username, address="")
    if not user.check_password(old):
        throttling.failed("password", user=user.username, address="")
        raise _invalid("old", ["This is not your present password."])
    _check_field("new", lambda: password_validation.validate_password(new, user))
    user.set_password(new)
    user.save(update_fields=["password"])
    update_session_auth_hash(request, user)


def create_token(user: User, name: str, expires_days: int | None) -> tuple[ApiToken, str]:
    """Makes a token; its secret is given this once. Raises `account.invalid`."""
    if not name.strip() or len(name) > 80:
        raise _invalid("name", ["Give the token a name of 1 to 80 characters."])
    if expires_days is not None and not 1 <= expires_days <= TOKEN_MAX_DAYS:
        raise _invalid("expires_days", [f"Choose 1 to {TOKEN_MAX_DAYS} days."])
    secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
    token = ApiToken.objects.create(
        user=user,
        name=name.strip(),
        prefix=secret[:8],
        digest=digest_of(secret),
        expires_at=now() + timedelta(days=expires_days) if expires_days else None,
    )
    return token, secret


def _check_field(field: str, check: Callable[[], object]) -> None:
    try:
        check()
    except ValidationError as error:
        raise _invalid(field, list(error.messages)) from error


def _invalid(field: str, messages: list[str]) -> Invalid:
    return Invalid(" ".join(messages), code="account.invalid", details={"fields": {field: messages}})
