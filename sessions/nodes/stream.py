"""A node by a process that carries its agent's stdin and stdout: on this machine, or an ssh."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Sequence

import msgspec

from sessions.nodes.channel import NodeLost, no_agent
from sessions.nodes.frames import FrameError, Frames, framed
from sessions.nodes.messages import NodeAnswer, Question, decode_answer, encode
from telemetry.source import plain
from telemetry.ssh.command import LOOK_THERE, need_to_start

_READ_BYTES = 1 << 16
_CLOSE_S = 1.5
_LINES_KEPT = 20
_LINE_BYTES = 1 << 12
_MOST_SAID = 80

_log = logging.getLogger(__name__)

Why = Callable[[int, Sequence[str]], str]
"""What an exit code and the last lines of stderr come to, as one line."""


def why_it_ended(code: int, said: Sequence[str]) -> str:
    """Of a process that is the agent itself."""
    how = f"signal {-code}" if code < 0 else f"exit code {code}"
    return f"its agent ended ({how}{f': {said[-1][:_MOST_SAID]}' if said else ''}); {LOOK_THERE}"


class StreamChannel:
    """One process and its questions; see `sessions.nodes.channel.Channel`."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, why: Why = why_it_ended) -> None:
        """`why`: says it of a process that is no agent, but the way to one."""
        self._name, self._process, self._why = name, process, why
        self._numbers = itertools.count()
        self._waiting: dict[int, asyncio.Future[NodeAnswer]] = {}
        self._said: deque[str] = deque(maxlen=_LINES_KEPT)
        self._lost = ""
        self._heard = asyncio.ensure_future(self._hear())
        self._complaints = asyncio.ensure_future(self._take_complaints())

    @property
    def name(self) -> str:
        return self._name

    async def ask(self, question: Question, timeout_s: float) -> NodeAnswer:
        """As `Channel.ask`."""
        if self._lost:
            raise NodeLost(self._lost)
        number = next(self._numbers) & 0xFFFFFFFF
        answer: asyncio.Future[NodeAnswer] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(framed(number, encode(question)))
            return await asyncio.wait_for(answer, timeout_s)
        finally:
            self._waiting.pop(number, None)

    async def close(self) -> None:
        """As `Channel.close`."""
        self._give_up("it was given up")
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), _CLOSE_S)
        except asyncio.TimeoutError:
            pass
        self._kill()  # whoever it left behind would hold our pipes open
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._process.wait(), _CLOSE_S)
        for task in (self._heard, self._complaints):
            task.cancel()
        await asyncio.gather(self._heard, self._complaints, return_exceptions=True)
        # That of a killed process waits for the ends of its pipes, and is else closed when it is collected,
        # perhaps after the loop.
        self._process._transport.close()  # type: ignore[attr-defined]  # nothing public does
        await asyncio.sleep(0)

    def _kill(self) -> None:
        with contextlib.suppress(OSError):
            os.killpg(self._process.pid, signal.SIGKILL)

    async def _hear(self) -> None:
        stdout, frames = self._process.stdout, Frames(expect_greeting=True)
        assert stdout is not None
        try:
            while data := await stdout.read(_READ_BYTES):
                for number, payload in frames.feed(data):
                    said, answer = decode_answer(payload), self._waiting.pop(number, None)
                    if answer is not None and not answer.done():
                        answer.set_result(said)
        except (FrameError, msgspec.MsgspecError) as error:
            self._give_up(no_agent(plain(str(error))))
            self._kill()
            return
        code = await self._process.wait()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.shield(self._complaints), _CLOSE_S)
        self._give_up(self._why(code, list(self._said)))

    def _give_up(self, why: str) -> None:
        self._lost = self._lost or why
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(NodeLost(self._lost))
        self._waiting.clear()

    async def _take_complaints(self) -> None:
        """Of the way there, and of the agent itself: its workers' are in a file there. Into our own log."""
        stderr, line = self._process.stderr, b""
        assert stderr is not None
        while data := await stderr.read(_LINE_BYTES):
            *lines, line = (line + data).split(b"\n")
            if len(line) > _LINE_BYTES:
                lines, line = [*lines, line], b""
            for one in lines:
                self._complained(one)
        self._complained(line)

    def _complained(self, line: bytes) -> None:
        text = plain(line.decode(errors="replace").strip(), 300)
        if text:
            self._said.append(text)
            print(f"{self._name}: {text}", file=sys.stderr)


async def open_stream(name: str, argv: Sequence[str], why: Why = why_it_ended) -> StreamChannel:
    """Starts the process; what becomes of it the first question tells.

    Raises:
        NodeLost: it cannot be started.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl-C in a terminal is for the host alone
        )
    except OSError as error:
        what = f"node {name}: {argv[0]} cannot be started: {error.strerror}"
        raise NodeLost(f"{what}; {need_to_start(error)}") from None
    _log.info("%s: pid %d", name, process.pid)
    return StreamChannel(name, process, why)
