"""What a load is, as values that a worker is told, and what every load model can be asked.

No load is made here: `loadgen.arrivals.load_models` has the model of each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

import msgspec

from loadgen.arrivals.shares import own_index
from loadgen.workload.lengths import Lengths

Shape = Literal["constant", "linear", "exp"]
ArrivalsName = Literal["constant", "poisson", "gamma"]


class Segment(msgspec.Struct, frozen=True, omit_defaults=True):
    """One piece of a rate curve. `end_ns` None means for ever, and needs shape `constant`."""

    start_ns: int
    end_ns: int | None
    from_rps: float
    to_rps: float
    shape: Shape = "constant"


class OpenLoad(msgspec.Struct, frozen=True, tag="open", omit_defaults=True):
    """Arrivals that do not wait for the server."""

    arrivals: ArrivalsName
    curve: list[Segment]
    """The rate from the instant at which the load begins; segments follow one another without a gap."""
    burstiness: float = 1.0
    """Of gamma arrivals: the shape of their gaps (`loadgen.arrivals.unit_points`)."""


class ClosedLoad(msgspec.Struct, frozen=True, tag="closed", omit_defaults=True):
    """A number of slots, each sending its next request when the last one ended."""

    concurrency: int
    """Over all workers. 0 sends nothing more."""


class TraceLoad(msgspec.Struct, frozen=True, tag="trace", omit_defaults=True):
    """Requests due when those of a trace were, as fast as the curve says (`loadgen.arrivals.trace`)."""

    path: str
    """Of the compiled trace (`loadgen.trace.compiled`)."""
    rate_rps: float
    """Of the trace on average: at this rate it runs at its own speed."""
    curve: list[Segment]


class ConversationLoad(msgspec.Struct, frozen=True, tag="conversation", omit_defaults=True):
    """Turns of conversations, each due when the one before was answered (`loadgen.arrivals.conversation`)."""

    starts: OpenLoad | ClosedLoad
    """When conversations begin, or how many there are at a time."""
    turns: Lengths
    """Of each conversation."""
    think_ms: Lengths | None = None
    """Between an answer and the next turn; None: none."""
    seed: int = 0
    """Of turns and thinking: the workload is told the same."""


Load = OpenLoad | ClosedLoad | TraceLoad | ConversationLoad


@dataclass(frozen=True)
class Beginning:
    """Where a load model begins: with the run, or in the midst of it when the kind of load changes."""

    at_ns: int
    """Session time before which nothing is due."""
    worker: int
    workers: int
    next_index: int
    """The worker's first index that is not used yet."""
    in_flight: int
    """Requests of this worker, sent or due, that have not ended; each will be told to `ended`."""
    cap: int
    """Requests that this worker may have in flight."""
    seed: int
    end_ns: int | None = None
    """Session time from which nothing more is due; None for an open end."""
    requests: int | None = None
    """Requests after which nothing more is due, over all workers; None for no limit."""
    period: int | None = None
    """Of the workers' turns at indices (`loadgen.arrivals.shares`); None: each has one in turn."""
    number: int = 0
    """Of the loads of the run that came before, those that sent nothing left out."""

    def index_after(self, index: int) -> int:
        """The worker's next index after one of its own."""
        if self.period is None or self.period == self.workers:
            return index + self.workers
        return own_index(index + 1, self.worker, self.workers, self.period)


class Offered(NamedTuple):
    """What a load asks for at an instant, all workers together."""

    rate_rps: float | None
    """None where the server's answers set the rate."""
    concurrency: int | None
    """None where requests do not wait for each other."""

    def over(self) -> Offered:
        """This offer once nothing more is due: 0 in place of each number."""
        return Offered(None if self.rate_rps is None else 0.0, None if self.concurrency is None else 0)


class LoadModel(Protocol):
    """When the requests of one worker are due.

    The engine takes one after the other as its time comes, and tells of each that it has ended. A model that
    inherits from this need not say what has an answer here: that of a load which waits for nobody.
    """

    @property
    def next_index(self) -> int | None:
        """Index of the request that is due next, so that it can be made ready; None: not known yet."""

    def due_ns(self, sendable_ns: int | None) -> int | None:
        """When the next request is due; None: not before one ends, or the load changes, or never.

        `sendable_ns`: the time before which the server will not be tried again; 0 while it can be reached,
        None while it is being tried. It matters only to a model that waits for the server.
        """

    def take(self) -> int:
        """Index of the next request: it is the engine's from now on, until it has `ended`."""

    def exhausted(self, now_ns: int) -> bool:
        """Nothing more will ever be due, whatever happens to the load."""

    @property
    def lead_ns(self) -> int:
        """How long before the next request is due the engine may wake up for it."""
        return 0

    def ended(self, index: int, now_ns: int, *, failed: bool) -> bool:
        """A request ended, or was given up unsent: then it `failed`. It may be one of the model before.

        Returns whether that may have made another one due.
        """
        return False

    def change(self, at_ns: int, load: Any) -> bool:
        """Follows `load` from `at_ns` on; False if that needs another model."""
        return False

    def offered(self, t_ns: int) -> Offered:
        """What is asked for at session time `t_ns`, for ticks."""
        return Offered(None, None)
