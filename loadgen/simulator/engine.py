"""Paces the simulated engines: each step ends at an absolute time, so lateness never adds up.

An engine core is driven by an alarm at each step's end and needs no task of its own: between two steps the
event loop is free to write what the last one produced.
"""

from __future__ import annotations

import asyncio
from typing import Literal

from loadgen.alarm import Alarm
from loadgen.clock import Clock
from loadgen.simulator.balancer import least_busy
from loadgen.simulator.batch import Batch, Sequence, Step
from loadgen.simulator.gpu import GpuModel, GpuReading, load_of
from loadgen.simulator.metrics import EngineStats
from loadgen.simulator.profile import Profile

FinishReason = Literal["stop", "length"]

LATE_NS = 5_000_000
"""A step that ended this much too late is counted: then the simulator's own CPU shows in the latencies."""
RESYNC_NS = 100_000_000
"""Later than this (the machine slept), the lost time is dropped instead of being caught up in a burst."""


class Generation:
    """One request's way from the engine to its response: how many tokens there are, and when to look."""

    __slots__ = ("_waiter", "closed", "core", "finish_reason", "last_ns", "sequence")

    def __init__(self, core: EngineCore, sequence: Sequence, finish_reason: FinishReason) -> None:
        self.core = core
        self.sequence = sequence
        self.finish_reason = finish_reason
        self.last_ns = sequence.arrived_ns
        """When its newest token was made."""
        self.closed = False
        """The simulator is shutting down, or the client is gone: no more tokens will come."""
        self._waiter: asyncio.Future[None] | None = None

    async def more_than(self, seen: int) -> int:
        """Waits until more than `seen` tokens exist or it was closed; returns how many exist."""
        while self.sequence.generated <= seen and not self.closed:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        return self.sequence.generated

    def wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def close(self) -> None:
        self.closed = True
        self.wake()


class EngineCore:
    """One batch on its GPUs: one of the data-parallel engines, or the only one."""

    def __init__(self, profile: Profile, gpus: list[GpuModel], clock: Clock) -> None:
        self.batch = Batch(profile.costs, profile.limits)
        self.stats = EngineStats()
        self._clock = clock
        self._gpus = gpus
        self._max_sequences = profile.limits.max_sequences
        self._generations: dict[Sequence, Generation] = {}
        self._step: Step | None = None
        self._alarm: Alarm | None = None
        self._closed = False

    def start(self) -> None:
        self._alarm = Alarm(asyncio.get_running_loop(), self._clock, self._on_step_end)

    def submit(
        self,
        prompt_tokens: int,
        output_tokens: int,
        finish_reason: FinishReason,
        block_hashes: tuple[int, ...] | None,
    ) -> Generation:
        """See `Engine.submit`."""
        now_ns = self._clock.now_ns()
        sequence = self.batch.submit(prompt_tokens, output_tokens, now_ns, block_hashes)
        generation = Generation(self, sequence, finish_reason)
        if self._closed:
            self.batch.cancel(generation.sequence)
            generation.close()
            return generation
        self._generations[generation.sequence] = generation
        if self._step is None:
            self._begin(now_ns)
        return generation

    def cancel(self, generation: Generation) -> None:
        """See `Engine.cancel`."""
        if self._generations.pop(generation.sequence, None) is not None:
            self.batch.cancel(generation.sequence)
            self.stats.finished["abort"] += 1
        generation.close()

    def close(self) -> None:
        self._closed = True
        if self._alarm is not None:
            self._alarm.close()
            self._alarm = None
        for generation in list(self._generations.values()):
            self.cancel(generation)

    def _begin(self, now_ns: int) -> None:
        self._step = step = self.batch.begin(now_ns)
        if step is None or self._alarm is None:
            return
        load = load_of(step.prefill_share, step.decodes, self._max_sequences)
        for gpu in self._gpus:
            gpu.begin(step.start_ns, step.end_ns, load)
        self._alarm.set(step.end_ns)

    def _on_step_end(self) -> None:
        step = self._step
        if step is None:
            return
        for sequence in self.batch.finish(step):
            generation = self._generations[sequence]
            self.stats.token(sequence, generation.last_ns, step.end_ns)
            generation.last_ns = step.end_ns
            if sequence.state == "ended":
                del self._generations[sequence]
                self.stats.ended(sequence, step.end_ns, generation.finish_reason)
            generation.wake()
        now_ns = self._clock.now_ns()
        late_ns = now_ns - step.end_ns
        self.stats.steps += 1
        self.stats.late_steps += late_ns > LATE_NS
        self._begin(now_ns if late_ns > RESYNC_NS else step.end_ns)
        if self._step is None:
            # What came in while this call was late had not arrived at the step's end.
            self._begin(now_ns)


class Engine:
    """All engine cores of a server. Start it inside a running event loop; `close` ends every generation."""

    def __init__(self, profile: Profile, clock: Clock) -> None:
        self.profile = profile
        self._clock = clock
        self._gpus = [GpuModel(spec, clock.now_ns()) for spec in profile.gpus]
        each = profile.gpus_per_engine
        self.cores = [
            EngineCore(profile, self._gpus[first : first + each], clock)
            for first in range(0, each * profile.replicas, each)
        ]

    @property
    def idle(self) -> bool:
        return not any(core.batch.running or core.batch.waiting for core in self.cores)

    def start(self) -> None:
        for core in self.cores:
            core.start()

    def submit(
        self,
        prompt_tokens: int,
        output_tokens: int,
        finish_reason: FinishReason,
        block_hashes: tuple[int, ...] | None = None,
    ) -> Generation:
        """Queues a request that will end with `finish_reason` after `output_tokens`.

        `block_hashes` as in `Batch.submit`.

        Raises:
            TooLong: it can never be served.
        """
        chosen = least_busy([core.batch for core in self.cores])
        core = next(core for core in self.cores if core.batch is chosen)
        return core.submit(prompt_tokens, output_tokens, finish_reason, block_hashes)

    def cancel(self, generation: Generation) -> None:
        """The client is gone: frees what the request holds. Does nothing once it has ended."""
        generation.core.cancel(generation)

    def close(self) -> None:
        for core in self.cores:
            core.close()

    def gpu_readings(self) -> list[GpuReading]:
        """One reading a GPU, now."""
        now_ns = self._clock.now_ns()
        return [gpu.read(now_ns) for gpu in self._gpus]
