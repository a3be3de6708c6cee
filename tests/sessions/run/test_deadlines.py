"""The deadlines that a person names, and what the others become by it."""

from __future__ import annotations

import pytest

from loadgen.worker_config import Deadlines
from sessions.plan.config import ConfigError, RunConfig, checked
from sessions.plan.target_config import TargetConfig
from sessions.run.worker_configs import deadlines_of

CASES: list[tuple[dict[str, float], Deadlines]] = [
    ({}, Deadlines()),
    ({"connect": 1.0}, Deadlines(connect_s=1.0)),
    # Some servers send headers with the first token: who waits longer for it must wait for them.
    ({"first-token": 600.0}, Deadlines(first_token_s=600.0, headers_s=600.0)),
    ({"first-token": 5.0}, Deadlines(first_token_s=5.0)),
    ({"first-token": 600.0, "headers": 3.0}, Deadlines(first_token_s=600.0, headers_s=3.0)),
    ({"first-token": 600.0, "total": 60.0}, Deadlines(first_token_s=600.0, headers_s=600.0, total_s=60.0)),
    ({"gap": 300.0}, Deadlines(gap_s=300.0)),
    ({"total": 3600.0}, Deadlines(total_s=3600.0)),
]


@pytest.mark.parametrize(("timeouts", "want"), CASES)
def test_a_deadline_that_is_named_holds_and_makes_room_for_itself(
    timeouts: dict[str, float], want: Deadlines
) -> None:
    assert deadlines_of(timeouts) == want


@pytest.mark.parametrize("timeouts", [{"first": 1.0}, {"gap": 0.0}, {"gap": float("inf")}])
def test_a_deadline_that_is_none_is_refused(timeouts: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=r"^--timeout"):
        checked(RunConfig(TargetConfig("http://h"), timeouts=timeouts))
