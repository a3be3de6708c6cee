"""What a worker gained, of each of its targets and over all: counted once, added up when a tick is taken."""

from __future__ import annotations

from typing import Any

from loadgen.records import TargetTick, Tick
from loadgen.worker.counters import Counters


class Tally:
    """Counters by target, and those of all. Of one target they are the same."""

    def __init__(self, targets: int) -> None:
        self.total = Counters()
        self.each = [self.total] if targets == 1 else [Counters() for _ in range(targets)]
        """By the target's number: what happens to a request is counted here alone, so that it costs nothing
        more, for no token, to tell targets apart."""

    def fold(self) -> None:
        """Counts the gaps gathered so far."""
        for counters in self.each:
            counters.fold()

    def take(self, **about: Any) -> Tick:
        """As `Counters.take`; of several targets with what each had of it."""
        if len(self.each) == 1:
            return self.total.take(**about)
        own = [counters.take(**about) for counters in self.each]
        for tick in own:
            self.total.add(tick)
        tick = self.total.take(**about)
        tick.targets = [_of_target(number, one) for number, one in enumerate(own)]
        return tick


def _of_target(number: int, tick: Tick) -> TargetTick:
    return TargetTick(
        target=number,
        due=tick.due,
        sent=tick.sent,
        succeeded=tick.succeeded,
        failed=tick.failed,
        not_sent=tick.not_sent,
        cut_off=tick.cut_off,
        output_tokens=tick.output_tokens,
        errors=tick.errors,
        ttft_from_due=tick.ttft_from_due,
        itl=tick.itl,
        chunk_gap=[] if tick.itl else tick.chunk_gap,
        e2e=tick.e2e,
    )
