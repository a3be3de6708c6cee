"""An answer that is over though its stream stays open: it ends after a short grace, well, and its connection goes."""

from __future__ import annotations

import asyncio

import pytest

from loadgen.arrivals.load import ClosedLoad
from loadgen.worker.engine import Engine
from loadgen.worker_config import Deadlines, Finish
from tests.loadgen.raw_server import HEAD, RawServer, Step, chunked, sse, token, usage
from tests.loadgen.worker.engine_runs import Emitted, run, run_engine, worker_config

SOON = Deadlines(after_done_s=0.1, after_finish_s=0.4)
OTHER = '{"choices":[{"index":1,"text":"y","finish_reason":null}]}'
FOR_EVER = 100


def part(*events: str) -> bytes:
    return chunked(sse(*events), end=False)


def beaten(beat: bytes, *, every_s: float = 0.05, times: int = FOR_EVER) -> list[Step]:
    return [*[every_s, chunked(beat, end=False)] * times, 60.0]


COMMENT = b": heartbeat\n\n"
OVER: list[tuple[str, list[Step], list[str]]] = [
    ("silence behind [DONE]", [part(token(), token(finish="stop"), "[DONE]"), 60.0], ["left_open"]),
    ("comments behind [DONE]", [part(token(), token(finish="stop"), "[DONE]"), *beaten(COMMENT)], ["left_open"]),
    ("silence behind a finish reason", [part(token(), token(finish="stop")), 60.0], ["left_open", "no_done"]),
    ("comments behind a finish reason", [part(token(), token(finish="stop")), *beaten(COMMENT)], ["left_open", "no_done"]),
    ("events that say nothing", [part(token(), token(finish="stop")), *beaten(sse('{"choices":[]}'))], ["left_open", "no_done"]),
    ("events of another name", [part(token(), token(finish="stop")), *beaten(b"event: ping\ndata: {}\n\n")], ["left_open", "no_done"]),
    ("[DONE] without a finish reason", [part(token(), token(), "[DONE]"), *beaten(COMMENT)], ["left_open", "no_finish_reason"]),
    ("[DONE] without a blank line", [part(token(), token(finish="stop")), chunked(b"data: [DONE]\n", end=False), 60.0], ["unterminated_event", "left_open"]),
]  # fmt: skip


@pytest.mark.parametrize(("script", "flags"), [row[1:] for row in OVER], ids=[row[0] for row in OVER])
def test_an_answer_that_is_over_is_a_success_though_its_stream_stays_open(
    script: list[Step], flags: list[str]
) -> None:
    emitted, server = run(lambda n, b: [HEAD, *script], requests=2, load=ClosedLoad(1), deadlines=SOON)
    assert emitted.errors() == {}
    assert [(r.chunks, r.error, r.flags) for r in emitted.requests] == [(2, None, flags)] * 2
    assert server.connections == 2, "one whose body has not ended carries no other request"
    assert [note.event for note in emitted.notes if note.event == "left_open"] == ["left_open"]
    for record in emitted.requests:
        # The grace is nobody's time: the answer ended when its last word was said.
        assert record.last_token_ns is not None
        assert record.last_token_ns <= record.end_ns < record.last_token_ns + 100_000_000


@pytest.mark.parametrize(
    ("script", "want"),
    [
        ([part(token(), token(finish="stop")), 0.2, part(usage(8, 5)), 60.0], (2, 5)),
        ([part(token(), token(finish="stop")), 0.2, part(usage(8, 5), "[DONE]"), 60.0], (2, 5)),
        ([part(token(), token(finish="stop")), *[0.2, part(OTHER)] * 4, part(usage(8, 5)), 60.0], (2, 5)),
    ],
    ids=["usage alone", "usage and [DONE]", "another choice still under way"],
)
def test_what_may_follow_a_finish_reason_is_waited_for(script: list[Step], want: tuple[int, int]) -> None:
    emitted, _ = run(lambda n, b: [HEAD, *script], requests=1, deadlines=SOON)
    [record] = emitted.requests
    assert record.error is None
    assert (record.chunks, record.output_tokens) == want


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        ([part(token(), '{"error":{"message":"boom"}}'), *beaten(COMMENT)], "server_stream_error"),
        ([part("[DONE]"), *beaten(COMMENT)], "no_tokens"),
        ([part(token(), token(finish="abort")), *beaten(COMMENT)], "aborted"),
    ],
)
def test_a_failure_that_was_said_is_that_failure_though_its_stream_stays_open(
    script: list[Step], kind: str
) -> None:
    emitted, _ = run(lambda n, b: [HEAD, *script], requests=1, deadlines=SOON)
    assert emitted.errors() == {kind: 1}


def test_an_answer_that_is_not_over_still_waits_for_its_gap() -> None:
    deadlines = Deadlines(after_done_s=0.0, after_finish_s=0.0, gap_s=0.5)
    emitted, _ = run(lambda n, b: [HEAD, part(token(), token()), 60.0], requests=1, deadlines=deadlines)
    assert emitted.errors() == {"gap_timeout": 1}


def test_the_end_of_a_run_cuts_off_no_answer_that_is_over() -> None:
    async def body() -> Emitted:
        async with RawServer(lambda n, b: [HEAD, part(token(), token(finish="stop")), 60.0]) as server:
            config = worker_config(server.port, ClosedLoad(1), requests=1)

            async def finish_at_once(engine: Engine, emitted: Emitted) -> None:
                while not any(request.over_ns for request in engine._in_flight):
                    await asyncio.sleep(0)
                engine.command(Finish(0.0))

            return await run_engine(config, finish_at_once)

    emitted = asyncio.run(body())
    assert [(r.error, r.flags) for r in emitted.requests] == [(None, ["left_open", "no_done"])]
