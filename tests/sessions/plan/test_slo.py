"""Targets: what may be typed, what is refused in one line, and what they say of a figure."""

from __future__ import annotations

import pytest

from sessions.plan.config import ConfigError
from sessions.plan.slo import judged, parse_target


@pytest.mark.parametrize(
    ("text", "metric", "statistic", "below", "limit"),
    [
        ("ttft.p99 < 2s", "ttft", "p99", True, 2000.0),
        ("itl.mean<=50ms", "itl", "mean", True, 50.0),
        ("tpot.p50 < 800us", "tpot", "p50", True, 0.8),
        ("e2e.p95<1m", "e2e", "p95", True, 60_000.0),
        ("output_tps > 2500", "output_tps", "", False, 2500.0),
        ("errors < 0.01%", "errors", "", True, 0.0001),
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
        ("", "need a target such as"),
        ("ttft.p99", "need a target such as"),
        ("tftt.p99<1s", "did you mean ttft?"),
        ("ttft<1s", "ttft needs one of mean, p50"),
        ("ttft.p97<1s", "ttft needs one of mean, p50"),
        ("ttft.p99<1", "a time needs its unit"),
        ("ttft.p99<1%", "a time needs its unit"),
        ("ttft.p99<1.2.3s", "is no number"),
        ("errors<1", "is a share"),
        ("output_tps.p50>1", "is one figure"),
        ("output_tps>1s", "takes no unit"),
        ("output_tps>1e999", "is no number"),
    ],
)
def test_what_is_no_target_is_refused_in_one_line(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_target(text)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


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
