"""Who is here and where their pointer is; may be lost, is never stored."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from backend.accounts.models import User
from backend.annotations.selectors import person_json
from backend.live.messages import PresenceUpdate

NOWHERE = PresenceUpdate(None, None, None)
HEARTBEAT_SECONDS = 10.0  # how often a process repeats who is connected to it
DEAD_SECONDS = 25.0  # after two missed heartbeats the process, or the way to it, is gone


@dataclass(frozen=True)
class Presence:
    """One socket's user and what they said of themselves last."""

    session: str
    user: User
    role: str
    said: PresenceUpdate = NOWHERE

    def as_json(self) -> dict[str, Any]:
        """As the wire has it."""
        cursor = self.said.cursor
        return {
            "session": self.session,
            "user": person_json(self.user),
            "role": self.role,
            "cursor": {"lon": cursor[0], "lat": cursor[1]} if cursor else None,
            "raster": str(self.said.raster) if self.said.raster else None,
            "editing": str(self.said.editing) if self.said.editing else None,
        }


class Elsewhere:
    """Who is connected to other web processes, by what those tell; the silent are forgotten."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: defaultdict[UUID, dict[str, tuple[float, dict[str, Any]]]] = defaultdict(dict)

    def here(self, project_id: UUID, member: dict[str, Any]) -> bool:
        """Notes one presence; True when it says anything new."""
        before = self._known[project_id].get(member["session"])
        self._known[project_id][member["session"]] = (self._clock(), member)
        return before is None or before[1] != member

    def left(self, project_id: UUID, session: str) -> bool:
        """Forgets one; True when it was known."""
        known = self._known.get(project_id, {})
        gone = known.pop(session, None) is not None
        if not known:
            self._known.pop(project_id, None)
        return gone

    def members(self, project_id: UUID) -> list[dict[str, Any]]:
        """Everybody known in the project."""
        return [member for _, member in self._known.get(project_id, {}).values()]

    def forget_silent(self) -> Iterator[tuple[UUID, str]]:
        """Forgets those not heard of for too long, and names them."""
        before = self._clock() - DEAD_SECONDS
        silent = [
            (project_id, session)
            for project_id, known in self._known.items()
            for session, (at, _) in known.items()
            if at < before
        ]
        for project_id, session in silent:
            self.left(project_id, session)
            yield project_id, session
