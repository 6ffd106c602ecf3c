"""One browser's socket: takes messages in, answers prompts, brings events; has no rules of its own."""

import asyncio
import contextlib
import dataclasses
import json
import logging
from typing import Any
from uuid import UUID, uuid4

from channels.consumer import get_handler_name
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.db import Error as DatabaseError

from backend.core.errors import EdgewiseError, Forbidden, Invalid
from backend.encoding.engine import model_of
from backend.live import access
from backend.live.access import Standing, Who
from backend.live.conversation import Conversation
from backend.live.hub import hub
from backend.live.limits import Bucket, Buckets
from backend.live.messages import CLIENT_MESSAGES, Message, Ping, PresenceUpdate, PromptClear, PromptSubmit, parse
from backend.live.outbox import Outbox
from backend.live.presence import Presence
from backend.live.threads import in_database
from backend.projects.models import Role
from backend.projects.policies import at_least

log = logging.getLogger(__name__)

SOCKETS_PER_USER = 20
MESSAGES_PER_SECOND, MESSAGE_BURST = 100, 300
POINTER_SECONDS = 0.1
LAST_WORDS_SECONDS = 1.0
TOO_BIG, TRY_LATER, NOT_A_MESSAGE, SIGNED_OUT, NOT_A_MEMBER, TOO_MANY = 1009, 1013, 4400, 4401, 4403, 4429

_clicks = Buckets(settings.CLICKS_PER_SECOND, 2 * settings.CLICKS_PER_SECOND)
_hovers = Buckets(settings.CLICKS_PER_SECOND, settings.CLICKS_PER_SECOND)
_sockets: dict[UUID, int] = {}


class ProjectConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]  # channels has no types
    """`/ws/projects/{id}`."""

    channel_layer_alias = "none"  # the hub brings everything

    project_id: UUID
    who: Who
    presence: Presence

    def __init__(self) -> None:
        super().__init__()
        self._counted = False
        self._ending: asyncio.Task[None] | None = None
        self._sending: asyncio.Task[None] | None = None
        self._pointer_timer: asyncio.TimerHandle | None = None
        self._pointer_at = 0.0
        self._messages = Bucket(MESSAGES_PER_SECOND, MESSAGE_BURST)
        self._outbox = Outbox()
        self._conversation: Conversation | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Whatever ends the socket, nothing of it is left behind."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._leave()
            for task in (self._sending, self._ending):
                if task is not None:
                    task.cancel()
            if self._counted:
                _uncount(self.who.user.id)

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Calls the handler; none of them holds a database connection that would have to be looked after here."""
        await getattr(self, get_handler_name(message))(message)

    async def connect(self) -> None:
        """Lets members in, and says hello.

        A page of another site, and a script without a token, are refused before the handshake; a page of ours is
        told by the close code that the user is signed out, or no member.
        """
        self.project_id = self.scope["url_route"]["kwargs"]["project_id"]
        try:
            found = await in_database(access.admit, self.scope, self.project_id)
            model = await in_database(_model_json, self.project_id) if found.role else None
        except DatabaseError as error:
            log.warning("A socket could not be opened: %s", error)
            await self._refuse(TRY_LATER)
            return
        if found.who is None and found.own_page:
            await self._refuse(SIGNED_OUT)
        elif found.who is None:
            await self.close()
        elif found.role is None:
            await self._refuse(NOT_A_MEMBER)
        elif _sockets.get(found.who.user.id, 0) >= SOCKETS_PER_USER:
            await self._refuse(TOO_MANY)
        else:
            self.who, self._counted = found.who, True
            _sockets[self.who.user.id] = _sockets.get(self.who.user.id, 0) + 1
            self.presence = Presence(uuid4().hex, self.who.user, found.role)
            await self._welcome(model)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """One message of the browser."""
        if self._conversation is None or self._ending is not None:
            return
        if not self._messages.take():
            self._end(TOO_MANY)
            return
        try:
            if text_data is None:
                raise Invalid("Messages are text.", code="message.invalid")
            message = parse(text_data)
        except EdgewiseError as error:
            self._say_error(error)
            self._end(TOO_BIG if error.code == "message.too_large" else NOT_A_MESSAGE)
            return
        if at_least(self.presence.role, CLIENT_MESSAGES[message.kind].least):
            self._follow(message, self._conversation)
        else:
            self._say_error(Forbidden(), ref=message.kind)

    def say(self, message: dict[str, Any]) -> None:
        """Queues a message to this browser."""
        self.deliver(json.dumps(message, separators=(",", ":")))

    def deliver(self, text: str) -> None:
        """See `Peer.deliver`: a reader too slow to follow is let go, and catches up when it comes back."""
        if self._ending is None and not self._outbox.put(text):
            self._outbox.clear()
            self._end(TRY_LATER)

    def stand(self, standing: Standing) -> None:
        """See `Peer.stand`."""
        if not standing.signed_in:
            self._end(SIGNED_OUT)
        elif standing.role is None:
            self._end(NOT_A_MEMBER)
        elif standing.role != self.presence.role and self._ending is None:
            self.presence = dataclasses.replace(self.presence, role=standing.role)
            self.say({"type": "role.changed", "role": standing.role})
            if self._conversation and not at_least(standing.role, Role.ANNOTATOR):
                self._conversation.end()
            hub().announce(self)

    async def _welcome(self, model: dict[str, Any] | None) -> None:
        await self.accept()
        seq = await hub().join(self)
        self._conversation = Conversation(self.project_id, self.who.user.id, self.say)
        self.say(
            {
                "type": "hello",
                "session": self.presence.session,
                "user": self.presence.as_json()["user"],
                "role": self.presence.role,
                "seq": seq,
                "model": model,
                "members": hub().members(self.project_id),
            }
        )
        self._sending = asyncio.create_task(self._send_all())
        hub().announce(self)

    def _follow(self, message: Message, conversation: Conversation) -> None:
        if isinstance(message, PromptSubmit):
            self._prompt(message, conversation)
        elif isinstance(message, PromptClear):
            conversation.clear(message.draft, message.annotation)
        elif isinstance(message, PresenceUpdate):
            self.presence = dataclasses.replace(self.presence, said=message)
            self._show_pointer_soon()
        elif isinstance(message, Ping):
            self.say({"type": "pong", "t": message.t})

    def _prompt(self, message: PromptSubmit, conversation: Conversation) -> None:
        if (_hovers if message.hover else _clicks).take(str(self.who.user.id)):
            conversation.ask(message)
        elif not message.hover:
            too_many = Invalid("Too many clicks at once. Wait a moment.", code="prompt.too_many")
            conversation.fail(message, too_many)

    def _show_pointer_soon(self) -> None:
        """Ten times a second at most; the last place is always shown."""
        if self._pointer_timer is None:
            loop = asyncio.get_running_loop()
            self._pointer_timer = loop.call_later(max(0.0, self._pointer_at - loop.time()), self._show_pointer)

    def _show_pointer(self) -> None:
        self._pointer_timer = None
        self._pointer_at = asyncio.get_running_loop().time() + POINTER_SECONDS
        hub().announce(self)

    def _say_error(self, error: EdgewiseError, ref: str | None = None) -> None:
        said = {"type": "error", "code": error.code, "message": error.message}
        self.say({**said, "ref": ref} if ref else said)

    async def _send_all(self) -> None:
        with contextlib.suppress(OSError, RuntimeError):  # the browser is gone; `disconnect` follows
            while True:
                await self.send(text_data=await self._outbox.take())

    async def _refuse(self, code: int) -> None:
        await self.accept()
        await self.close(code)

    def _end(self, code: int) -> None:
        """From here on nothing is heard; what is already said is still sent, then the socket closes."""
        if self._ending is None:
            self._leave()
            self._ending = asyncio.create_task(self._finish(code))

    async def _finish(self, code: int) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._outbox.sent(), LAST_WORDS_SECONDS)
        if self._sending is not None:
            self._sending.cancel()
        self._outbox.clear()
        with contextlib.suppress(OSError, RuntimeError):
            await self.close(code)

    def _leave(self) -> None:
        if self._pointer_timer is not None:
            self._pointer_timer.cancel()
        if self._conversation is not None:
            self._conversation.end()
            hub().leave(self)


def _model_json(project_id: UUID) -> dict[str, Any] | None:
    try:
        model = model_of(project_id)
    except EdgewiseError:
        return None
    return {"name": model.name, "hash": model.sha256}


def _uncount(user_id: UUID) -> None:
    _sockets[user_id] -= 1
    if _sockets[user_id] <= 0:
        del _sockets[user_id]
