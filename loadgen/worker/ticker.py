"""The clockwork of a worker: four ticks a second, and a heartbeat that tells how late its loop runs.

Before a tick is taken, streams are flushed: what was read for them is told, some streams at a time, so that
no request that is due meanwhile waits for all of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from loadgen.clock import Clock, process_cpu_ns
from loadgen.records import TICK_NS, Tick
from loadgen.transport.read_buffer import ReadBuffer
from loadgen.worker.targets import Targets

_HEARTBEAT_S = 0.02
_AFTER_NS = 500_000
"""A tick is rung so long after its time: loops ring up to a millisecond early."""
_FLUSHED_AT_ONCE, _FLUSH_TURNS = 16, 64
"""Streams flushed between two looks at what is due: all at once would take milliseconds. Of many, more: a
tick must not wait for more turns than that."""


class Ticker:
    """Ticks end at whole multiples of `TICK_NS`, in every worker alike."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        clock: Clock,
        targets: Targets,
        worker: int,
        start_ns: int,
        on_tick: Callable[[Tick], None],
        look_after: Callable[[int], None],
    ) -> None:
        """`on_tick` gets what was counted, and adds what is the case at its end. `look_after` is called with
        the session time after each tick but the last."""
        self._loop, self._clock, self._targets, self._tally = loop, clock, targets, targets.tally
        self._read_loop = targets.pools[0].read_loop
        self._worker, self._on_tick, self._look_after = worker, on_tick, look_after
        self._last_ns = start_ns  # the first tick is shorter than the others: nothing was counted before
        self._last_cpu_ns = process_cpu_ns()
        self._last_opened = 0
        self.flushing = False
        """Some streams are flushed for the next tick, some not yet."""
        self._stopped = False
        self._beat_due_s = 0.0
        self._heart: asyncio.TimerHandle | None = None
        self._tick: asyncio.TimerHandle | None = None

    def start(self) -> None:
        self._beat_from(self._loop.time())
        self._wait_for_tick()

    def stop(self) -> None:
        """Takes what was counted since the last tick as a last one, and ends."""
        self._close(self._clock.now_ns())
        self._stopped = True
        for handle in (self._heart, self._tick):
            if handle is not None:
                handle.cancel()

    # ticks

    def _wait_for_tick(self) -> None:
        next_ns = (self._last_ns // TICK_NS + 1) * TICK_NS
        wait_ns = max(0, next_ns - self._clock.now_ns()) + _AFTER_NS
        self._tick = self._loop.call_later(wait_ns / 1e9, self._ring)

    def _ring(self) -> None:
        buffers = self._read_loop.unflushed()
        self._flush(buffers, max(_FLUSHED_AT_ONCE, len(buffers) // _FLUSH_TURNS))

    def _flush(self, buffers: list[ReadBuffer], at_once: int) -> None:
        if self._stopped:
            return
        for buffer in buffers[:at_once]:
            buffer.flush()
        self._tally.fold()
        self.flushing = len(buffers) > at_once
        if self.flushing:
            self._loop.call_soon(self._flush, buffers[at_once:], at_once)
            return
        now = self._clock.now_ns()
        self._close(now // TICK_NS * TICK_NS)
        self._look_after(now)
        if not self._stopped:
            self._wait_for_tick()

    def _close(self, t_ns: int) -> None:
        if t_ns <= self._last_ns:
            return
        cpu_ns, opened = process_cpu_ns(), self._targets.opened
        tick = self._tally.take(
            t_ns=t_ns,
            dt_ns=t_ns - self._last_ns,
            worker=self._worker,
            connects=opened - self._last_opened,
            cpu_ns=cpu_ns - self._last_cpu_ns,
        )
        self._last_ns, self._last_cpu_ns, self._last_opened = t_ns, cpu_ns, opened
        self._on_tick(tick)

    # heartbeats

    def _beat_from(self, now_s: float) -> None:
        self._beat_due_s = now_s + _HEARTBEAT_S
        self._heart = self._loop.call_at(self._beat_due_s, self._beat)

    def _beat(self) -> None:
        now_s = self._loop.time()
        late_ns = int((now_s - self._beat_due_s) * 1e9)
        self._tally.total.loop_lag_max_ns = max(self._tally.total.loop_lag_max_ns, late_ns)
        self._beat_from(now_s)
