"""What a stage that is over came to, for a plan whose next stages depend on it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from loadgen.clock import Clock
from loadgen.records import TICK_NS, Tick
from sessions.store.follow import SessionFollower

if TYPE_CHECKING:
    from sessions.summary.plan_schema import PlanStage

_PATIENCE_NS = 5_000_000_000
"""A disk that hangs is not waited for."""
_POLL_S = 0.05


async def stage_figures(directory: Path, number: int, workers: int, clock: Clock) -> PlanStage | None:
    """Of stage `number`, as the session of a run with so many workers tells once all that is over by now
    stands in it. None where the stage did not begin."""
    await written_down(directory, clock.now_ns(), workers, clock)
    return await asyncio.to_thread(_figures, directory, number)


async def written_down(directory: Path, at_ns: int, workers: int, clock: Clock) -> bool:
    """Waits until the files of a session hold what happened up to `at_ns`; whether they do."""
    follower = SessionFollower(directory, requests=False)
    newest_ns: dict[int, int] = {}
    # A worker writes ticks before requests: only the tick after the next one says that those are there.
    enough_ns = at_ns + TICK_NS
    try:
        while clock.now_ns() < at_ns + _PATIENCE_NS:
            for record in await asyncio.to_thread(follower.poll):
                if isinstance(record, Tick):
                    newest_ns[record.worker] = max(record.t_ns, newest_ns.get(record.worker, 0))
            if len(newest_ns) >= workers and min(newest_ns.values()) > enough_ns:
                return True
            if not follower.behind:
                await asyncio.sleep(_POLL_S)
        return False
    finally:
        follower.close()


def _figures(directory: Path, number: int) -> PlanStage | None:
    from sessions.summary.read import read_summary  # numpy: only plans that look back need it here

    plan = read_summary(directory).plan
    stages = [] if plan is None else plan.stages
    return next((stage for stage in stages if stage.number == number + 1), None)
