"""The clock of one node, asked all through a run, and what is written of it into the session."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from itertools import chain, repeat

from sessions.nodes.channel import Channel, NodeLost, no_agent, said_instead
from sessions.nodes.messages import ClockAnswer, ClockQuestion
from sessions.store.node_clocks import SAID_NS, WARNED_NS, known_within
from sessions.store.records import NodeClock
from telemetry.clock_offset import ClockOffset, moved

AT_THE_ENDS = 40
"""Questions before the load, and after it."""
BETWEEN = 5
INTERVAL_S = 5.0
FIRST_WAITS_S = (0.5, 0.5, 1.0, 2.0)
"""Before that: until a drift is known, the bound grows by what two clocks may drift at the most."""
PATIENCE_S = 5.0

Note = Callable[[str, str], None]
"""A level and a sentence."""


class AskedClock:
    """`offset_ns` is what the node was held to be ahead of this machine when the load began: its files keep
    to it, and all that is found out later is told as a correction to it."""

    def __init__(self, channel: Channel, now_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self._channel, self._now_ns = channel, now_ns
        self.clock = ClockOffset()
        self.offset_ns = 0
        self.widest_ns = 0
        """The widest bound of all records."""
        self._moved_ns: int | None = None
        self._said_ns = SAID_NS

    @property
    def within_ns(self) -> int:
        """At this instant; 0 before it was asked."""
        if not self.clock.known:
            return 0
        return self.clock.within_ns(self._now_ns())

    async def ask(self, times: int) -> list[int]:
        """Asks so often, one question after the other.

        Returns:
            The round trips, ns.

        Raises:
            NodeLost: there will be no answer any more, or it is none.
            asyncio.TimeoutError: there is none for now.
        """
        took_ns = []
        for _ in range(times):
            asked_ns = self._now_ns()
            answer = await self._channel.ask(ClockQuestion(), PATIENCE_S)
            received_ns = self._now_ns()
            if not isinstance(answer, ClockAnswer):
                raise NodeLost(no_agent(said_instead(answer)))
            moved_ns = self.clock.answered(asked_ns, answer.t_ns, received_ns)
            if moved_ns is not None:
                self._moved_ns = (self._moved_ns or 0) + moved_ns
            took_ns.append(received_ns - asked_ns)
        return took_ns

    def begin(self) -> None:
        """Fixes the translation that the node's processes are told."""
        now_ns = self._now_ns()
        self.offset_ns = self.clock.there_ns(now_ns) - now_ns
        self._moved_ns = None

    def record(self, origin_ns: int, workers: Sequence[int]) -> NodeClock:
        """What is known now. `origin_ns`: the session's, on this machine's clock."""
        now_ns = self._now_ns()
        within_ns = self.clock.within_ns(now_ns)
        self.widest_ns = max(self.widest_ns, within_ns)
        moved_ns, self._moved_ns = self._moved_ns, None
        return NodeClock(
            now_ns - origin_ns,
            self._channel.name,
            float(now_ns - self.clock.there_ns(now_ns) + self.offset_ns),
            within_ns,
            self.clock.drift_ppm,
            self.clock.drift_within_ppm,
            list(workers),
            None if moved_ns is None else float(moved_ns),
        )

    async def keep_known(
        self, origin_ns: int, workers: Sequence[int], append: Callable[[NodeClock], None], note: Note
    ) -> None:
        """Asks and writes on and on, until it is cancelled or the node is lost; a network may be away."""
        for wait_s in chain(FIRST_WAITS_S, repeat(INTERVAL_S)):
            await asyncio.sleep(wait_s)
            if not await self.note_down(BETWEEN, origin_ns, workers, append, note):
                return

    async def note_down(
        self,
        times: int,
        origin_ns: int,
        workers: Sequence[int],
        append: Callable[[NodeClock], None],
        note: Note,
    ) -> bool:
        """Asks so often, and writes what is known then; False once the node is lost."""
        try:
            with contextlib.suppress(asyncio.TimeoutError):
                await self.ask(times)
        except NodeLost:
            return False
        record = self.record(origin_ns, workers)
        append(record)
        self._tell(record, note)
        return True

    def _tell(self, record: NodeClock, note: Note) -> None:
        name = record.node
        if record.moved_ns is not None:
            note("warning", f"node {name}: {moved([record.moved_ns])}")
        if record.within_ns > self._said_ns:
            warned = record.within_ns > WARNED_NS
            self._said_ns = 1 << 62 if warned else WARNED_NS
            note("warning" if warned else "info", known_within(name, record.within_ns))
