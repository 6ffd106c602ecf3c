"""Who is connected to this process, by project; brings committed events and hints to them, each encoded once."""

import asyncio
import contextlib
import json
import logging
from collections import defaultdict
from typing import Any, Protocol
from uuid import UUID, uuid4

import psycopg
from channels.db import database_sync_to_async
from django.db import connection

from backend.events import selectors, services
from backend.events.services import EVENTS_CHANNEL, HINTS_CHANNEL

log = logging.getLogger(__name__)

PUSH_LIMIT_BYTES = 200 * 1024
BATCH = 200
RECONNECT_SECONDS = 0.5


class Peer(Protocol):
    """One connected browser."""

    project_id: UUID
    user_id: UUID

    def deliver(self, text: str) -> None:
        """Queues a message; never waits."""

    def member_changed(self, data: dict[str, Any] | None) -> None:
        """The user's own membership changed (`{role}`), or ended (None)."""


class Hub:
    """Belongs to one event loop. Any number of web processes may each have one; the database connects them."""

    def __init__(self) -> None:
        self.name = uuid4().hex[:8]
        self.peers: dict[UUID, set[Peer]] = defaultdict(set)
        self.sent: dict[UUID, int] = {}
        self._windows: dict[tuple[str, int, int, int], asyncio.Event] = {}
        self._dirty: set[UUID] = set()
        self._wake = asyncio.Event()
        self._listening = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def join(self, peer: Peer) -> int:
        """Adds a peer; every event after the number returned will be delivered to it."""
        if not self._tasks:
            self._tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._pump())]
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._listening.wait(), 5)
        self.peers[peer.project_id].add(peer)
        seq: int = await database_sync_to_async(selectors.last_seq)(peer.project_id)
        self.sent.setdefault(peer.project_id, seq)
        return min(seq, self.sent[peer.project_id])

    def leave(self, peer: Peer) -> None:
        """Removes a peer."""
        here = self.peers.get(peer.project_id)
        if here is not None:
            here.discard(peer)
            if not here:
                del self.peers[peer.project_id]
                self.sent.pop(peer.project_id, None)

    def tell(self, project_id: UUID, message: dict[str, Any], *, but: Peer | None = None) -> None:
        """Brings a message to everybody in the project who is connected here."""
        text = json.dumps(message, separators=(",", ":"))
        for peer in list(self.peers.get(project_id, ())):
            if peer is not but:
                peer.deliver(text)

    async def tell_everywhere(self, project_id: UUID, message: dict[str, Any], *, but: Peer | None = None) -> None:
        """The same, and to those connected to other processes. May be lost."""
        self.tell(project_id, message, but=but)
        hint = {**message, "from": self.name}
        with contextlib.suppress(psycopg.Error):
            await database_sync_to_async(services.hint)(project_id, hint)

    def window_ready(self, key: tuple[str, int, int, int]) -> asyncio.Event:
        """Set when the worker says that a window (raster, col, row, size) is settled."""
        return self._windows.setdefault(key, asyncio.Event())

    async def _listen(self) -> None:
        while True:
            try:
                await self._listen_once()
            except (psycopg.Error, OSError) as error:
                log.warning("The listening connection is gone and is made again: %s", error)
            self._listening.clear()
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _listen_once(self) -> None:
        params = connection.get_connection_params()
        for name in ("cursor_factory", "context", "prepare_threshold", "pool"):
            params.pop(name, None)
        async with await psycopg.AsyncConnection.connect(**params, autocommit=True) as db:
            for channel in (EVENTS_CHANNEL, HINTS_CHANNEL):
                await db.execute(f"LISTEN {channel}")
            self._listening.set()
            self._mark(*self.peers)  # what was committed while nobody listened
            async for notice in db.notifies():
                said = json.loads(notice.payload)
                project_id = UUID(said["project"])
                if notice.channel == EVENTS_CHANNEL:
                    self._mark(project_id)
                else:
                    self._hint(project_id, said["message"])

    def _mark(self, *projects: UUID) -> None:
        self._dirty.update(project for project in projects if project in self.peers)
        if self._dirty:
            self._wake.set()

    def _hint(self, project_id: UUID, message: dict[str, Any]) -> None:
        if message.get("from") == self.name:
            return
        message.pop("from", None)
        if message.get("type") == "window":
            window = message["window"]
            key = (message["raster"], window["col"], window["row"], window["size"])
            ready = self._windows.pop(key, None)
            if ready is not None:
                ready.set()
        self.tell(project_id, message)

    async def _pump(self) -> None:
        """Reads new events once for all local peers of a project, in order, and hands them the same text."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            projects, self._dirty = self._dirty, set()
            for project_id in projects:
                try:
                    await self._push_new(project_id)
                except Exception:
                    log.exception("Events of project %s could not be read; they are tried again", project_id)
                    self._dirty.add(project_id)
            if self._dirty:
                await asyncio.sleep(RECONNECT_SECONDS)
                self._wake.set()

    async def _push_new(self, project_id: UUID) -> None:
        while project_id in self.sent:
            events = await database_sync_to_async(_read)(project_id, self.sent[project_id])
            for seq, kind, data, text in events:
                for peer in list(self.peers.get(project_id, ())):
                    peer.deliver(text)
                    _tell_of_membership(peer, kind, data)
                if project_id in self.sent:
                    self.sent[project_id] = seq
            if len(events) < BATCH:
                return


def _read(project_id: UUID, since: int) -> list[tuple[int, str, dict[str, Any], str]]:
    found = []
    for event in selectors.events_since(project_id, since, BATCH):
        said = selectors.event_json(event)
        text = json.dumps({"type": "event", "event": said}, separators=(",", ":"))
        if len(text) > PUSH_LIMIT_BYTES:
            text = json.dumps({"type": "event.hint", "seq": event.seq})
        found.append((event.seq, event.kind, event.data, text))
    return found


def _tell_of_membership(peer: Peer, kind: str, data: dict[str, Any]) -> None:
    if kind == "member.changed" and data["member"]["user"]["id"] == str(peer.user_id):
        peer.member_changed({"role": data["member"]["role"]})
    elif kind == "member.left" and data["user"]["id"] == str(peer.user_id):
        peer.member_changed(None)


_hubs: dict[int, Hub] = {}


def hub() -> Hub:
    """The hub of the running event loop."""
    loop = asyncio.get_running_loop()
    if id(loop) not in _hubs:
        _hubs.clear()
        _hubs[id(loop)] = Hub()
    return _hubs[id(loop)]
