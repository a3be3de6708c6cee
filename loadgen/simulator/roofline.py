"""A server's costs and limits from its chip's data sheet and its model's shape.

Prefill is bound by arithmetic, 2 operations a parameter and token; a decode step by memory: all weights are
read once, and the keys and values of all context. The rest are the few constants of an `Engine`: they are
fitted to published benchmarks (`docs/measured/simulator_published.md` says which points, and how far off
the others are).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from loadgen.simulator.batch import Costs, Limits
from loadgen.simulator.gpu import GpuSpec

GB = 1_000_000_000
BLOCK_TOKENS = 16


@dataclass(frozen=True)
class Chip:
    """Figures of its data sheet; operations are dense ones."""

    gpu: GpuSpec
    bytes_per_s: float
    flops_16bit: float
    flops_8bit: float | None
    """None: it computes 8-bit weights in 16 bits."""


@dataclass(frozen=True)
class Model:
    """A dense transformer. Figures of its published configuration."""

    served_name: str
    parameters: float
    weights_bytes: int
    """Of all its weights: an FP8 model keeps its embeddings in 16 bits."""
    eight_bit: bool
    layers: int
    kv_heads: int
    head_size: int
    context_tokens: int
    kv_bytes: int = 2
    """Bytes a number in the KV cache."""
    vocab_tokens: int = 32_768

    @property
    def kv_bytes_per_token(self) -> int:
        return 2 * self.layers * self.kv_heads * self.head_size * self.kv_bytes


@dataclass(frozen=True)
class Engine:
    """What no data sheet has."""

    flops_share: float
    """Of the chip's arithmetic that prompts and batches get."""
    bandwidth_share: float
    """Of the chip's memory bandwidth."""
    step_ms: float
    """Once a step: scheduling, launches, sampling."""
    sequence_ms: float
    """Once a step for each sequence: sampling, text, what is written to its stream."""
    parallel_ms: float
    """Once a step for each doubling of the chips that share it: all-reduces, and the host's word to each."""
    max_sequences: int = 256
    max_batched_tokens: int = 8192
    memory_share: float = 0.9
    """Of the GPU's memory that the server takes."""
    activation_bytes: int = 2 * GB
    """Of it, on each GPU, what neither weights nor cache get."""
    reserves_output: bool = False
    prefill_first: bool = False


def costs(chip: Chip, model: Model, tensor_parallel: int, engine: Engine) -> Costs:
    """Of a step of `model` on `tensor_parallel` chips."""
    peak = chip.flops_8bit if model.eight_bit and chip.flops_8bit else chip.flops_16bit
    token_ms = 2e3 * model.parameters / (tensor_parallel * peak * engine.flops_share)
    read_ms = 1e3 / (tensor_parallel * chip.bytes_per_s * engine.bandwidth_share)
    parallel_ms = engine.parallel_ms * math.log2(tensor_parallel)
    return Costs(
        step_ms=engine.step_ms + parallel_ms + model.weights_bytes * read_ms,
        prefill_fixed_ms=0.0,
        prefill_ms_per_token=token_ms,
        decode_base_ms=0.0,
        decode_ms_per_sequence=token_ms + engine.sequence_ms,
        decode_ms_per_kv_token=model.kv_bytes_per_token * read_ms,
    )


def limits(chip: Chip, model: Model, tensor_parallel: int, engine: Engine) -> Limits:
    """What fits beside the weights.

    Raises:
        ValueError: not even the weights do.
    """
    each = chip.gpu.memory_total_bytes * engine.memory_share - engine.activation_bytes
    left = each * tensor_parallel - model.weights_bytes
    blocks = int(left / (model.kv_bytes_per_token * BLOCK_TOKENS))
    if blocks < 1:
        raise ValueError(f"{model.served_name} does not fit on {tensor_parallel} of {chip.gpu.name}")
    return Limits(
        max_sequences=engine.max_sequences,
        max_batched_tokens=engine.max_batched_tokens,
        block_tokens=BLOCK_TOKENS,
        blocks=blocks,
        context_tokens=model.context_tokens,
        reserves_output=engine.reserves_output,
        prefill_first=engine.prefill_first,
    )
