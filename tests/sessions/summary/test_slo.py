"""Targets over made-up requests whose misses are known by hand."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from typing import Any

import msgspec
import numpy as np
import pytest

from loadgen.records import TICK_NS, Request, RequestError, Tick
from sessions.plan.config import LoadConfig, PlanConfig, WorkloadConfig
from sessions.plan.slo import parse_slo
from sessions.plan.stages import Stage
from sessions.store.records import End, LoadChange, StageChange
from sessions.summary.plan_schema import Limit
from sessions.summary.plan_stages import plan_result
from sessions.summary.schema import Summary, plain
from sessions.summary.slo_figures import run_slo
from sessions.summary.summarise import summarise
from tests.sessions.summary import summing
from tests.sessions.summary.summing import gpu_records, manifest
from tests.sessions.timeline.folding import folded
from tui.report.junit import junit
from tui.report.slo import missed
from tui.report.text import render

S, MS = 1_000_000_000, 1_000_000


def answered(index: int, ttft_ms: int, *, tpot_ms: int = 10, tokens: int = 11, error: str = "") -> Request:
    failure = RequestError(error) if error else None
    return summing.answered(index, 1 + index / 100, ttft_ms, tokens, tpot_ms, error=failure)


def summary(slo: str, requests: list[Request], not_sent: int = 0) -> Summary:
    asked = manifest(LoadConfig(duration_s=10.0))
    asked.config = msgspec.structs.replace(asked.config, slo=[slo])
    due = len(requests) + not_sent
    records: list[Any] = [
        LoadChange(S, "start", rate_rps=100.0),
        Tick(S + TICK_NS, TICK_NS, 0, due=due, sent=len(requests), not_sent=not_sent),
        *requests,
        End(12 * S, "completed"),
    ]
    return summarise(folded(*records), asked)


def test_failed_and_unsent_requests_are_misses_of_attainment_and_goodput() -> None:
    requests = [
        *(answered(i, 100) for i in range(80)),
        *(answered(i, 900) for i in range(80, 90)),  # too late
        *(answered(i, 100, tpot_ms=90) for i in range(90, 95)),  # too slow
        *(answered(i, 100, error="rejected") for i in range(95, 98)),
    ]
    slo = summary("ttft.p90<500ms, tpot.p90<50ms, errors<5%", requests, not_sent=2).slo
    assert slo is not None
    assert (slo.scheduled, slo.good) == (99 + 1, 80)
    assert slo.attainment == 0.8
    assert slo.goodput_rps == pytest.approx(80 / 10.0)
    ttft, tpot, errors = slo.targets
    assert (ttft.misses, ttft.of, ttft.allowed) == (15, 100, 0.1)
    assert (tpot.misses, tpot.of) == (10, 100)
    assert errors.figure == 0.03


def test_a_percentile_is_of_any_rank_and_its_figure_is_numpys() -> None:
    times = [10 + (i * 37) % 500 for i in range(500)]
    slo = summary("ttft.p97.5<1s", [answered(i, ms) for i, ms in enumerate(times)]).slo
    assert slo is not None
    assert slo.targets[0].figure == pytest.approx(float(np.quantile(times, 0.975)))
    assert (slo.verdict, slo.targets[0].needs) == ("pass", None)


def test_a_thin_percentile_is_undecided_and_says_what_it_needs() -> None:
    said = summary("ttft.p99<1s", [answered(i, 100) for i in range(100)])
    assert said.slo is not None
    assert (said.slo.verdict, said.slo.targets[0].needs) == ("undecided", 199)  # 299 without a miss
    assert said.holds is said.valid
    assert "SLO UNDECIDED" in render(said)
    assert "199 more requests needed; 0 of 100 missed, 1 % may" in render(said)


def test_junit_says_of_a_simulated_run_that_it_is_one() -> None:
    real = msgspec.structs.replace(summary("ttft.p95<100ms", [answered(0, 50)]), simulated=False)
    assert "SIMULATED" not in junit(real)
    suite = ElementTree.fromstring(junit(msgspec.structs.replace(real, simulated=True)))
    assert [each.get("value") for each in suite.iter("property")] == ["SIMULATED"]


def test_what_was_missed_stands_in_text_json_and_junit_apart_from_validity() -> None:
    said = summary("ttft.p95<100ms, e2e.mean<1m, itl.p99<50ms", [answered(i, 150) for i in range(200)])
    assert said.valid
    assert not said.holds
    assert [each.verdict for _, each in missed(said)] == ["fail"]
    text = render(said)
    assert "SLO MISSED: 0 % of 200 scheduled requests held every limit" in text
    assert "50 % over; 200 of 200 missed, 5 % may" in text
    assert text.rstrip().endswith("measurement valid: its figures may be relied on")
    assert plain(said)["slo"]["verdict"] == "fail"
    suite = ElementTree.fromstring(junit(said))
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("4", "1", "0")
    assert {case.get("name"): [part.tag for part in case] for case in suite} == {
        "valid": [],
        "ttft.p95<100ms": ["failure"],
        "e2e.mean<1m": [],
        "itl.p99<50ms": [],
    }


def test_targets_that_no_answer_has_a_figure_for_are_not_measured() -> None:
    slo = summary(
        "tpot.p95<1s, output_tps_per_gpu>1, gpu_memory<90%", [answered(i, 9, tokens=1) for i in range(90)]
    ).slo
    assert slo is not None
    assert [(each.figure, each.verdict) for each in slo.targets] == [(None, "undecided")] * 3


def test_a_stage_of_a_plan_has_attainment_and_goodput_of_its_own() -> None:
    plan = PlanConfig("p", [Stage("a", rate_rps=100.0, requests=100)], targets=["ttft.p90<500ms"])
    records = [
        StageChange(S, 0, "begin", "a"),
        *(answered(i, 900 if i % 5 == 0 else 100) for i in range(100)),
        StageChange(4 * S, 0, "over"),
    ]
    (stage,) = plan_result(folded(*records), plan, WorkloadConfig(), S, True).stages
    assert (stage.scheduled, stage.good, stage.attainment) == (100, 80, 0.8)
    assert [each.verdict for each in stage.targets] == ["fail"]
    assert stage.goodput_rps == pytest.approx(0.8 * stage.request_rps)


def test_targets_that_only_a_later_version_knows_are_left_out() -> None:
    slo = summary("wishes.p99<1s", [answered(0, 100)]).slo
    assert slo is None


def test_what_the_end_of_a_run_cut_off_is_no_error_of_the_server() -> None:
    requests = [
        *(answered(i, 100) for i in range(90)),
        *(answered(i, 100, error="rejected") for i in range(90, 93)),
        *(answered(i, 100, error="unfinished") for i in range(93, 100)),
    ]
    slo = summary("errors<3.2%", requests).slo
    assert slo is not None
    assert slo.targets[0].figure == pytest.approx(3 / 93)
    assert slo.targets[0].verdict == "fail"


def test_a_percentile_of_itl_asks_of_a_request_its_mean_time_per_token() -> None:
    slow = [answered(i, 100, tpot_ms=90) for i in range(95, 100)]
    slo = summary("itl.p90<50ms", [*(answered(i, 100) for i in range(95)), *slow]).slo
    assert slo is not None
    assert (slo.scheduled, slo.good) == (100, 95)


@pytest.mark.parametrize(("requests", "verdict"), [(29, "undecided"), (30, "pass")])
def test_a_percentile_of_gaps_rests_on_as_many_as_one_of_requests(requests: int, verdict: str) -> None:
    # 299 without a miss decide a p99; each request has ten gaps.
    slo = summary("chunk_gap.p99<50ms", [answered(i, 100) for i in range(requests)]).slo
    assert slo is not None
    assert (slo.targets[0].verdict, slo.targets[0].figure) == (verdict, pytest.approx(10.0, rel=0.01))


def test_memory_is_what_the_gpus_hold_of_all_that_they_have() -> None:
    asked = manifest(LoadConfig(duration_s=10.0))
    asked.config = msgspec.structs.replace(asked.config, slo=["gpu_memory<11%"])
    records = [
        LoadChange(S, "start", rate_rps=1.0),
        *gpu_records(10),  # GPU 0 has 1000 bytes, of which up to 109 are used; of GPU 1 nobody knows
        answered(0, 100),
        End(12 * S, "completed"),
    ]
    slo = summarise(folded(*records), asked).slo
    assert slo is not None
    assert (slo.targets[0].figure, slo.targets[0].verdict) == (0.109, "pass")


@pytest.mark.parametrize(
    ("passed", "over", "verdict"),
    [(4.0, True, "pass"), (None, True, "fail"), (None, False, "undecided"), (4.0, False, "pass")],
)
def test_a_search_for_a_limit_holds_its_targets_once_a_load_passed(
    passed: float | None, over: bool, verdict: str
) -> None:
    plan = PlanConfig("p", [Stage("a", rate_rps=100.0, requests=100)], targets=["ttft.p90<500ms"])
    records = [
        StageChange(S, 0, "begin", "a"),
        *(answered(i, 900) for i in range(100)),
        StageChange(4 * S, 0, "over"),
    ]
    timeline = folded(*records)
    limit = Limit(False, passed, 8.0, None, None, False, True, over, "", 100, 3.0, "", [])
    found = msgspec.structs.replace(plan_result(timeline, plan, WorkloadConfig(), S, True), limit=limit)
    said = msgspec.structs.replace(summary("ttft.p90<500ms", [answered(0, 100)]), plan=found)
    slo = run_slo(said, parse_slo("ttft.p90<500ms"), timeline, 0, lambda: None)
    assert slo is not None
    assert slo.verdict == verdict
