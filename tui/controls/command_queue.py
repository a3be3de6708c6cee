"""Commands on their way to the run: each is sent once its predecessor was answered, and none is merged."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sessions.run.commands import Answer, Command, EndCommand, Refusal, name_of
from tui.controls.session_source import RunControl

TIMEOUT_S = 5.0

Answered = Callable[[Command, Answer], None]


class CommandQueue:
    """Started on a running event loop by the first `put`. `answered` is called on that loop, in order.

    A run that cannot be reached is a refusal too, and so is one that is silent for `timeout_s`; what was
    typed after that command is dropped then, since nobody expects it any more; the end of the run is not.
    """

    def __init__(self, control: RunControl, answered: Answered, timeout_s: float = TIMEOUT_S) -> None:
        self._control, self._answered, self._timeout_s = control, answered, timeout_s
        self._waiting: list[Command] = []
        self._task: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> tuple[Command, ...]:
        """Those without an answer, oldest first."""
        return tuple(self._waiting)

    def put(self, command: Command) -> None:
        self._waiting.append(command)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._send_all())

    async def _send_all(self) -> None:
        while self._waiting:
            command = self._waiting[0]
            answer = await self._answer_to(command)
            del self._waiting[0]
            self._answered(command, answer)

    async def _answer_to(self, command: Command) -> Answer:
        try:
            return await asyncio.wait_for(self._control.send(command), self._timeout_s)
        except asyncio.TimeoutError:
            kept = [later for later in self._waiting[1:] if isinstance(later, EndCommand)]
            dropped = len(self._waiting) - 1 - len(kept)
            self._waiting[1:] = kept
            why = f"{name_of(command)}: the run did not answer within {self._timeout_s:g} s"
            more = f", {dropped} more dropped" if dropped else ""
            return Refusal(f"{why}{more}; wait for it, and try again")
        except OSError as error:
            return Refusal(f"{name_of(command)}: the run cannot be reached ({error})")
