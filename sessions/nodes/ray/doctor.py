"""What `ttftop doctor --ray` finds: each node of a cluster as a run would have it, before there is one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import NamedTuple

from loadgen.worker_config import Address
from sessions.nodes.channel import LEAVE_OUT, NodeLost, no_agent, said_instead
from sessions.nodes.messages import (
    ClockAnswer,
    ClockQuestion,
    HelloAnswer,
    Leave,
    NodeAnswer,
    Question,
    Reach,
    ReachAnswer,
)
from sessions.nodes.placement import Offer, takes_load
from sessions.nodes.ray.launcher import RayChannel, open_ray
from sessions.nodes.ray.words import FoundNode

ROUND_TRIPS = 100
_ANSWER_S = 15.0


class NodeReport(NamedTuple):
    node: FoundNode
    hello: HelloAnswer
    round_trips_ns: list[int]
    """Sorted."""
    ahead_ns: int
    """Its monotonic clock, of ours."""
    within_ns: int
    """By how much that may be wrong."""
    reach: ReachAnswer | None
    """None: no server was asked about."""
    takes_load: bool
    """A run would send from there, unless it is told otherwise."""

    def round_trip_ms(self, quantile: float) -> float:
        return self.round_trips_ns[int(quantile * (len(self.round_trips_ns) - 1))] / 1e6


async def examine(address: str, names: Sequence[str], target: Address | None) -> list[NodeReport]:
    """Each node, in the order of `names`, else by address; nothing of ours is left there.

    Raises:
        NodeLost: no cluster there, not ours to use, or a node that does not answer: one line.
    """
    opened = await open_ray(address, names)
    try:
        # One after the other: each round trip is of a network at rest.
        found = [await _examined(channel, hello, target) for channel, hello in opened]
        return _with_load(found, named=bool(names))
    finally:
        await asyncio.gather(*(_leave(channel) for channel, _ in opened))


async def _examined(channel: RayChannel, hello: HelloAnswer, target: Address | None) -> NodeReport:
    round_trips, best_ns, ahead_ns = [], None, 0
    for _ in range(ROUND_TRIPS):
        asked_ns = time.monotonic_ns()
        answer = await _asked(channel, ClockQuestion())
        took_ns = time.monotonic_ns() - asked_ns
        if not isinstance(answer, ClockAnswer):
            raise NodeLost(f"node {channel.name}: {no_agent(said_instead(answer))}")
        round_trips.append(took_ns)
        if best_ns is None or took_ns < best_ns:
            best_ns, ahead_ns = took_ns, answer.t_ns - asked_ns - took_ns // 2
    reach = None
    if target is not None and target.unix_path is None:
        told = await _asked(channel, Reach(target.host, target.port, list(target.at)))
        if not isinstance(told, ReachAnswer):
            raise NodeLost(f"node {channel.name}: {no_agent(said_instead(told))}")
        reach = told
    within_ns = -(-(best_ns or 0) // 2)
    return NodeReport(channel.node, hello, sorted(round_trips), ahead_ns, within_ns, reach, True)


async def _asked(channel: RayChannel, question: Question) -> NodeAnswer:
    try:
        return await channel.ask(question, _ANSWER_S)
    except asyncio.TimeoutError:
        raise NodeLost(f"node {channel.name}: no answer within {_ANSWER_S:g} s; {LEAVE_OUT}") from None
    except NodeLost as lost:
        raise NodeLost(f"node {channel.name}: {lost}") from None


async def _leave(channel: RayChannel) -> None:
    try:
        await channel.ask(Leave(), _ANSWER_S)
    except (asyncio.TimeoutError, NodeLost):
        pass
    await channel.close()


def _with_load(found: Sequence[NodeReport], *, named: bool) -> list[NodeReport]:
    offers = [
        Offer(
            one.node.name,
            one.hello.cores,
            own=one.reach is not None and one.reach.own,
            gpus=bool(one.hello.gpus),
            named=named,
        )
        for one in found
    ]
    taken = {offer.name for offer in takes_load(offers)}
    return [
        one._replace(takes_load=one.node.name in taken and (one.reach is None or bool(one.reach.at)))
        for one in found
    ]
