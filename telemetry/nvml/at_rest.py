"""What is to be known of this machine's GPUs before anything is measured on them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, NamedTuple

from telemetry.server_processes import process_name


class GpuAtRest(NamedTuple):
    """One GPU of this machine, MIG instances with their whole GPU."""

    number: int
    """Its index in NVML's order."""
    persistent: bool | None
    """Persistence mode: the driver keeps it initialised. None where it does not say."""
    processes: list[str]
    """Names, or pids where there is no name to be seen, of what computes on it now."""


def at_rest() -> list[GpuAtRest]:
    """Asks the driver, which has to answer already (`NvmlSource.open` waits for one that does not); [] where
    there is none."""
    try:
        import pynvml
    except ImportError:
        return []
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return []
    try:
        return [_of(pynvml, index) for index in range(pynvml.nvmlDeviceGetCount())]
    except pynvml.NVMLError:
        return []
    finally:
        with contextlib.suppress(pynvml.NVMLError):
            pynvml.nvmlShutdown()


def _of(nvml: Any, index: int) -> GpuAtRest:
    handle = nvml.nvmlDeviceGetHandleByIndex(index)
    mode = _asked(nvml, lambda: nvml.nvmlDeviceGetPersistenceMode(handle))
    found = _asked(nvml, lambda: nvml.nvmlDeviceGetComputeRunningProcesses(handle)) or []
    pids = [int(process.pid) for process in found]
    return GpuAtRest(
        index, None if mode is None else bool(mode), [process_name(pid) or f"pid {pid}" for pid in pids]
    )


def _asked(nvml: Any, call: Callable[[], Any]) -> Any:
    try:
        return call()
    except nvml.NVMLError:
        return None
