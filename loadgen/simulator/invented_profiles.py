"""Servers whose figures were chosen by hand, for the shapes of their curves: no real ones are meant."""

from __future__ import annotations

from dataclasses import replace

from loadgen.simulator.batch import Costs, Limits
from loadgen.simulator.chips import GIB, H100
from loadgen.simulator.profile import Profile

_H100 = H100.gpu

INVENTED: dict[str, Profile] = {
    "demo": Profile(
        name="demo",
        model="sim-8b",
        costs=Costs(
            prefill_fixed_ms=30.0,
            prefill_ms_per_token=0.15,
            decode_base_ms=15.0,
            decode_ms_per_sequence=0.15,
            decode_ms_per_kv_token=0.0003,
        ),
        limits=Limits(
            max_sequences=64, max_batched_tokens=1024, block_tokens=16, blocks=896, context_tokens=8192
        ),
        gpus=(_H100,),
        weights_bytes=17 * GIB,
        kv_bytes_per_token=4 << 20,
    ),
    "small": Profile(
        name="small",
        model="sim-small",
        costs=Costs(
            prefill_fixed_ms=8.0,
            prefill_ms_per_token=0.01,
            decode_base_ms=3.0,
            decode_ms_per_sequence=0.02,
            decode_ms_per_kv_token=0.0,
        ),
        limits=Limits(
            max_sequences=64, max_batched_tokens=4096, block_tokens=16, blocks=2048, context_tokens=8192
        ),
        gpus=(
            replace(
                _H100,
                name="Small 16GB (simulated)",
                memory_total_bytes=16 * GIB,
                power_limit_w=72.0,
                power_idle_w=12.0,
                sm_clock_idle_mhz=210.0,
                sm_clock_max_mhz=2040.0,
                memory_clock_mhz=6251.0,
                heating_c_per_w=0.5,
            ),
        ),
        weights_bytes=2 * GIB,
        kv_bytes_per_token=256 << 10,
        mean_output_tokens=32,
        demo_to_rps=120.0,
    ),
    "h100-8b": Profile(
        name="h100-8b",
        model="sim-8b",
        costs=Costs(
            prefill_fixed_ms=8.0,
            prefill_ms_per_token=0.025,
            decode_base_ms=6.5,
            decode_ms_per_sequence=0.015,
            decode_ms_per_kv_token=0.00004,
        ),
        limits=Limits(
            max_sequences=256, max_batched_tokens=8192, block_tokens=16, blocks=27_000, context_tokens=131_072
        ),
        gpus=(_H100,),
        weights_bytes=17 * GIB,
        kv_bytes_per_token=128 << 10,
        vocab_tokens=128_256,
        demo_to_rps=130.0,
    ),
    "two-gpu": Profile(
        name="two-gpu",
        model="sim-70b",
        costs=Costs(
            prefill_fixed_ms=20.0,
            prefill_ms_per_token=0.09,
            decode_base_ms=18.0,
            decode_ms_per_sequence=0.10,
            decode_ms_per_kv_token=0.0001,
        ),
        limits=Limits(
            max_sequences=64, max_batched_tokens=4096, block_tokens=16, blocks=1280, context_tokens=16_384
        ),
        demo_to_rps=24.0,
        gpus=(_H100, replace(_H100, ambient_c=38.0, heating_c_per_w=0.078)),  # the second stands in warm air
        weights_bytes=36 * GIB,
        kv_bytes_per_token=1600 << 10,
    ),
}
