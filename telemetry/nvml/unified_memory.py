"""Memory of GPUs that share the machine's: NVML then says nothing, 0, or the machine's own figures."""

from __future__ import annotations

from pathlib import Path

from telemetry.nvml.readings import Values

MEMINFO = Path("/proc/meminfo")
UNIFIED = "it shares the machine's memory: the memory figures are the machine's"


def machine_memory(meminfo: Path = MEMINFO) -> Values:
    """`memory_total_bytes` and `memory_used_bytes` of the machine; empty where it does not say."""
    try:
        lines = meminfo.read_text().splitlines()
        kib = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
        total, available = kib["MemTotal"] * 1024, kib["MemAvailable"] * 1024
    except (OSError, ValueError, IndexError, KeyError):
        return {}
    return {"memory_total_bytes": total, "memory_used_bytes": total - available}
