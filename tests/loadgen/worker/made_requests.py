"""Flights made by hand, and what a worker's tally says of them."""

from __future__ import annotations

from dataclasses import dataclass, field

from loadgen.endpoints import Endpoint
from loadgen.records import Request, Tick
from loadgen.target.redaction import Mask
from loadgen.worker.counters import Tally
from loadgen.worker.in_flight import Flight


@dataclass
class Landed:
    """Keeps the records of requests that are over."""

    records: list[Request] = field(default_factory=list)

    def landed(self, flight: Flight) -> None:
        self.records.append(flight.record)

    def stale(self, flight: Flight) -> None:
        raise AssertionError("nothing is stale here")


def flight_of(
    endpoint: Endpoint,
    tally: Tally,
    landed: Landed,
    *,
    index: int = 0,
    chunk_counts: bool,
    one_token_chunks: bool = True,
) -> Flight:
    """A request due at 0, not yet sent."""
    return Flight(
        Request(index=index, worker=0, due_ns=0),
        b"",
        endpoint,
        tally,
        landed,
        mask=Mask(""),
        chunk_counts=chunk_counts,
        one_token_chunks=one_token_chunks,
        waited_for_cap=False,
    )


def gained(tally: Tally) -> Tick:
    """All that `tally` counted, as one tick."""
    return tally.take(
        t_ns=1,
        dt_ns=1,
        worker=0,
        connects=0,
        in_flight=0,
        backlog=0,
        rate_rps=None,
        concurrency=None,
        cpu_ns=0,
    )
