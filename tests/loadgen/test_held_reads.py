"""Reads that are held and taken in together say the same as one by one, to the nanosecond."""

from __future__ import annotations

import itertools
import json
import random
from dataclasses import dataclass, field

import msgspec
import pytest

from loadgen import flight as flights
from loadgen.endpoints import ENDPOINTS
from loadgen.flight import Flight
from loadgen.records import Request, Tick
from loadgen.tally import Tally
from tests.loadgen.raw_server import sse, token, usage

_HEADERS = [(b"content-type", b"text/event-stream")]


@dataclass
class Landed:
    records: list[Request] = field(default_factory=list)

    def landed(self, flight: Flight) -> None:
        self.records.append(flight.record)

    def stale(self, flight: Flight) -> None:
        raise AssertionError("nothing is stale here")


@dataclass(frozen=True)
class Read:
    t_ns: int
    data: bytes
    by_kernel: bool = True
    settle_before: bool = False


def told(
    reads: list[Read], *, end: str, chunk_counts: bool = False, one_token_chunks: bool = True
) -> tuple[Request, Tick]:
    """What a request's record and its worker's tick say of these reads, and of how they ended."""
    tally, landed = Tally(), Landed()
    flight = Flight(
        Request(index=0, worker=0, due_ns=0),
        b"",
        ENDPOINTS["completions"],
        tally,
        landed,
        chunk_counts=chunk_counts,
        one_token_chunks=one_token_chunks,
        waited_for_cap=False,
    )
    flight.on_sent(1_000)
    flight.on_headers(5_000, 200, _HEADERS)
    for read in reads:
        if read.settle_before:
            flight.settle()
        if not landed.records:
            flight.on_body(read.t_ns, read.data, read.by_kernel)
    last_ns = reads[-1].t_ns + 1_000
    if not landed.records:
        if end == "clean":
            flight.on_end(last_ns)
        elif end == "cut":
            flight.on_fail(last_ns, "cut_mid_stream", "", answered=True, reused=False)
        else:
            flight.fail(last_ns, end)
    [record] = landed.records
    tick = tally.take(
        t_ns=last_ns,
        dt_ns=last_ns,
        worker=0,
        connects=0,
        in_flight=0,
        backlog=0,
        rate_rps=None,
        concurrency=None,
        cpu_ns=0,
    )
    return record, tick


def told_singly(monkeypatch: pytest.MonkeyPatch, reads: list[Read], **how: object) -> tuple[Request, Tick]:
    with monkeypatch.context() as patch:
        patch.setattr(flights, "_HELD_BYTES", -1)
        return told(reads, **how)  # type: ignore[arg-type]


def event(value: object) -> bytes:
    return sse(json.dumps(value))


def counted(n: int, *, tokens: int = 1) -> bytes:
    ids = list(range(tokens))
    return event(
        {
            "choices": [{"index": 0, "text": " a", "finish_reason": None, "token_ids": ids}],
            "usage": {"prompt_tokens": 8, "completion_tokens": n},
        }
    )


ODD = [
    event({"error": {"message": "out of memory", "type": "server_error"}}),
    event({"choices": [{"index": 0, "text": "", "finish_reason": None}]}),
    event({"choices": [{"index": 1, "text": "x", "finish_reason": None}]}),
    b"data: {broken}\n\n",
    b": ping\n\n",
    b'data: {"choices":[{"index":0,"text":"a","finish_reason":null}]}\r\n\r\n',
    b'data: {"choices":\ndata: [{"index":0,"text":"a"}]}\n\n',
    b"data: [DONE]\n\n",
    b"event: error\ndata: {}\n\n",
    sse(token(finish="abort")),
]


def a_stream(rng: random.Random, *, chunk_counts: bool) -> list[Read]:
    """Events of one stream in reads cut anywhere, some late, some not stamped by the kernel."""
    tokens = rng.randrange(2, 90)
    events = [counted(n + 1) if chunk_counts else sse(token()) for n in range(tokens)]
    for _ in range(rng.choice([0, 0, 1, 3])):
        events.insert(rng.randrange(len(events)), rng.choice(ODD))
    if rng.random() < 0.8:
        events += [sse(token(finish="length")), sse(usage(8, tokens + 1)), b"data: [DONE]\n\n"]
    wire = b"".join(events)
    whole = [len(b"".join(events[: n + 1])) for n in range(len(events))]
    kept = [at for at in whole if rng.random() < 0.95]
    cuts = sorted({*kept, *(rng.randrange(len(wire)) for _ in range(rng.choice([0, 0, 2]))), 0, len(wire)})
    reads, t_ns = [], 10_000_000
    for start, end in itertools.pairwise(cuts):
        t_ns += rng.choice([0, 999, 10_000_123, rng.randrange(20_000_000)])
        reads.append(Read(t_ns, wire[start:end], rng.random() < 0.97, rng.random() < 0.05))
    return reads


@pytest.mark.parametrize("chunk_counts", [False, True])
@pytest.mark.parametrize("one_token_chunks", [False, True])
def test_any_stream_cut_anywhere_gives_the_same_record_and_tick_held_or_not(
    monkeypatch: pytest.MonkeyPatch, chunk_counts: bool, one_token_chunks: bool
) -> None:
    rng = random.Random(20261121)
    for _ in range(400):
        reads = a_stream(rng, chunk_counts=chunk_counts)
        how = {
            "end": rng.choice(["clean", "clean", "cut", "gap_timeout"]),
            "chunk_counts": chunk_counts,
            "one_token_chunks": one_token_chunks,
        }
        held, singly = told(reads, **how), told_singly(monkeypatch, reads, **how)  # type: ignore[arg-type]
        assert held[0] == singly[0]
        # When a sketch was added to is nobody's business, nor is by whom: its counts are.
        assert msgspec.to_builtins(held[1]) == msgspec.to_builtins(singly[1])


def test_each_token_of_reads_taken_in_together_keeps_its_own_time() -> None:
    times_ns = [10_000_000, 20_000_700, 31_000_000, 47_000_000]
    reads = [Read(t_ns, sse(token())) for t_ns in times_ns] + [Read(60_000_000, b"data: [DONE]\n\n")]
    record, tick = told(reads, end="clean")
    assert record.first_token_ns == 10_000_000
    assert record.last_token_ns == 47_000_000
    assert record.gaps_us == [10_000, 11_000, 16_000]
    assert (tick.chunks, tick.reads, tick.kernel_reads, tick.coalesced_reads) == (4, 4, 4, 0)


def test_what_is_held_counts_once_it_is_settled() -> None:
    tally = Tally()
    flight = Flight(
        Request(index=0, worker=0, due_ns=0),
        b"",
        ENDPOINTS["completions"],
        tally,
        Landed(),
        chunk_counts=False,
        one_token_chunks=True,
        waited_for_cap=False,
    )
    flight.on_sent(1_000)
    flight.on_headers(5_000, 200, _HEADERS)
    for n in range(5):
        flight.on_body(10_000_000 * (n + 1), sse(token()), True)
    assert flight.settle()
    assert (tally.chunks, flight.record.chunks, flight.record.last_token_ns) == (5, 5, 50_000_000)


def test_a_body_beyond_the_limit_fails_at_the_read_that_went_beyond(monkeypatch: pytest.MonkeyPatch) -> None:
    event = sse(token())
    monkeypatch.setattr(flights, "BODY_BYTES_MAX", len(event) * 3)
    record, tick = told([Read(10_000_000 * (n + 1), event) for n in range(6)], end="clean")
    assert record.error is not None
    assert record.error.kind == "body_too_large"
    assert (record.chunks, record.end_ns) == (3, 40_000_000)
    assert tick.failed == 1
