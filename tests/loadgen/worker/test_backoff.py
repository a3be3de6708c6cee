"""Backing off: when the next request may be sent to a server that was not reached."""

from __future__ import annotations

from loadgen.worker.backoff import BackOff

MS = 1_000_000


def test_it_waits_longer_with_each_failure_up_to_two_seconds_and_not_at_all_once_it_is_over() -> None:
    back_off = BackOff()
    assert (back_off.active, back_off.sendable_ns) == (False, 0)
    waits_ms, now_ns = [], 0
    for _ in range(7):
        back_off.failed(now_ns)
        assert back_off.sendable_ns is not None
        waits_ms.append((back_off.sendable_ns - now_ns) // MS)
        now_ns = back_off.sendable_ns
    assert waits_ms == [100, 200, 400, 800, 1600, 2000, 2000]
    back_off.reached()
    assert (back_off.active, back_off.sendable_ns) == (False, 0)


def test_while_one_request_tries_nobody_knows_when_the_others_may() -> None:
    back_off = BackOff()
    back_off.trying(True)
    assert back_off.sendable_ns == 0  # the server was never found unreachable
    back_off.failed(0)
    assert back_off.sendable_ns is None
    assert back_off.forbids(500 * MS)
    back_off.trying(False)
    assert back_off.sendable_ns == 100 * MS
    assert (back_off.forbids(100 * MS - 1), back_off.forbids(100 * MS)) == (True, False)
