from __future__ import annotations

import random
import tracemalloc
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from loadgen.records import TICK_NS, Tick, WorkerNote
from loadgen.sketch import BUCKETS, bucket
from sessions.store.records import End, LoadChange, Mark, Note, State
from sessions.timeline.sketches import quantiles_ns
from sessions.timeline.timeline import METRICS, Timeline
from telemetry.bounds import TEN_YEARS_NS
from telemetry.records import GpuDevice, GpuDevices, GpuSample, GpuSamples, SourceNote

MakeRun = Callable[..., Any]


def folded(records: list[Any]) -> Timeline:
    timeline = Timeline()
    for record in records:
        timeline.apply(record)
    return timeline


def test_counts_of_a_span_are_those_of_the_events_in_it(make_run: MakeRun) -> None:
    run = make_run()
    timeline = folded(run.timeline_records)
    for from_s, to_s in ((0, 4), (3, 7.5), (0, 30), (40, 50)):
        a, b = int(from_s * 1e9), int(to_s * 1e9)
        rows = slice(*timeline.ticks.upto(np.array([a, b], dtype=float)).tolist())
        assert timeline.ticks["due"][rows].sum() == sum(a < r.due_ns <= b for r in run.requests)
        assert timeline.ticks["sent"][rows].sum() == sum(a < r.sent_ns <= b for r in run.requests)
        tokens = [t for times in run.tokens_ns.values() for t in times if a < t <= b]
        assert timeline.ticks["chunks"][rows].sum() == len(tokens)


@pytest.mark.parametrize("metric", ["ttft_from_due", "itl"])
def test_quantiles_of_a_span_are_within_one_percent_of_the_exact_ones(make_run: MakeRun, metric: str) -> None:
    run = make_run(rate_rps=60.0)
    timeline = folded(run.timeline_records)
    a, b = 4_000_000_000, 9_000_000_000
    exact = []
    for r in run.requests:
        times = run.tokens_ns[r.index]
        if metric == "itl":
            exact += [1000 * gap for gap, t in zip(r.gaps_us, times[1:], strict=True) if a < t <= b]
        elif a < times[0] <= b:
            exact.append(times[0] - r.due_ns)
    count, found = timeline.quantiles(metric, a, b, (0.5, 0.95, 0.99))
    assert count == len(exact) > 200
    np.testing.assert_allclose(found, np.quantile(exact, (0.5, 0.95, 0.99)), rtol=0.01)


@pytest.mark.parametrize("count", [1, 2, 3, 7, 68])
def test_quantiles_of_few_samples_lie_between_them_as_numpys_do(count: int) -> None:
    """What a summary says of the same samples: `sessions.summary.exact_quantiles` is held against numpy, too."""
    draw = np.random.default_rng(count)
    samples = draw.lognormal(np.log(20e6), 1.2, (5, count))
    counts = np.zeros((6, BUCKETS), dtype=np.int64)
    for row, values in enumerate(samples):
        for value in values:
            counts[row, bucket(int(value))] += 1
    found = quantiles_ns(counts, (0.0, 0.5, 0.95, 0.99, 1.0))
    np.testing.assert_allclose(
        found[:5], np.quantile(samples, (0.0, 0.5, 0.95, 0.99, 1.0), axis=1).T, rtol=0.01
    )
    assert np.isnan(found[5]).all()


def test_a_span_without_samples_has_no_quantiles() -> None:
    count, found = Timeline().quantiles("itl", 0, 10**9)
    assert count == 0
    assert np.isnan(found).all()


def test_any_order_of_records_gives_the_same_timeline(make_run: MakeRun) -> None:
    run = make_run(seconds=40.0, workers=3, rate_rps=8.0)
    records = run.timeline_records
    straight = folded(records)
    edges = np.arange(0, 50e9, 0.7e9)
    expected = {name: straight.counts(name, edges) for name in METRICS}
    for seed in range(4):
        draw = random.Random(seed)
        shuffled = list(records)
        if seed:  # seed 0: worker by worker, as files are read
            draw.shuffle(shuffled)
        else:
            shuffled.sort(key=lambda record: getattr(record, "worker", -1))
        timeline = Timeline()
        for record in shuffled:
            timeline.apply(record)
            if draw.random() < 0.2:
                timeline.counts("itl", edges)
        for name in METRICS:
            np.testing.assert_array_equal(timeline.counts(name, edges), expected[name])
        for name in ("due", "sent", "output_tokens", "t"):
            np.testing.assert_array_equal(timeline.ticks[name], straight.ticks[name])
        assert timeline.events == straight.events
        assert timeline.states == straight.states
        assert (timeline.first_ns, timeline.known_ns) == (straight.first_ns, straight.known_ns)


def test_columns_asked_for_again_are_those_of_a_timeline_that_was_never_asked() -> None:
    """Also where a tick comes late: all rows after it move on by one."""
    draw = random.Random(1)
    rows = [
        Tick(t_ns=i * TICK_NS, dt_ns=TICK_NS, worker=0, itl=[draw.randrange(900), i]) for i in range(1, 60)
    ]
    edges = np.arange(61) * float(TICK_NS)
    draw.shuffle(rows)
    asked = Timeline()
    for i, row in enumerate(rows, 1):
        asked.apply(row)
        anew = folded(rows[:i])
        np.testing.assert_array_equal(asked.bands_ns("itl", edges), anew.bands_ns("itl", edges))
        for span in pairwise(edges[20:30]):
            np.testing.assert_array_equal(asked.counts("itl", span), anew.counts("itl", span))


def test_running_totals_hold_over_many_strides_and_late_rows() -> None:
    rows = [Tick(t_ns=i * TICK_NS, dt_ns=TICK_NS, worker=0, itl=[i % 7, i]) for i in range(1, 1000)]
    late = [row for row in rows if row.t_ns % (100 * TICK_NS) == 0]
    timeline = folded([row for row in rows if row not in late])
    timeline.counts("itl", (0, 1e12))
    for row in late:
        timeline.apply(row)
    counts = timeline.counts("itl", (200 * TICK_NS, 800 * TICK_NS))[0]
    for b in range(7):
        assert counts[b] == sum(i for i in range(201, 801) if i % 7 == b)


def test_failures_are_told_by_kind_up_to_an_instant() -> None:
    timeline = folded(
        [
            Tick(t_ns=2 * TICK_NS, dt_ns=TICK_NS, worker=0, failed=3, errors={"rejected": 2, "tls": 1}),
            Tick(t_ns=TICK_NS, dt_ns=TICK_NS, worker=1, failed=1, errors={"tls": 1}),
        ]
    )
    assert timeline.errors(TICK_NS - 1) == {}
    assert timeline.errors(TICK_NS) == {"tls": 1}
    assert timeline.errors(10**12) == {"rejected": 2, "tls": 2}


def test_what_can_be_shown_reaches_as_far_as_the_slowest_living_worker() -> None:
    timeline = folded([Tick(t_ns=8 * TICK_NS, dt_ns=TICK_NS, worker=0)])
    timeline.apply(Tick(t_ns=7 * TICK_NS, dt_ns=TICK_NS, worker=1))
    assert timeline.known_ns == 7 * TICK_NS
    timeline.apply(Tick(t_ns=12 * TICK_NS, dt_ns=TICK_NS, worker=0))
    assert timeline.known_ns == 12 * TICK_NS, "worker 1 is more than a second behind: gone"
    timeline.apply(Mark(t_ns=12 * TICK_NS + 5))
    assert timeline.known_ns == 12 * TICK_NS
    timeline.apply(End(t_ns=13 * TICK_NS, reason="finished"))
    assert timeline.known_ns == 13 * TICK_NS


def test_before_any_tick_the_newest_record_is_what_can_be_shown() -> None:
    timeline = folded([State(t_ns=400, state="probing")])
    assert (timeline.known_ns, timeline.first_ns) == (400, 0)
    timeline.apply(LoadChange(t_ns=900, change="start", rate_rps=1.0))
    assert timeline.first_ns == 900


def test_states_and_loads_are_those_of_the_instant() -> None:
    timeline = folded(
        [
            State(t_ns=20, state="running"),
            State(t_ns=10, state="probing", message="asking"),
            LoadChange(t_ns=50, change="rate", rate_rps=3.0),
            LoadChange(t_ns=20, change="start", rate_rps=2.0),
        ]
    )
    assert timeline.state(9) == ("starting", "")
    assert timeline.state(19) == ("probing", "asking")
    assert timeline.state(20) == ("running", "")
    assert timeline.load(19) is None
    assert [change.rate_rps for t in (20, 49, 50) if (change := timeline.load(t))] == [2.0, 2.0, 3.0]


def test_events_carry_what_a_chart_marks() -> None:
    timeline = folded(
        [
            LoadChange(t_ns=1, change="start", label="start at 2 rps"),
            Mark(t_ns=2),
            Note(t_ns=3, level="warning", text="disk is slow"),
            Note(t_ns=4, level="info", text="hello"),
            WorkerNote(t_ns=5, worker=0, event="backing_off", message="refused"),
            WorkerNote(t_ns=6, worker=0, event="started"),
            SourceNote(t_ns=7, source="nvml", ok=False, message="no driver"),
            State(t_ns=8, state="running"),
            State(t_ns=9, state="holding"),
            End(t_ns=10, reason="finished"),
        ]
    )
    assert [tuple(event) for event in timeline.events] == [
        (1, "load", "start at 2 rps"),
        (2, "mark", "mark"),
        (3, "warning", "disk is slow"),
        (4, "note", "hello"),
        (5, "warning", "server unreachable: refused"),
        (7, "warning", "no driver"),
        (10, "end", "finished"),
    ]
    assert timeline.events_upto(3) == timeline.events[:3]


def test_the_server_is_unreachable_until_every_worker_that_lost_it_has_it_again() -> None:
    def said(t_ns: int, worker: int, event: str) -> WorkerNote:
        return WorkerNote(t_ns=t_ns, worker=worker, event=event)

    timeline = folded(
        [
            said(10, 0, "backing_off"),
            said(12, 1, "backing_off"),
            said(20, 0, "reachable_again"),
            said(30, 1, "reachable_again"),
            said(40, 0, "backing_off"),
        ]
    )
    since = [timeline.reach.unreachable_since(t_ns) for t_ns in (9, 10, 12, 20, 29, 30, 40)]
    assert since == [None, 10, 10, 12, 12, None, 40]


def test_a_gpu_is_one_whoever_speaks_of_it_first() -> None:
    sample = GpuSamples(t_ns=5, took_ns=1, source="x", gpus=[GpuSample(gpu="GPU-a", power_w=100.0)])
    devices = GpuDevices(t_ns=4, source="x", devices=[GpuDevice("GPU-a", 3, "H200")], simulated=True)
    for records in ([sample, devices], [devices, sample]):
        timeline = folded(records)
        assert [timeline.gpus["GPU-a"].device(t_ns).name for t_ns in (3, 4)] == ["", "H200"]
        assert timeline.gpus["GPU-a"].since_ns == 4
        assert timeline.gpus["GPU-a"].samples(5)["power_w"].tolist() == [100.0]
        assert np.isnan(timeline.gpus["GPU-a"].samples(5)["energy_j"]).all()
        assert len(timeline.gpus["GPU-a"].samples(4)["t"]) == 0
        assert (timeline.simulated(3), timeline.simulated(4)) == (False, True)


def test_times_far_apart_cost_no_memory_for_what_lies_between() -> None:
    tracemalloc.start()
    timeline = folded(
        [Tick(t_ns=t, dt_ns=TICK_NS, worker=w, itl=[5, 1]) for t in (1, TEN_YEARS_NS) for w in (0, 4095)]
    )
    assert timeline.counts("itl", (0, 1e12, TEN_YEARS_NS)).sum(axis=1).tolist() == [2, 2]
    assert tracemalloc.get_traced_memory()[1] < 5 << 20
    tracemalloc.stop()


def test_an_hour_of_a_busy_worker_stays_in_the_stated_memory() -> None:
    flat = [part for b in range(bucket(8_000_000), bucket(8_000_000) + 75) for part in (b, 40)]
    tracemalloc.start()
    timeline = Timeline()
    for i in range(1, 14_401):
        timeline.apply(
            Tick(t_ns=i * TICK_NS, dt_ns=TICK_NS, worker=0, itl=flat, chunk_gap=flat, ttft_from_due=flat[:32])
        )
        if i % 100 == 0:
            timeline.counts("itl", (0, i * TICK_NS))
    assert tracemalloc.get_traced_memory()[0] < 40 << 20
    tracemalloc.stop()
