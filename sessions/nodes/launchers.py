"""From the words of `--nodes` to channels: this machine by a process, others over the user's own ssh."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Sequence
from functools import partial

import msgspec

from sessions.nodes.channel import LEAVE_OUT, Channel, NodeLost, no_agent, said_instead
from sessions.nodes.messages import VERSION, Hello, HelloAnswer
from sessions.nodes.stream import StreamChannel, open_stream, why_it_ended
from sessions.own_process import module_command
from sessions.plan.config import NodesConfig
from sessions.plan.node_words import NodeWord, parse_nodes
from telemetry.source import plain
from telemetry.source_spec import Node
from telemetry.ssh.command import (
    NO_SSH,
    OPTIONS,
    ends_with_us,
    find_and_run,
    ssh_command,
    unknown_option,
    why_not,
)

ANSWERS_S = 30.0
"""Until a node has answered for the first time: an ssh that connects, an interpreter on a slow disk."""
AGENT = "sessions.nodes.agent"
_MOST_TEXT, _MOST_CORES = 300, 4096

_SSH_OPTIONS = tuple(
    {
        # A network that was away for 30 s may be silent for 60: TCP doubles its waits.
        "ServerAliveInterval": "ServerAliveInterval=15",
        "ServerAliveCountMax": "ServerAliveCountMax=6",
    }.get(option.partition("=")[0], option)
    for option in OPTIONS
)


async def open_nodes(asked: NodesConfig) -> list[tuple[Channel, HelloAnswer]]:
    """All nodes at once, each with what it said of itself, in the order of the words.

    Raises:
        NodeLost: one cannot be had, and why; the others are closed again.
    """
    opening = [asyncio.ensure_future(_open(word)) for word in parse_nodes(asked.words)]
    done = await asyncio.gather(*opening, return_exceptions=True)
    failed = [one for one in done if isinstance(one, BaseException)]
    if failed:
        opened = [one[0] for one in done if not isinstance(one, BaseException)]
        await asyncio.gather(*(channel.close() for channel in opened))
        raise failed[0]
    return [one for one in done if not isinstance(one, BaseException)]


async def _open(word: NodeWord) -> tuple[Channel, HelloAnswer]:
    if word.ssh is None:
        channel = await local_channel(word.name)
        return channel, await introduced(channel)
    without: frozenset[str] = frozenset()
    while True:
        channel = await _ssh_channel(word, without)
        try:
            return channel, await introduced(channel)
        except NodeLost as lost:
            await channel.close()
            unknown = unknown_option(str(lost)) - without
            if not unknown:
                raise
            without |= unknown


async def local_channel(name: str, prefix: Sequence[str] = ()) -> StreamChannel:
    """An agent on this machine; `prefix`: a command that runs it elsewhere (`ip netns exec NAME`).

    Raises:
        NodeLost: it cannot be started.
    """
    return await open_stream(name, [*prefix, *module_command(AGENT)])


async def _ssh_channel(word: NodeWord, without: frozenset[str]) -> StreamChannel:
    assert word.ssh is not None
    if shutil.which("ssh") is None:
        raise NodeLost(f"node {word.name}: {NO_SSH}")
    argv = ssh_command(word.ssh, find_and_run(AGENT, []), _SSH_OPTIONS, without)
    return await open_stream(word.name, ends_with_us(argv), partial(_why_ssh_ended, word.ssh))


def _why_ssh_ended(node: Node, code: int, said: Sequence[str]) -> str:
    # ssh's own farewell says less than what stood before it.
    telling = [line for line in said if not line.startswith("Connection to")] or list(said)
    missing = [line for line in telling if "No module named" in line and "sessions" in line]
    last = next(iter(missing or telling[::-1]), "")
    return why_not(node, code, last, "sessions") or why_it_ended(code, telling)


def believed(hello: HelloAnswer) -> HelloAnswer:
    """What a node says of itself, safe to print and within bounds: nobody vouches for it."""
    texts = {name: getattr(hello, name) for name in HelloAnswer.__struct_fields__}
    safe = {name: plain(text, _MOST_TEXT) for name, text in texts.items() if isinstance(text, str)}
    return msgspec.structs.replace(hello, **safe, cores=max(1, min(hello.cores, _MOST_CORES)))


async def introduced(channel: Channel) -> HelloAnswer:
    """What a node says of itself; it is of our version.

    Raises:
        NodeLost: it is not, or says nothing; the channel is closed.
    """
    from loadgen.version import VERSION as TTFTOP_VERSION

    try:
        answer = await channel.ask(Hello(), ANSWERS_S)
        if isinstance(answer, HelloAnswer):
            answer = believed(answer)
            if answer.ttftop_version == TTFTOP_VERSION and answer.version == VERSION:
                return answer
            there, here = f"ttftop {answer.ttftop_version[:40]}", f"ttftop {TTFTOP_VERSION}"
            if there == here:  # two checkouts, say
                there, here = f"{there} that speaks version {answer.version}", f"version {VERSION}"
            why = f"{there} there, {here} here; need the same on both"
        else:
            why = no_agent(said_instead(answer))
    except asyncio.TimeoutError:
        why = f"no answer within {ANSWERS_S:g} s; {LEAVE_OUT}"
    except NodeLost as lost:
        why = str(lost)
    except asyncio.CancelledError:
        await channel.close()
        raise
    await channel.close()
    raise NodeLost(f"node {channel.name}: {why}")
