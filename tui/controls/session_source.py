"""What the screen needs of a session: something to look at, and, while it runs, something to command."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from sessions.frame.schema import Frame


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

    def poll(self) -> bool:
        """Reads what is new; True when a frame of the same instant could look different."""

    def frame(self, at_ns: int, window_ns: int, slots: int) -> Frame:
        """The session as it was at `at_ns`: `slots` columns of `window_ns // slots` each, ending there."""


class RunControl(Protocol):
    """A running session's command line.

    Commands are `{"cmd": "rate", "rate_rps": x}`, `concurrency` with `concurrency`, `hold`, `resume`, `stop`,
    `mark` with `text`, `finish`, `abort`.
    """

    async def send(self, command: Mapping[str, Any]) -> Mapping[str, Any]:
        """`{"ok": true, "applied_ns": n}`, or `{"ok": false, "error": "one line"}`.

        Raises:
            OSError: the run cannot be reached.
        """
