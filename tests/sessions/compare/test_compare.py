"""Sides held against each other: runs of a simulated queue whose difference is known, and what is refused."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import pytest

from benchmarks.common.queue_model import Asked
from benchmarks.compare_verdict import pair, recorded
from loadgen.records import TICK_NS, RequestError, Tick
from sessions.compare.blocks import Sums, sums_of
from sessions.compare.compare import NotComparable, Recorded, _left, compare
from sessions.compare.cut import cut, whole
from sessions.compare.differences import same_prompts
from sessions.compare.gate import found_worse
from sessions.compare.match import Group, Matched, Pair, grouped, matched
from sessions.compare.metrics import METRICS, parse_metrics
from sessions.compare.schema import Versus
from sessions.compare.stretch import Load, Stretch, Values
from sessions.plan.config import ConfigError, LoadConfig, PlanConfig, WorkloadConfig
from sessions.plan.stages import Stage as AskedStage
from sessions.store.records import End, LoadChange, StageChange
from sessions.summary.summarise import summarise
from sessions.summary.telemetry_schema import EnergyValidity
from sessions.timeline.energy import curves, used
from tests.sessions.summary.summing import SECOND, embedded, gpu_records, manifest
from tests.sessions.summary.test_plan_stages import answered
from tests.sessions.timeline.folding import folded

SHORT = Asked(0.5, 90.0)
ONE = Asked(0.6, 300.0)


@pytest.fixture(scope="module")
def runs() -> list[Recorded]:
    """Three of one server."""
    return [recorded(SHORT, seed) for seed in (101, 102, 103)]


def against(a: Sequence[Recorded], b: Sequence[Recorded], **more: object) -> Versus:
    (versus,) = compare([a, b], labels=("A", "B"), **more).versus  # type: ignore[arg-type]
    return versus


@pytest.mark.slow
def test_a_server_compared_with_itself_is_neither_better_nor_worse() -> None:
    """As `benchmarks/compare_verdict.py` shows it of a hundred pairs."""
    words = [pair(ONE, ONE, seed).word for seed in range(1000, 1008)]
    assert [word for word in words if word in ("better", "worse")] == []


@pytest.mark.slow
def test_one_that_is_slower_by_a_tenth_is_found_and_never_called_better() -> None:
    found = [pair(Asked(0.6, 600.0), Asked(0.6, 600.0, 1.1), seed) for seed in range(1000, 1004)]
    assert [versus.word for versus in found].count("worse") >= 3
    assert "better" not in {f.word for versus in found for f in versus.overall}


def test_a_run_compared_with_itself_has_no_difference_at_all() -> None:
    run = recorded(ONE, 101)
    figures = against([run], [run], metrics=[METRICS[name] for name in ("itl.mean", "e2e.mean")]).overall
    assert [f.ratio for f in figures] == [pytest.approx(1.0)] * 2
    for figure in figures:
        assert figure.low is not None, figure.metric
        assert figure.high is not None
        assert 0.8 < figure.low < 1 < figure.high < 1.25
        assert figure.low * figure.high == pytest.approx(1.0)


def test_stretches_are_those_of_the_load_and_percentiles_those_of_the_summary() -> None:
    run = recorded(Asked(0.5, 120.0, steps=2), 7)
    assert [each.load.kind for each in run.stretches] == ["rps", "rps"]
    for each, step in zip(run.stretches, run.summary.stages, strict=True):
        assert each.load.value == step.offered_rps
        assert len(each.latencies["ttft"].values) == step.count
        estimate, _ = each.estimated(METRICS["ttft.p95"])
        assert estimate is not None
        assert estimate.value == pytest.approx(step.ttft_p95_ms, rel=1e-6)
        tokens, _ = each.estimated(METRICS["output_tps"])
        assert tokens is not None
        assert tokens.value == pytest.approx(step.output_tps)


def changed(run: Recorded, **more: object) -> Recorded:
    """The same with another workload."""
    config = msgspec.structs.replace(run.manifest.config, workload=WorkloadConfig(**more))  # type: ignore[arg-type]
    return run._replace(manifest=msgspec.structs.replace(run.manifest, config=config))


def test_other_lengths_are_refused_unless_asked_for(runs: list[Recorded]) -> None:
    longer = changed(runs[1], output_tokens=128)
    bursts = msgspec.structs.replace(
        runs[1].manifest.config, load=LoadConfig(arrivals="gamma", burstiness=0.5)
    )
    smooth = msgspec.structs.replace(bursts, load=LoadConfig(arrivals="gamma", burstiness=2.0))
    a, b = (
        runs[1]._replace(manifest=msgspec.structs.replace(runs[1].manifest, config=config))
        for config in (bursts, smooth)
    )
    with pytest.raises(NotComparable, match=r"load.burstiness is '0.5' and '2.0'"):
        against([a], [b])
    with pytest.raises(NotComparable, match=r"workload.output_tokens is '64' and '128'"):
        against(runs[:1], [longer])
    versus = against(runs[:1], [longer], anyway=True)
    assert [each.what for each in versus.differences if each.kind == "asked"] == ["workload.output_tokens"]


def test_other_arrivals_are_refused_in_a_plan_as_well_and_a_closed_loop_has_none(
    runs: list[Recorded],
) -> None:
    def of_plan(*stages: AskedStage) -> Recorded:
        config = msgspec.structs.replace(runs[0].manifest.config, plan=PlanConfig("p", list(stages)))
        return runs[0]._replace(manifest=msgspec.structs.replace(runs[0].manifest, config=config))

    poisson, steady = AskedStage("a", rate_rps=8.0), AskedStage("a", rate_rps=8.0, arrivals="constant")
    with pytest.raises(NotComparable, match=r"load.arrivals is 'poisson' and 'constant'"):
        against([of_plan(poisson)], [of_plan(steady)])
    closed = of_plan(AskedStage("a", concurrency=8))
    assert against([closed], [of_plan(steady)]).loads


def test_what_the_server_is_may_differ_and_is_said(runs: list[Recorded]) -> None:
    manifest = msgspec.structs.replace(runs[1].manifest, server={"model": "other", "simulated": True})
    session = msgspec.structs.replace(manifest.session, ttftop_version="9")
    manifest = msgspec.structs.replace(manifest, session=session)
    versus = against(runs[:1], [runs[1]._replace(manifest=manifest)])
    assert [(each.what, each.b, each.kind) for each in versus.differences] == [
        ("model", "other", "compared"),
        ("ttftop", "9", "also"),
    ]


def test_without_a_load_in_common_the_nearest_are_held_together(runs: list[Recorded]) -> None:
    def at(rps: float, ms: float) -> Recorded:
        return runs[0]._replace(stretches=[stretch(ms, rps=rps, name=f"{rps:g} rps")])

    def told(a: Sequence[Recorded], b: Recorded) -> tuple[str, list[tuple[str, str, str]]]:
        found = against(a, [b], metrics=parse_metrics("e2e.p50,request_rps"))
        return found.word, [(each.load, f.word, f.because) for each in found.loads for f in each.figures]

    other = ("4 rps against 5 rps", "cannot tell", "other load")
    quick, slow, same = at(5.0, 60.0), at(5.0, 150.0), at(5.0, 100.0)
    more = ("4 rps against 5 rps", "cannot tell", "B had more load")
    assert told([at(4.0, 100.0)], quick) == ("better", [("4 rps against 5 rps", "better", ""), other])
    assert told([at(4.0, 100.0)], slow) == ("cannot tell", [more, other])
    assert told([at(4.0, 100.0)], same) == ("cannot tell", [more, other])
    less = ("6 rps against 5 rps", "cannot tell", "other load")
    assert told([at(6.0, 100.0)], slow) == ("worse", [("6 rps against 5 rps", "worse", ""), less])
    assert told([at(6.0, 100.0)], quick)[0] == "cannot tell"


def test_a_load_between_two_of_the_other_side_is_held_against_both(runs: list[Recorded]) -> None:
    a = runs[0]._replace(
        stretches=[
            stretch(ms, rps=rps, name=f"{rps:g} rps") for rps, ms in ((2.0, 50.0), (4.0, 100.0), (8.0, 200.0))
        ]
    )
    b = runs[0]._replace(stretches=[stretch(250.0, rps=5.0)])
    versus = against([a], [b], metrics=[METRICS["e2e.p50"]])
    assert [(each.load, each.value_b) for each in versus.loads] == [
        ("4 rps against 5 rps", 5.0),
        ("8 rps against 5 rps", 5.0),
    ]
    assert [each.figures[0].word for each in versus.loads] == ["cannot tell", "worse"]
    assert (versus.word, [(f.ratio, f.because) for f in versus.overall]) == (
        "worse",
        [(None, "no load in common")],
    )
    assert versus.not_compared == ["2 rps: only the first has it"]


def test_a_rate_and_a_concurrency_are_held_together_only_as_whole_runs_and_if_asked(
    runs: list[Recorded],
) -> None:
    closed = runs[1]._replace(stretches=[stretch(1.0)._replace(load=Load("concurrency", 8.0, "256", "64"))])
    with pytest.raises(NotComparable, match=r"no load in common, .*: 11.59 rps; and concurrency 8"):
        against(runs[:1], [closed])
    (load,) = against(runs[:1], [closed], anyway=True).loads
    assert (load.load, load.value_b) == ("whole run", None)


def test_a_side_whose_queue_grows_all_along_is_worse_though_it_has_no_interval() -> None:
    """Twice as slow at 60 % is 20 % too much: no figure of it ever is steady."""
    a, b = recorded(Asked(0.6, 60.0), 1), recorded(Asked(0.6, 60.0, slower=2.0), 2)
    metrics = parse_metrics("ttft.p50")
    (figure,) = against([a], [b], metrics=metrics).overall
    assert (figure.word, figure.because, figure.low) == ("worse", "never steady", None)
    assert figure.ratio is not None
    assert figure.apart is not None
    assert 2 < figure.apart < figure.ratio
    (fails,) = found_worse(compare([[a], [b]], labels=("A", "B"), metrics=metrics), 0.05)
    assert (fails.failed, "TTFT p50 is worse by" in fails.text) == (True, True)
    (back,) = against([b], [a], metrics=metrics).overall
    assert (back.word, back.apart) == ("better", pytest.approx(1 / figure.apart))


@pytest.mark.parametrize(("from_ms", "word"), [(145.0, "worse"), (134.0, "cannot tell")])
def test_all_of_one_side_has_to_be_twice_all_of_the_other(
    runs: list[Recorded], from_ms: float, word: str
) -> None:
    """Climbing to 900 ms: the median of the first sixth, 20 requests of 120, is 205 or 195 ms."""
    climbing = Values(np.linspace(from_ms, 900.0, 120), np.arange(120))
    b = runs[0]._replace(
        stretches=[stretch(1.0, latencies={"ttft": climbing, "tpot": climbing, "e2e": climbing})]
    )
    a = runs[0]._replace(stretches=[stretch(100.0)])
    (figure,) = against([a], [b], metrics=[METRICS["e2e.p50"]]).overall
    assert (figure.word, figure.because) == (word, "never steady")


@pytest.mark.parametrize(("seconds", "word"), [(31.0, "worse"), (29.0, "cannot tell")])
def test_what_is_not_steady_is_told_only_of_stretches_of_about_one_length(
    runs: list[Recorded], seconds: float, word: str
) -> None:
    """A queue that grows, or the beginning of a load, is as it is by how long that has gone on."""
    climbing = Values(np.linspace(145.0, 900.0, 120), np.arange(120))
    b = runs[0]._replace(
        stretches=[stretch(1.0, seconds, latencies={"ttft": climbing, "tpot": climbing, "e2e": climbing})]
    )
    (figure,) = against(
        [runs[0]._replace(stretches=[stretch(100.0)])], [b], metrics=[METRICS["e2e.p50"]]
    ).overall
    assert (figure.word, figure.because) == (word, "never steady")


def stretch(ms: float, seconds: float = 60.0, name: str = "s", rps: float = 8.0, **more: object) -> Stretch:
    """120 requests, each of which took `ms`, at steady times."""
    cell = np.arange(120)
    values = Values(np.full(120, ms), cell)
    return Stretch(
        name, Load("rps", rps, "256", "64"), None, seconds, 120, 1, {"ttft": values, "tpot": values, "e2e": values},
        None, None, {"request_rps": sums_of(np.ones(120), cell, 120)}, 120, 120, 256.0, 64.0,
    )._replace(**more)  # fmt: skip


def test_repetitions_are_held_against_each_other_by_welch_s_interval(runs: list[Recorded]) -> None:
    a, b = (100.0, 110.0, 90.0), (150.0, 140.0, 160.0, 155.0)
    sides = [[runs[0]._replace(stretches=[stretch(ms)]) for ms in side] for side in (a, b)]
    (figure,) = against(*sides, metrics=[METRICS["e2e.mean"]]).overall
    # By hand, on the logs: means 4.600137 and 5.018559, variances 0.0100757 / 3 and 0.0032517 / 4.
    logs = [np.log(side) for side in (a, b)]
    parts = [side.var(ddof=1) / len(side) for side in logs]
    freedom = sum(parts) ** 2 / (parts[0] ** 2 / 2 + parts[1] ** 2 / 3)
    assert freedom == pytest.approx(2.95, abs=0.1)
    assert figure.interval_from == "repetitions"
    assert figure.ratio == pytest.approx(math.exp(logs[1].mean() - logs[0].mean()))
    assert figure.low_alone is not None
    reach = math.log(figure.ratio / figure.low_alone) / math.sqrt(sum(parts))  # type: ignore[operator]
    assert reach == pytest.approx(3.21, abs=0.05)  # t at 2.95 degrees of freedom: 3.182 at 3, 4.303 at 2


def test_stages_that_a_plan_repeats_are_repetitions(runs: list[Recorded]) -> None:
    def side(*times_ms: float) -> list[Recorded]:
        stages = [stretch(ms, name=f"s #{i}", repetition=i) for i, ms in enumerate(times_ms, 1)]
        return [runs[0]._replace(stretches=stages)]

    versus = against(side(100.0, 101.0, 99.0), side(150.0, 151.0, 149.0), metrics=[METRICS["e2e.mean"]])
    assert [(load.name, load.requests_a) for load in versus.loads] == [("s", 360)]
    assert [(f.word, f.interval_from) for f in versus.overall] == [("worse", "repetitions")]


def test_loads_are_matched_one_by_one_and_those_of_one_side_are_named(runs: list[Recorded]) -> None:
    a = runs[0]._replace(stretches=[stretch(1.0, rps=8.0), stretch(1.0, rps=16.0, name="fast")])
    b = runs[0]._replace(stretches=[stretch(1.0, rps=16.1, name="x"), stretch(1.0, rps=32.0, name="y")])
    versus = against([a], [b])
    assert [load.load for load in versus.loads] == ["16 rps"]
    assert versus.not_compared == [
        "s (8 rps): only the first has it",
        "y (32 rps): only the other has it",
    ]


def test_answers_of_another_length_are_told(runs: list[Recorded]) -> None:
    a, b = ([runs[0]._replace(stretches=[stretch(1.0, output_tokens_mean=n)])] for n in (64.0, 51.0))
    assert "s: answers had 64 tokens and 51: not the same work" in against(a, b).warnings


def test_too_few_requests_for_a_percentile_tell_nothing(runs: list[Recorded]) -> None:
    side = [runs[0]._replace(stretches=[stretch(1.0)])]
    (figure,) = against(side, side, metrics=[METRICS["ttft.p99"]]).overall
    assert (figure.word, figure.because) == ("cannot tell", "needs 662 requests")


def test_of_several_loads_the_whole_is_the_mean_of_their_log_ratios(runs: list[Recorded]) -> None:
    a = runs[0]._replace(stretches=[stretch(100.0), stretch(100.0, rps=16.0)])
    b = runs[0]._replace(stretches=[stretch(110.0), stretch(140.0, rps=16.0)])
    (figure,) = against([a], [b], metrics=[METRICS["e2e.p50"]]).overall
    assert figure.ratio == pytest.approx(math.sqrt(1.1 * 1.4))
    assert (figure.word, figure.loads) == ("worse", 2)


def test_a_pipeline_fails_on_what_is_worse_by_so_much_and_hears_the_rest(runs: list[Recorded]) -> None:
    a = runs[0]._replace(stretches=[stretch(100.0)])
    b = runs[0]._replace(stretches=[stretch(108.0)])
    metrics = parse_metrics("e2e.p50, ttft.p99")
    comparison = compare([[a], [b]], labels=("A", "B"), metrics=metrics)
    assert found_worse(comparison, 0.05) == [
        ("B: E2E p50 is worse by 8.0 % (5 % fails)", True),
        ("B: cannot tell, no failure: TTFT p99", False),
    ]
    assert [each.failed for each in found_worse(comparison, 0.1)] == [False, False]
    spoiled = b._replace(summary=msgspec.structs.replace(b.summary, valid=False, reasons=["it was killed"]))
    comparison = compare([[a], [spoiled]], labels=("A", "B"), metrics=metrics)
    assert ("B is not valid, so nothing is passed: it was killed", True) in found_worse(comparison, 0.5)


def test_a_figure_that_is_none_is_named_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"got 'ttft.p59'.*did you mean ttft.p5?9"):
        parse_metrics("ttft.p59")


def of_records(records: list[Any]) -> Recorded:
    timeline, about = folded(*records), manifest()
    summary = summarise(timeline, about)
    return Recorded(about, summary, cut(timeline, about, summary), whole(timeline, about, summary))


def test_answers_without_tokens_are_compared_by_requests_and_e2e() -> None:
    side = [of_records(embedded(requests=400, seconds=8))]
    found = {f.metric: f.because for f in against(side, side).overall}
    assert "output_tps" not in found
    assert [name for name, why in found.items() if why != "not measured"] == [
        "e2e.p50",
        "e2e.p95",
        "request_rps",
    ]


def test_a_session_in_which_nothing_was_sent_tells_nothing() -> None:
    side = [of_records([LoadChange(0, "start", rate_rps=1.0), End(t_ns=1, reason="aborted")])]
    versus = against(side, side)
    assert versus.word == "cannot tell"
    assert {f.because for f in versus.overall if f.metric != "request_rps"} == {"not measured"}


def test_stages_of_a_plan_count_what_its_table_counts_and_energy_adds_up() -> None:
    stage = AskedStage("a", rate_rps=2.0, duration_s=3.0, warm_up_s=1.0, input_tokens=20, output_tokens=11)
    about = manifest()
    config = msgspec.structs.replace(about.config, plan=PlanConfig("p", [stage]))
    about = msgspec.structs.replace(about, config=config)
    records = [
        LoadChange(SECOND, "stage", rate_rps=2.0),
        StageChange(SECOND, 0, "begin", "a"),
        *(answered(i, 1.1 + i * 0.25, ttft_ms=100 + i) for i in range(12)),
        StageChange(4 * SECOND, 0, "load_over"),
        StageChange(5 * SECOND, 0, "over"),
        *gpu_records(8),
        End(t_ns=6 * SECOND, reason="completed"),
        *(
            Tick(t_ns=i * TICK_NS, dt_ns=TICK_NS, worker=0, output_tokens=7, rate_rps=2.0)
            for i in range(4, 25)
        ),
    ]
    timeline = folded(*records)
    summary = summarise(timeline, about)
    assert summary.plan is not None
    (row,), (found,) = summary.plan.stages, cut(timeline, about, summary)
    assert (found.load, found.name) == (Load("rps", 2.0, "20", "11"), "a")
    assert (found.requests, found.succeeded) == (row.requests, row.succeeded)
    for metric, figure in (
        ("ttft.p95", row.ttft_ms.p95),
        ("tpot.p50", row.tpot_ms.p50),
        ("e2e.mean", row.e2e_ms.mean),
        ("itl.mean", row.itl_mean_ms),
        ("output_tps", row.output_tps_sending),
    ):
        estimate, _ = found.estimated(METRICS[metric])
        assert figure is None or (estimate is not None and estimate.value == pytest.approx(figure)), metric
    joules = used(curves(timeline.gpus, timeline.newest_ns), 2 * SECOND, 4 * SECOND).joules
    assert joules is not None
    assert float(found.rates["j_per_output_token"].above.sum()) == pytest.approx(joules)


def slow_and_failed(rps: float = 2.0) -> list[Any]:
    """12 due from 1.1 s each quarter of a second: TTFT 100 to 111 ms, the third failed, and 3 that were not sent."""
    failed = msgspec.structs.replace(answered(2, 1.6), error=RequestError("rejected"))
    return [
        LoadChange(SECOND, "stage", rate_rps=rps),
        StageChange(SECOND, 0, "begin", "a"),
        *(failed if i == 2 else answered(i, 1.1 + i * 0.25, ttft_ms=100 + i) for i in range(12)),
        StageChange(4 * SECOND + TICK_NS, 0, "load_over"),
        StageChange(5 * SECOND, 0, "over"),
        End(t_ns=6 * SECOND, reason="completed"),
        *(
            Tick(t_ns=i * TICK_NS, dt_ns=TICK_NS, worker=0, rate_rps=rps, not_sent=3 if i == 17 else 0)
            for i in range(4, 25)
        ),
    ]


def test_goodput_and_attainment_of_a_stage_are_those_of_its_summary_and_by_hand() -> None:
    stage = AskedStage("a", rate_rps=2.0, duration_s=3.25, input_tokens=20, output_tokens=11)
    about = manifest()
    plan = PlanConfig("p", [stage], targets=["ttft.p95<108ms"])
    about = msgspec.structs.replace(about, config=msgspec.structs.replace(about.config, plan=plan))
    timeline = folded(*slow_and_failed())
    summary = summarise(timeline, about)
    assert summary.plan is not None
    (row,), (found,) = summary.plan.stages, cut(timeline, about, summary)
    # Due in the stage are 12; 100 to 108 ms hold it (9), less the one that failed; 3 more were not sent.
    values = {name: found.estimated(METRICS[name])[0] for name in ("goodput_rps", "attainment")}
    assert {name: each and each.value for name, each in values.items()} == {
        "goodput_rps": pytest.approx(row.goodput_rps),
        "attainment": pytest.approx(8 / 15),
    }
    assert (row.scheduled, row.good) == (15, 8)


def with_targets(run: Recorded, *texts: str) -> Recorded:
    """The same, read as held against these."""
    config = msgspec.structs.replace(run.manifest.config, slo=list(texts))
    about = msgspec.structs.replace(run.manifest, config=config)
    stretches = [each._replace(rates={**each.rates, **HELD[texts]}) for each in run.stretches]
    return run._replace(manifest=about, stretches=stretches)


CELLS_OF_ONE = np.ones(180)
HELD = {
    ("ttft.p95<1s",): {"goodput_rps": Sums(2.0 * CELLS_OF_ONE, CELLS_OF_ONE / 2)},
    ("ttft.p95<2s",): {"goodput_rps": Sums(2.0 * CELLS_OF_ONE, CELLS_OF_ONE / 2)},
    ("ttft.p95<1ms",): {"goodput_rps": Sums(0.0 * CELLS_OF_ONE, CELLS_OF_ONE / 2)},
}
GOODPUT = [METRICS["goodput_rps"]]


def test_goodput_of_other_targets_is_of_something_else(runs: list[Recorded]) -> None:
    a, b = with_targets(runs[0], "ttft.p95<1s"), with_targets(runs[1], "ttft.p95<2s")
    (figure,) = against([a], [b], metrics=GOODPUT).overall
    assert (figure.a, figure.b) == (pytest.approx(4.0), pytest.approx(4.0))
    assert (figure.word, figure.because) == ("cannot tell", "other targets: --slo")
    assert [d.what for d in against([a], [b], metrics=GOODPUT).differences if "slo" in d.what] == []
    (same,) = against([a], [with_targets(runs[1], "ttft.p95<1s")], metrics=GOODPUT).overall
    assert same.word == "no difference"


def test_a_side_of_which_no_request_held_the_targets_is_worse_and_two_such_cannot_be_told(
    runs: list[Recorded],
) -> None:
    good = with_targets(runs[0], "ttft.p95<1s")
    nothing = with_targets(runs[1], "ttft.p95<1ms")
    nothing = nothing._replace(manifest=good.manifest)
    (figure,) = against([good], [nothing], metrics=GOODPUT).overall
    assert (figure.a, figure.b, figure.word) == (pytest.approx(4.0), 0.0, "worse")
    (figure,) = against([nothing], [good], metrics=GOODPUT).overall
    assert (figure.a, figure.word) == (0.0, "better")
    (figure,) = against([nothing], [nothing], metrics=GOODPUT).overall
    assert (figure.a, figure.b, figure.word) == (0.0, 0.0, "cannot tell")
    assert (figure.because, figure.ratio, figure.low) == ("0 on both sides", None, None), (
        "no change of nothing"
    )


def test_prompts_are_the_same_where_seed_and_server_are_and_the_session_is_another() -> None:
    first = manifest()
    session = msgspec.structs.replace(first.session, id="j")
    second = msgspec.structs.replace(first, session=session)
    assert same_prompts(first, second)
    assert not same_prompts(first, first), "a session held against itself asked once"
    target = msgspec.structs.replace(first.config.target, url="http://127.0.0.1:2")
    config = msgspec.structs.replace(first.config, target=target)
    assert not same_prompts(first, msgspec.structs.replace(second, config=config))
    load = msgspec.structs.replace(first.config.load, seed=first.config.load.seed + 1)
    config = msgspec.structs.replace(first.config, load=load)
    assert not same_prompts(first, msgspec.structs.replace(second, config=config))


def test_of_two_stages_of_one_load_the_namesake_is_the_one_to_compare_with() -> None:
    one, other, third = (grouped([[stretch(100.0, name=name)]])[0] for name in ("cold", "warm", "else"))
    found = matched([one, other], [third, other, one])
    assert [(pair.a.name, pair.b.name) for pair in found.pairs] == [("cold", "cold"), ("warm", "warm")]
    assert [group.name for group in found.only_b] == ["else"]
    found = matched([one], [third])
    assert [(pair.a.name, pair.b.name) for pair in found.pairs] == [("cold", "else")]


def test_a_side_whose_energy_is_not_valid_is_said_so(runs: list[Recorded]) -> None:
    bad = EnergyValidity(False, ["too few readings"], "w", 90.0, 9.0, 0.1, None, 0)
    energy = msgspec.structs.replace(runs[1].summary.energy, validity=bad)
    other = runs[1]._replace(summary=msgspec.structs.replace(runs[1].summary, energy=energy))
    said = f"energy of {other.summary.id} is not valid: too few readings"
    assert said in against(runs[:1], [other]).warnings
    assert [w for w in against(runs[:1], runs[2:]).warnings if "energy" in w] == []


def test_what_one_side_alone_has_is_named_once_a_load_and_as_more_of_it_where_that_was_compared() -> None:
    fourteen, two = (
        Group(load.words, load, [])
        for load in (Load("rps", 14.0, "256", "64"), Load("rps", 2.0, "256", "64"))
    )
    found = Matched([Pair(fourteen, fourteen)], [two], [fourteen] * 7)
    assert _left(found, 0) == ["2 rps: only the first has it"]
    assert _left(found, 1) == ["14 rps: only the other has it more often, 7 times"]
