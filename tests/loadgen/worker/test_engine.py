"""The engine over real sockets: what is due is sent, counted and recorded, whatever the server does."""

from __future__ import annotations

import asyncio
import socket

import numpy as np
import pytest

from loadgen.arrivals.schedule import steady
from loadgen.sketch import value_ns
from loadgen.worker.engine import Engine, share
from loadgen.worker_config import ClosedLoad, Deadlines, Finish, OpenLoad, SetConcurrency, SetCurve
from tests.loadgen.raw_server import (
    FIN,
    HEAD,
    RST,
    RawServer,
    Script,
    Step,
    chunked,
    good,
    sse,
    token,
    usage,
)
from tests.loadgen.worker.engine_runs import Emitted, plan, run_engine

S = 1_000_000_000


def run(script: Script, **changes: object) -> tuple[Emitted, RawServer]:
    async def body() -> tuple[Emitted, RawServer]:
        async with RawServer(script) as server:
            return await run_engine(plan(server.port, **changes)), server  # type: ignore[arg-type]

    return asyncio.run(body())


def test_a_run_of_n_requests_sends_n_and_records_each_with_ordered_times() -> None:
    emitted, server = run(lambda n, body: good(5), requests=20)
    assert sorted(r.index for r in emitted.requests) == list(range(20))
    assert len(server.bodies) == len(set(server.bodies)) == 20
    for record in emitted.requests:
        assert record.error is None
        assert record.due_ns <= record.sent_ns <= record.headers_ns <= record.first_token_ns  # type: ignore[operator]
        assert record.first_token_ns <= record.last_token_ns <= record.end_ns  # type: ignore[operator]
        assert (record.chunks, record.output_tokens, record.input_tokens) == (5, 5, 8)
        assert (record.token_source, record.finish_reason, record.status) == ("usage", "length", 200)
        assert len(record.gaps_us) == 4
        elapsed_us = (record.last_token_ns - record.first_token_ns) // 1000  # type: ignore[operator]
        assert abs(sum(record.gaps_us) - elapsed_us) <= 4
    assert emitted.total("due") == emitted.total("sent") == emitted.total("succeeded") == 20
    assert emitted.total("output_tokens") == 100


def test_ticks_hold_the_same_latencies_as_the_records_within_the_sketch() -> None:
    emitted, _ = run(lambda n, body: [HEAD, 0.02, *good(3)[1:]], requests=40)
    for name, exact in (
        ("ttft_from_due", [r.first_token_ns - r.due_ns for r in emitted.requests]),  # type: ignore[operator]
        ("ttft_from_sent", [r.first_token_ns - r.sent_ns for r in emitted.requests]),  # type: ignore[operator]
        ("chunk_gap", [gap * 1000 for r in emitted.requests for gap in r.gaps_us]),
    ):
        flat = [pair for tick in emitted.ticks for pair in getattr(tick, name)]
        values = [value_ns(b) for b, c in zip(flat[::2], flat[1::2], strict=True) for _ in range(c)]
        assert len(values) == len(exact)
        if name != "chunk_gap":
            assert np.median(values) == pytest.approx(np.median(exact), rel=0.021)


def test_ticks_end_on_whole_multiples_but_the_last_and_their_lengths_add_up() -> None:
    emitted, _ = run(lambda n, body: good(), requests=60)
    assert all(tick.t_ns % 250_000_000 == 0 for tick in emitted.ticks[:-1])
    assert sum(tick.dt_ns for tick in emitted.ticks) == emitted.ticks[-1].t_ns
    assert len(emitted.ticks) >= 3


def test_no_tick_is_skipped_on_a_loop_that_rings_early() -> None:
    uvloop = pytest.importorskip("uvloop")

    async def body() -> Emitted:
        async with RawServer(lambda n, b: good()) as server:
            return await run_engine(
                plan(server.port, end_ns=5 * S, load=OpenLoad("constant", [steady(0, 10.0)]))
            )

    loop = uvloop.new_event_loop()
    try:
        emitted = loop.run_until_complete(body())
    finally:
        loop.close()
    skipped = [tick.t_ns for tick in emitted.ticks if tick.dt_ns > 250_000_000]
    # a machine that stops for a quarter of a second may cost one; the early bell cost a third of them
    assert len(skipped) <= 1


def test_connections_are_kept_and_used_again() -> None:
    emitted, server = run(lambda n, body: good(), requests=30, load=ClosedLoad(2))
    assert server.connections == 2
    assert emitted.total("connects") == 2
    assert sum(r.connect_ns is not None for r in emitted.requests) == 2


def test_beyond_the_cap_the_due_wait_and_are_sent_when_there_is_room() -> None:
    emitted, server = run(
        lambda n, body: [0.05, *good()],
        requests=12,
        max_in_flight=3,
        load=OpenLoad("constant", [steady(0, 500.0)]),
    )
    assert server.connections == 3
    assert emitted.total("due") == emitted.total("sent") == 12
    assert emitted.total("not_sent") == 0
    late = [r for r in emitted.requests if r.sent_ns - r.due_ns > 20_000_000]  # type: ignore[operator]
    assert len(late) >= 6
    # waiting for the cap is the load's doing, not the instrument's: it is no send lag
    lags = [c for tick in emitted.ticks for c in tick.send_lag[1::2]]
    assert sum(lags) == 3


def test_with_a_server_that_never_answers_due_is_sent_plus_not_sent() -> None:
    async def body() -> Emitted:
        async with RawServer(lambda n, b: [60.0]) as server:
            a_plan = plan(
                server.port,
                OpenLoad("constant", [steady(0, 10.0)]),
                max_in_flight=5,
                end_ns=950_000_000,
            )

            async def during(engine: Engine, emitted: Emitted) -> None:
                await asyncio.sleep(1.1)
                engine.command(Finish(0.0))

            return await run_engine(a_plan, during)

    emitted = asyncio.run(body())
    assert [emitted.total(name) for name in ("due", "sent", "not_sent", "failed")] == [10, 5, 5, 5]
    assert emitted.errors() == {"unfinished": 5}
    assert all(r.first_token_ns is None for r in emitted.requests)


def test_a_stale_connection_is_opened_again_once_and_is_no_error() -> None:
    # every second answer is followed by a silent close, as llama.cpp does
    def script(number: int, body: bytes) -> list[Step]:
        return [*good(), FIN] if number % 2 else good()

    emitted, server = run(script, requests=40, load=ClosedLoad(1))
    assert len(server.bodies) == 40
    assert emitted.total("failed") == 0
    assert all(r.error is None for r in emitted.requests)


def test_a_reused_connection_that_dies_without_an_answer_is_sent_again_once() -> None:
    emitted, server = run(lambda n, b: [FIN] if n == 1 else good(), requests=2, load=ClosedLoad(1))
    assert [r.error for r in emitted.requests] == [None, None]
    assert emitted.requests[1].stale_retries == 1
    assert emitted.total("stale_retries") == 1
    assert server.bodies[1] == server.bodies[2]
    second = emitted.requests[1]
    assert second.connect_ns is not None
    assert second.sent_ns > second.due_ns  # type: ignore[operator]


def test_connections_that_mostly_die_when_used_again_are_used_once_each() -> None:
    # the next request is on its way when the connection closes, as with llama.cpp's server
    emitted, server = run(lambda n, b: [*good(), 0.005, FIN], requests=60, load=ClosedLoad(1))
    assert emitted.total("failed") == 0
    assert emitted.total("stale_retries") == 8
    assert [note.event for note in emitted.notes].count("no_reuse") == 1
    assert all(r.connect_ns is not None for r in emitted.requests)
    assert server.connections == 60


def test_a_rare_stale_connection_does_not_end_the_use_of_others() -> None:
    emitted, server = run(lambda n, b: [FIN] if n == 20 else good(), requests=60, load=ClosedLoad(1))
    assert emitted.total("stale_retries") == 1
    assert server.connections == 2
    assert "no_reuse" not in [note.event for note in emitted.notes]


def test_a_fresh_connection_that_dies_without_an_answer_is_a_failure() -> None:
    emitted, _ = run(lambda n, b: [FIN], requests=1)
    assert emitted.errors() == {"cut_mid_stream": 1}


BROKEN: list[tuple[str, list[Step], str]] = [
    ("reset in the middle", [HEAD, chunked(sse(token()), end=False), 0.02, RST], "cut_mid_stream"),
    ("closed in the middle", [HEAD, chunked(sse(token()), end=False), FIN], "cut_mid_stream"),
    ("short content-length", [b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 999\r\n\r\n", sse(token()), FIN], "cut_mid_stream"),
    ("error after 200", [HEAD, chunked(sse(token(), '{"error":{"message":"boom","code":500}}', "[DONE]"))], "server_stream_error"),
    ("no token at all", [HEAD, chunked(sse("[DONE]"))], "no_tokens"),
    ("role chunk only", [HEAD, chunked(sse('{"choices":[{"index":0,"text":"","finish_reason":null}]}', "[DONE]"))], "no_tokens"),
    ("no finish, no DONE", [HEAD, chunked(sse(token(), token()))], "truncated"),
    ("abort", [HEAD, chunked(sse(token(), token(finish="abort"), "[DONE]"))], "aborted"),
    ("json, not a stream", [b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}'], "not_sse"),
    ("500", [b"HTTP/1.1 500 Oops\r\ncontent-length: 4\r\n\r\nboom"], "http_500"),
    ("429", [b"HTTP/1.1 429 Busy\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n"], "rejected"),
    ("503", [b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n"], "rejected"),
    ("redirect is not followed", [b"HTTP/1.1 307 Go\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n"], "http_307"),
    ("not HTTP", [b"SSH-2.0-OpenSSH\r\n"], "bad_response"),
    ("huge header", [b"HTTP/1.1 200 OK\r\nx: " + b"a" * 200_000 + b"\r\n\r\n"], "bad_response"),
]  # fmt: skip


@pytest.mark.parametrize(("script", "kind"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN])
def test_a_broken_answer_is_a_failure_of_its_own_kind(script: list[Step], kind: str) -> None:
    emitted, _ = run(lambda n, b: script, requests=2)
    assert emitted.errors() == {kind: 2}
    assert emitted.total("succeeded") == 0
    assert [r.error.kind for r in emitted.requests if r.error] == [kind, kind]


FINE: list[tuple[str, list[Step]]] = [
    ("no DONE but a finish reason", [HEAD, chunked(sse(token(), token(finish="stop")))]),
    ("close-delimited", [b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n", sse(token(), token(finish="stop"), "[DONE]"), FIN]),
    ("HTTP/1.0", [b"HTTP/1.0 200 OK\r\ncontent-type: text/event-stream\r\n\r\n", sse(token(), token(finish="stop"), "[DONE]"), FIN]),
    ("100 and 103 first", [b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n", *good(2)]),
    ("chunk extensions", [HEAD, b"5;ext=1\r\ndata:\r\n", b"%x\r\n %s\n\n\r\n" % (len(token()) + 3, token().encode()), chunked(sse(token(finish="stop")))]),
    ("content-length", [b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ncontent-length: %d\r\n\r\n" % len(sse(token(), token(finish="stop"), "[DONE]")), sse(token(), token(finish="stop"), "[DONE]")]),
    ("cut after DONE", [HEAD, chunked(sse(token(), token(finish="stop"), "[DONE]"), end=False), 0.01, FIN]),
    ("comments between", [HEAD, chunked(b": ping\n\n", sse(token()), b":\n\n", sse(token(finish="stop"), "[DONE]"))]),
    ("one byte at a time", [HEAD, *[b"1\r\n%c\r\n" % byte for byte in sse(token(), token(finish="stop"), "[DONE]")], b"0\r\n\r\n"]),
]  # fmt: skip


@pytest.mark.parametrize("script", [row[1] for row in FINE], ids=[row[0] for row in FINE])
def test_an_odd_but_complete_answer_is_a_success_with_two_tokens(script: list[Step]) -> None:
    emitted, _ = run(lambda n, b: script, requests=2)
    assert emitted.errors() == {}
    assert [(r.chunks, r.error) for r in emitted.requests] == [(2, None), (2, None)]


def test_several_tokens_in_a_chunk_are_weighed_by_the_servers_own_counts() -> None:
    def counted(text: str, total: int, finish: str = "null") -> str:
        return (
            f'{{"choices":[{{"index":0,"text":"{text}","finish_reason":{finish}}}],'
            f'"usage":{{"prompt_tokens":8,"completion_tokens":{total}}}}}'
        )

    # 1 token, then 4 in one chunk, then one whose text is not complete yet, then the usage chunk
    steps: list[Step] = [
        HEAD,
        chunked(sse(counted("a", 1)), end=False),
        0.03,
        chunked(sse(counted("bcde", 5)), end=False),
        0.03,
        chunked(sse(counted("", 6, '"length"')), sse(usage(8, 6)), sse("[DONE]")),
    ]
    emitted, _ = run(lambda n, b: steps, requests=1, chunk_counts=True)
    record = emitted.requests[0]
    assert record.error is None
    assert (record.chunks, record.chunk_tokens, record.output_tokens) == (3, [1, 4, 1], 6)
    itl = [pair for tick in emitted.ticks for pair in tick.itl]
    assert sum(itl[1::2]) == 5
    assert emitted.total("output_tokens") == 6


def test_chunks_without_counts_are_never_called_itl_when_probes_saw_several_tokens_in_one() -> None:
    emitted, _ = run(lambda n, b: good(4), requests=3, one_token_chunks=False)
    assert not any(tick.itl for tick in emitted.ticks)
    assert sum(c for tick in emitted.ticks for c in tick.chunk_gap[1::2]) == 9


def test_requests_whose_usage_tells_of_more_tokens_than_chunks_are_counted_as_without_itl() -> None:
    def script(number: int, body: bytes) -> list[Step]:
        tokens = 5 if number % 2 else 4
        return [*good(4)[:-1], chunked(sse(token(finish="length")), sse(usage(8, tokens)), sse("[DONE]"))]

    emitted, _ = run(script, requests=6, load=ClosedLoad(1))
    assert emitted.total("itl_unknown") == sum(r.output_tokens != r.chunks for r in emitted.requests) == 3


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def test_a_refused_connection_backs_off_instead_of_making_thousands_of_failures() -> None:
    emitted = asyncio.run(
        run_engine(plan(free_port(), OpenLoad("constant", [steady(0, 1000.0)]), end_ns=1 * S))
    )
    assert emitted.total("due") == 1000
    assert emitted.total("sent") + emitted.total("not_sent") == 1000
    assert 1 <= emitted.total("failed") <= 15
    assert set(emitted.errors()) == {"connect_refused"}
    assert [note.event for note in emitted.notes] == ["started", "backing_off", "ended"]


def test_a_closed_loop_backs_off_from_a_dead_server_too() -> None:
    async def during(engine: Engine, emitted: Emitted) -> None:
        await asyncio.sleep(1.0)

    emitted = asyncio.run(run_engine(plan(free_port(), ClosedLoad(8)), during))
    assert 1 <= emitted.total("failed") <= 40


def test_a_closed_loop_does_not_hammer_a_server_that_fails_at_once() -> None:
    async def body() -> Emitted:
        async with RawServer(lambda n, b: [b"HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n"]) as server:

            async def during(engine: Engine, emitted: Emitted) -> None:
                await asyncio.sleep(1.0)

            return await run_engine(plan(server.port, ClosedLoad(4)), during)

    emitted = asyncio.run(body())
    assert 4 <= emitted.total("failed") <= 80


@pytest.mark.parametrize(
    ("script", "deadlines", "kind"),
    [
        ([60.0], Deadlines(headers_s=0.3), "headers_timeout"),
        ([HEAD, 60.0], Deadlines(first_token_s=0.3), "first_token_timeout"),
        ([HEAD, chunked(sse(token()), end=False), 60.0], Deadlines(gap_s=0.3), "gap_timeout"),
        ([60.0], Deadlines(total_s=0.3), "total_timeout"),
        ([HEAD, *[b":\n"] * 3, 60.0], Deadlines(first_token_s=0.3), "bad_response"),
    ],
)
def test_each_deadline_fails_a_request_with_its_own_kind(
    script: list[Step], deadlines: Deadlines, kind: str
) -> None:
    emitted, _ = run(lambda n, b: script, requests=1, deadlines=deadlines)
    assert emitted.errors() == {kind: 1}


def test_keep_alive_comments_stop_the_clock_of_the_gap_and_a_drip_without_a_line_does_not() -> None:
    first = [HEAD, chunked(sse(token()), end=False)]
    last = chunked(sse(token(finish="stop")), sse("[DONE]"))

    def paused(piece: bytes) -> list[Step]:
        return [*first, *[0.1, chunked(piece, end=False)] * 12, last]

    scripts = {0: paused(b": ping\n\n"), 1: paused(b":")}
    emitted, _ = run(lambda n, b: scripts[n], requests=2, deadlines=Deadlines(gap_s=0.5))
    assert emitted.errors() == {"gap_timeout": 1}
    assert [record.chunks for record in emitted.requests if record.error is None] == [2]


def test_a_live_change_of_rate_is_followed_from_its_instant_on() -> None:
    async def body() -> Emitted:
        async with RawServer(lambda n, b: good()) as server:
            a_plan = plan(server.port, OpenLoad("constant", [steady(0, 20.0)]), end_ns=2 * S)

            async def during(engine: Engine, emitted: Emitted) -> None:
                engine.command(SetCurve(S, [steady(S, 200.0)]))
                await asyncio.wait_for(engine.idle.wait(), 10)

            return await run_engine(a_plan, during)

    emitted = asyncio.run(body())
    due = sorted(r.due_ns for r in emitted.requests)
    assert len(due) == 20 + 200
    assert [t for t in due if t < S] == [k * S // 20 for k in range(20)]
    assert [t for t in due if t >= S] == [S + k * S // 200 for k in range(200)]


def test_stop_drops_the_backlog_and_hold_keeps_it() -> None:
    async def body(drop: bool) -> Emitted:
        async with RawServer(lambda n, b: [0.3, *good()]) as server:
            a_plan = plan(
                server.port, OpenLoad("constant", [steady(0, 100.0)]), max_in_flight=2, requests=1000
            )

            async def during(engine: Engine, emitted: Emitted) -> None:
                engine.command(SetCurve(S // 10, [steady(S // 10, 0.0)], drop))
                await asyncio.sleep(0.15)
                await asyncio.wait_for(_quiet(engine), 10)

            return await run_engine(a_plan, during)

    async def _quiet(engine: Engine) -> None:
        while engine._in_flight or engine._backlog:
            await asyncio.sleep(0.01)

    stopped, held = asyncio.run(body(True)), asyncio.run(body(False))
    assert stopped.total("due") == held.total("due") == 11
    assert (stopped.total("sent"), stopped.total("not_sent")) == (2, 9)
    assert (held.total("sent"), held.total("not_sent")) == (11, 0)


def test_concurrency_follows_a_live_change_up_and_down() -> None:
    async def body() -> Emitted:
        async with RawServer(lambda n, b: [0.02, *good()]) as server:

            async def during(engine: Engine, emitted: Emitted) -> None:
                engine.command(SetConcurrency(S // 2, 6))
                engine.command(SetConcurrency(S, 1))
                await asyncio.sleep(1.6)

            return await run_engine(plan(server.port, ClosedLoad(2)), during)

    emitted = asyncio.run(body())
    by_tick = {tick.t_ns: tick for tick in emitted.ticks}
    assert by_tick[S // 4].in_flight == 2
    assert by_tick[S // 4 * 3].in_flight == 6
    assert by_tick[S // 4 * 5].in_flight == 1
    assert [by_tick[t].concurrency for t in (S // 4, S // 4 * 3, S // 4 * 5)] == [2, 6, 1]


@pytest.mark.parametrize("total", [1, 2, 7, 64])
@pytest.mark.parametrize("workers", [1, 2, 3, 5])
def test_the_shares_of_all_workers_add_up(total: int, workers: int) -> None:
    shares = [share(total, worker, workers) for worker in range(workers)]
    assert sum(shares) == total
    assert max(shares) - min(shares) <= 1


def test_reads_carry_kernel_stamps_on_linux_loopback() -> None:
    emitted, _ = run(lambda n, b: [HEAD, 0.02, *good(4)[1:]], requests=30)
    assert emitted.total("reads") > 0
    assert emitted.total("kernel_reads") > 0.8 * emitted.total("reads")


def test_no_request_of_an_open_loop_is_sent_before_it_is_due_though_made_ready_ahead() -> None:
    load = OpenLoad("poisson", [steady(0, 400.0)])
    emitted, _ = run(lambda n, body: good(2), requests=150, load=load)
    assert len(emitted.requests) == 150
    assert all(r.sent_ns >= r.due_ns for r in emitted.requests)  # type: ignore[operator]
    assert emitted.errors() == {}


def test_the_next_connection_of_an_open_loop_is_opened_ahead_and_used() -> None:
    load = OpenLoad("constant", [steady(0, 50.0)])
    emitted, server = run(lambda n, body: [0.6, *good(2)], requests=12, load=load)
    # nothing could be used again while all answers were outstanding; the last one may have opened a spare
    assert all(r.connect_ns is not None for r in emitted.requests)
    assert 12 <= server.connections <= 13
    assert emitted.total("connects") == server.connections


def test_a_server_that_refuses_is_not_asked_for_connections_ahead_while_backing_off() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]

    async def body() -> Emitted:
        a_plan = plan(port, OpenLoad("constant", [steady(0, 100.0)]), end_ns=400_000_000)
        return await run_engine(a_plan)

    emitted = asyncio.run(body())
    assert emitted.total("due") == 40
    assert emitted.total("sent") + emitted.total("not_sent") == 40
    assert set(emitted.errors()) == {"connect_refused"}
