"""A whole GPU or one MIG instance of it, and what is asked of both alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from telemetry.nvml.calls import GuardedCalls
from telemetry.nvml.gpm import Gpm
from telemetry.nvml.readings import MOST_BYTES, Values
from telemetry.records import GpuProcess
from telemetry.server_processes import process_name
from telemetry.source import plain

MOST_PID = 1 << 22
"""The kernel's PID_MAX_LIMIT: driver and header that disagree about a struct give garbage (nvitop#75)."""


class Device:
    """A whole GPU or a MIG instance of it, as long as its handle is good."""

    def __init__(self, nvml: Any, handle: Any, uuid: str, name: str, instance: int | None = None) -> None:
        self.handle = handle
        self.uuid = uuid
        self.name = name
        self.calls = GuardedCalls(nvml)
        self.gpm = Gpm(self.calls, instance)
        self.older_name = ""
        """A MIG instance as drivers before 470 call it."""
        self.constants: Values = {}
        self.unified = False
        self.processes: list[GpuProcess] | None = None


def processes_of(device: Device) -> list[GpuProcess] | None:
    """Those that compute there; None where the driver does not tell now."""
    calls = device.calls
    by_version: dict[str, Callable[[Any], Any]] = {
        "processes v3": calls.nvml.nvmlDeviceGetComputeRunningProcesses_v3,
        "processes v2": calls.nvml.nvmlDeviceGetComputeRunningProcesses_v2,
    }
    for name, call in by_version.items():
        found = calls.ask(name, lambda call=call: call(device.handle))  # type: ignore[misc]
        if found is not None:
            calls.gave("processes", True)
            return [
                GpuProcess(one.pid, _memory_of(one), process_name(one.pid))
                for one in found
                if 0 < one.pid <= MOST_PID
            ]
        if name not in calls.refused:
            break
    calls.gave("processes", False)
    return None


def uuid_of(nvml: Any, handle: Any) -> str:
    """A UUID as the driver writes it; empty when it is none that can be shown and asked by."""
    try:
        uuid: str = nvml.nvmlDeviceGetUUID(handle)
    except UnicodeDecodeError:
        return ""
    return uuid if uuid == plain(uuid) else ""


def profile_of(instance: Device) -> str:
    """The profile of a MIG instance, such as `1g.10gb`."""
    return instance.name.rpartition("MIG ")[2]


def _memory_of(process: Any) -> int | None:
    """All bits set (pynvml: None) where the driver does not tell; garbage where its structs are others."""
    used: int | None = process.usedGpuMemory
    return used if used is not None and 0 <= used <= MOST_BYTES else None
