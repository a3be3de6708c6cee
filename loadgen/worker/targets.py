"""The servers that a worker's load goes to: connections, counts and names of each, by its number."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from loadgen.arrivals.target_turns import TargetTurns
from loadgen.indices import TURN_STRIDE
from loadgen.records import Tick
from loadgen.transport.pool import Pool
from loadgen.worker.in_flight import InFlightRequest
from loadgen.worker.tally import Tally
from loadgen.worker_config import WorkerConfig
from loadgen.workload.payloads import Payloads
from loadgen.workload.spec import ConversationWorkload, Workload, WorkloadSpec


class Targets:
    """One, number 0, in most runs: nothing then tells that there could be more."""

    def __init__(
        self, config: WorkerConfig, pools: Sequence[Pool], note_of: Callable[[int, str, str], None]
    ) -> None:
        """`note_of` is told the number of a target, an event, and its words."""
        self._told, self._template = config.targets, config.template
        self.pools = list(pools)
        for number, pool in enumerate(self.pools):
            pool.on_address = partial(note_of, number)
        self.several = len(self.pools) > 1
        self.tally = Tally(len(self.pools))
        self._turns = TargetTurns([target.weight for target in config.targets]) if self.several else None

    def payloads(self, workload: Workload, told: WorkloadSpec) -> Payloads:
        """Requests of `workload`, which was made of `told`, as each target wants them."""
        turns = self._turns
        if turns is None:
            return Payloads(self._template, workload)
        heads = [target.heads for target in self._told]
        if isinstance(told, ConversationWorkload):  # all turns of a conversation go where it began
            return Payloads(self._template, workload, heads, lambda index: turns.of(index // TURN_STRIDE))
        return Payloads(self._template, workload, heads, turns.of)

    def note_in_flight(self, tick: Tick, requests: Iterable[InFlightRequest]) -> None:
        """Tells in a tick what each of several has in flight."""
        if self.several:
            for request in requests:
                tick.targets[request.record.target or 0].in_flight += 1

    @property
    def opening(self) -> bool:
        """Some connection is being opened."""
        for pool in self.pools:  # noqa: SIM110  # asked after each round of reads: `any` takes thrice as long
            if pool.opening:
                return True
        return False

    @property
    def opened(self) -> int:
        """Connections opened so far."""
        return sum(pool.opened for pool in self.pools)

    def sweep(self) -> None:
        for pool in self.pools:
            pool.sweep()

    def close(self) -> None:
        for pool in reversed(self.pools):  # the first one's loop reads the sockets of all
            pool.close()
