"""Targets: what may be typed, what is refused in one line, and what they say of a figure."""

from __future__ import annotations

import pytest

from sessions.plan.config import ConfigError
from sessions.plan.slo import judged, overall, parse_slo, parse_target
from sessions.plan.slo_limits import NAMED_LIMITS


@pytest.mark.parametrize(
    ("text", "metric", "statistic", "below", "limit"),
    [
        ("ttft.p99 < 2s", "ttft", "p99", True, 2000.0),
        ("ttft.p95<500ms", "ttft", "p95", True, 500.0),
        ("ttft.p99.9<3s", "ttft", "p99.9", True, 3000.0),
        ("ttft.p5<3s", "ttft", "p5", True, 3000.0),
        ("ttft.p97<1s", "ttft", "p97", True, 1000.0),
        ("ttft.max<10s", "ttft", "max", True, 10_000.0),
        ("ttft_sent.p50<0.2s", "ttft_sent", "p50", True, 200.0),
        ("itl.mean<=50ms", "itl", "mean", True, 50.0),
        ("itl.p99<50ms", "itl", "p99", True, 50.0),
        ("chunk_gap.p99<1s", "chunk_gap", "p99", True, 1000.0),
        ("tpot.p50 < 800us", "tpot", "p50", True, 0.8),
        ("e2e.p95<1m", "e2e", "p95", True, 60_000.0),
        ("e2e.mean<10s", "e2e", "mean", True, 10_000.0),
        ("e2e.p95<1.5min", "e2e", "p95", True, 90_000.0),
        ("send_lag.p99<1e1ms", "send_lag", "p99", True, 10.0),
        ("output_tps > 2500", "output_tps", "", False, 2500.0),
        ("total_tps>=1e4/s", "total_tps", "", False, 10_000.0),
        ("request_rps>4.5rps", "request_rps", "", False, 4.5),
        ("goodput_rps > 3", "goodput_rps", "", False, 3.0),
        ("tps_per_user>30", "tps_per_user", "", False, 30.0),
        ("joules_per_output_token<0.5", "joules_per_output_token", "", True, 0.5),
        ("errors < 0.01%", "errors", "", True, 0.0001),
        ("errors<=1 %", "errors", "", True, 0.01),
        ("attainment>95%", "attainment", "", False, 0.95),
        ("gpu_memory >= 90%", "gpu_memory", "", False, 0.9),
    ],
)
def test_a_target_is_a_metric_a_sign_and_a_value_with_its_unit(
    text: str, metric: str, statistic: str, below: bool, limit: float
) -> None:
    target = parse_target(text)
    assert (target.metric, target.statistic, target.below) == (metric, statistic, below)
    assert target.limit == pytest.approx(limit)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "got no target, need one such as ttft.p99<2s"),
        (" , ;", "got no target"),
        ("ttft.p99", "need a target such as"),
        ("ttft p99 < 2s", "need a target such as"),
        ("<2s", "need a target such as"),
        ("ttft.p99=2s", "= is no comparison, need <, <=, > or >="),
        ("ttft.p99==2s", "== is no comparison"),
        ("ttft.p99≤2s", "≤ is no comparison"),
        ("ttft.p99<-2s", "need a target such as"),
        ("tftt.p99<1s", "did you mean ttft?"),
        ("TTFT.p99<1s", "did you mean ttft?"),
        ("latency.p99<1s", "did you mean e2e?"),
        ("inter_token_latency.p99<1s", "did you mean itl?"),
        ("tbt.p99<1s", "did you mean itl?"),
        ("error_rate<1%", "did you mean errors?"),
        ("goodput>1", "did you mean goodput_rps?"),
        ("xyzzy>1", "need one of ttft, ttft_sent"),
        ("ttft<1s", "ttft needs one of mean, p50"),
        ("ttft.avg<1s", "did you mean ttft.mean?"),
        ("ttft.median<1s", "did you mean ttft.p50?"),
        ("ttft.P99<1s", "did you mean ttft.p99?"),
        ("ttft.99<1s", "did you mean ttft.p99?"),
        ("ttft.p100<1s", "did you mean ttft.max?"),
        ("ttft.p0<1s", "ttft needs one of mean, p50"),
        ("ttft.p99<1", "a time needs its unit"),
        ("ttft.p99<1%", "a time needs its unit"),
        ("ttft.p99<1sec", "a time needs its unit"),
        ("ttft.p99<0ms", "need more than 0"),
        ("ttft.p99>1s", "a latency is to be short, need <"),
        ("ttft.p99<1.2.3s", "is no number"),
        ("errors<1", "is a share"),
        ("errors<101%", "at most 100%"),
        ("errors.p99<1%", "errors is one figure, without .p99"),
        ("output_tps.p50>1", "is one figure"),
        ("output_tps>1s", "takes no unit"),
        ("output_tps>1e999", "is no number"),
        ("confidence=90%, ttft.p99<1s", "need confidence=95% or confidence=99%"),
        ("mlperf:llama3.1-8", "did you mean mlperf:llama3.1-8b?"),
        ("nobody:nothing", "need one of mlperf:llama2-70b"),
        ("ttft.p95<500ms, itl.p99<50", "got 'itl.p99<50': a time needs its unit"),
    ],
)
def test_what_is_no_target_is_refused_in_one_line(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_slo(text)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_list_holds_targets_names_and_one_confidence() -> None:
    targets = parse_slo("ttft.p95<500ms, itl.p99<50ms; e2e.mean<10s\nerrors<1%, confidence=99%")
    assert [target.text for target in targets] == [
        "ttft.p95<500ms",
        "itl.p99<50ms",
        "e2e.mean<10s",
        "errors<1%",
    ]
    assert {target.confidence for target in targets} == {0.99}
    assert [t.confidence for t in parse_slo(["ttft.p95<1s", "ttft.p99<2s, confidence=99%"])] == [0.95, 0.99]
    with pytest.raises(ConfigError, match="need one target"):
        parse_target("ttft.p95<1s, ttft.p99<2s")


@pytest.mark.parametrize(
    ("name", "ttft_ms", "tpot_ms"),
    [
        ("mlperf:llama2-70b", 2000, 200),
        ("mlperf:llama3.1-8b", 2000, 100),
        ("mlperf:llama3.1-8b-interactive", 500, 30),
        ("MLPerf:deepseek-r1-interactive", 1500, 15),
    ],
)
def test_limits_of_others_are_known_by_name(name: str, ttft_ms: float, tpot_ms: float) -> None:
    ttft, tpot = parse_slo(name)
    assert (ttft.metric, ttft.statistic, ttft.limit) == ("ttft", "p99", ttft_ms)
    assert (tpot.metric, tpot.statistic, tpot.limit) == ("tpot", "p99", tpot_ms)
    assert ttft.confidence == tpot.confidence == 0.99


def test_each_name_stands_for_targets() -> None:
    assert all(parse_slo(name) for name in NAMED_LIMITS)


def test_a_figure_passes_fails_or_decides_nothing() -> None:
    below, above = parse_target("ttft.p99<2s"), parse_target("output_tps>10")
    assert [judged(below, ms) for ms in (1999.0, 2000.0, 2000.1, None)] == [
        "pass",
        "pass",
        "fail",
        "undecided",
    ]
    assert judged(below, 1.0, thin=True) == "undecided"
    assert [judged(above, tps) for tps in (10.0, 9.9)] == ["pass", "fail"]


def test_several_targets_pass_together_only_if_each_does_and_none_decide_nothing() -> None:
    assert overall(["pass", "pass"]) == "pass"
    assert overall(["pass", "undecided"]) == "undecided"
    assert overall(["undecided", "fail", "pass"]) == "fail"
    assert overall([]) == "undecided"
