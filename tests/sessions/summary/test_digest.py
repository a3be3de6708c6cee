"""What a list says of a session's load: as asked, or as it came."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from sessions.plan.config import LoadConfig
from sessions.plan.ramp import Ramp
from sessions.summary.digest import Digest
from sessions.summary.stored import StoredSummary
from tests.sessions.summary.summing import manifest

RAMP = LoadConfig(rate_rps=1.0, ramp=Ramp(1.0, 14.0, 60.0))


@pytest.mark.parametrize(
    ("load", "summary", "said"),
    [
        (RAMP, {"load_s": 60.0}, "1..14 rps"),
        (RAMP, {"load_s": 90.0}, "1..14 rps"),
        (RAMP, {"load_s": 30.0}, "1..7.5 rps"),
        (
            RAMP,
            {"load_s": 90.0, "load_changes": 1, "steps": [{"offered_rps": 1.2}, {"offered_rps": 12.0}]},
            "1..12 rps",
        ),
        (LoadConfig(rate_rps=12.0), {"load_s": 25.0, "steps": [{"offered_rps": 12.4}]}, "12 rps"),
        (
            LoadConfig(rate_rps=12.0),
            {"load_changes": 2, "steps": [{"offered_rps": 12.0}, {"offered_rps": 0.0}, {"offered_rps": 3.0}]},
            "3..12 rps",
        ),
        (
            LoadConfig(concurrency=1600),
            {"load_changes": 1, "steps": [{"offered_rps": None}]},
            "1,600 at a time",
        ),
        (RAMP, {}, "1..14 rps"),
    ],
)
def test_a_load_is_said_as_it_came(load: LoadConfig, summary: dict[str, object], said: str) -> None:
    config = manifest(load).config
    one = Digest(Path("x"), "ended", config=config, summary=msgspec.convert(summary, StoredSummary))
    assert one.load == said


@pytest.mark.parametrize(("passed", "said"), [(8.0, "limit 8"), (0.0125, "limit 0.0125"), (None, "no limit")])
def test_a_search_came_to_its_limit_not_to_targets_that_most_of_its_steps_miss(
    passed: float | None, said: str
) -> None:
    """A search that missed its targets on the way up found what it looked for all the same."""
    told = {
        "valid": True,
        "slo": {"verdict": "fail", "targets": []},
        "plan": {"limit": {"closed": False, "passed": passed, "failed": 9.8}},
    }
    summary = msgspec.convert(told, StoredSummary)
    assert Digest(Path("s"), "ended", summary=summary).verdict == said
    assert (
        Digest(Path("s"), "ended", summary=msgspec.structs.replace(summary, valid=False)).verdict
        == "not valid"
    )
