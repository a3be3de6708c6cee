"""What a simulated server is."""

from __future__ import annotations

from dataclasses import dataclass

from loadgen.simulator.batch import Costs, Limits
from loadgen.simulator.gpu import GpuSpec


@dataclass(frozen=True)
class Profile:
    """A model on its GPUs."""

    name: str
    model: str
    """The name under which it is served."""
    costs: Costs
    limits: Limits
    """Of each engine."""
    gpus: tuple[GpuSpec, ...]
    weights_bytes: int
    """On each GPU, with everything else that does not grow."""
    kv_bytes_per_token: int
    """On each GPU of an engine."""
    replicas: int = 1
    """Engines that share the load (data parallel), each on as many of the GPUs, the first ones first. An
    engine's model is spread evenly over its own: all of them are busy in each of its steps."""
    prefix_cache: bool = True
    vocab_tokens: int = 32_768
    mean_output_tokens: int = 128
    """Where a request does not ignore the end of sequence, the mean of its geometric output length."""
    demo_to_rps: float = 14.0
    """Where the ramp of `ttftop demo` ends: past what it can do."""

    @property
    def gpus_per_engine(self) -> int:
        return len(self.gpus) // self.replicas
