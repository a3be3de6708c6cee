"""The clockwork of a worker: four ticks a second, and a heartbeat that tells how late its loop runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from loadgen.clock import Clock
from loadgen.records import TICK_NS
from loadgen.tally import Tally

_HEARTBEAT_S = 0.02
_AFTER_NS = 500_000
"""A tick is rung so long after its time: loops ring up to a millisecond early."""


class Pulse:
    """Ticks end at whole multiples of `TICK_NS`, in every worker alike."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        clock: Clock,
        tally: Tally,
        start_ns: int,
        on_tick: Callable[[], None],
    ) -> None:
        self._loop, self._clock, self._tally, self._on_tick = loop, clock, tally, on_tick
        self.last_ns = start_ns // TICK_NS * TICK_NS
        """The end of the last tick that was taken."""
        self._beat_due_s = 0.0
        self._heart: asyncio.TimerHandle | None = None
        self._tick: asyncio.TimerHandle | None = None

    def start(self) -> None:
        self._beat_from(self._loop.time())
        self.wait_for_tick()

    def wait_for_tick(self) -> None:
        """Calls `on_tick` once, when the next tick is over."""
        next_ns = (self.last_ns // TICK_NS + 1) * TICK_NS
        wait_ns = max(0, next_ns - self._clock.now_ns()) + _AFTER_NS
        self._tick = self._loop.call_later(wait_ns / 1e9, self._on_tick)

    def stop(self) -> None:
        for handle in (self._heart, self._tick):
            if handle is not None:
                handle.cancel()

    def _beat_from(self, now_s: float) -> None:
        self._beat_due_s = now_s + _HEARTBEAT_S
        self._heart = self._loop.call_at(self._beat_due_s, self._beat)

    def _beat(self) -> None:
        now_s = self._loop.time()
        late_ns = int((now_s - self._beat_due_s) * 1e9)
        self._tally.loop_lag_max_ns = max(self._tally.loop_lag_max_ns, late_ns)
        self._beat_from(now_s)
