"""The end of a run: how long a worker may take for it."""

from __future__ import annotations

import asyncio
import errno
import sys
from types import SimpleNamespace

import pytest

from loadgen.worker_config import Finish
from sessions.run.commands import FinishRun, InterruptRun
from sessions.run.end import EndRequest, RunEnd, drain, end_by, kill_after_s, plan_end


def test_a_worker_with_many_requests_to_cut_off_may_take_longer_before_it_is_killed() -> None:
    assert kill_after_s(1) == kill_after_s(2_000) == 1.5
    assert kill_after_s(10_000) == 5.5


@pytest.mark.parametrize(
    "end", [end_by(InterruptRun(), 3600.0), plan_end(ValueError("no such stage"), 3600.0)], ids=str
)
def test_an_end_that_nobody_planned_leaves_a_second_of_its_two_for_saving(end: RunEnd) -> None:
    assert end.drain_s <= 1.0


def test_an_end_that_a_person_planned_waits_as_long_as_the_run_says() -> None:
    assert end_by(FinishRun(), 3600.0).drain_s == 3600.0


class Gone:
    """The load workers of a run, all of which have ended."""

    def __init__(self) -> None:
        self.states = SimpleNamespace(all_gone=asyncio.Event())
        self.states.all_gone.set()
        self.told: list[object] = []
        self.awaited = False

    def tell_all(self, order: object) -> None:
        self.told.append(order)

    async def wait_or_kill(self, wait_s: float) -> None:
        self.awaited = True


@pytest.mark.parametrize("error", [OSError(errno.ESTALE, "Stale file handle"), MemoryError(), ImportError()])
def test_that_what_sums_up_cannot_be_imported_keeps_no_worker_from_being_awaited(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Refusing:
        """In place of a file system that has gone away."""

        def find_spec(self, name: str, *_: object) -> None:
            if name == "sessions.summary.read":
                raise error

    monkeypatch.delitem(sys.modules, "sessions.summary.read", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Refusing(), *sys.meta_path])

    async def ended() -> Gone:
        request, workers = EndRequest(), Gone()
        request.want(end_by(InterruptRun(), 3600.0))
        await drain(workers, request, 1)  # type: ignore[arg-type]
        return workers

    workers = asyncio.run(ended())
    assert workers.told == [Finish(1.0)]
    assert workers.awaited
