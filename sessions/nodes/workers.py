"""The load workers of a run on nodes, as its supervisor sees them: with the interface of
`sessions.worker.processes.WorkerProcesses`.

Each node is asked and followed by itself (`sessions.nodes.node`); what it writes comes into the session
(`sessions.nodes.mirror`), so that every reader finds it where it looks.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from loadgen.target.url import is_loopback
from loadgen.worker_config import Address, WorkerConfig
from sessions.nodes.bring import bring
from sessions.nodes.channel import Channel, NodeLost
from sessions.nodes.messages import HelloAnswer, ReachAnswer, Start
from sessions.nodes.mirror import Mirror
from sessions.nodes.network import network_of_this_process
from sessions.nodes.node import Node, NodeEvents
from sessions.nodes.placement import Offer, PlacementError, numbered, takes_load
from sessions.nodes.told import for_node, shifted, with_files
from sessions.store.records import NodeClock
from sessions.worker.pipes import Status
from sessions.worker.states import LEAD_NS, WorkerStates

_log = logging.getLogger(__name__)

START_LEAD_NS = 100_000_000
"""At least: a configuration is long, and the slowest of many workers is waited for."""
MOST_LEAD_NS = 1_000_000_000
"""Who presses a key waits no longer: a node that hears of it later changes later."""
READY_S = 60.0
APART_NS = 1_000_000
"""Instants of a change may lie so far apart on the clocks of two nodes."""
FETCH_PATIENCE_S = 20.0
"""At the end of a run: so long nothing may come from a node that still has something."""
_LATE_S, _AFTER_SILENCE_S = 1.0, 5.0
"""What answers later was cut off from here, and has so long to end in order."""

Opened = Sequence[tuple[Channel, HelloAnswer]]
Open = Callable[[], Awaitable[Opened]]
Place = Callable[[Sequence[Offer]], list[int]]
"""How many workers each node runs."""


class NodesToldOf(NamedTuple):
    """What the supervisor wants to hear."""

    said: Callable[[int, Status], None]
    exited: Callable[[int, int], None]
    lost: Callable[[Node], None]
    """A node is gone, with all its workers: before anything else is told of it."""
    refused: Callable[[str], None]
    """The nodes cannot be had, or not used for this run: one line."""
    note: Callable[[str, str], None]
    """A level and a sentence."""
    append: Callable[[NodeClock], None]
    """To the session."""


class Watched(NamedTuple):
    """What of each node is."""

    origin_ns: int
    """The session's, on our clock."""
    sources: list[str]
    """Words of `--telemetry`; none: no poller there."""
    target_url: str
    roles: Mapping[str, str]
    """By node, as a person said."""


class NodeWorkers:
    """`nodes` are there once `states.all_ready` is set."""

    def __init__(
        self,
        directory: Path,
        open_nodes: Open,
        place: Place,
        target: Address,
        told: NodesToldOf,
        watched: Watched,
        *,
        named: bool = True,
        debug: bool = False,
    ) -> None:
        """Args:
        target: where the load's connections go, before anything was looked up.
        named: a person asked for these very nodes.
        debug: each worker keeps a log.
        """
        self._directory, self._open_nodes, self._place, self._target = directory, open_nodes, place, target
        self._watched = watched
        self._told, self._named, self._debug = told, named, debug
        self.states = WorkerStates(told.said, told.exited)
        self.nodes: list[Node] = []
        self.ready_s = READY_S
        self.offers: list[Offer] = []
        """Of the nodes that the load is put on from."""
        self.unsaved: list[str] = []
        """After `wait_or_kill`: a sentence for what could not be fetched."""
        self._opening: asyncio.Task[None] | None = None

    @property
    def count(self) -> int:
        return self.states.count

    @property
    def _loaded(self) -> list[Node]:
        return [node for node in self.nodes if node.workers]

    @property
    def start_lead_ns(self) -> int:
        return max(START_LEAD_NS, 5 * self._slowest_ns)

    @property
    def lead_ns(self) -> int:
        return min(max(LEAD_NS, 3 * self._slowest_ns), MOST_LEAD_NS)

    @property
    def _slowest_ns(self) -> int:
        return max((node.slow_round_trip_ns for node in self.nodes if not node.why_lost), default=0)

    async def start(self) -> None:
        """Returns at once: an ssh may take its time."""
        self._opening = asyncio.create_task(self._start())

    async def _start(self) -> None:
        try:
            await self._begin()
        except (NodeLost, PlacementError) as error:
            self._told.refused(str(error))
        except OSError as error:
            self._told.refused(f"the nodes cannot be had: {_refused_here(error)}")

    async def _begin(self) -> None:
        events = NodeEvents(self.states.said, self._exited, self._lost, self._told.note)
        for channel, hello in await self._open_nodes():
            self.nodes.append(Node(channel, hello, Mirror(self._directory, channel.name), events))
        await self._of_each(lambda node: node.measure_clock())
        offers = await self._offers()
        taken = self.offers = takes_load(offers)
        for offer in offers:
            if offer not in taken:
                why = "the server is there as well" if offer.own else "its GPUs may be the server's"
                self._told.note(
                    "info", f"node {offer.name}: no load from there: {why}; --nodes names it if it is to"
                )
        here = {node.name for node in self.nodes if is_here(node)}  # there it is as without nodes
        for offer in taken:
            if offer.own and offer.name not in here:
                self._told.note("warning", f"node {offer.name}: the load runs beside the server")
        loaded = {
            offer.name: numbers for offer, numbers in zip(taken, numbered(self._place(taken)), strict=True)
        }
        for node in self.nodes:
            node.expect(loaded.get(node.name, []))
        self.states.count = sum(len(node.workers) for node in self.nodes)
        self.states.alive.update(range(self.states.count))
        for node in self.nodes:
            node.follow()
            self._told.note("info", said_of(node))
        await self._of_each(lambda node: node.ask(Start(node.workers, self._debug)), self._loaded)

    async def _offers(self) -> list[Offer]:
        """Raises:
        NodeLost: the server is not where a node could reach it.
        """
        if self._target.unix_path is not None or is_loopback(self._target.host):
            away = [node for node in self.nodes if not is_here(node)]
            if away:
                where = self._target.unix_path or self._target.host
                raise NodeLost(
                    f"node {away[0].name}: {where} is the node itself there, not this machine; "
                    "need an address that the nodes reach"
                )
        found: dict[str, ReachAnswer] = {}

        async def look(node: Node) -> None:
            if self._target.unix_path is None:
                found[node.name] = await node.reached(self._target)

        await self._of_each(look)
        return [
            Offer(
                node.name,
                node.hello.cores,
                node.hello.calibrated_events_per_s,
                own=node.name in found and found[node.name].own,
                gpus=bool(node.hello.gpus),
                named=self._named,
            )
            for node in self.nodes
        ]

    async def prepare(self, addresses: Sequence[Address], files: Sequence[str]) -> str:
        """Brings `files` to all nodes, and finds `addresses` from there; a line if that cannot be."""

        async def ready(node: Node) -> None:
            for address in addresses:
                if address.unix_path is None:
                    node.at[address.host, address.port] = (await node.reached(address)).at
            for number, path in enumerate(dict.fromkeys(files)):
                node.files[path] = await bring(node, Path(path), f"file-{number}")

        try:
            await self._of_each(ready, self._loaded)
            await self._of_each(self._watch)
        except NodeLost as error:
            return str(error)
        except OSError as error:
            return _refused_here(error)
        return ""

    async def _watch(self, node: Node) -> None:
        """Its clock, and its machine."""
        await node.measure_clock()
        node.keep_clock(self._watched.origin_ns, self._told.append)
        if self._watched.sources:
            # A loopback address would be another server there.
            away = is_loopback(self._target.host) and not is_here(node)
            url = "" if away else self._watched.target_url
            role = self._watched.roles.get(node.name, self._watched.roles.get(node.hello.host, ""))
            await node.start_poller(self._watched.sources, self._watched.origin_ns, url, role)

    async def _of_each(
        self, do: Callable[[Node], Awaitable[object]], nodes: Sequence[Node] | None = None
    ) -> None:
        """At all of them at once.

        Raises:
            NodeLost: of the first that fails, with its name.
        """
        asked = self.nodes if nodes is None else nodes
        done = await asyncio.gather(*(do(node) for node in asked), return_exceptions=True)
        for node, result in zip(asked, done, strict=True):
            if isinstance(result, NodeLost):
                raise NodeLost(f"node {node.name}: {result}")
            if isinstance(result, BaseException):
                raise result

    def tell(self, number: int, message: msgspec.Struct) -> None:
        """As `WorkerProcesses.tell`."""
        for node in self.nodes:
            if number in node.workers and number in self.states.alive:
                node.tell([(number, _line(_as_there(message, node)))])

    def tell_all(self, message: msgspec.Struct) -> None:
        """As `WorkerProcesses.tell_all`: one message to each node."""
        _log.info("to all load workers: %s", message)
        for node in self.nodes:
            line = _line(_as_there(message, node))
            if told := [(number, line) for number in node.workers if number in self.states.alive]:
                node.tell(told)

    async def wait_or_kill(self, wait_s: float) -> None:
        """As `WorkerProcesses.wait_or_kill`; then waits for what nodes have written, as long as it comes."""
        if self._opening is not None and not self._opening.done():
            self._opening.cancel()
            await asyncio.gather(self._opening, return_exceptions=True)
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self.states.all_gone.wait(), max(wait_s, 0.01))
        await asyncio.gather(*(self._end(node) for node in self.nodes if not node.why_lost))
        for sentences in await asyncio.gather(*(node.leave() for node in self.nodes)):
            self.unsaved += sentences

    async def _end(self, node: Node) -> None:
        with contextlib.suppress(NodeLost):
            if await node.round_trip_s() > _LATE_S:  # it may have heard of the end but now
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self.states.all_gone.wait(), _AFTER_SILENCE_S)
            await node.kill()
            if node.is_followed:
                await _fetched(node)
                await node.last_clock()

    def _exited(self, number: int, code: int) -> None:
        self.states.exited(number, code)
        self._look()

    def _lost(self, node: Node) -> None:
        gone = [number for number in node.workers if number in self.states.alive]
        self._told.lost(node)
        self.states.lost(gone)
        self._look()

    def _look(self) -> None:
        if not self.states.alive:
            self.states.all_gone.set()


def _refused_here(error: OSError) -> str:
    """By this machine: what, and in what words."""
    what = f"{error.filename}: " if error.filename else ""
    return f"{what}{error.strerror or error}"


async def _fetched(node: Node) -> None:
    """Returns once all is here, or nothing more comes."""
    had, whole = -1, asyncio.ensure_future(node.whole.wait())
    while not whole.done() and not node.why_lost and node.fetched_bytes != had:
        had = node.fetched_bytes
        await asyncio.wait({whole}, timeout=FETCH_PATIENCE_S)
    whole.cancel()


def is_here(node: Node) -> bool:
    """Its `localhost` is ours."""
    return node.hello.network != "" and node.hello.network == network_of_this_process()


def said_of(node: Node) -> str:
    """One line about what runs where."""
    hello, count = node.hello, len(node.workers)
    numbers = f" ({node.workers[0]} to {node.workers[-1]})" if count > 1 else ""
    load = f"{count} load worker{'' if count == 1 else 's'}{numbers}" if count else "no load"
    cores = f"{hello.cores} core{'' if hello.cores == 1 else 's'}"
    clock = f"clock within {node.clock.within_ns / 1e6:.3g} ms"
    return f"node {node.name}: {load}; host {hello.host}, {cores}, Python {hello.python}, {clock}"


def _line(message: msgspec.Struct) -> bytes:
    return msgspec.json.encode(message) + b"\n"


def _as_there(message: msgspec.Struct, node: Node) -> msgspec.Struct:
    if isinstance(message, WorkerConfig):
        return for_node(message, node.files, message.origin_ns + node.clock.offset_ns, node.at)
    # As it is, where it can be: then all workers reckon with the same numbers, to the nanosecond.
    ahead_ns = node.ahead_ns
    there = with_files(message, node.files)
    return there if abs(ahead_ns) < APART_NS else shifted(there, ahead_ns)
