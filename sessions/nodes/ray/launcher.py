"""The nodes of a Ray cluster as channels: starts the bridge, and speaks to it."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import sys
import tempfile
from collections.abc import Sequence
from typing import IO

import msgspec

from loadgen.errors import printable
from sessions.nodes.channel import NodeLost, no_agent
from sessions.nodes.frames import FrameError, Frames, framed
from sessions.nodes.launchers import introduced
from sessions.nodes.messages import HelloAnswer, NodeAnswer, Question, decode_answer, encode
from sessions.nodes.ray import words
from sessions.nodes.ray.words import FoundNode
from sessions.own_process import SECRETS, module_command

_OPEN_S = 90.0
"""Ray's own deadlines are inside; this is for a bridge that hangs."""
_LEAVE_S = 6.0
_RAY = "need a Ray that works here (ray status)"


class RayChannel:
    """One node of the cluster."""

    def __init__(self, bridge: BridgeProcess, number: int, node: FoundNode) -> None:
        self._bridge, self._number, self.node = bridge, number, node

    @property
    def name(self) -> str:
        return self.node.name

    async def ask(self, question: Question, timeout_s: float) -> NodeAnswer:
        asked = words.Exchange(self._number, encode(question), timeout_s)
        answer = await self._told(asked, timeout_s)
        if not isinstance(answer, words.Exchanged):
            raise NodeLost(f"the bridge to Ray answered something else; {_RAY}")
        try:
            decoded: NodeAnswer = decode_answer(answer.payload)
        except msgspec.MsgspecError as error:
            raise NodeLost(no_agent(printable(str(error)))) from None
        return decoded

    async def close(self) -> None:
        with contextlib.suppress(asyncio.TimeoutError, NodeLost):
            await self._told(words.Close(self._number), 4.0)
        await self._bridge.closed(self._number)

    async def _told(self, order: words.ToBridge, timeout_s: float) -> words.FromBridge:
        answer = await self._bridge.tell(order, timeout_s)
        if isinstance(answer, words.Lost):
            raise NodeLost(answer.message)
        return answer


async def open_ray(
    address: str, nodes: Sequence[str] = (), bridge: BridgeProcess | None = None
) -> list[tuple[RayChannel, HelloAnswer]]:
    """An agent on each of the cluster's nodes, with what it said of itself: on those called so, or on all.

    Raises:
        NodeLost: no cluster there, not ours to use, or no such node: one line, with the next step.
    """
    channels = await _joined(bridge or BridgeProcess(), address, nodes)
    try:
        hellos = await asyncio.gather(*(introduced(channel) for channel in channels))
    except BaseException:
        await asyncio.gather(*(channel.close() for channel in channels))
        raise
    return list(zip(channels, hellos, strict=True))


async def _joined(bridge: BridgeProcess, address: str, nodes: Sequence[str]) -> list[RayChannel]:
    """A channel to an agent on each of the cluster's nodes: those called so, or all that are alive.

    Raises:
        NodeLost: no cluster there, not ours to use, or no such node: one line, with the next step.
    """
    if importlib.util.find_spec("ray") is None:
        raise NodeLost(f"Ray is not installed in {sys.executable}; need it there: pip install 'ttftop[ray]'")
    await bridge.start()
    try:
        opened = await bridge.tell(words.Open(address, list(nodes)), _OPEN_S)
    except asyncio.TimeoutError:
        await bridge.end()
        raise NodeLost(
            f"the Ray cluster at {printable(address)} did not answer within {_OPEN_S:g} s; {_RAY}"
        ) from None
    except BaseException:
        await bridge.end()
        raise
    if not isinstance(opened, words.Opened):
        await bridge.end()
        assert isinstance(opened, words.Refused)
        raise NodeLost(opened.message)
    channels = [RayChannel(bridge, number, node) for number, node in enumerate(opened.nodes)]
    bridge.left = {number for number, _ in enumerate(channels)}
    return channels


class BridgeProcess:
    """`sessions.nodes.ray.bridge`, started, told and heard. It ends when we do."""

    def __init__(self, command: Sequence[str] = ()) -> None:
        """`command`: another one that speaks as the bridge does."""
        self._command = list(command) or module_command("sessions.nodes.ray.bridge")
        self._process: asyncio.subprocess.Process | None = None
        self._log: IO[bytes] | None = None
        self._hearing: asyncio.Task[None] | None = None
        self._waiting: dict[int, asyncio.Future[words.FromBridge]] = {}
        self._number = 0
        self._gone = ""
        self.left: set[int] = set()
        """Nodes that are not closed yet."""

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    async def start(self) -> None:
        """Raises:
        NodeLost: this machine refuses.
        """
        try:
            self._log = tempfile.TemporaryFile()  # noqa: SIM115  # Ray's own words, for when it dies
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=self._log,
                env={name: value for name, value in os.environ.items() if name not in SECRETS},
            )
        except OSError as error:
            if self._log is not None:
                self._log.close()
            what = f"{error.filename}: " if error.filename else ""
            raise NodeLost(f"the bridge to Ray cannot be started: {what}{error.strerror or error}") from None
        self._hearing = asyncio.ensure_future(self._hear())

    async def tell(self, order: words.ToBridge, timeout_s: float) -> words.FromBridge:
        """What it answers.

        Raises:
            asyncio.TimeoutError: nothing within `timeout_s`.
            NodeLost: it is gone.
        """
        if self._gone or self._process is None or self._process.stdin is None:
            raise NodeLost(self._gone or f"the bridge to Ray was closed; {_RAY}")
        number, self._number = self._number, (self._number + 1) & 0xFFFFFFFF
        answering = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            self._process.stdin.write(framed(number, words.encode(order)))
            return await asyncio.wait_for(answering, timeout_s)
        finally:
            self._waiting.pop(number, None)

    async def closed(self, node: int) -> None:
        """With the last of its nodes it ends."""
        self.left.discard(node)
        if not self.left:
            await self.end()

    async def end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), _LEAVE_S)
        except asyncio.TimeoutError:
            process.kill()
            await process.wait()
        if self._hearing is not None:
            await self._hearing
        if self._log is not None:
            self._log.close()

    async def _hear(self) -> None:
        process, frames = self._process, Frames()
        assert process is not None
        assert process.stdout is not None
        try:
            while data := await process.stdout.read(1 << 18):
                for number, payload in frames.feed(data):
                    waiting = self._waiting.get(number)
                    if waiting is not None and not waiting.done():
                        waiting.set_result(words.decode_answer(payload))
        except (FrameError, msgspec.MsgspecError) as error:  # a sitecustomize that prints, say
            said = printable(str(error), 80)
            who = f"the bridge to Ray ({self._command[0]})"
            self._gone = (
                f"{who} said what is none of its words: {said}; need a Python that prints nothing here"
            )
            process.kill()
        code = await process.wait()
        self._gone = self._gone or (
            f"the bridge to Ray ended with exit code {code}{self._last_words()}; {_RAY}"
        )
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(NodeLost(self._gone))

    def _last_words(self) -> str:
        if self._log is None or self._log.closed:
            return ""
        self._log.seek(max(0, self._log.seek(0, os.SEEK_END) - 2000))
        lines = [
            line.strip() for line in self._log.read().decode(errors="replace").splitlines() if line.strip()
        ]
        return f": {printable(lines[-1], 80)}" if lines else ""
