"""Token reads, understood many at once and told together, say the same as one by one, to the nanosecond."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import socket
import struct
from collections import deque
from dataclasses import dataclass, replace

import msgspec
import pytest

from loadgen.clock import ManualClock
from loadgen.endpoints import ENDPOINTS
from loadgen.records import Request, Tick
from loadgen.transport import batch_reader
from loadgen.transport.batch_reader import BatchDecode, decodes_nothing
from loadgen.transport.connection import Connection
from loadgen.transport.pool import Pool
from loadgen.transport.read_buffer import ReadBuffer
from loadgen.transport.receive_times import TimedReader
from loadgen.worker import in_flight
from loadgen.worker.batch_decode import batch_decoder
from loadgen.worker.counters import Counters
from loadgen.worker.in_flight import InFlightRequest
from tests.loadgen.raw_server import HEAD, chunked, sse, token, usage
from tests.loadgen.worker.made_requests import Finished, gained, in_flight_request

_COMPLETIONS = ENDPOINTS["completions"]


@dataclass(frozen=True)
class Read:
    """What one read gives, how long after the round before; stamped by the kernel so much before it is made."""

    after_ns: int
    data: bytes
    stamped_ago_ns: int | None = 0
    """None: the kernel gave no stamp."""
    settle_before: bool = False


@dataclass(frozen=True)
class How:
    end: str = "clean"
    chunk_counts: bool = False
    one_token_chunks: bool = True
    rounds_at_once: int = 1
    """Rounds after which what was read is taken in."""


def told(streams: list[list[Read]], how: How, decode_batch: BatchDecode) -> tuple[list[Request], Tick]:
    """What the requests' records and the worker's tick say of these streams, all read in common rounds."""
    return asyncio.run(_told(streams, how, decode_batch))


def told_together(streams: list[list[Read]], how: How) -> tuple[list[Request], Tick]:
    decode_batch = batch_decoder(
        _COMPLETIONS, chunk_counts=how.chunk_counts, one_token_chunks=how.one_token_chunks
    )
    return told(streams, how, decode_batch)


def told_singly(streams: list[list[Read]], how: How) -> tuple[list[Request], Tick]:
    return told(streams, replace(how, rounds_at_once=1), decodes_nothing)


async def _told(streams: list[list[Read]], how: How, decode_batch: BatchDecode) -> tuple[list[Request], Tick]:
    clock, counters, finished = ManualClock(), Counters(), Finished()
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        pool = Pool(loop, clock, [(socket.AF_INET, listener.getsockname())])
        pool.read_loop.batch_reader.decode_batch = decode_batch
        wire = Wire()
        pool.read_loop.batch_reader.recvmsg = wire.recvmsg
        connections = [await _connected(loop, pool) for _ in streams]
        flying: list[tuple[InFlightRequest, Connection, deque[Read]]] = []
        clock.advance_to(1_000)
        for index, (connection, reads) in enumerate(zip(connections, streams, strict=True)):
            request = in_flight_request(
                _COMPLETIONS,
                counters,
                finished,
                index=index,
                chunk_counts=how.chunk_counts,
                one_token_chunks=how.one_token_chunks,
            )
            request.connection = connection
            connection.send(b"x", request)
            flying.append((request, connection, deque([Read(1, HEAD), *reads])))
        for number in itertools.count(1):
            if not any(reads for _, _, reads in flying):
                break
            _round(pool, wire, clock, flying)
            if number % how.rounds_at_once == 0:
                pool.read_loop.batch_reader.decode_pending()
        clock.advance_to(clock.now_ns() + 1_000)
        for request, connection, _ in flying:
            if how.end == "cut":
                wire.gives(connection, Read(0, b""), clock.now_ns())
                _read(pool, [connection])
            elif how.end != "clean" and request.record not in finished.records:
                request.fail(clock.now_ns(), how.end)
        pool.close()
    return sorted(finished.records, key=lambda record: record.index), gained(counters)


async def _connected(loop: asyncio.AbstractEventLoop, pool: Pool) -> Connection:
    opened: asyncio.Future[Connection] = loop.create_future()
    pool.open(opened.set_result, lambda kind, message: opened.set_exception(OSError(message)))
    return await opened


def _read(pool: Pool, connections: list[Connection]) -> None:
    pool.read_loop.batch_reader.read([connection.buffer for connection in connections if connection.buffer])


class Wire:
    """What the next read of each socket gives."""

    def __init__(self) -> None:
        self._gives: dict[socket.socket, object] = {}

    def gives(self, connection: Connection, read: Read, now_ns: int) -> None:
        ago_ns = read.stamped_ago_ns
        stamped = [(1, 35, struct.pack("ll", *divmod(now_ns - (ago_ns or 0), 1_000_000_000)))]
        assert connection.buffer is not None
        self._gives[connection.buffer.sock] = (read.data, [] if ago_ns is None else stamped, 0, None)

    def recvmsg(self, sock: socket.socket, size: int, room: int) -> object:
        return self._gives.pop(sock)


def _round(
    pool: Pool, wire: Wire, clock: ManualClock, flying: list[tuple[InFlightRequest, Connection, deque[Read]]]
) -> None:
    """One round: the next read of each stream that has one and is open."""
    ready: list[Connection] = []
    clock.advance_to(clock.now_ns() + max(reads[0].after_ns for _, _, reads in flying if reads))
    for _, connection, reads in flying:
        if not reads:
            continue
        read = reads.popleft()
        if connection.closed:
            reads.clear()
            continue
        if read.settle_before:
            connection.flush()
        if read.data:
            wire.gives(connection, read, clock.now_ns())
            ready.append(connection)
    _read(pool, ready)


def event(value: object) -> bytes:
    return sse(json.dumps(value))


def counted_token_event(n: int, *, text: str = " a", ids: list[int] | None = None) -> bytes:
    return event(
        {
            "choices": [{"index": 0, "text": text, "finish_reason": None, "token_ids": ids}],
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
    b'data: {"choices":\n[{"index":0,"text":"a","finish_reason":null}]}\n\n',
    b'data: {"choices":[{"index":0,"text":"a\nb","finish_reason":null}]}\n\n',
    b"data: [DONE]\n\n",
    b"event: error\ndata: {}\n\n",
    sse(token(finish="abort")),
    counted_token_event(7),
    counted_token_event(3, text=""),
    counted_token_event(4, ids=[1, 2]),
]


def a_stream(rng: random.Random, *, chunk_counts: bool) -> list[Read]:
    """Events of one stream, nearly each a chunk and a read of its own; some chunks and reads cut anywhere."""
    tokens = rng.randrange(2, 90)
    events = [
        counted_token_event(n + 1, ids=rng.choice([None, [n]])) if chunk_counts else sse(token())
        for n in range(tokens)
    ]
    for _ in range(rng.choice([0, 0, 1, 3])):
        events.insert(rng.randrange(len(events)), rng.choice(ODD))
    if rng.random() < 0.8:
        events += [sse(token(finish="length")), sse(usage(8, tokens + 1)), b"data: [DONE]\n\n"]
    pieces = _cut(rng, events)
    ends_well = rng.random() < 0.9
    chunks = [chunked(piece, end=False) for piece in pieces] + [b"0\r\n\r\n"] * ends_well
    return [
        Read(
            rng.choice([10, 999, 10_000_123, rng.randrange(20_000_000)]) + 10,
            data,
            None if rng.random() < 0.03 else rng.randrange(10),
            rng.random() < 0.05,
        )
        for data in _cut(rng, chunks)
    ]


def _cut(rng: random.Random, parts: list[bytes]) -> list[bytes]:
    """The same bytes, nearly always cut where they were."""
    whole = b"".join(parts)
    ends = itertools.accumulate(map(len, parts))
    kept = [at for at in ends if rng.random() < 0.97]
    extra = [rng.randrange(len(whole)) for _ in range(rng.choice([0, 0, 2]))]
    return [whole[start:end] for start, end in itertools.pairwise(sorted({0, *kept, *extra, len(whole)}))]


@pytest.mark.slow
@pytest.mark.parametrize("chunk_counts", [False, True])
@pytest.mark.parametrize("one_token_chunks", [False, True])
def test_any_streams_cut_anywhere_give_the_same_records_and_tick_together_or_singly(
    chunk_counts: bool, one_token_chunks: bool
) -> None:
    rng = random.Random(20261121)
    for _ in range(150):
        streams = [a_stream(rng, chunk_counts=chunk_counts) for _ in range(rng.choice([1, 2, 5]))]
        end = rng.choice(["cut", "cut", "gap_timeout"])
        how = How(end, chunk_counts, one_token_chunks, rng.choice([1, 1, 4, 30]))
        together, singly = told_together(streams, how), told_singly(streams, how)
        assert len(together[0]) == len(streams)
        assert together[0] == singly[0]
        # When a sketch was added to is nobody's business, nor is by whom: its counts are.
        assert msgspec.to_builtins(together[1]) == msgspec.to_builtins(singly[1])


def tokens_read(times_ns: list[int], *more: Read) -> list[Read]:
    """A token event at each of these times, in chunks and reads of their own."""
    gaps = [b - a for a, b in itertools.pairwise([1_001, *times_ns])]
    return [Read(gap_ns, chunked(sse(token()), end=False)) for gap_ns in gaps] + list(more)


def counted_calls(sizes: list[int]) -> BatchDecode:
    """Understands, and notes of how many reads at once."""
    decode_batch = batch_decoder(_COMPLETIONS, chunk_counts=False)

    def counting(reads: list[bytes]) -> list[object]:
        sizes.append(len(reads))
        return decode_batch(reads)

    return counting


def test_each_token_of_reads_told_together_keeps_its_own_time() -> None:
    times_ns = [10_000_000, 20_000_700, 31_000_000, 47_000_000]
    reads = tokens_read(times_ns, Read(13_000_000, chunked(sse(token(finish="length")), sse("[DONE]"))))
    [record], tick = told_together([reads], How())
    assert record.error is None
    assert record.first_token_ns == 10_000_000
    assert record.last_token_ns == 60_000_000
    assert record.gaps_us == [10_000, 11_000, 16_000, 13_000]
    assert (tick.chunks, tick.reads, tick.kernel_reads, tick.coalesced_reads) == (5, 5, 5, 0)


def test_reads_are_held_and_understood_in_one_go_over_the_streams_of_a_round() -> None:
    sizes: list[int] = []
    streams = [tokens_read([10_000_000 * (n + 1) for n in range(6)]) for _ in range(4)]
    records, _ = told(streams, How(end="cut"), counted_calls(sizes))
    # The first token of each stream is taken in at once, the others of all streams by rounds.
    assert sizes == [4] * 5
    assert [record.chunks for record in records] == [6] * 4


def test_what_is_held_is_told_at_the_latest_when_there_is_much_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    told_sizes: list[int] = []
    on_token_events = InFlightRequest.on_token_events

    def counting(self: InFlightRequest, events: list[object], *rest: object) -> None:
        told_sizes.append(len(events))
        on_token_events(self, events, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(InFlightRequest, "on_token_events", counting)
    monkeypatch.setattr(batch_reader, "TOLD_AT_ONCE", 8)
    [record], _ = told_together([tokens_read([10_000_000 * (n + 1) for n in range(20)])], How(end="cut"))
    assert told_sizes == [8, 8, 3]
    assert record.chunks == 20


def test_an_odd_read_in_a_round_spares_the_others_and_keeps_its_place() -> None:
    token_event = tokens_read([10_000_000, 20_000_000, 30_000_000])
    odd = tokens_read(
        [10_000_000, 20_000_000], Read(10_000_000, chunked(sse(token(finish="abort")), end=False))
    )
    sizes: list[int] = []
    records, _ = told([token_event, odd, token_event], How(end="cut"), counted_calls(sizes))
    # All three at once, twice; then in halves, since one of them is not a token event.
    assert sizes == [3, 3, 1, 2, 1, 1]
    assert [record.chunks for record in records] == [3, 2, 3]
    assert [record.gaps_us for record in records] == [[10_000, 10_000], [10_000], [10_000, 10_000]]
    assert [record.error and record.error.kind for record in records] == [
        "cut_mid_stream",
        "aborted",
        "cut_mid_stream",
    ]


def test_a_body_beyond_the_limit_fails_once_it_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_flight, "BODY_BYTES_MAX", len(sse(token())) * 3)
    [record], tick = told_together([tokens_read([10_000_000 * (n + 1) for n in range(9)])], How(end="cut"))
    assert record.error is not None
    assert record.error.kind == "body_too_large"
    assert tick.failed == 1


_CHUNK = chunked(sse(token()), end=False)
_SIZE_LINE, _, _REST = _CHUNK.partition(b"\r\n")


@pytest.mark.parametrize(
    "read",
    [
        pytest.param(b"%x\r\n%s" % (int(_SIZE_LINE, 16) + 1, _REST), id="the chunk goes on"),
        pytest.param(b"%x\r\n%s" % (int(_SIZE_LINE, 16) - 1, _REST), id="the chunk ends before"),
        pytest.param(b"%s;a=b\r\n%s" % (_SIZE_LINE, _REST), id="a chunk extension"),
        pytest.param(_CHUNK + _CHUNK, id="two chunks"),
        pytest.param(_REST, id="the rest of a chunk"),
        pytest.param(chunked(sse(token()) * 2, end=False), id="two events"),
        pytest.param(chunked(b": ping\n\n" + sse(token()), end=False), id="a comment before"),
        pytest.param(chunked(sse(token("y" * 5000)), end=False), id="very long"),
    ],
)
def test_a_read_that_is_not_one_chunk_with_one_event_is_no_token_read(read: bytes) -> None:
    decode_batch = batch_decoder(_COMPLETIONS, chunk_counts=False)
    assert decode_batch([_CHUNK]) == [None]
    assert decode_batch([read]) == []
    assert decode_batch([_CHUNK, read]) == []


def test_a_part_of_a_chunk_that_looks_like_a_chunk_is_none() -> None:
    # "41" and what follows are data here: a line without a field, which a server may send, and an event.
    inside = sse(token()) + _CHUNK
    wire = chunked(sse(token()), inside, sse(token(finish="length")), sse("[DONE]"))
    at = [wire.index(inside) + len(sse(token())), wire.index(inside) + len(inside)]
    first = len(chunked(sse(token()), end=False))
    reads = [Read(10_000_000, wire[a:b]) for a, b in itertools.pairwise([0, first, *at, len(wire)])]
    together, singly = told_together([reads], How()), told_singly([reads], How())
    assert together == singly
    assert together[0][0].error is None
    assert together[0][0].chunks == 4


def test_a_read_buffer_that_was_closed_tells_nothing() -> None:
    class Nobody:
        def on_read(self, *what: object) -> None:
            raise AssertionError(what)

        on_token_events = on_lost = on_read

    left, right = socket.socketpair()
    with left, right:
        buffer = ReadBuffer(left, Nobody())
        buffer.times_ns.append(1)
        buffer.open = False
        buffer.flush()
        buffer.deliver(b"x", 2, True)
        buffer.lose(OSError())


def test_many_stamps_are_translated_as_each_would_be() -> None:
    rng = random.Random(20261121)
    reader = TimedReader(ManualClock())
    for _ in range(500):
        read_ns = sorted(rng.randrange(20_000_000_000, 21_000_000_000) for _ in range(rng.randrange(1, 9)))
        odd = rng.random() < 0.5
        away = [0, 1, 700_000] + [-1, -900_000, -2_000_000, 6_000_000_000] * odd
        stamps = [
            b""
            if odd and rng.random() < 0.1
            else struct.pack("ll", *divmod(at - rng.choice(away), 1_000_000_000))
            for at in read_ns
        ]
        singly = [reader.time_of(stamp, at) for stamp, at in zip(stamps, read_ns, strict=True)]
        together = reader.times_of(stamps, read_ns)
        assert together in ([], [t_ns for t_ns, _ in singly])
        assert bool(together) or odd
        assert not together or all(by_kernel for _, by_kernel in singly)


def test_a_request_that_is_given_up_has_all_that_was_read_for_it() -> None:
    reads = tokens_read([10_000_000 * (n + 1) for n in range(5)])
    [record], tick = told_together([reads], How(end="gap_timeout", rounds_at_once=30))
    assert record.error is not None
    assert record.error.kind == "gap_timeout"
    assert (record.chunks, tick.chunks) == (5, 5)
