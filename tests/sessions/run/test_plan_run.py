"""Plans as real runs: what a stage came to decides what comes after it."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from sessions.plan.config import PlanConfig
from sessions.plan.stages import Stage
from sessions.summary.read import read_summary
from tests.sessions.run.test_give_up import failing_server, started

pytestmark = pytest.mark.slow


def test_the_first_stage_that_the_server_refuses_is_the_last_however_soon_the_next_one_would_begin(
    tmp_path: Path,
) -> None:
    stages = [Stage(str(n), concurrency=1, requests=1, stop="failed") for n in range(9)]
    with failing_server(400) as (server, config):
        server.good += 2
        with started(msgspec.structs.replace(config, plan=PlanConfig("p", stages)), tmp_path) as run:
            assert run.process.wait(60) == 0  # a failure that the plan was after is none of the run's
        said = read_summary(run.directory)
    plan = said.plan
    assert plan is not None
    assert (said.valid, said.requests.failed) == (True, 1)
    assert any(note.startswith("1 of the failures are what the plan was after") for note in said.notes)
    assert [(stage.number, stage.succeeded) for stage in plan.stages] == [(1, 1), (2, 1), (3, 0)]
