"""The records a telemetry source emits. Missing is None, never 0; every record carries its own times.

Times (`*_ns`) are integer nanoseconds on the monotonic clock since the session's origin.
"""

from __future__ import annotations

import msgspec


class GpuSample(msgspec.Struct, omit_defaults=True):
    """One GPU at one instant. Percentages are 0 to 100."""

    gpu: str
    """Key of the device, stable over the session: its UUID, else `source#index`."""
    util_pct: float | None = None
    """Share of time a kernel was running; a decode at batch 1 shows 100 (NVML utilization.gpu)."""
    memory_used_bytes: int | None = None
    """Allocated only; what the driver keeps for itself is `memory_reserved_bytes`."""
    memory_reserved_bytes: int | None = None
    memory_total_bytes: int | None = None
    power_w: float | None = None
    power_limit_w: float | None = None
    temperature_c: float | None = None
    sm_clock_mhz: float | None = None
    memory_clock_mhz: float | None = None
    energy_j: float | None = None
    """A counter since some past instant; only differences mean anything."""


class GpuDevice(msgspec.Struct, omit_defaults=True):
    """What does not change about a GPU."""

    gpu: str
    index: int
    name: str = ""
    host: str = ""
    memory_total_bytes: int | None = None
    power_limit_w: float | None = None
    sm_clock_max_mhz: float | None = None
    memory_clock_max_mhz: float | None = None


class GpuDevices(msgspec.Struct, tag="gpu_devices", tag_field="kind", omit_defaults=True):
    """Said once by a source, and again when its devices change."""

    t_ns: int
    source: str
    devices: list[GpuDevice]
    driver: str = ""
    simulated: bool = False


class GpuSamples(msgspec.Struct, tag="gpu", tag_field="kind", omit_defaults=True):
    """One poll of all GPUs of one source: it began at `t_ns` and took `took_ns`."""

    t_ns: int
    took_ns: int
    source: str
    gpus: list[GpuSample]


class ServerSample(msgspec.Struct, tag="server", tag_field="kind", omit_defaults=True):
    """What the server says of itself in /metrics. Counters are since its start."""

    t_ns: int
    took_ns: int
    source: str
    running: float | None = None
    waiting: float | None = None
    kv_pct: float | None = None
    preemptions: float | None = None
    prompt_tokens: float | None = None
    output_tokens: float | None = None


class SourceNote(msgspec.Struct, tag="source", tag_field="kind", omit_defaults=True):
    """A source was found, was not, or was lost: one plain sentence for the person at the screen."""

    t_ns: int
    source: str
    ok: bool
    message: str


TelemetryRecord = GpuDevices | GpuSamples | ServerSample | SourceNote
