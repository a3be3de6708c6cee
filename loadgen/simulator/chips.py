"""GPUs by their makers' data sheets: memory and its bandwidth, arithmetic without sparsity, power, clocks.

Idle power, temperatures and how power splits are plausible inventions, as `loadgen.simulator.gpu` has them.
"""

from __future__ import annotations

from dataclasses import replace

from loadgen.simulator.gpu import GpuSpec
from loadgen.simulator.roofline import Chip

GIB = 1 << 30

H100 = Chip(
    gpu=GpuSpec(
        name="H100 80GB (simulated)",
        memory_total_bytes=80 * GIB,
        memory_reserved_bytes=GIB // 2,
        power_idle_w=72.0,
        power_limit_w=700.0,
        sm_clock_idle_mhz=345.0,
        sm_clock_max_mhz=1980.0,
        memory_clock_mhz=2619.0,
    ),
    bytes_per_s=3.35e12,
    flops_16bit=989e12,
    flops_8bit=1979e12,
)
A100 = Chip(
    gpu=replace(
        H100.gpu,
        name="A100 80GB (simulated)",
        power_idle_w=62.0,
        power_limit_w=400.0,
        sm_clock_idle_mhz=210.0,
        sm_clock_max_mhz=1410.0,
        memory_clock_mhz=1593.0,
        heating_c_per_w=0.1,
    ),
    bytes_per_s=2.039e12,
    flops_16bit=312e12,
    flops_8bit=None,
)
A10 = Chip(
    gpu=replace(
        H100.gpu,
        name="A10 24GB (simulated)",
        memory_total_bytes=23_028 << 20,
        power_idle_w=18.0,
        power_limit_w=150.0,
        sm_clock_idle_mhz=210.0,
        sm_clock_max_mhz=1695.0,
        memory_clock_mhz=6251.0,
        heating_c_per_w=0.25,
    ),
    bytes_per_s=0.6e12,
    flops_16bit=125e12,
    flops_8bit=None,
)
