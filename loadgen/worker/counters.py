"""What a worker gained since its last tick: plain counts and sketches, taken as a `Tick` record."""

from __future__ import annotations

from loadgen.errors import gist
from loadgen.records import FailureCause, Tick
from loadgen.sketch import SketchCounts, bucketed

CAUSES_CAP = 16
"""Things that are said of failures and counted apart in a tick; beyond them only the kind is counted."""


_ADDED = (
    *("due", "sent", "succeeded", "failed", "not_sent", "cut_off", "stale_retries", "chunks"),
    *("output_tokens", "input_tokens", "itl_unknown", "reads", "coalesced_reads", "kernel_reads"),
)
_SKETCHES = ("ttft_from_due", "ttft_from_sent", "itl", "chunk_gap", "e2e", "send_lag")


class Counters:
    """Counts grow by plain attribute access, since they stand in the path of every token."""

    __slots__ = (
        "causes",
        "chunk_gap",
        "chunks",
        "coalesced_reads",
        "cut_off",
        "due",
        "e2e",
        "errors",
        "failed",
        "gaps_ns",
        "input_tokens",
        "itl",
        "itl_unknown",
        "kernel_reads",
        "loop_lag_max_ns",
        "not_sent",
        "output_tokens",
        "reads",
        "send_lag",
        "sent",
        "stale_retries",
        "succeeded",
        "ttft_from_due",
        "ttft_from_sent",
        "zero_gaps",
    )

    def __init__(self) -> None:
        self.ttft_from_due, self.ttft_from_sent = SketchCounts(), SketchCounts()
        self.itl, self.chunk_gap = SketchCounts(), SketchCounts()
        self.e2e, self.send_lag = SketchCounts(), SketchCounts()
        self._reset()

    def _reset(self) -> None:
        self.due = self.sent = self.succeeded = self.failed = self.not_sent = self.stale_retries = 0
        self.cut_off = 0
        self.chunks = self.input_tokens = self.output_tokens = self.itl_unknown = 0
        self.reads = self.coalesced_reads = self.kernel_reads = 0
        self.loop_lag_max_ns = 0
        self.gaps_ns: list[int] = []
        """Gaps between chunks of one token, which are ITLs too; `fold` puts them into buckets."""
        self.zero_gaps = 0
        """More of them, of no length: chunks that came in one read."""
        self.errors: dict[str, int] = {}
        self.causes: dict[tuple[str, str], int] = {}

    def fail(self, kind: str, message: str = "") -> None:
        """Counts a failure; `message` is what was said of it, our key hidden."""
        self.failed += 1
        self.errors[kind] = self.errors.get(kind, 0) + 1
        cause = (kind, gist(message))
        if cause not in self.causes and len(self.causes) >= CAUSES_CAP:
            cause = (kind, "")
        self.causes[cause] = self.causes.get(cause, 0) + 1

    def fold(self) -> None:
        """Counts the gaps gathered so far. Now and then is cheaper than one by one or all at the tick."""
        gaps = bucketed(self.gaps_ns)
        if self.zero_gaps:
            gaps[0] = gaps.get(0, 0) + self.zero_gaps
        self.chunk_gap.add_all(gaps)
        self.itl.add_all(gaps)
        self.gaps_ns, self.zero_gaps = [], 0

    def add(self, tick: Tick) -> None:
        """Counts what another took, to be taken once more."""
        for name in _ADDED:
            setattr(self, name, getattr(self, name) + getattr(tick, name))
        for kind, count in tick.errors.items():
            self.errors[kind] = self.errors.get(kind, 0) + count
        for cause in tick.causes:
            said = (cause.kind, cause.text)
            if said not in self.causes and len(self.causes) >= CAUSES_CAP:
                said = (cause.kind, "")
            self.causes[said] = self.causes.get(said, 0) + cause.count
        for name in _SKETCHES:
            flat: list[int] = getattr(tick, name)
            getattr(self, name).add_all(dict(zip(flat[::2], flat[1::2], strict=True)))

    def take(
        self,
        *,
        t_ns: int,
        dt_ns: int,
        worker: int,
        connects: int,
        cpu_ns: int,
    ) -> Tick:
        """The tick that ends at `t_ns`, its gauges yet to be set; counting starts anew."""
        self.fold()
        tick = Tick(
            t_ns=t_ns,
            dt_ns=dt_ns,
            worker=worker,
            due=self.due,
            sent=self.sent,
            succeeded=self.succeeded,
            failed=self.failed,
            not_sent=self.not_sent,
            cut_off=self.cut_off,
            stale_retries=self.stale_retries,
            connects=connects,
            chunks=self.chunks,
            output_tokens=self.output_tokens,
            input_tokens=self.input_tokens,
            errors=self.errors,
            causes=[FailureCause(kind, count, text) for (kind, text), count in self.causes.items()],
            ttft_from_due=self.ttft_from_due.take(),
            ttft_from_sent=self.ttft_from_sent.take(),
            itl=self.itl.take(),
            itl_unknown=self.itl_unknown,
            chunk_gap=self.chunk_gap.take(),
            e2e=self.e2e.take(),
            send_lag=self.send_lag.take(),
            loop_lag_max_ns=self.loop_lag_max_ns,
            cpu_ns=cpu_ns,
            reads=self.reads,
            coalesced_reads=self.coalesced_reads,
            kernel_reads=self.kernel_reads,
        )
        self._reset()
        return tick
