"""Requests that fail for want of something on this machine: the client is the limit, never the server."""

from __future__ import annotations

from typing import Any

import pytest

from loadgen.errors import CLIENT_KINDS, ERROR_KINDS
from loadgen.records import TICK_NS, Tick
from sessions.bottleneck.evidence_by_second import evidence
from sessions.bottleneck.rules import bottleneck_of
from sessions.store.records import LoadChange
from sessions.timeline.timeline import Timeline

S = 1_000_000_000


def limits(kind: str, failed: int, workers: int = 1) -> list[tuple[str, str]]:
    """From 1 s to 12 s; between 5 s and 8 s `failed` of 10 requests a tick and worker fail by `kind`."""
    records: list[Any] = [LoadChange(t_ns=0, change="start", rate_rps=40.0 * workers)]
    for i in range(1, 49):
        broken = failed if 5 * S < i * TICK_NS <= 8 * S else 0
        records += [
            Tick(
                t_ns=i * TICK_NS, dt_ns=TICK_NS, worker=worker, due=10, sent=10, succeeded=10 - broken,
                failed=broken, errors={kind: broken} if broken else {}, output_tokens=100, in_flight=3, rate_rps=40.0 * workers,
            )
            for worker in range(workers)
        ]  # fmt: skip
    timeline = Timeline()
    for record in records:
        timeline.apply(record)
    return [tuple(bottleneck_of(second)) for second in evidence(timeline, 1, 12)]  # type: ignore[misc]


@pytest.mark.parametrize("kind", sorted(CLIENT_KINDS))
def test_the_client_is_the_limit_and_the_line_says_what_it_lacks(kind: str) -> None:
    found = limits(kind, 5)
    assert [name for name, _ in found[:4]] == ["unknown"] * 4
    # Second 5 is the first in which they fail; means are of 3 s.
    assert found[7 - 1] == ("client", f"50 % of requests fail: {ERROR_KINDS[kind]}")
    assert [name for name, _ in found[4:9]] == ["client"] * 5
    assert found[-1][0] == "unknown"


def test_of_several_workers_all_failures_count() -> None:
    assert limits("no_ports", 5, workers=3)[6][1].startswith("50 % of requests fail: this machine")


def test_few_failures_of_the_client_are_no_limit() -> None:
    assert all(name == "unknown" for name, _ in limits("no_ports", 1))


@pytest.mark.parametrize("kind", ["connect_refused", "http_500", "connect_timeout"])
def test_what_the_server_does_stays_the_servers(kind: str) -> None:
    assert limits(kind, 5)[6][0] == "server"
