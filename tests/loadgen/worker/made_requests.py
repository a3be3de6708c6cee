"""Requests made by hand, and what a worker counts of them."""

from __future__ import annotations

from dataclasses import dataclass, field

from loadgen.endpoints import Endpoint
from loadgen.records import Request, Tick
from loadgen.target.redaction import Redactor
from loadgen.worker.counters import Counters
from loadgen.worker.in_flight import InFlightRequest


@dataclass
class Finished:
    """Keeps what became of requests that are over."""

    records: list[Request] = field(default_factory=list)
    texts: dict[int, str] = field(default_factory=dict)
    """What was answered, by the request's index; empty where the text was not needed."""

    def on_finished(self, request: InFlightRequest) -> None:
        self.records.append(request.record)
        self.texts[request.record.index] = request.text

    def on_stale(self, request: InFlightRequest) -> None:
        raise AssertionError("nothing is stale here")


def in_flight_request(
    endpoint: Endpoint,
    counters: Counters,
    owner: Finished,
    *,
    index: int = 0,
    chunk_counts: bool,
    one_token_chunks: bool = True,
    needs_text: bool = False,
) -> InFlightRequest:
    """A request due at 0, not yet sent."""
    return InFlightRequest(
        Request(index=index, worker=0, due_ns=0),
        b"",
        endpoint,
        counters,
        owner,
        redactor=Redactor(""),
        chunk_counts=chunk_counts,
        one_token_chunks=one_token_chunks,
        needs_text=needs_text,
        waited_for_cap=False,
    )


def gained(counters: Counters) -> Tick:
    """All that `counters` counted, as one tick."""
    return counters.take(
        t_ns=1,
        dt_ns=1,
        worker=0,
        connects=0,
        cpu_ns=0,
    )
