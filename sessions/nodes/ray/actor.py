"""The one thing of ours that runs inside Ray on a node: an actor that carries bytes to an agent beside it.

Sent by value, so that it runs where no ttftop is installed too, and can say so: it imports what is not
Python's own only inside functions. Nothing is measured in its process: the agent is one of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from typing import Any

THREADS = 12
"""Questions at a time: a long poll, the clock and some more."""
_ORDER_S = 2.0
"""So long a question waits for those before it, should one have been lost on the way."""
_LINGER_S = 60.0
"""The actor ends this long after its agent, though nobody told it to: the cluster's head may be dead."""

AGENT_COMMAND: list[str] = []
"""Another one than `sessions.nodes.agent`, for a benchmark of what carries it; it travels with the actor."""

# Ray kills the children of an actor that dies, but not theirs: the agent must live on to end in order.
_BETWEEN = 'exec 3<&0; "$@" <&3 3<&- & exec 3<&-; wait $!'


class Relay:
    """Carries opaque questions to the agent and answers back; each question once, in the order of numbers."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._agent: subprocess.Popen[bytes] | None = None
        self._answers: dict[int, bytes | None] = {}
        """Number to answer of what was asked and may be asked for again; None: not there yet."""
        self._next = 0
        self._gone = ""

    def about(self) -> dict[str, str]:
        """Versions; `ttftop` is empty where there is none, `problem` says then what was missing."""
        import importlib
        import platform

        import ray

        found = {"python": platform.python_version(), "ray": ray.__version__, "executable": sys.executable}
        try:
            from loadgen.version import VERSION

            importlib.import_module("sessions.nodes.agent")
            return {**found, "ttftop": VERSION, "problem": ""}
        except ImportError as error:
            return {**found, "ttftop": "", "problem": str(error)}

    def start(self, secrets: list[str]) -> None:
        """Starts the agent; `secrets`: names of what it does not inherit of the environment.

        What it complains of stands in Ray's log of the actor, also after the actor's end.
        """
        from sessions.own_process import module_command

        command = AGENT_COMMAND or module_command("sessions.nodes.agent")
        self._agent = subprocess.Popen(
            ["/bin/sh", "-c", _BETWEEN, "ttftop", *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
            env={name: value for name, value in os.environ.items() if name not in secrets},
        )
        threading.Thread(target=self._listen, daemon=True).start()

    def clock(self) -> int:
        """CLOCK_MONOTONIC, which the agent shares: nearer than the agent's own answer."""
        return time.monotonic_ns()

    def exchange(self, number: int, oldest: int, timeout_s: float, *parts: bytes) -> bytes | str:
        """The answer to question `number`, which comes in parts; a text: why there will be none.

        Asked again with the same number, it does not reach the agent twice. Nobody asks for numbers below
        `oldest` any more. Empty: none within `timeout_s`.
        """
        payload = b"".join(parts)
        with self._changed:
            for old in [known for known in self._answers if known < oldest]:
                del self._answers[old]
            if number not in self._answers:
                self._changed.wait_for(lambda: self._next >= number or self._gone, _ORDER_S)
                self._next = max(self._next, number + 1)
                self._answers[number] = None
                self._changed.notify_all()
                self._hand_over(number, payload)
            self._changed.wait_for(lambda: self._answers.get(number) is not None or self._gone, timeout_s)
            return self._answers.get(number) or self._gone

    def leave(self) -> None:
        """Ends the agent, in order within a moment, and this actor."""
        if self._agent is not None:
            assert self._agent.stdin is not None
            self._agent.stdin.close()
            try:
                self._agent.wait(2.0)
            except subprocess.TimeoutExpired:
                pass  # it ends what it began, with no one to hear of it
        threading.Timer(0.2, os._exit, (0,)).start()

    def _hand_over(self, number: int, payload: bytes) -> None:
        from sessions.nodes.frames import framed

        assert self._agent is not None
        assert self._agent.stdin is not None
        rest = memoryview(framed(number & 0xFFFFFFFF, payload))
        try:
            while rest:
                rest = rest[self._agent.stdin.write(rest) :]
        except (OSError, ValueError):
            pass  # its end is told by its stdout

    def _listen(self) -> None:
        from sessions.nodes.frames import FrameError, Frames

        assert self._agent is not None
        assert self._agent.stdout is not None
        frames, why = Frames(expect_greeting=True), ""
        try:
            while data := self._agent.stdout.read(1 << 16):
                answers = frames.feed(data)
                with self._changed:
                    for number, payload in answers:
                        if number in self._answers:
                            self._answers[number] = payload
                    self._changed.notify_all()
        except FrameError as error:
            why = f"it said what no agent says: {error}; see Ray's log of the actor there"
        code = self._agent.wait()
        with self._changed:
            self._gone = why or f"its agent ended with exit code {code}; see Ray's log of the actor there"
            self._changed.notify_all()
        threading.Timer(_LINGER_S, os._exit, (0,)).start()


def kept_environment() -> dict[str, Any]:
    """Ray's runtime environment for the actor.

    Up to Ray 2.55 an actor that asks for no GPU finds CUDA_VISIBLE_DEVICES empty: all would count as hidden.
    """
    return {"env_vars": {"RAY_EXPERIMENTAL_NOSET_CUDA_VISIBLE_DEVICES": "1"}}
