"""A run made up event by event, with the records a worker and a supervisor would have written about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec
import numpy as np
import pytest

from loadgen.records import TICK_NS, FailureCause, Request, RequestError, Tick
from loadgen.sketch import SketchCounts
from sessions.plan.config import LoadConfig, RunConfig
from sessions.plan.target_config import TargetConfig
from sessions.store.manifest import ClockAnchor, Manifest, SessionInfo
from sessions.store.records import AnyRecord, End, LoadChange, Mark, State

START_NS = 1_300_000_000


@dataclass
class MadeRun:
    """`requests` is the truth; the ticks were counted from it, event by event."""

    requests: list[Request]
    ticks: list[Tick]
    supervised: list[AnyRecord]
    manifest: Manifest
    tokens_ns: dict[int, list[int]] = field(default_factory=dict)
    """Arrival times of the token-bearing events of each request."""

    @property
    def timeline_records(self) -> list[AnyRecord]:
        return sorted([*self.ticks, *self.supervised], key=lambda record: record.t_ns)  # type: ignore[union-attr]

    @property
    def records(self) -> list[AnyRecord]:
        return [*self.timeline_records, *self.requests]


Maker = Callable[..., MadeRun]


def make(
    *,
    seed: int = 1,
    seconds: float = 12.0,
    rate_rps: float = 20.0,
    workers: int = 2,
    chunk_tokens: str = "one",
    failing: float = 0.0,
    ended: bool = True,
    changes: tuple[tuple[float, float], ...] = (),
) -> MadeRun:
    """`chunk_tokens`: `one`, `counted` (several, and said) or `unknown`; `changes`: (second, new rate)."""
    draw = np.random.default_rng(seed)
    requests, tokens_ns = [], {}
    due_ns, rate = float(START_NS), rate_rps
    pending = list(changes)
    index = 0
    while True:
        due_ns += draw.exponential(1e9 / rate)
        while pending and due_ns >= START_NS + pending[0][0] * 1e9:
            rate = pending.pop(0)[1]
        if due_ns >= START_NS + seconds * 1e9:
            break
        request, times = _request(draw, index, index % workers, int(due_ns), chunk_tokens, failing)
        requests.append(request)
        tokens_ns[index] = times
        index += 1
    supervised: list[AnyRecord] = [
        State(t_ns=5_000_000, state="probing"),
        LoadChange(t_ns=START_NS, change="start", rate_rps=rate_rps, label=f"start at {rate_rps:g} rps"),
        State(t_ns=START_NS, state="running"),
        *(
            LoadChange(t_ns=START_NS + int(at * 1e9), change="rate", rate_rps=to, label=f"> {to:g} rps")
            for at, to in changes
        ),
        Mark(t_ns=START_NS + int(seconds / 2 * 1e9), text="half"),
    ]
    load_end_ns = START_NS + int(seconds * 1e9)
    last_ns = max([load_end_ns, *(request.end_ns for request in requests)])
    if ended:
        supervised += [
            State(t_ns=load_end_ns, state="draining"),
            End(t_ns=last_ns + 40_000_000, reason="completed"),
            State(t_ns=last_ns + 40_000_000, state="ended"),
        ]
    ticks = [
        tick
        for worker in range(workers)
        for tick in _ticks(requests, tokens_ns, worker, last_ns, load_end_ns, rate_rps, changes)
    ]
    manifest = Manifest(
        SessionInfo("20261103-120000-made", "made", "2026-11-03T12:00:00+00:00"),
        ClockAnchor(0, 0),
        RunConfig(TargetConfig("http://127.0.0.1:8000"), LoadConfig(rate_rps=rate_rps, duration_s=seconds)),
        server={"model": "toy", "endpoint": "completions", "probe_requests": 3},
    )
    return MadeRun(requests, ticks, supervised, manifest, tokens_ns)


def _request(
    draw: np.random.Generator, index: int, worker: int, due_ns: int, chunk_tokens: str, failing: float
) -> tuple[Request, list[int]]:
    sent_ns = due_ns + int(draw.exponential(200_000)) + 1
    first_ns = sent_ns + int(draw.lognormal(np.log(120e6), 0.5))
    chunks = int(draw.integers(1, 40))
    gaps_us = draw.lognormal(np.log(20_000), 0.3, chunks - 1).astype(int).tolist()
    per_chunk = [1] * chunks if chunk_tokens == "one" else draw.integers(1, 5, chunks).tolist()
    times = [first_ns, *(first_ns + np.cumsum(gaps_us, dtype=np.int64) * 1000).tolist()]
    request = Request(
        index=index,
        worker=worker,
        due_ns=due_ns,
        sent_ns=sent_ns,
        headers_ns=sent_ns + 1000,
        first_event_ns=first_ns,
        first_token_ns=first_ns,
        last_token_ns=times[-1],
        end_ns=times[-1] + 30_000,
        status=200,
        finish_reason="length",
        input_tokens=256,
        output_tokens=sum(per_chunk),
        chunks=chunks,
        gaps_us=gaps_us,
        chunk_tokens=per_chunk if chunk_tokens == "counted" else [],
    )
    if draw.random() < failing:
        request.error = RequestError("cut_mid_stream", "the connection was lost")
    return request, times


def _ticks(
    requests: list[Request],
    tokens_ns: dict[int, list[int]],
    worker: int,
    last_ns: int,
    load_end_ns: int,
    rate_rps: float,
    changes: tuple[tuple[float, float], ...],
) -> list[Tick]:
    mine = [request for request in requests if request.worker == worker]
    found = []
    before = START_NS // TICK_NS * TICK_NS
    while before < last_ns:
        t_ns = before + TICK_NS
        tick = Tick(t_ns=t_ns, dt_ns=TICK_NS, worker=worker, cpu_ns=20_000_000, loop_lag_max_ns=300_000)
        rate = rate_rps
        for at, to in changes:
            rate = to if t_ns >= START_NS + at * 1e9 else rate
        tick.rate_rps = rate if t_ns < load_end_ns else 0.0
        sketches = {name: SketchCounts() for name in SKETCHED}
        for request in mine:
            if request.due_ns <= t_ns and before < request.end_ns:
                _count(tick, sketches, request, tokens_ns[request.index], before, t_ns)
        for name, counts in sketches.items():
            setattr(tick, name, counts.take())
        found.append(tick)
        before = t_ns
    return found


SKETCHED = ("ttft_from_due", "ttft_from_sent", "itl", "chunk_gap", "e2e", "send_lag")


def _count(
    tick: Tick, sketches: dict[str, SketchCounts], r: Request, times: list[int], after: int, to: int
) -> None:
    assert r.sent_ns is not None
    assert r.first_token_ns is not None
    tick.due += after < r.due_ns <= to
    if after < r.sent_ns <= to:
        tick.sent += 1
        sketches["send_lag"].add(r.sent_ns - r.due_ns)
    tick.in_flight += r.sent_ns <= to < r.end_ns
    for i, t_ns in enumerate(times):
        if not after < t_ns <= to:
            continue
        tokens = r.chunk_tokens[i] if r.chunk_tokens else 1
        tick.chunks += 1
        tick.output_tokens += tokens
        tick.reads += 1
        if i == 0:
            sketches["ttft_from_due"].add(t_ns - r.due_ns)
            sketches["ttft_from_sent"].add(t_ns - r.sent_ns)
            continue
        gap_ns = r.gaps_us[i - 1] * 1000
        sketches["chunk_gap"].add(gap_ns)
        if r.chunk_tokens or r.output_tokens == r.chunks:
            sketches["itl"].add(gap_ns // tokens, tokens)
    if after < r.end_ns <= to:
        if r.error is None:
            tick.succeeded += 1
            sketches["e2e"].add((r.last_token_ns or 0) - r.due_ns)
        else:
            tick.failed += 1
            tick.errors = {**tick.errors, r.error.kind: tick.errors.get(r.error.kind, 0) + 1}
            tick.causes = [*tick.causes, FailureCause(r.error.kind, 1, r.error.message)]


@pytest.fixture(scope="session")
def make_run() -> Maker:
    """Makes runs; the same arguments give an equal run, fresh each time."""
    made: dict[str, MadeRun] = {}

    def cached(**arguments: object) -> MadeRun:
        key = repr(sorted(arguments.items()))
        if key not in made:
            made[key] = make(**arguments)  # type: ignore[arg-type]
        run = made[key]
        return MadeRun(
            list(run.requests),
            list(run.ticks),
            list(run.supervised),
            msgspec.structs.replace(run.manifest),
            run.tokens_ns,
        )

    return cached
