"""AIPerf's `gpu_telemetry_export.jsonl`: a line a GPU and instant, on the wall clock."""

from __future__ import annotations

from typing import Any

from sessions.interchange.documents import number, table, text, whole
from telemetry.records import GpuDevice, GpuDevices, GpuSample, GpuSamples

_GB, _J_PER_MJ = 1e9, 1e6
SOURCE = "AIPerf"


def gpu_records(lines: list[Any]) -> list[Any]:
    """Devices, then samples, with unix times in ns."""
    devices: dict[str, GpuDevice] = {}
    samples: dict[int, list[GpuSample]] = {}
    simulated = False
    for line in map(table, lines):
        at_ns, index = line.get("timestamp_ns"), whole(line.get("gpu_index")) or 0
        if not isinstance(at_ns, int) or not 0 < at_ns < 2**62:
            continue
        key = text(line.get("gpu_uuid"), 80) or f"{SOURCE}#{index}"
        name = text(line.get("gpu_model_name"), 80)
        simulated |= "simulated" in name
        if key not in devices and len(devices) < 256:
            devices[key] = GpuDevice(key, index, name, text(line.get("hostname"), 80))
        said = table(line.get("telemetry_data"))

        def of(name: str, said: dict[str, Any] = said) -> float | None:
            # Names before 0.9 had no vendor.
            known = number(said.get(f"nvidia_{name}"))
            return known if known is not None else number(said.get(f"gpu_{name.removeprefix('gpu_')}"))

        used, energy = of("memory_used"), of("energy_consumption")
        samples.setdefault(at_ns, []).append(
            GpuSample(
                key,
                util_pct=of("gpu_utilization"),
                memory_used_bytes=None if used is None or not 0 <= used < 1e6 else round(used * _GB),
                power_w=of("power_usage"),
                temperature_c=of("temperature"),
                energy_j=None if energy is None else energy * _J_PER_MJ,
            )
        )
    if not samples:
        return []
    first_ns = min(samples)
    told: list[Any] = [GpuDevices(first_ns, SOURCE, list(devices.values()), simulated=simulated)]
    return told + [GpuSamples(at_ns, 0, SOURCE, samples[at_ns]) for at_ns in sorted(samples)]
