"""One node as the host has it: asked, told, followed, and given up when it is gone."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

import msgspec

from loadgen.worker_config import Address
from sessions.nodes.channel import LEAVE_OUT, Channel, NodeLost, no_agent, said_instead
from sessions.nodes.clock import AT_THE_ENDS, PATIENCE_S, AskedClock
from sessions.nodes.messages import (
    POLLER,
    ClockQuestion,
    HelloAnswer,
    Kill,
    Leave,
    NodeAnswer,
    Question,
    Reach,
    ReachAnswer,
    Read,
    ReadAnswer,
    Refusal,
    StartTelemetry,
    Tell,
)
from sessions.nodes.mirror import Mirror
from sessions.store.records import NodeClock
from sessions.worker.pipes import Status
from telemetry.source import plain

READ_WAIT_S = 1.0
UNANSWERED_S = 5.0
"""A read that has no answer so much later is asked again; the first such is told."""
LOST_READS = 15
"""So many unanswered ones after each other (75 s), and the node is lost: a network that was away for 30 s may
be silent for 60 (`sessions.nodes.agent`). Counted, not timed: this process may have stood still itself."""
ORDER_S = UNANSWERED_S * LOST_READS
_MOST_WORDS = 500
RETRY_S = 1.0
"""So often a disk that refuses is tried again."""

_log = logging.getLogger(__name__)
_status = msgspec.json.Decoder(Status)


class NodeEvents(NamedTuple):
    """What a node tells whoever leads it."""

    said: Callable[[int, Status], None]
    exited: Callable[[int, int], None]
    lost: Callable[[Node], None]
    note: Callable[[str, str], None]


class Node:
    """`why_lost` is a line once the node is gone for good; whatever is asked of it then comes to nothing."""

    def __init__(self, channel: Channel, hello: HelloAnswer, mirror: Mirror, events: NodeEvents) -> None:
        self._channel, self.hello, self._mirror, self._events = channel, hello, mirror, events
        self.workers: list[int] = []
        self.at: dict[tuple[str, int], list[str]] = {}
        """Host and port of a server to its addresses that take connections from there."""
        self.files: dict[str, str] = {}
        """Path of a file here to where it was put there."""
        self.clock = AskedClock(channel)
        self.round_trips_ns: deque[int] = deque(maxlen=200)
        self.why_lost = ""
        self.exits: dict[int, int] = {}
        self.has_poller = False
        self.whole = asyncio.Event()
        """All its processes are gone, and all that they wrote is here."""
        self.behind_bytes = 0
        self._heard = 0
        self._unanswered = 0
        self._silences = 0
        """Reads without an answer, in all."""
        self._disk_told = False
        self._outgoing: list[tuple[int, bytes]] = []
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._given_up: asyncio.Task[None] | None = None
        self._last_clock: Callable[[], Awaitable[object]] | None = None

    @property
    def name(self) -> str:
        return self._channel.name

    @property
    def place(self) -> str:
        """Where it keeps what it measured, for a person."""
        return f"{self.hello.host}:{self.hello.directory}"

    @property
    def slow_round_trip_ns(self) -> int:
        """The 99th percentile of the last ones; 0 before there were any."""
        known = sorted(self.round_trips_ns)
        return known[int(0.99 * (len(known) - 1))] if known else 0

    async def ask(self, question: Question, timeout_s: float = ORDER_S) -> NodeAnswer:
        """Raises:
        NodeLost: it is gone, has no answer, or refuses.
        """
        try:
            answer = await self._channel.ask(question, timeout_s)
        except asyncio.TimeoutError:
            raise NodeLost(f"no answer within {timeout_s:g} s; {LEAVE_OUT}") from None
        if isinstance(answer, Refusal):
            raise NodeLost(plain(answer.message, _MOST_WORDS))
        return answer

    async def reached(self, server: Address) -> ReachAnswer:
        """Raises:
        NodeLost: it is gone, or the server is not reached from there.
        """
        answer = await self.ask(Reach(server.host, server.port, list(server.at)))
        if not isinstance(answer, ReachAnswer):
            raise NodeLost(no_agent(said_instead(answer)))
        if not answer.at:
            why = plain(answer.why_not) or f"{server.host} port {server.port}"
            raise NodeLost(f"the server is not reached from there ({why}); need an address that it reaches")
        return answer

    async def measure_clock(self) -> None:
        """Raises:
        NodeLost: it has no answer.
        """
        try:
            self.round_trips_ns += await self.clock.ask(AT_THE_ENDS)
        except asyncio.TimeoutError:
            why = f"no answer within {PATIENCE_S:g} s to what time it is there"
            raise NodeLost(f"{why}; {LEAVE_OUT}") from None

    def keep_clock(self, origin_ns: int, append: Callable[[NodeClock], None]) -> None:
        """The workers' clock is fixed now; from now on it is written down how it goes. `origin_ns`: the
        session's."""
        self.clock.begin()
        append(self.clock.record(origin_ns, self.workers))
        told = (origin_ns, self.workers, append, self._events.note)
        self._tasks.append(asyncio.create_task(self.clock.keep_known(*told)))
        self._last_clock = lambda: self.clock.note_down(AT_THE_ENDS, *told)

    async def start_poller(self, sources: Sequence[str], origin_ns: int, target_url: str, role: str) -> None:
        """After `keep_clock`, and of the same origin.

        Raises:
            NodeLost: it is gone, or cannot.
        """
        its_origin_ns = origin_ns + self.clock.offset_ns
        self.has_poller = True
        self.whole.clear()  # of a node without load workers it was set already
        await self.ask(StartTelemetry(self.name, list(sources), its_origin_ns, target_url, role))

    @property
    def ahead_ns(self) -> int:
        """How far the session time of its workers, who keep to the clock that they were told at first, runs
        before ours by now."""
        now_ns = time.monotonic_ns()
        return (
            self.clock.clock.there_ns(now_ns) - now_ns - self.clock.offset_ns if self.clock.clock.known else 0
        )

    async def last_clock(self) -> None:
        """Asks once more, at length: between two such lines all times are known best."""
        if self._last_clock is not None:
            await self._last_clock()

    def follow(self) -> None:
        """From now on what it writes and says comes here, and what its workers are told goes there."""
        self._tasks += [asyncio.create_task(self._until_lost(do)) for do in (self._read_all, self._tell_all)]

    @property
    def is_followed(self) -> bool:
        return bool(self._tasks)

    def tell(self, lines: Sequence[tuple[int, bytes]]) -> None:
        """In order; at once."""
        self._outgoing += lines
        self._wake.set()

    async def kill(self) -> None:
        """Its workers; the poller once it has written all.

        Raises:
            NodeLost: it is gone.
        """
        await self.ask(Kill())

    async def round_trip_s(self) -> float:
        """As long as it takes to be answered.

        Raises:
            NodeLost: it is gone.
        """
        asked_s = time.monotonic()
        await self.ask(ClockQuestion())
        return time.monotonic() - asked_s

    def expect(self, workers: Sequence[int]) -> None:
        """These are started there."""
        self.workers = list(workers)
        self._mirror.expect(workers)

    @property
    def fetched_bytes(self) -> int:
        return self._mirror.taken_bytes

    async def leave(self) -> list[str]:
        """Removes its directory if all is here, and ends it; a sentence for whatever is left."""
        unsaved = []
        if not self.whole.is_set() and (self._mirror.have or self.workers):
            how_much = f"{self.behind_bytes} bytes or more" if self.behind_bytes else "the last it measured"
            why = f" ({self.why_lost})" if self.why_lost else ""
            unsaved.append(f"node {self.name}: {how_much} could not be fetched{why}; see {self.place}")
        if self._given_up is not None:
            await self._given_up
        await self._stop()
        lost_here = await asyncio.to_thread(self._mirror.close)
        if not unsaved and not lost_here and not self.why_lost:
            with contextlib.suppress(NodeLost):
                await self.ask(Leave(), UNANSWERED_S)
        if self._given_up is None:
            await self._channel.close()
        return unsaved + [f"{sentence}; see {self.place}" for sentence in lost_here]

    async def _stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _until_lost(self, follow: Callable[[], Awaitable[None]]) -> None:
        """Whatever ends it ends the node: nobody stops hearing of one in silence."""
        try:
            await follow()
        except NodeLost as error:
            self._lose(str(error))
        except Exception as error:
            _log.info("node %s", self.name, exc_info=True)
            self._lose(no_agent(plain(str(error) or type(error).__name__)))

    async def _tell_all(self) -> None:
        """One message at a time: whoever carries them need not keep their order."""
        while not self.why_lost:
            await self._wake.wait()
            self._wake.clear()
            lines, self._outgoing = self._outgoing, []
            if not lines:
                continue
            asked_ns, silences = time.monotonic_ns(), self._silences
            try:
                await self._channel.ask(Tell(lines), ORDER_S)
            except asyncio.TimeoutError:
                continue  # the reads tell whether it is gone
            if not self._unanswered and self._silences == silences:  # else an outage, no way that it takes
                self.round_trips_ns.append(time.monotonic_ns() - asked_ns)

    async def _read_all(self) -> None:
        while not self.why_lost:
            try:
                answer = await self._channel.ask(
                    Read(self._mirror.have, self._heard, READ_WAIT_S), READ_WAIT_S + UNANSWERED_S
                )
            except asyncio.TimeoutError:
                self._on_silence()
                continue
            if isinstance(answer, Refusal):
                raise NodeLost(plain(answer.message, _MOST_WORDS))
            if not isinstance(answer, ReadAnswer):
                raise NodeLost(no_agent(said_instead(answer)))
            await self._take(answer)

    def _on_silence(self) -> None:
        self._unanswered += 1
        self._silences += 1
        if self._unanswered == 1:
            self._events.note(
                "warning",
                f"node {self.name}: no answer for {UNANSWERED_S:g} s; what it measures is kept there",
            )
        elif self._unanswered >= LOST_READS:
            self._lose(f"no answer for {ORDER_S:g} s; need a network that lasts")

    async def _take(self, answer: ReadAnswer) -> None:
        if self._unanswered:
            self._unanswered = 0
            self._events.note(
                "info", f"node {self.name}: answers again; what it measured meanwhile is fetched"
            )
        taken = await asyncio.to_thread(self._mirror.take, answer.chunks)
        self.behind_bytes = answer.behind_bytes
        self._tell_of_disk()
        for number, line in answer.words:
            self._heard += 1
            if number in self.workers:
                try:
                    status = _status.decode(line)
                except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                    continue
                safe = plain(status.message, _MOST_WORDS)
                self._events.said(number, msgspec.structs.replace(status, message=safe))
        for number, code in answer.exits.items():
            if number not in self.exits and (number in self.workers or number == POLLER):
                self.exits[number] = code
                if number != POLLER:
                    self._events.exited(number, code)
        expected = {*self.workers, *([POLLER] if self.has_poller else [])}
        if answer.whole and taken and not expected - self.exits.keys():
            self.whole.set()
        if not taken:
            await asyncio.sleep(RETRY_S)

    def _tell_of_disk(self) -> None:
        """As a worker here would."""
        speaker = self.workers[0] if self.workers else 0
        for name in self._mirror.take_written_again():
            self._events.said(speaker, Status("again", name))
        if bool(self._mirror.error) != self._disk_told:
            self._disk_told = bool(self._mirror.error)
            kept = f"{self._mirror.error}; node {self.name} keeps what it measures" if self._disk_told else ""
            self._events.said(speaker, Status("disk", kept))

    def _lose(self, why: str) -> None:
        if not self.why_lost:
            self.why_lost = why
            _log.info("node %s is lost: %s", self.name, why)
            self._given_up = asyncio.create_task(self._give_up())
            self._events.lost(self)

    async def _give_up(self) -> None:
        """Its share counts as not sent from now on: its agent, which has no host then, ends its workers."""
        await self._stop()
        await self._channel.close()
