"""How the load workers of a run stand, wherever they run: what the supervisor asks of them, and waits for."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import msgspec

from loadgen.worker_config import Address
from sessions.worker.pipes import Status

START_LEAD_NS = 10_000_000
LEAD_NS = 5_000_000
"""Of workers on this machine."""

OnStatus = Callable[[int, Status], None]
OnExit = Callable[[int, int], None]

_log = logging.getLogger(__name__)


class Workers(Protocol):
    """The load workers of a run: processes here (`sessions.worker.processes`), or on nodes."""

    states: WorkerStates

    @property
    def count(self) -> int:
        """Of the whole run; known once all are ready."""

    async def start(self) -> None:
        """Returns at once or soon; `states.all_ready` tells when they wait for their configuration."""

    def tell(self, number: int, message: msgspec.Struct) -> None:
        """Hands one worker its configuration or a command; one that is gone is told of by its exit."""

    def tell_all(self, message: msgspec.Struct) -> None: ...

    async def wait_or_kill(self, wait_s: float) -> None:
        """Waits until all have ended; those that have not after `wait_s` are killed."""

    async def prepare(self, addresses: Sequence[Address], files: Sequence[str]) -> str:
        """Sees that all workers can reach the servers and read `files`; a line if that cannot be."""

    @property
    def unsaved(self) -> list[str]:
        """After `wait_or_kill`: a sentence for whatever they wrote and we do not have."""

    @property
    def ready_s(self) -> float:
        """So long they may take to be ready."""

    @property
    def start_lead_ns(self) -> int:
        """What their configuration takes to the workers, and they to obey it."""

    @property
    def lead_ns(self) -> int:
        """A change takes effect this long after it was read, so that every worker hears of it before."""


class WorkerStates:
    """`on_status` and `on_exit` are called after the events below tell of it."""

    def __init__(self, on_status: OnStatus, on_exit: OnExit, count: int = 0) -> None:
        self._on_status, self._on_exit = on_status, on_exit
        self.count = count
        self.alive: set[int] = set()
        self._lost: set[int] = set()
        self._in_state: dict[str, set[int]] = {"ready": set(), "idle": set()}
        self.all_ready, self.all_idle, self.all_gone = asyncio.Event(), asyncio.Event(), asyncio.Event()
        """All wait for their configuration; the load of all has come to its end by itself; none is alive, and
        all that they wrote is here."""
        self._stage: int | None = None

    def expect_idle(self, stage: int) -> None:
        """From now on `all_idle` is of that stage."""
        self._stage = stage
        self._in_state["idle"].clear()
        self.all_idle.clear()

    def said(self, number: int, status: Status) -> None:
        of_another = status.state == "idle" and status.stage != self._stage
        if not of_another and (known := self._in_state.get(status.state)) is not None:
            known.add(number)
            self._look(status.state)
        self._on_status(number, status)

    def exited(self, number: int, code: int) -> None:
        self.alive.discard(number)
        _log.info("load worker %d is gone, exit code %d", number, code)
        self._on_exit(number, code)

    def lost(self, numbers: Iterable[int]) -> None:
        """Nothing will be heard of these any more; who waited for them alone is told."""
        gone, was_idle = list(numbers), self.all_idle.is_set()
        self._lost.update(gone)
        self.alive.difference_update(gone)
        for state in self._in_state:
            self._look(state)
        if gone and self.alive and self.all_idle.is_set() and not was_idle:
            self._on_status(gone[0], Status("idle", stage=self._stage))

    def _look(self, state: str) -> None:
        if self.count and len(self._in_state[state] | self._lost) == self.count:
            (self.all_ready if state == "ready" else self.all_idle).set()
