"""One browser's socket: takes messages in, answers prompts, brings events; has no rules of its own."""

import asyncio
import contextlib
import dataclasses
import json
import logging
from typing import Any
from uuid import UUID, uuid4

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings

from backend.core.errors import EdgewiseError, Forbidden
from backend.encoding.engine import active_model
from backend.live import access
from backend.live.conversation import Conversation
from backend.live.hub import hub
from backend.live.limits import Bucket, Buckets
from backend.live.messages import CLIENT_MESSAGES, Ping, PresenceUpdate, PromptClear, PromptSubmit, parse
from backend.live.presence import Presence
from backend.projects.models import Role
from backend.projects.policies import at_least

log = logging.getLogger(__name__)

OUT_LIMIT = 2000  # messages that wait for a slow reader before it is let go; it asks for what it missed
CHECK_SECONDS = 4.0
SOCKETS_PER_USER = 20
MESSAGES_PER_SECOND, MESSAGE_BURST = 100, 300
PRESENCE_PER_SECOND = 10
SIGNED_OUT, NOT_A_MEMBER, NOT_A_MESSAGE, TOO_MANY, TOO_SLOW = 4401, 4403, 4400, 4429, 1013

_prompts = Buckets(settings.CLICKS_PER_SECOND, 2 * settings.CLICKS_PER_SECOND)
_sockets: dict[UUID, int] = {}


class ProjectConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]  # channels has no types
    """`/ws/projects/{id}`."""

    who: access.Who
    presence: Presence
    project_id: UUID
    user_id: UUID

    async def connect(self) -> None:
        """Lets members in, and says hello; everybody else is refused before the handshake."""
        self._joined = False
        self.project_id = self.scope["url_route"]["kwargs"]["project_id"]
        who = await database_sync_to_async(access.identify)(self.scope)
        role = await database_sync_to_async(access.membership)(who.user.id, self.project_id) if who else None
        if who is None or role is None or _sockets.get(who.user.id, 0) >= SOCKETS_PER_USER:
            await self.close(NOT_A_MEMBER)
            return
        self.who, self.user_id = who, who.user.id
        self.presence = Presence(uuid4().hex, who.user, role)
        self._messages, self._pointer = Bucket(MESSAGES_PER_SECOND, MESSAGE_BURST), Bucket(PRESENCE_PER_SECOND, 20)
        self._out: asyncio.Queue[str] = asyncio.Queue(OUT_LIMIT)
        self._conversation = Conversation(self.project_id, self.say)
        _sockets[who.user.id] = _sockets.get(who.user.id, 0) + 1
        self._joined = True
        await self.accept()
        seq = await hub().join(self)
        self.say(await self._hello(seq))
        self._tasks = [asyncio.create_task(self._send_all()), asyncio.create_task(self._check_access())]
        await hub().tell_everywhere(self.project_id, {"type": "presence", **self.presence.as_json()}, but=self)

    async def disconnect(self, code: int) -> None:
        """Leaves no task and no trace behind."""
        if not self._joined:
            return
        self._joined = False
        _sockets[self.user_id] -= 1
        if _sockets[self.user_id] <= 0:
            del _sockets[self.user_id]
        hub().leave(self)
        self._conversation.end()
        for task in getattr(self, "_tasks", []):
            task.cancel()
        await hub().tell_everywhere(self.project_id, {"type": "presence.left", "session": self.presence.session})

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """One message of the browser."""
        if not self._messages.take():
            await self.close(TOO_MANY)
            return
        try:
            if text_data is None:
                raise Forbidden("Messages are text.", code="message.invalid")
            message = parse(text_data)
        except EdgewiseError as error:
            self.say({"type": "error", "code": error.code, "message": error.message})
            await self._close_after_sending(NOT_A_MESSAGE)
            return
        kind = json.loads(text_data)["type"]
        if not at_least(self.presence.role, Role(CLIENT_MESSAGES[kind].least)):
            forbidden = Forbidden()
            self.say({"type": "error", "code": forbidden.code, "message": forbidden.message, "ref": kind})
            return
        if isinstance(message, PromptSubmit):
            self._prompt(message)
        elif isinstance(message, PromptClear):
            self._conversation.clear(message.draft)
        elif isinstance(message, PresenceUpdate):
            await self._move(message)
        elif isinstance(message, Ping):
            self.say({"type": "pong", "t": message.t})

    def say(self, message: dict[str, Any]) -> None:
        """Queues a message to this browser."""
        self.deliver(json.dumps(message, separators=(",", ":")))

    def deliver(self, text: str) -> None:
        """See `Peer.deliver`: a reader too slow to follow is let go, and catches up when it comes back."""
        try:
            self._out.put_nowait(text)
        except asyncio.QueueFull:
            if self._joined:
                hub().leave(self)
                self._ending = asyncio.ensure_future(self.close(TOO_SLOW))

    def member_changed(self, data: dict[str, Any] | None) -> None:
        """See `Peer.member_changed`."""
        if data is None:
            self._ending = asyncio.ensure_future(self._close_after_sending(NOT_A_MEMBER))
        elif data["role"] != self.presence.role:
            self.presence = dataclasses.replace(self.presence, role=data["role"])
            self.say({"type": "role.changed", "role": data["role"]})

    def _prompt(self, message: PromptSubmit) -> None:
        if _prompts.take(str(self.user_id)):
            self._conversation.ask(message)
        elif not message.hover:
            self.say(
                {
                    "type": "suggestion.failed",
                    "promptSeq": message.prompt_seq,
                    "draft": str(message.draft),
                    "error": {"code": "prompt.too_many", "message": "Too many clicks at once. Wait a moment."},
                }
            )

    async def _move(self, message: PresenceUpdate) -> None:
        changed = message.editing != self.presence.said.editing
        self.presence = dataclasses.replace(self.presence, said=message)
        if self._pointer.take() or changed:
            await hub().tell_everywhere(self.project_id, {"type": "presence", **self.presence.as_json()}, but=self)

    async def _hello(self, seq: int) -> dict[str, Any]:
        try:
            model = await database_sync_to_async(active_model)()
            known = {"name": model.name, "hash": model.sha256}
        except EdgewiseError:
            known = None
        others = [peer for peer in hub().peers[self.project_id] if isinstance(peer, ProjectConsumer)]
        return {
            "type": "hello",
            "session": self.presence.session,
            "user": self.presence.as_json()["user"],
            "role": self.presence.role,
            "seq": seq,
            "model": known,
            "members": [peer.presence.as_json() for peer in others],
        }

    async def _send_all(self) -> None:
        while True:
            await self.send(text_data=await self._out.get())

    async def _check_access(self) -> None:
        """Within five seconds of signing out, being barred or being taken out, the socket is closed."""
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            with contextlib.suppress(OSError):
                role = await database_sync_to_async(access.still_valid)(self.who, self.project_id)
                if role is None:
                    await self.close(SIGNED_OUT)
                    return
                self.member_changed({"role": role})

    async def _close_after_sending(self, code: int) -> None:
        for _ in range(20):
            if self._out.empty():
                break
            await asyncio.sleep(0.01)
        await self.close(code)
