"""Who is here and where their pointer is; may be lost, is never stored."""

from dataclasses import dataclass
from typing import Any

from backend.accounts.models import User
from backend.annotations.selectors import person_json
from backend.live.messages import PresenceUpdate

NOWHERE = PresenceUpdate(None, None, None)


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
