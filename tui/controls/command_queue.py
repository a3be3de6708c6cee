"""Commands on their way to the run: in order, the newest load in place of an unsent older one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from tui.controls.session_source import RunControl

TIMEOUT_S = 5.0
_REPLACEABLE = ("rate", "concurrency")

Answered = Callable[[Mapping[str, Any], str], None]
"""Called with a command and the error of its answer, one line; empty when it was obeyed."""


class CommandQueue:
    """Started on a running event loop by the first `put`. `answered` is called on that loop."""

    def __init__(self, control: RunControl, answered: Answered) -> None:
        self._control = control
        self._answered = answered
        self._waiting: list[Mapping[str, Any]] = []
        self._task: asyncio.Task[None] | None = None

    def put(self, command: Mapping[str, Any]) -> None:
        if self._waiting and command["cmd"] in _REPLACEABLE and self._waiting[-1]["cmd"] == command["cmd"]:
            self._waiting[-1] = command
        else:
            self._waiting.append(command)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._send_all())

    async def _send_all(self) -> None:
        while self._waiting:
            command = self._waiting.pop(0)
            self._answered(command, await self._sent(command))

    async def _sent(self, command: Mapping[str, Any]) -> str:
        try:
            ack = await asyncio.wait_for(self._control.send(command), TIMEOUT_S)
        except asyncio.TimeoutError:
            return f"{command['cmd']}: the run did not answer within {TIMEOUT_S:g} s"
        except OSError as error:
            return f"{command['cmd']}: the run cannot be reached ({error})"
        return "" if ack.get("ok") else str(ack.get("error") or f"{command['cmd']}: refused")
