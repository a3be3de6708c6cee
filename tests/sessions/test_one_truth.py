"""One session, one truth: what a live screen, a replay and a summary say of the same run is the same.

Each session is written bit by bit by its writers in random turns and read while it grows, as a live screen does;
then read again as a replay and summed up. Whatever two of them show is compared; where two figures differ by
definition, both are told, and the test computes the difference from the requests themselves.
"""

from __future__ import annotations

import contextlib
import os
import random
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from loadgen.records import TICK_NS, Tick
from loadgen.sketch import bucket
from sessions.frame.schema import Frame, Stat
from sessions.frame.session_view import SessionView
from sessions.store.directory import hold_lock
from sessions.store.journal import (
    SUPERVISOR_FILE,
    JournalWriter,
    RequestJournalWriter,
    request_file,
    worker_file,
)
from sessions.store.manifest import write
from sessions.store.records import End
from sessions.summary.quantile_schema import SketchedQuantiles
from sessions.summary.read import read_summary
from sessions.summary.schema import Summary
from sessions.summary.summarise import summarise
from tests.sessions.timeline.folding import folded

MakeRun = Callable[..., Any]
SECOND = 1_000_000_000
WINDOW_NS, SLOTS = 60 * SECOND, 60
RECORDED = Path(__file__).parent / "store" / "recorded" / "llamacpp"

RUNS: dict[str, dict[str, Any]] = {
    "plain": {"seed": 3},
    "failures": {"seed": 4, "failing": 0.2},
    "all but none succeed": {"seed": 5, "failing": 0.97},
    "several tokens a chunk": {"seed": 6, "chunk_tokens": "counted", "failing": 0.05},
    "tokens that nobody counted": {"seed": 7, "chunk_tokens": "unknown"},
    "a change of load": {"seed": 8, "changes": ((4.0, 60.0),), "failing": 0.02},
    "few requests": {"seed": 9, "rate_rps": 0.5, "workers": 1},
    "a late client": {"seed": 10, "seconds": 24.0},
    "a late client before a slow server": {"seed": 11, "seconds": 24.0},
}


def made(make_run: MakeRun, name: str) -> Any:
    run = make_run(**RUNS[name])
    if name.startswith("a late client"):
        slow = name.endswith("slow server")
        run.ticks = [_late(tick, slow) for tick in run.ticks]
    return run


def _late(tick: Tick, slow: bool) -> Tick:
    """Seconds 3 to 8 leave late; where the server is `slow` later, that is small beside its TTFT."""
    second = (tick.t_ns - 1) // SECOND
    lag = [bucket(80_000_000), 5] if 3 <= second < 9 else tick.send_lag
    ttft = [bucket(4 * SECOND), 40] if slow and second >= 12 else tick.ttft_from_due
    return msgspec.structs.replace(tick, send_lag=lag, ttft_from_due=ttft)


def grown(run: Any, directory: Path, draw: random.Random) -> list[tuple[Frame, Summary]]:
    """What a live screen showed at its playhead's end while the session was written, and what `summary` said."""
    write(directory, run.manifest)
    writers: list[tuple[Any, list[Any]]] = [
        (JournalWriter(directory / SUPERVISOR_FILE), list(run.supervised))
    ]
    for worker in sorted({tick.worker for tick in run.ticks}):
        ticks = [tick for tick in run.ticks if tick.worker == worker]
        requests = sorted((r for r in run.requests if r.worker == worker), key=lambda r: r.end_ns)
        writers.append((JournalWriter(directory / worker_file(worker)), ticks))
        writers.append((RequestJournalWriter(directory / request_file(worker)), requests))
    seen = []
    lock = hold_lock(directory)
    with contextlib.closing(os.fdopen(lock)):
        view = SessionView(directory)
        for upto_ns in range(0, max(tick.t_ns for tick in run.ticks) + TICK_NS, TICK_NS):
            for writer, records in draw.sample(writers, len(writers)):
                while records and _time_of(records[0]) <= upto_ns:
                    writer.append([records.pop(0)])
                if isinstance(writer, RequestJournalWriter):
                    writer.flush()
            if draw.random() < 0.15:
                view.poll()
                seen.append((view.frame(view.last_ns, WINDOW_NS, SLOTS), read_summary(directory)))
            elif draw.random() < 0.5:
                view.poll()
        for writer, records in writers:
            writer.append(records)
            writer.close()
        view.poll()
        seen.append((view.frame(view.last_ns, WINDOW_NS, SLOTS), read_summary(directory)))
        view.close()
    return seen


def _time_of(record: Any) -> int:
    return int(getattr(record, "end_ns", None) or record.t_ns)


def replayed(directory: Path, at_ns: int | None = None) -> Frame:
    view = SessionView(directory)
    view.poll()
    while view.behind:
        view.poll()
    frame = view.frame(view.last_ns if at_ns is None else at_ns, WINDOW_NS, SLOTS)
    view.close()
    return frame


def assert_same(a: Frame, b: Frame, but: tuple[str, ...] = ()) -> None:
    one, other = (asdict(frame) for frame in (a, b))
    for name, value in one.items():
        if name not in but:
            np.testing.assert_equal(value, other[name], err_msg=name)


def shown(of: Stat) -> SketchedQuantiles:
    figures = (None if value is None else round(value, 6) for value in (of.p50_ms, of.p95_ms, of.p99_ms))
    return SketchedQuantiles(of.count, *figures)


def assert_one_truth(frame: Frame, said: Summary) -> None:
    """Every figure of a whole run that a screen and a summary both show."""
    counts = (frame.due, frame.sent, frame.succeeded, frame.failed, frame.not_sent)
    told = said.requests
    assert counts == (told.due, told.sent, told.succeeded, told.failed, told.not_sent)
    assert frame.errors == said.errors
    assert list(frame.errors) == list(said.errors)
    assert [(c.kind, c.count, c.text, c.text_count) for c in frame.causes] == [
        (c.kind, c.count, c.text, c.text_count) for c in said.causes
    ]
    assert frame.insecure == (said.tls_verified is False)
    assert frame.stale_retries == said.stale_retries
    assert said.streamed is not None
    assert shown(frame.ttft_run) == said.streamed.ttft_from_due_ms
    assert frame.itl_is_chunk_gap == (said.streamed.itl_ms is None)
    gaps = said.streamed.chunk_gap_ms if frame.itl_is_chunk_gap else said.streamed.itl_ms
    assert shown(frame.itl_run) == gaps
    assert (frame.client_saturated_s, frame.client_judged_s) == (
        said.client.saturated_s,
        said.client.judged_s,
    )
    assert frame.model == said.model
    assert frame.simulated == said.simulated


@pytest.mark.parametrize("name", RUNS)
def test_live_replay_and_summary_say_the_same_of_the_same_session(
    make_run: MakeRun, tmp_path: Path, name: str
) -> None:
    run = made(make_run, name)
    seen = grown(run, tmp_path, random.Random(name))
    live, said = seen[-1]
    replay, summary = replayed(tmp_path), read_summary(tmp_path)
    assert_same(live, replay, but=("live",))
    assert said == summary == summarise(folded(*run.records), run.manifest)
    assert_one_truth(replay, summary)
    # What was found of the limit's last second stands in both.
    if summary.limits:
        assert replay.limit.name in (summary.limits[-1].limit, "no load")


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_what_a_screen_showed_while_the_run_went_on_a_replay_shows_again(
    make_run: MakeRun, tmp_path: Path, name: str
) -> None:
    """And no second of the client's trouble is taken back, on the screen or in a summary of the live run."""
    run = made(make_run, name)
    seen = grown(run, tmp_path, random.Random(name))
    for frame, _ in seen:
        assert_same(frame, replayed(tmp_path, frame.at_ns), but=("live", "last_ns"))
    for saturated in (
        [frame.client_saturated_s for frame, _ in seen],
        [said.client.saturated_s for _, said in seen],
    ):
        assert saturated == sorted(saturated)  # type: ignore[type-var]


@pytest.mark.parametrize("name", [name for name in RUNS if not name.startswith("a late client")])
def test_exact_figures_differ_from_those_of_the_screen_by_the_sketch_and_by_what_failed_and_nothing_else(
    make_run: MakeRun, name: str
) -> None:
    run = made(make_run, name)
    summary = summarise(folded(*run.records), run.manifest)
    assert summary.streamed is not None
    seen = summary.streamed.ttft_from_due_ms
    every = [(r.first_token_ns - r.due_ns) / 1e6 for r in run.requests]
    good = [(r.first_token_ns - r.due_ns) / 1e6 for r in run.requests if r.error is None]
    cut_off = sum(r.error is not None and r.error.kind == "unfinished" for r in run.requests)
    apart = [summary.ttft_of_failed_ms, summary.ttft_of_cut_off_ms]
    assert (seen.count, summary.ttft_from_due_ms.count) == (len(every), len(good))
    assert [told.count for told in apart] == [len(every) - len(good) - cut_off, cut_off]  # type: ignore[union-attr]
    for name_, share in (("p50", 50), ("p95", 95), ("p99", 99)):
        assert getattr(seen, name_) == pytest.approx(np.percentile(every, share), rel=0.01)
        if good:
            exact = getattr(summary.ttft_from_due_ms, name_)
            assert exact == pytest.approx(np.percentile(good, share), abs=1e-6)


def test_a_client_that_was_late_before_a_slow_server_is_not_cleared_by_it(make_run: MakeRun) -> None:
    counts = {
        name: summarise(folded(*made(make_run, name).records), run.manifest).client
        for name, run in ((name, made(make_run, name)) for name in RUNS if name.startswith("a late client"))
    }
    assert {client.saturated_s for client in counts.values()} == {6}


def test_a_run_that_was_cut_off_counts_what_was_in_flight_and_says_as_what(
    make_run: MakeRun, tmp_path: Path
) -> None:
    """Killed: the screen shows what was in flight, the summary that it was cut off. One number."""
    run = make_run(seed=12, ended=False)
    cut_ns = 8 * SECOND
    run.ticks = [tick for tick in run.ticks if tick.t_ns <= cut_ns]
    run.requests = [r for r in run.requests if r.end_ns <= cut_ns]
    run.supervised = [r for r in run.supervised if r.t_ns <= cut_ns and not isinstance(r, End)]
    grown(run, tmp_path, random.Random(1))
    (tmp_path / "lock").touch()
    frame, said = replayed(tmp_path), read_summary(tmp_path)
    assert frame.state == "killed"
    assert frame.in_flight == said.requests.cut_off > 0
    assert (frame.sent, frame.succeeded) == (said.requests.sent, said.requests.succeeded)
    assert frame.failed == said.requests.failed
    assert frame.client_saturated_s == said.client.saturated_s
    assert said.errors == {}


def test_a_recorded_session_says_the_same_on_the_screen_and_in_its_summary() -> None:
    assert_one_truth(replayed(RECORDED), read_summary(RECORDED))
