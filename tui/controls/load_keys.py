"""What the load keys make of the load: from which value they count, what they ask the run for. No Textual."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sessions.frame.schema import Frame
from tui.controls.load_increments import Wanted, stepped_concurrency, stepped_rate
from tui.draw import numbers

_PAUSED = ("holding", "stopped")
_PATIENCE_S = 2.0
"""So long the run may take to show what a key asked for."""


class LoadKeys:
    """`send` takes a command for the run; `now` gives the run as it is, whatever instant is looked at (None
    while nothing was drawn yet); `clock` gives seconds that never run backwards.

    What a key did is returned in a few words, for a person who does not see it happen.
    """

    def __init__(
        self,
        send: Callable[[Mapping[str, Any]], None],
        now: Callable[[], Frame | None],
        clock: Callable[[], float],
    ) -> None:
        self._send, self._now, self._clock = send, now, clock
        self._wanted = Wanted()
        self._last_load: float | None = None
        self._closed_loop = False
        self._paused: bool | None = None
        """As the last key would have it, until the run shows it or has had time to. None: as the run is."""
        self._paused_until_s = 0.0
        self._was_paused = False

    def seen(self, frame: Frame) -> None:
        """The run shows this now: a request that it has caught up with is forgotten."""
        self._closed_loop = frame.closed_loop
        shown = float(frame.concurrency or 0) if frame.closed_loop else frame.rate_rps
        self._wanted = self._wanted.seen(shown)
        if shown:
            self._last_load = shown
        self._was_paused = frame.state in _PAUSED
        if self._was_paused == self._paused:
            self._paused = None

    def refused(self, command: str) -> None:
        """What was asked for with it came to nothing."""
        if command != "mark":
            self._paused = None
        if command in ("rate", "concurrency"):
            self._wanted = Wanted()

    def asked(self) -> str:
        """The load that was asked for and is not in force yet; empty when there is none."""
        value = self._wanted.base(None, self._clock())
        if value is None:
            return ""
        return f"{value:.0f}" if self._closed_loop else numbers.rate(value)

    def step(self, steps: int) -> str | None:
        """None: there is no load yet to count from."""
        now = self._now()
        base = self._wanted.base(None if now is None else self._base(now), self._clock())
        if base is None or now is None:
            return None
        if now.closed_loop:
            return self.ask(float(stepped_concurrency(round(base), steps)), closed_loop=True)
        return self.ask(stepped_rate(base, steps), closed_loop=False)

    def _base(self, now: Frame) -> float | None:
        # Right after a resume the run still shows 0: a step then counts from the load before the hold.
        return (now.concurrency if now.closed_loop else now.rate_rps) or self._last_load

    def ask(self, value: float, *, closed_loop: bool) -> str:
        self._closed_loop = closed_loop
        self._wanted = self._wanted.asked(value, self._clock())
        self._pause(False)
        if closed_loop:
            self._send({"cmd": "concurrency", "concurrency": round(value)})
            return f"concurrency {round(value)}"
        self._send({"cmd": "rate", "rate_rps": value})
        return f"{value:g} rps"

    def hold(self) -> str:
        """Holds, or resumes what is held or stopped."""
        paused = self.is_paused()
        self._pause(not paused)
        command = "resume" if paused else "hold"
        self._send({"cmd": command})
        return command

    def stop(self) -> None:
        """Stops sending, and drops the backlog."""
        self._pause(True)
        self._send({"cmd": "stop"})

    def is_paused(self) -> bool:
        """The load is held or stopped, or will be."""
        now = self._now()
        if self._paused is not None and self._clock() < self._paused_until_s:
            return self._paused
        return now is not None and now.state in _PAUSED

    def was_paused(self) -> bool:
        """As `is_paused`, of what was seen last: it costs no look at the run."""
        return self._was_paused if self._paused is None else self._paused

    def _pause(self, paused: bool) -> None:
        self._paused, self._paused_until_s = paused, self._clock() + _PATIENCE_S
