"""What the screen needs of a session: something to look at, and, while it runs, something to command."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from sessions.curve.memory import CurveMemory
from sessions.frame.request_list import RequestList
from sessions.frame.schema import Frame
from sessions.run.commands import Answer, Command
from sessions.store.manifest import Manifest
from sessions.store.request_line import Looked, Sought
from sessions.timeline.requests import RequestColumns
from sessions.timeline.timeline import Timeline


class SessionSource(Protocol):
    """A session to look at. Every method returns at once; none waits for the run."""

    @property
    def first_ns(self) -> int:
        """Session time at which load began; 0 when it has not."""

    @property
    def last_ns(self) -> int:
        """The newest session time that can be shown."""

    @property
    def live(self) -> bool:
        """The run is still going on."""

    @property
    def read_share(self) -> float:
        """How much of what was recorded so far is read, 0 to 1."""

    @property
    def state(self) -> str:
        """What the run is doing now, as in `sessions.store.records.State`, whatever instant is looked at."""

    @property
    def manifest(self) -> Manifest | None:
        """What the run is and was asked; None until it can be read."""

    @property
    def timeline(self) -> Timeline:
        """All that was read so far, for what a frame does not hold.

        What is drawn of an instant must depend only on what was recorded up to it.
        """

    @property
    def requests(self) -> RequestColumns:
        """The requests that ended, as far as they are read: only polls after the first call read them."""

    @property
    def curve(self) -> CurveMemory:
        """How its figures go with the load, and another session to hold it against."""

    @property
    def request_list(self) -> RequestList:
        """The same, chosen and put in order, a page at a time."""

    @property
    def requests_read(self) -> float:
        """How much of the lines of those that ended so far is read, 0 to 1."""

    def request(self, sought: Sought) -> Looked:
        """One of them with all that its line says; while it is looked for, `poll` is True."""

    def set_mark(self, at_ns: int, text: str) -> str:
        """Keeps a mark beside the session, in none of its files; why it cannot, empty when it does."""

    def poll(self) -> bool:
        """Reads what is new; True when a frame of the same instant could look different."""

    def frame(self, at_ns: int, window_ns: int, slots: int, start_ns: int | None = None) -> Frame:
        """The session as it was at `at_ns`: `slots` columns of `window_ns // slots` each, of which the first
        begins at `start_ns`; where that is None, the last holds `at_ns`."""


class RunControl(Protocol):
    """The way to tell a running session something."""

    async def send(self, command: Command) -> Answer:
        """Returns once the run has answered.

        Raises:
            OSError: the run cannot be reached.
        """


def read_ahead(source: SessionSource, clock: Callable[[], float], for_s: float = 0.3) -> None:
    """Reads what was recorded so far; what takes longer than `for_s` is left to later polls."""
    until_s = clock() + for_s
    while source.poll() and clock() < until_s:
        pass
