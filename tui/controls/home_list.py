"""What the home screen lists, and in which order: servers of this machine, then what was recorded. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from sessions.summary.digest import Digest
from telemetry.local_servers import USUAL_PORTS_SAID, LocalServer

ORDERS = ("newest", "slowest", "model")
"""What `s` steps through: by time, by TTFT p95, by model."""


class Item(NamedTuple):
    """A line of the list: a server, a session, or a heading, which is neither."""

    key: str
    """Of its own, and the same when the list is made anew."""
    heading: str = ""
    note: bool = False
    """The heading is more of the one above it."""
    server: LocalServer | None = None
    session: Digest | None = None
    base: bool = False
    """The session that another is to be held against."""


@dataclass(frozen=True)
class HomeList:
    sessions: tuple[Digest, ...] = ()
    """Newest first."""
    servers: tuple[LocalServer, ...] | None = None
    """None while they are looked for."""
    wanted: str = ""
    """Only lines with these words in them, in any case and order."""
    order: str = ORDERS[0]
    place: str = ""
    """Where sessions are kept, for one who has none."""
    base: Digest | None = None
    """What the next session that is opened is held against."""

    def items(self) -> list[Item]:
        """Headings always; under each what fits `wanted`."""
        servers = [one for one in self.servers or () if self._fits(_server_text(one))]
        sessions = [one for one in self.sessions if self._fits(session_text(one))]
        none = self.servers is not None and not self.servers
        looked = "looking ..." if self.servers is None else "none found; u: one by its URL" if none else ""
        asked = [Item("asked", heading=f"  at {USUAL_PORTS_SAID}", note=True)] if none else []
        count = f"{len(sessions):,}" if not self.wanted else f"{len(sessions):,} of {len(self.sessions):,}"
        by = "" if self.order == ORDERS[0] else f", by {'TTFT p95' if self.order == 'slowest' else 'model'}"
        kept = f"none in {self.place} yet" if not self.sessions else f"{count}{by}"
        return [
            Item("servers", heading=f"LLM servers on this machine  {looked}".rstrip()),
            *asked,
            *(Item(one.url, server=one) for one in servers),
            Item("sessions", heading=f"recorded sessions  {kept}"),
            *(
                Item(str(one.directory), session=one, base=self.is_base(one))
                for one in self._ordered(sessions)
            ),
        ]

    def is_base(self, one: Digest) -> bool:
        return self.base is not None and self.base.directory == one.directory

    def marked(self, item: Item | None) -> HomeList:
        """With the session of a line as what others are held against; without one, where it was that."""
        if item is None or item.session is None:
            return self
        return replace(self, base=None if self.is_base(item.session) else item.session)

    def _fits(self, text: str) -> bool:
        lowered = text.lower()
        return all(word in lowered for word in self.wanted.lower().split())

    def _ordered(self, sessions: Sequence[Digest]) -> list[Digest]:
        if self.order == "slowest":
            return sorted(sessions, key=lambda one: -(one.summary.ttft_from_due_ms.p95 or -1.0))
        if self.order == "model":
            return sorted(sessions, key=lambda one: (not one.model, one.model.lower()))
        return list(sessions)


def when(directory_name: str) -> str:
    """`20261126-034751-name` as `11-26 03:47`; blanks where the directory is named otherwise."""
    day, _, rest = directory_name.partition("-")
    time = rest[:6]
    if len(day) == 8 and len(time) == 6 and (day + time).isascii() and (day + time).isdigit():
        return f"{day[4:6]}-{day[6:]} {time[:2]}:{time[2:4]}"
    return " " * 11


def _server_text(server: LocalServer) -> str:
    return " ".join((server.url, server.name, *server.models, *server.gpus))


def session_text(session: Digest) -> str:
    """By which a session is found."""
    tags = session.config.tags if session.config is not None else ()
    return " ".join(
        (
            session.directory.name,
            session.name,
            session.model,
            session.target,
            session.badge,
            session.load,
            session.verdict,
            *tags,
        )
    )
