"""What a session is asked that goes on with the plan of another."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from loadgen.records import Request, Tick
from sessions.plan.config import LoadConfig, PlanConfig, RunConfig
from sessions.plan.stages import Stage
from sessions.plan.target_config import TargetConfig
from sessions.run.resume import first_not_over, resumed
from sessions.store.journal import JournalWriter, RequestJournalWriter, request_file, worker_file
from sessions.store.manifest import ClockAnchor, Manifest, SessionError, SessionInfo, read, write
from sessions.store.records import StageChange

S = 1_000_000_000


def session(
    at: Path, stages: list[Stage], host: Sequence[Any], requests: Sequence[Request] = (), **asked: Any
) -> Path:
    """One that ran `stages` as far as `host` tells."""
    at.mkdir(parents=True)
    load = asked.pop("load", LoadConfig())
    target = TargetConfig("http://127.0.0.1:9", **asked)
    config = RunConfig(target, load, plan=PlanConfig("p", stages))
    write(at, Manifest(SessionInfo(at.name, "", "2026-01-01T00:00:00Z", "1"), ClockAnchor(0, 0), config))
    for name, records in (("host.jsonl", host), (worker_file(0), [Tick(20 * S, S, 0)])):
        journal = JournalWriter(at / name)
        journal.append(list(records))
        journal.close()
    lines = RequestJournalWriter(at / request_file(0))
    lines.append(list(requests))
    lines.close()
    return at


def over(number: int, from_s: int, to_s: int) -> list[StageChange]:
    ends = [StageChange(to_s * S, number, event) for event in ("load_over", "over")]
    return [StageChange(from_s * S, number, "begin"), *ends]


def answered(index: int, due_ns: int, end_ns: int) -> Request:
    return Request(
        index, 0, due_ns, sent_ns=due_ns, first_token_ns=end_ns, last_token_ns=end_ns, end_ns=end_ns
    )


def test_rates_between_two_stages_that_are_over_are_those_that_the_first_session_would_have_had(
    tmp_path: Path,
) -> None:
    stages = [
        Stage("one", concurrency=1, duration_s=4.0),
        Stage("all", concurrency=9, duration_s=4.0),
        Stage("a", between=(0, 1), share=0.25, duration_s=1.0),
        Stage("b", between=(0, 1), share=0.75, duration_s=1.0),
        Stage("c", between=(1, 4), share=0.5, duration_s=1.0),
    ]
    # 2 and 10 requests per second; the first of the stages between was not over.
    requests = [answered(i, S + i * S // 2, S + (i + 1) * S // 2) for i in range(8)]
    requests += [answered(8 + i, 6 * S + i * S // 10, 6 * S + (i + 1) * S // 10) for i in range(40)]
    host = [*over(0, 1, 5), *over(1, 6, 10), StageChange(11 * S, 2, "begin")]
    config = resumed(session(tmp_path / "s", stages, host, requests))
    assert config.plan is not None
    assert (config.plan.first_stage, config.plan.resumes) == (2, "s")
    assert [stage.rate_rps for stage in config.plan.stages] == [None, None, 4.0, 8.0, None]
    assert config.plan.stages[4].between == (1, 4)  # one of those is still to come


def test_a_rate_that_is_found_is_not_above_the_highest_allowed(tmp_path: Path) -> None:
    stages = [Stage("one", concurrency=1, requests=8), Stage("a", between=(0, 0), share=0.5, duration_s=1.0)]
    requests = [answered(i, S + i * S // 2, S + (i + 1) * S // 2) for i in range(8)]
    load = LoadConfig(max_rate_rps=1.5)
    config = resumed(session(tmp_path / "s", stages, over(0, 1, 5), requests, load=load))
    assert config.plan is not None
    assert config.plan.stages[1].rate_rps == 1.5


def test_a_plan_that_goes_on_knows_what_the_stages_before_it_came_to_and_no_others(tmp_path: Path) -> None:
    stages = [Stage(str(n), concurrency=1, requests=8, stop="flat", table=int(n > 0)) for n in range(5)]
    stages.append(Stage("last", between=(0, 4), share=0.5, duration_s=1.0, table=2))
    requests = [answered(i, S + i * S // 2, S + (i + 1) * S // 2) for i in range(8)]
    requests += [answered(8 + i, 6 * S + i * S // 10, 6 * S + (i + 1) * S // 10) for i in range(40)]
    host = [*over(0, 1, 5), *over(1, 6, 10), *over(2, 11, 12), StageChange(13 * S, 3, "begin")]
    config = resumed(session(tmp_path / "s", stages, host, requests))
    assert config.plan is not None
    before = {stage.number: stage for stage in config.plan.before}
    # 0 for the rates of the last one, 1 and 2 for the next: of its own list
    assert sorted(before) == [0, 1, 2]
    assert (before[0].request_rps, before[0].requests, before[0].succeeded) == (2.0, 8, 8)
    assert before[1].request_rps == pytest.approx(10.0)
    assert (before[2].requests, before[2].left_out) == (0, False)

    host = [StageChange(S, 3, "left_out"), StageChange(2 * S, 4, "left_out"), StageChange(3 * S, 5, "begin")]
    again = tmp_path / "t"
    session(again, stages, host)
    manifest = read(again)
    manifest.config = config
    write(again, manifest)
    third = resumed(again)
    assert third.plan is not None
    assert third.plan.first_stage == 5
    assert [(stage.number, stage.request_rps, stage.left_out) for stage in third.plan.before] == [
        (0, 2.0, False),  # as the second session had it from the first
        (4, None, True),
    ]


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to(__file__)])
def test_what_is_no_file_of_a_session_is_neither_waited_for_nor_followed(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    directory = session(tmp_path / "s", [Stage("a", concurrency=1, requests=1)], [])
    (directory / "host.jsonl").unlink()
    make(directory / "host.jsonl")
    with pytest.raises(SessionError, match=r"host\.jsonl"):
        resumed(directory)


def test_a_plan_is_left_at_the_first_stage_that_is_neither_over_nor_left_out(tmp_path: Path) -> None:
    stages = [Stage(str(n), concurrency=1, requests=1) for n in range(4)]
    host = [*over(0, 1, 5), StageChange(6 * S, 1, "left_out"), StageChange(7 * S, 2, "begin")]
    directory = session(tmp_path / "s", stages, host)
    assert first_not_over(directory, PlanConfig("p", stages)) == 2
    assert first_not_over(directory, PlanConfig("p", stages[:2])) is None
