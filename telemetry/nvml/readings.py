"""What is asked of a GPU by calls of their own: one row per quantity, the preferred call first.

Each call returns `GpuSample` or `GpuDevice` fields in their units. A value that cannot be (all bits
set, 255 %) is None: drivers fill unsupported fields with such. Calls raise NVMLError.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from telemetry.nvml.calls import FUNCTION_NOT_FOUND, NOT_SUPPORTED, GuardedCalls
from telemetry.records import throttle_reasons

Values = dict[str, Any]
Call = Callable[[Any, Any], Values]
"""Called with the module `pynvml` and a device handle."""


class Way(NamedTuple):
    """One way to read a quantity."""

    call: Call
    remark: str = ""
    """What a person should know when this way had to be taken, after `GPU 0: `."""


def within(value: float, most: float, least: float = 0) -> float | None:
    """`value`, or None when it lies outside `[least, most]`."""
    return value if least <= value <= most else None


MOST_BYTES = 1 << 50
MOST_POWER_W = 100_000
MOST_CLOCK_MHZ = 100_000
MOST_ENERGY_J = 1e15


def _utilization(nvml: Any, handle: Any) -> Values:
    return {"util_pct": within(nvml.nvmlDeviceGetUtilizationRates(handle).gpu, 100)}


def _memory_v2(nvml: Any, handle: Any) -> Values:
    info = nvml.nvmlDeviceGetMemoryInfo(handle, version=nvml.nvmlMemory_v2)
    return _memory(nvml, info.total, info.used, info.reserved)


def _memory_v1(nvml: Any, handle: Any) -> Values:
    info = nvml.nvmlDeviceGetMemoryInfo(handle)
    return _memory(nvml, info.total, info.used, None)


def _memory(nvml: Any, total: int, used: int, reserved: int | None) -> Values:
    if total == 0:  # how some drivers say that a GPU has no memory of its own
        raise nvml.NVMLError(NOT_SUPPORTED)
    known_total = within(total, MOST_BYTES, least=1)
    most = MOST_BYTES if known_total is None else known_total
    return {
        "memory_total_bytes": known_total,
        "memory_used_bytes": within(used, most),
        "memory_reserved_bytes": None if reserved is None else within(reserved, most),
    }


def _power_usage(nvml: Any, handle: Any) -> Values:
    return {"power_w": within(nvml.nvmlDeviceGetPowerUsage(handle) / 1000, MOST_POWER_W)}


def _power_limit(nvml: Any, handle: Any) -> Values:
    return {"power_limit_w": within(nvml.nvmlDeviceGetEnforcedPowerLimit(handle) / 1000, MOST_POWER_W, 0.001)}


def _temperature_v(nvml: Any, handle: Any) -> Values:
    read = getattr(nvml, "nvmlDeviceGetTemperatureV", None)
    if read is None:  # older nvidia-ml-py
        raise nvml.NVMLError(FUNCTION_NOT_FOUND)
    return {"temperature_c": within(read(handle, nvml.NVML_TEMPERATURE_GPU), 200, least=-50)}


def _temperature(nvml: Any, handle: Any) -> Values:
    value = nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU)
    return {"temperature_c": within(value, 200, least=-50)}


def _sm_clock(nvml: Any, handle: Any) -> Values:
    return {"sm_clock_mhz": within(nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_SM), MOST_CLOCK_MHZ)}


def _memory_clock(nvml: Any, handle: Any) -> Values:
    return {
        "memory_clock_mhz": within(nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_MEM), MOST_CLOCK_MHZ)
    }


def _energy(nvml: Any, handle: Any) -> Values:
    return {"energy_j": within(nvml.nvmlDeviceGetTotalEnergyConsumption(handle) / 1000, MOST_ENERGY_J)}


def _event_reasons(nvml: Any, handle: Any) -> Values:
    return {"throttle": throttle_reasons(nvml.nvmlDeviceGetCurrentClocksEventReasons(handle))}


def _throttle_reasons(nvml: Any, handle: Any) -> Values:
    return {"throttle": throttle_reasons(nvml.nvmlDeviceGetCurrentClocksThrottleReasons(handle))}


def _sm_clock_max(nvml: Any, handle: Any) -> Values:
    value = nvml.nvmlDeviceGetMaxClockInfo(handle, nvml.NVML_CLOCK_SM)
    return {"sm_clock_max_mhz": within(value, MOST_CLOCK_MHZ, least=1)}


def _memory_clock_max(nvml: Any, handle: Any) -> Values:
    value = nvml.nvmlDeviceGetMaxClockInfo(handle, nvml.NVML_CLOCK_MEM)
    return {"memory_clock_max_mhz": within(value, MOST_CLOCK_MHZ, least=1)}


READINGS: dict[str, tuple[Way, ...]] = {
    "utilization": (Way(_utilization),),
    "memory": (
        Way(_memory_v2),
        Way(_memory_v1, "the driver is too old to tell its own memory apart: used memory includes it"),
    ),
    "power limit": (Way(_power_limit),),
    "temperature": (Way(_temperature_v), Way(_temperature)),
    "SM clock": (Way(_sm_clock),),
    "memory clock": (Way(_memory_clock),),
    "clocks event reasons": (Way(_event_reasons), Way(_throttle_reasons)),
    "energy": (Way(_energy),),
}
"""Asked at every poll, per GPU: fields of `GpuSample`."""

POWER: dict[str, tuple[Way, ...]] = {
    "power": (
        Way(_power_usage, "no instant power: the driver's reading may be the mean of the last second"),
    ),
}
"""Asked where the field value of instant power is not supported."""

MIG_READINGS: dict[str, tuple[Way, ...]] = {"memory": READINGS["memory"]}
"""Asked of a MIG instance: the rest is its parent's."""

CONSTANTS: dict[str, tuple[Way, ...]] = {
    "memory": READINGS["memory"],
    "power limit": READINGS["power limit"],
    "SM clock maximum": (Way(_sm_clock_max),),
    "memory clock maximum": (Way(_memory_clock_max),),
}
"""Asked when a GPU is found: fields of `GpuDevice`."""


def read(calls: GuardedCalls, handle: Any, table: dict[str, tuple[Way, ...]], remarks: set[str]) -> Values:
    """All of `table` that answers; adds to `remarks` those of the ways that had to be taken.

    Raises:
        GpuLost: the GPU is.
    """
    values: Values = {}
    for quantity, ways in table.items():
        found: Values | None = None
        for number, way in enumerate(ways):
            name = f"{quantity} {number}"
            found = calls.ask(name, partial(way.call, calls.nvml, handle))
            if found:
                values.update(found)
                if way.remark:
                    remarks.add(way.remark)
            # A fallback is for what never works: its figure may mean something else.
            if name not in calls.refused:
                break
        calls.gave(quantity, found is not None)
    return values
