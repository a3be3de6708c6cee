"""Connections are kept and used again; what is sent into one that dies is sent again once."""

from __future__ import annotations

from loadgen.arrivals.load import ClosedLoad
from tests.loadgen.raw_server import (
    FIN,
    Step,
    good,
)
from tests.loadgen.worker.engine_runs import run


def test_connections_are_kept_and_used_again() -> None:
    emitted, server = run(lambda n, body: good(), requests=30, load=ClosedLoad(2))
    assert server.connections == 2
    assert emitted.total("connects") == 2
    assert sum(r.connect_ns is not None for r in emitted.requests) == 2


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
