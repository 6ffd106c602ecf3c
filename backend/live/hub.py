"""Who is connected to this process, by project; brings committed events and hints to them, each encoded once."""

import asyncio
import contextlib
import json
import logging
from collections import defaultdict
from collections.abc import Callable, Coroutine
from typing import Any, Protocol
from uuid import UUID, uuid4

from django.db import Error as DatabaseError

from backend.events import selectors, services
from backend.events.services import EVENTS_CHANNEL, HINTS_CHANNEL
from backend.live import access, presence
from backend.live.access import Standing, Who
from backend.live.listener import listen
from backend.live.presence import Presence
from backend.live.threads import in_database
from backend.live.waiting import Waits
from backend.segmentation import services as segmentation

log = logging.getLogger(__name__)

PUSH_LIMIT_BYTES = 200 * 1024
BATCH = 200
RETRY_SECONDS = 0.5
CHECK_SECONDS = 3.0  # an ended session or membership closes its sockets within 5 s
LOOK_SECONDS = 9.0  # how often the database is asked for events, whatever was or was not told
FLUSH_SECONDS = 0.1
HEEDED_BY_CLICKS = ("class.", "project.", "raster.")  # of these kinds of events
PRESENCES_PER_HINT = 5  # some 400 bytes each; a name of 80 unusual letters takes 1,000


class Peer(Protocol):
    """One connected browser."""

    project_id: UUID
    who: Who
    presence: Presence

    def deliver(self, text: str) -> None:
        """Queues a message; never waits."""

    def stand(self, standing: Standing) -> None:
        """What the user is now; closes the socket of one who may not keep it."""


class Hub:
    """Belongs to one event loop. Any number of web processes may each have one; the database connects them."""

    def __init__(self) -> None:
        self.name = uuid4().hex
        self.windows = Waits()
        self.elsewhere = presence.Elsewhere()
        self._peers: defaultdict[UUID, set[Peer]] = defaultdict(set)
        self._sent: dict[UUID, int] = {}
        self._behind: set[UUID] = set()
        self._wake = asyncio.Event()
        self._listening = asyncio.Event()
        self._moved: defaultdict[UUID, dict[str, Presence | None]] = defaultdict(dict)
        self._some_moved = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def join(self, peer: Peer) -> int:
        """Adds a peer; it is given every event after the number returned."""
        if not self._tasks:
            self._tasks = [asyncio.create_task(work) for work in self._works()]
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._listening.wait(), 5)
        project_id = peer.project_id
        seq = await in_database(selectors.last_seq, project_id)
        # Nothing is awaited from here on: what is pushed from now comes after what the caller says next.
        here = self._peers[project_id]
        if not here:
            self._hint(project_id, {"type": "presences.ask"})
        here.add(peer)
        self._sent.setdefault(project_id, seq)
        self._mark(project_id)  # an event may have been told of before there was anybody to tell
        return self._sent[project_id]

    def leave(self, peer: Peer) -> None:
        """Removes a peer, and tells the others."""
        here = self._peers.get(peer.project_id)
        if here is None or peer not in here:
            return
        here.discard(peer)
        if not here:
            del self._peers[peer.project_id]
            self._sent.pop(peer.project_id, None)
        self.tell(peer.project_id, {"type": "presence.left", "session": peer.presence.session})
        self._tell_elsewhere(peer.project_id, peer.presence.session, None)

    def announce(self, peer: Peer) -> None:
        """Tells everybody else in the project, here and elsewhere, where a peer is. May be lost."""
        self.tell(peer.project_id, {"type": "presence", **peer.presence.as_json()}, but=peer)
        self._tell_elsewhere(peer.project_id, peer.presence.session, peer.presence)

    def members(self, project_id: UUID) -> list[dict[str, Any]]:
        """Everybody who is connected to the project, here or elsewhere."""
        here = [peer.presence.as_json() for peer in self._peers.get(project_id, ())]
        return here + self.elsewhere.members(project_id)

    def tell(self, project_id: UUID, message: dict[str, Any], *, but: Peer | None = None) -> None:
        """Brings a message to everybody in the project who is connected here."""
        here = self._peers.get(project_id)
        if not here:
            return
        text = json.dumps(message, separators=(",", ":"))
        for peer in list(here):
            if peer is not but:
                peer.deliver(text)

    def _works(self) -> list[Coroutine[Any, Any, None]]:
        return [
            listen((EVENTS_CHANNEL, HINTS_CHANNEL), self._up, self._listening.clear, self._heard),
            self._pump(),
            self._flush(),
            _every(CHECK_SECONDS, self._check_access),
            _every(LOOK_SECONDS, self._look),
            _every(presence.HEARTBEAT_SECONDS, self._beat),
        ]

    def _up(self) -> None:
        self._listening.set()
        self._mark(*self._peers)  # what was committed while nobody listened

    def _heard(self, channel: str, said: dict[str, Any]) -> None:
        project_id = UUID(said["project"])
        if channel == EVENTS_CHANNEL:
            self._mark(project_id)
            return
        message = said["message"]
        origin = message.pop("from", None)
        if origin is not None:
            if origin != self.name:
                self._heard_of_others(project_id, message)
            return
        if message["type"] == "window":
            window = message["window"]
            segmentation.forget_all()
            self.windows.settled((message["raster"], window["col"], window["row"], window["size"]))
        self.tell(project_id, message)

    def _heard_of_others(self, project_id: UUID, message: dict[str, Any]) -> None:
        if message["type"] == "presences.ask":
            for peer in self._peers.get(project_id, ()):
                self._tell_elsewhere(project_id, peer.presence.session, peer.presence)
        for member in message.get("here", ()):
            if self.elsewhere.here(project_id, member):
                self.tell(project_id, {"type": "presence", **member})
        for session in message.get("left", ()):
            if self.elsewhere.left(project_id, session):
                self.tell(project_id, {"type": "presence.left", "session": session})

    def _mark(self, *projects: UUID) -> None:
        self._behind.update(project for project in projects if project in self._peers)
        if self._behind:
            self._wake.set()

    async def _pump(self) -> None:
        """Reads new events once for all local peers of a project, in order, and hands them the same text."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            projects, self._behind = self._behind, set()
            for project_id in projects:
                try:
                    await self._push_new(project_id)
                except DatabaseError as error:
                    log.warning("Events of project %s could not be read; they are tried again: %s", project_id, error)
                    self._behind.add(project_id)
            if self._behind:
                await asyncio.sleep(RETRY_SECONDS)
                self._wake.set()

    async def _push_new(self, project_id: UUID) -> None:
        while project_id in self._sent:
            events = await in_database(_read, project_id, self._sent[project_id])
            for seq, kind, data, text in events:
                if project_id not in self._sent or seq <= self._sent[project_id]:
                    continue
                self._sent[project_id] = seq
                if kind.startswith(HEEDED_BY_CLICKS):
                    segmentation.forget_all()
                elif kind.startswith("annotation."):
                    segmentation.forget_shapes()
                for peer in list(self._peers[project_id]):
                    peer.deliver(text)
                    _tell_of_membership(peer, kind, data)
            if len(events) < BATCH:
                return

    def _tell_elsewhere(self, project_id: UUID, session: str, here: Presence | None) -> None:
        self._moved[project_id][session] = here
        self._some_moved.set()

    async def _flush(self) -> None:
        """Tells other processes where this one's peers are: together, and ten times a second at most."""
        while True:
            await self._some_moved.wait()
            self._some_moved.clear()
            moved, self._moved = self._moved, defaultdict(dict)
            with contextlib.suppress(DatabaseError):
                await in_database(_send_moved, self.name, moved)
            await asyncio.sleep(FLUSH_SECONDS)

    def _hint(self, project_id: UUID, message: dict[str, Any]) -> None:
        async def send() -> None:
            with contextlib.suppress(DatabaseError):
                await in_database(services.hint, project_id, {**message, "from": self.name})

        self._background(send())

    def _background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.append(task)
        task.add_done_callback(self._tasks.remove)

    async def _check_access(self) -> None:
        """Closes the sockets of those who signed out, were barred or taken out; corrects roles."""
        peers = [peer for here in self._peers.values() for peer in here]
        if peers:
            found = await in_database(access.standings, [(peer.who, peer.project_id) for peer in peers])
            for peer, standing in zip(peers, found, strict=True):
                peer.stand(standing)

    async def _look(self) -> None:
        """A notice may be lost with its connection; the numbers are the truth."""
        for project_id in list(self._peers):
            seq = await in_database(selectors.last_seq, project_id)
            if seq > self._sent.get(project_id, seq):
                self._mark(project_id)

    async def _beat(self) -> None:
        for project_id, here in self._peers.items():
            for peer in here:
                self._tell_elsewhere(project_id, peer.presence.session, peer.presence)
        for project_id, session in self.elsewhere.forget_silent():
            self.tell(project_id, {"type": "presence.left", "session": session})


async def _every(seconds: float, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    while True:
        await asyncio.sleep(seconds)
        try:
            await work()
        except DatabaseError as error:
            log.warning("The database could not be asked; it is tried again: %s", error)
        except Exception:
            log.exception("%s failed; it is tried again", work.__name__)


def _read(project_id: UUID, since: int) -> list[tuple[int, str, dict[str, Any], str]]:
    found = []
    for event in selectors.events_since(project_id, since, BATCH):
        said = selectors.event_json(event)
        text = json.dumps({"type": "event", "event": said}, separators=(",", ":"))
        if len(text) > PUSH_LIMIT_BYTES:
            text = json.dumps({"type": "event.hint", "seq": event.seq})
        found.append((event.seq, event.kind, event.data, text))
    return found


def _send_moved(origin: str, moved: dict[UUID, dict[str, Presence | None]]) -> None:
    for project_id, presences in moved.items():
        left = [session for session, here in presences.items() if here is None]
        here = [known.as_json() for known in presences.values() if known is not None]
        for start in range(0, max(len(here), len(left)), PRESENCES_PER_HINT):
            part = slice(start, start + PRESENCES_PER_HINT)
            said = {"type": "presences", "here": here[part], "left": left[part], "from": origin}
            services.hint(project_id, said)


def _tell_of_membership(peer: Peer, kind: str, data: dict[str, Any]) -> None:
    if kind == "member.changed" and data["member"]["user"]["id"] == str(peer.who.user.id):
        peer.stand(Standing(True, data["member"]["role"]))
    elif kind == "member.left" and data["user"]["id"] == str(peer.who.user.id):
        peer.stand(Standing(True, None))


_current: tuple[asyncio.AbstractEventLoop, Hub] | None = None


def hub() -> Hub:
    """The hub of the running event loop."""
    global _current  # noqa: PLW0603
    loop = asyncio.get_running_loop()
    if _current is None or _current[0] is not loop:
        _current = (loop, Hub())
    return _current[1]
