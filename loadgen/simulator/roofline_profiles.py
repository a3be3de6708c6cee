"""Servers computed from their chips and models, as published benchmarks had them."""

from __future__ import annotations

from dataclasses import replace

from loadgen.simulator.chips import A10, A100, H100
from loadgen.simulator.fitted import KAITO, LAMBDA, LAMBDA_SHORT_CONTEXT, NIM
from loadgen.simulator.gpu import GpuSpec
from loadgen.simulator.profile import Profile
from loadgen.simulator.roofline import GB, Chip, Engine, Model, costs, limits

_LLAMA_8B = Model(
    served_name="llama-3.1-8b-fp8",
    parameters=8.03e9,
    weights_bytes=9_080_000_000,
    eight_bit=True,
    layers=32,
    kv_heads=8,
    head_size=128,
    context_tokens=131_072,
    vocab_tokens=128_256,
)
_LLAMA_70B = replace(
    _LLAMA_8B,
    served_name="llama-3.1-70b-fp8",
    parameters=70.6e9,
    weights_bytes=72_700_000_000,
    layers=80,
)
MODELS = {
    "llama3.1-8b-fp8": _LLAMA_8B,
    "llama3.1-70b-fp8": _LLAMA_70B,
    "hermes3-405b-fp8": replace(
        _LLAMA_8B,
        served_name="hermes-3-405b-fp8",
        parameters=405.9e9,
        weights_bytes=410 * GB,
        layers=126,
    ),
    "mistral-7b": replace(
        _LLAMA_8B,
        served_name="mistral-7b-v0.3",
        parameters=7.25e9,
        weights_bytes=14_500_000_000,
        eight_bit=False,
        context_tokens=32_768,
        vocab_tokens=32_768,
    ),
    "nemo-12b": replace(
        _LLAMA_8B,
        served_name="mistral-nemo-2407",
        parameters=12.25e9,
        weights_bytes=24_500_000_000,
        eight_bit=False,
        layers=40,
        vocab_tokens=131_072,
    ),
    "phi4-mini": replace(
        _LLAMA_8B,
        served_name="phi-4-mini-instruct",
        parameters=3.84e9,
        weights_bytes=7_680_000_000,
        eight_bit=False,
        context_tokens=50_000,  # as KAITO served it
        vocab_tokens=200_064,
    ),
}
CHIPS = {"A10": A10, "A100": A100, "H100": H100}


def roofline_profile(
    name: str,
    chip: Chip,
    model: Model,
    engine: Engine,
    *,
    tensor_parallel: int = 1,
    replicas: int = 1,
    demo_to_rps: float = 14.0,
) -> Profile:
    """`replicas` engines of `tensor_parallel` chips each.

    Raises:
        ValueError: the weights do not fit.
    """
    return Profile(
        name=name,
        model=model.served_name,
        costs=costs(chip, model, tensor_parallel, engine),
        limits=limits(chip, model, tensor_parallel, engine),
        gpus=tuple(_place(chip.gpu, number) for number in range(tensor_parallel * replicas)),
        weights_bytes=round(model.weights_bytes / tensor_parallel) + engine.activation_bytes,
        kv_bytes_per_token=-(-model.kv_bytes_per_token // tensor_parallel),
        replicas=replicas,
        vocab_tokens=model.vocab_tokens,
        demo_to_rps=demo_to_rps,
    )


def _place(gpu: GpuSpec, number: int) -> GpuSpec:
    """The same chip in another place of its machine: no two stand in the same air, or draw the same."""
    return replace(
        gpu,
        ambient_c=gpu.ambient_c + (number * 5 % 8) * 0.5,
        draw=1 + ((number * 3 + 4) % 8 - 4) * 0.005,
    )


def lambda_profile(chip: str, model: str, tensor_parallel: int = 1, replicas: int = 1) -> Profile:
    """As Lambda served `model` on GPUs of `chip`."""
    shape = MODELS[model]
    engines = LAMBDA if shape.context_tokens > 32_768 else LAMBDA_SHORT_CONTEXT
    number = tensor_parallel * replicas
    parallel = (f"-tp{tensor_parallel}" if number > 1 else "") + (f"-dp{replicas}" if replicas > 1 else "")
    name = f"{'' if number < 3 else f'{number}x'}{chip.lower()}-{model}{parallel}"
    return roofline_profile(
        name,
        CHIPS[chip],
        shape,
        engines[chip],
        tensor_parallel=tensor_parallel,
        replicas=replicas,
        demo_to_rps=_DEMO_TO_RPS.get(name, 100.0),
    )


_DEMO_TO_RPS = {
    "a100-llama3.1-8b-fp8": 45.0,
    "a100-mistral-7b": 45.0,
    "h100-llama3.1-70b-fp8-tp2": 45.0,
    "a100-llama3.1-70b-fp8-tp2": 15.0,
    "8xh100-llama3.1-70b-fp8-tp8": 70.0,
    "8xh100-llama3.1-70b-fp8-tp2-dp4": 180.0,
}

NIM_70B = replace(_LLAMA_70B, served_name="llama-3.3-70b-instruct-fp8", kv_bytes=1)

ROOFLINE = {
    profile.name: profile
    for profile in (
        lambda_profile("H100", "llama3.1-8b-fp8"),
        lambda_profile("A100", "llama3.1-8b-fp8"),
        lambda_profile("H100", "mistral-7b"),
        lambda_profile("A100", "mistral-7b"),
        lambda_profile("H100", "llama3.1-70b-fp8", 2),
        lambda_profile("A100", "llama3.1-70b-fp8", 2),
        lambda_profile("H100", "llama3.1-70b-fp8", 8),
        lambda_profile("H100", "llama3.1-70b-fp8", 2, replicas=4),
        roofline_profile("phi4-mini-a10", A10, MODELS["phi4-mini"], KAITO, demo_to_rps=25.0),
        roofline_profile("phi4-mini-a100", A100, MODELS["phi4-mini"], KAITO, demo_to_rps=70.0),
        roofline_profile("2xh100-llama3.3-70b-nim", H100, NIM_70B, NIM, tensor_parallel=2, demo_to_rps=65.0),
    )
}
