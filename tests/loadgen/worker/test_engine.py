"""The engine over real sockets: each request is recorded with its times, and ticks count all of them."""

from __future__ import annotations

import numpy as np
import pytest

from loadgen.arrivals.load import ClosedLoad, OpenLoad
from loadgen.arrivals.rate_curve import steady
from loadgen.sketch import value_ns
from tests.loadgen.raw_server import (
    HEAD,
    RawServer,
    Step,
    chunked,
    good,
    sse,
    token,
    usage,
)
from tests.loadgen.worker.engine_runs import Emitted, run, run_engine, worker_config

S = 1_000_000_000


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
                worker_config(server.port, end_ns=5 * S, load=OpenLoad("constant", [steady(0, 10.0)]))
            )

    loop = uvloop.new_event_loop()
    try:
        emitted = loop.run_until_complete(body())
    finally:
        loop.close()
    skipped = [tick.t_ns for tick in emitted.ticks if tick.dt_ns > 250_000_000]
    # a machine that stops for a quarter of a second may cost one; the early bell cost a third of them
    assert len(skipped) <= 1


def test_several_tokens_in_a_chunk_are_weighed_by_the_servers_own_counts() -> None:
    def counted(text: str, total: int, finish: str = "null") -> str:
        return (
            f'{{"choices":[{{"index":0,"text":"{text}","finish_reason":{finish}}}],'
            f'"usage":{{"prompt_tokens":8,"completion_tokens":{total}}}}}'
        )

    # 1 token, then 4 in one chunk; the finish chunk counts one that it does not show, the usage chunk repeats it
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
    assert (record.chunks, record.chunk_tokens, record.output_tokens) == (2, [1, 4], 6)
    assert record.hidden_tokens == 1
    itl = [pair for tick in emitted.ticks for pair in tick.itl]
    assert sum(itl[1::2]) == 4
    assert emitted.total("output_tokens") == 5


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


@pytest.mark.usefixtures("kernel_stamps")
def test_reads_carry_kernel_stamps_on_linux_loopback() -> None:
    emitted, _ = run(lambda n, b: [HEAD, 0.02, *good(4)[1:]], requests=30)
    assert emitted.total("reads") > 0
    assert emitted.total("kernel_reads") > 0.8 * emitted.total("reads")
