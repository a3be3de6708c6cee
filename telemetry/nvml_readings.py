"""What is asked of a GPU through NVML: one row per quantity, the preferred call first.

Each call returns `GpuSample` or `GpuDevice` fields in their units. A value that cannot be (all bits
set, a total of 0, 255 %) is None: drivers fill unsupported fields with such. Calls raise NVMLError.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

NOT_SUPPORTED = 3
FUNCTION_NOT_FOUND = 13

Values = dict[str, float | None]
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


def field(nvml: Any, handle: Any, field_id: int, scope: int = 0) -> float:
    """One NVML field value (nvmlDeviceGetFieldValues).

    Raises:
        NVMLError: the call's own error, or the field's (each field carries its own).
    """
    value = nvml.nvmlDeviceGetFieldValues(handle, [(field_id, scope)])[0]
    if value.nvmlReturn != nvml.NVML_SUCCESS:
        raise nvml.NVMLError(value.nvmlReturn)
    member = {
        nvml.NVML_VALUE_TYPE_DOUBLE: "dVal",
        nvml.NVML_VALUE_TYPE_UNSIGNED_INT: "uiVal",
        nvml.NVML_VALUE_TYPE_UNSIGNED_LONG: "ulVal",
        nvml.NVML_VALUE_TYPE_UNSIGNED_LONG_LONG: "ullVal",
        nvml.NVML_VALUE_TYPE_SIGNED_LONG_LONG: "sllVal",
        nvml.NVML_VALUE_TYPE_SIGNED_INT: "siVal",
    }.get(value.valueType)
    if member is None:
        raise nvml.NVMLError(NOT_SUPPORTED)
    number: float = getattr(value.value, member)
    return number


MOST_BYTES = 1 << 50
MOST_POWER_W = 100_000
MOST_CLOCK_MHZ = 100_000
MOST_ENERGY_J = 1e15


def _utilization(nvml: Any, handle: Any) -> Values:
    return {"util_pct": within(nvml.nvmlDeviceGetUtilizationRates(handle).gpu, 100)}


def _memory_v2(nvml: Any, handle: Any) -> Values:
    info = nvml.nvmlDeviceGetMemoryInfo(handle, version=nvml.nvmlMemory_v2)
    return _memory(info.total, info.used, info.reserved)


def _memory_v1(nvml: Any, handle: Any) -> Values:
    info = nvml.nvmlDeviceGetMemoryInfo(handle)
    return _memory(info.total, info.used, None)


def _memory(total: int, used: int, reserved: int | None) -> Values:
    known_total = within(total, MOST_BYTES, least=1)
    most = MOST_BYTES if known_total is None else known_total
    return {
        "memory_total_bytes": known_total,
        "memory_used_bytes": within(used, most),
        "memory_reserved_bytes": None if reserved is None else within(reserved, most),
    }


def _power_instant(nvml: Any, handle: Any) -> Values:
    return {"power_w": within(field(nvml, handle, nvml.NVML_FI_DEV_POWER_INSTANT) / 1000, MOST_POWER_W)}


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
    "power": (
        Way(_power_instant),
        Way(_power_usage, "no instant power: the driver's reading may be the mean of the last second"),
    ),
    "power limit": (Way(_power_limit),),
    "temperature": (Way(_temperature_v), Way(_temperature)),
    "SM clock": (Way(_sm_clock),),
    "memory clock": (Way(_memory_clock),),
    "energy": (Way(_energy),),
}
"""Asked at every poll, per GPU: fields of `GpuSample`."""

CONSTANTS: dict[str, tuple[Way, ...]] = {
    "memory": READINGS["memory"],
    "power limit": READINGS["power limit"],
    "SM clock maximum": (Way(_sm_clock_max),),
    "memory clock maximum": (Way(_memory_clock_max),),
}
"""Asked when a GPU is found: fields of `GpuDevice`."""
