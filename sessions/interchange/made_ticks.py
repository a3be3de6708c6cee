"""The ticks that a load worker would have written of requests whose times are known: for charts and replay.

Nothing in them is of the client itself: no CPU, no reads, no lag of a loop.
"""

from __future__ import annotations

from collections import Counter, defaultdict

from loadgen.records import TICK_NS, FailureCause, Request, Tick
from loadgen.sketch import bucketed
from sessions.interchange.imported_run import NO_CHUNK_TIMES
from sessions.metrics import tokens_after_gaps
from sessions.plan.config import LoadConfig


def made_ticks(requests: list[Request], span_ns: int, load: LoadConfig) -> list[Tick]:
    """One each 250 ms up to `span_ns`."""
    last = max(-(-span_ns // TICK_NS), 1)
    ticks = [Tick(t_ns=(number + 1) * TICK_NS, dt_ns=TICK_NS, worker=0) for number in range(last)]
    durations: dict[tuple[str, int], list[int]] = defaultdict(list)
    moves: Counter[int] = Counter()
    waits: Counter[int] = Counter()

    def at(t_ns: int) -> int:
        return min(max(t_ns // TICK_NS, 0), last - 1)

    for one in requests:
        tick = ticks[at(one.due_ns)]
        tick.due += 1
        end = at(one.end_ns)
        if one.sent_ns is None:
            ticks[end].not_sent += 1
            continue
        sent = at(one.sent_ns)
        ticks[sent].sent += 1
        moves[sent] += 1
        moves[end] -= 1
        waits[at(one.due_ns)] += 1
        waits[sent] -= 1
        durations["send_lag", sent].append(one.sent_ns - one.due_ns)
        _tokens(one, ticks, durations, last)
        _ending(one, ticks[end], durations, end)
    in_flight = backlog = 0
    for number, tick in enumerate(ticks):
        in_flight += moves[number]
        backlog += waits[number]
        tick.in_flight, tick.backlog = max(in_flight, 0), max(backlog, 0)
        tick.concurrency = load.concurrency
        tick.rate_rps = None if load.concurrency is not None else _rate(load, tick.t_ns / 1e9)
    for (name, number), found in durations.items():
        counted = sorted(bucketed(found).items())
        setattr(ticks[number], name, [part for pair in counted for part in pair])
    return ticks


def _tokens(one: Request, ticks: list[Tick], durations: dict[tuple[str, int], list[int]], last: int) -> None:
    """Those of a request, in the ticks in which they came."""
    if one.first_token_ns is None or one.sent_ns is None:
        return

    def at(t_ns: int) -> int:
        return min(max(t_ns // TICK_NS, 0), last - 1)

    first = at(one.first_token_ns)
    durations["ttft_from_due", first].append(one.first_token_ns - one.due_ns)
    durations["ttft_from_sent", first].append(one.first_token_ns - one.sent_ns)
    chunks = max(one.chunks, 1)
    tokens = one.output_tokens or chunks
    if NO_CHUNK_TIMES in one.flags:  # spread evenly: nobody knows when they came
        span_ns = (one.last_token_ns or one.first_token_ns) - one.first_token_ns
        times = [
            one.first_token_ns + span_ns * i // max(chunks - 1, 1) for i in range(min(chunks, 1_000_000))
        ]
    else:
        times, t_ns = [one.first_token_ns], one.first_token_ns
        after = tokens_after_gaps(one)
        for place, gap_us in enumerate(one.gaps_us):
            t_ns += gap_us * 1000
            times.append(t_ns)
            durations["chunk_gap", at(t_ns)].append(gap_us * 1000)
            if after is not None:
                durations["itl", at(t_ns)].append(gap_us * 1000 // (after[place] if after else 1))
    told = 0
    for place, t_ns in enumerate(times, 1):
        tick = ticks[at(t_ns)]
        tick.chunks += 1
        now = tokens * place // len(times)
        tick.output_tokens += now - told
        told = now


def _ending(one: Request, tick: Tick, durations: dict[tuple[str, int], list[int]], number: int) -> None:
    if one.error is None:
        tick.succeeded += 1
        tick.input_tokens += one.input_tokens or 0
        tick.itl_unknown += tokens_after_gaps(one) is None
        durations["e2e", number].append((one.last_token_ns or one.end_ns) - one.due_ns)
    elif one.error.kind == "unfinished":
        tick.cut_off += 1
    else:
        tick.failed += 1
        kind = one.error.kind
        tick.errors[kind] = tick.errors.get(kind, 0) + 1
        cause = next((c for c in tick.causes if (c.kind, c.text) == (kind, one.error.message)), None)
        if cause is None:
            tick.causes.append(FailureCause(kind, 1, one.error.message))
        else:
            cause.count += 1


def _rate(load: LoadConfig, at_s: float) -> float:
    ramp = load.ramp
    if ramp is None or ramp.over_s <= 0:
        return load.rate_rps
    share = min(at_s / ramp.over_s, 1.0)
    if ramp.shape == "exp" and ramp.from_rps > 0:
        return float(ramp.from_rps * (ramp.to_rps / ramp.from_rps) ** share)
    return ramp.from_rps + (ramp.to_rps - ramp.from_rps) * share
