"""The addresses of sessions and API tokens."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.middleware.csrf import get_token
from django.urls import path
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_protect
from rest_framework import serializers
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backend.accounts import selectors, services
from backend.accounts.demo import DEMO_PASSWORD
from backend.accounts.models import ApiToken, User
from backend.core.clock import iso
from backend.core.errors import NotFound


class SignIn(serializers.Serializer[Any]):
    """What a sign-in says."""

    username = serializers.CharField(max_length=150)
    password = serializers.CharField(max_length=1000, trim_whitespace=False)


class NewPassword(serializers.Serializer[Any]):
    """What a change of password says."""

    old = serializers.CharField(max_length=1000, trim_whitespace=False)
    new = serializers.CharField(max_length=1000, trim_whitespace=False)


class NewToken(serializers.Serializer[Any]):
    """What a new token says."""

    name = serializers.CharField(max_length=80)
    expires_days = serializers.IntegerField(required=False, allow_null=True, default=None)


class SessionView(APIView):
    """`/api/session`: who am I, sign in, sign out."""

    permission_classes = (AllowAny,)

    def get(self, request: Request) -> Response:
        """The user, or null; and sets the CSRF cookie."""
        get_token(request)
        user = request.user
        demo = selectors.demo_usernames() if settings.MODE == "local" else []
        app = {
            "version": settings.VERSION,
            "demo": bool(demo),
            "demo_accounts": {"usernames": demo, "password": DEMO_PASSWORD} if demo else None,
            "open_signup": False,
            "anyone_creates_projects": settings.ANYONE_CREATES_PROJECTS,
        }
        return Response({"user": selectors.user_json(user) if isinstance(user, User) else None, "app": app})

    @method_decorator(csrf_protect)
    def post(self, request: Request) -> Response:
        """Signs in."""
        said = SignIn(data=request.data)
        said.is_valid(raise_exception=True)
        user = services.sign_in(request._request, **said.validated_data)
        return Response({"user": selectors.user_json(user)})

    @method_decorator(csrf_protect)
    def delete(self, request: Request) -> Response:
        """Signs out."""
        services.sign_out(request._request)
        return Response(status=204)


class PasswordView(APIView):
    """`/api/session/password`."""

    permission_classes = (IsAuthenticated,)

    def post(self, request: Request) -> Response:
        """Changes one's own password."""
        said = NewPassword(data=request.data)
        said.is_valid(raise_exception=True)
        services.change_password(request._request, _me(request), **said.validated_data)
        return Response(status=204)


class TokensView(APIView):
    """`/api/tokens`: one's own tokens."""

    def get(self, request: Request) -> Response:
        """Lists them without their secrets."""
        tokens = ApiToken.objects.filter(user=_me(request)).order_by("-created_at")
        return Response({"tokens": [_token_json(token) for token in tokens]})

    def post(self, request: Request) -> Response:
        """Makes one; the secret is in this answer only."""
        said = NewToken(data=request.data)
        said.is_valid(raise_exception=True)
        token, secret = services.create_token(_me(request), **said.validated_data)
        return Response({**_token_json(token), "secret": secret}, status=201)


class TokenView(APIView):
    """`/api/tokens/{id}`."""

    def delete(self, request: Request, token_id: UUID) -> Response:
        """Revokes one's own token."""
        gone, _ = ApiToken.objects.filter(id=token_id, user=_me(request)).delete()
        if not gone:
            raise NotFound("You have no such token.", code="token.not_found")
        return Response(status=204)


def _me(request: Request) -> User:
    user = request.user
    assert isinstance(user, User)  # IsAuthenticated has seen to it
    return user


def _token_json(token: ApiToken) -> dict[str, Any]:
    return {
        "id": str(token.id),
        "name": token.name,
        "prefix": token.prefix,
        "created_at": iso(token.created_at),
        "last_used_at": iso(token.last_used_at) if token.last_used_at else None,
        "expires_at": iso(token.expires_at) if token.expires_at else None,
    }


urlpatterns = [
    path("session", SessionView.as_view()),
    path("session/password", PasswordView.as_view()),
    path("tokens", TokensView.as_view()),
    path("tokens/<uuid:token_id>", TokenView.as_view()),
]
