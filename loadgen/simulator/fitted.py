"""The constants that no data sheet has, each fitted by hand to the points named here and to no other.

Fitted to Lambda's benchmark at 320 prompts (plan `lambda-vllm`): Llama 3.1 8B FP8 on one H100, one A100 and
two H100, 70B FP8 on two H100, Mistral 7B on one H100. To NIM's table (`nim-5000-500`): concurrency 1, 50
and 150. To KAITO's (`kaito-guidellm`): 16 rps on the A10. The others are predicted; how far off they are
stands in `docs/measured/simulator_published.md`.

The two shares of the peak and the sequence's own time are the same for all of Lambda's servers. A step's own
time differs between its H100 and A100 hosts: vLLM of 2024 schedules in Python, on the host's processor.
"""

from __future__ import annotations

from dataclasses import replace

from loadgen.simulator.roofline import GB, Engine

_LAMBDA = Engine(
    flops_share=0.7,
    bandwidth_share=0.8,
    step_ms=6.2,
    sequence_ms=0.049,
    parallel_ms=2.2,
    # vLLM of 2024 turns chunked prefill on, with chunks of 512, where the context is longer than 32,768.
    max_batched_tokens=512,
)
LAMBDA = {"H100": _LAMBDA, "A100": replace(_LAMBDA, step_ms=14.0)}
"""By chip, for models with a context longer than 32,768 tokens."""
LAMBDA_SHORT_CONTEXT = {
    chip: replace(engine, max_batched_tokens=32_768, prefill_first=True) for chip, engine in LAMBDA.items()
}
"""Otherwise that vLLM computes whole prompts, and decodes nothing meanwhile."""

KAITO = Engine(
    flops_share=0.4,
    bandwidth_share=0.8,
    step_ms=3.0,
    sequence_ms=_LAMBDA.sequence_ms,
    parallel_ms=0.0,  # one GPU
)

NIM = Engine(
    flops_share=0.5,
    bandwidth_share=0.8,
    step_ms=1.0,
    sequence_ms=0.01,
    parallel_ms=3.6,
    max_sequences=2048,  # the KV cache is its limit
    activation_bytes=2 * GB,
    reserves_output=True,
)
