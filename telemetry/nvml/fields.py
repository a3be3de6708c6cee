"""NVML field values of one GPU, all in one call a poll: gauges, and counters as rates since the last poll."""

from __future__ import annotations

from typing import Any, NamedTuple

from telemetry.nvml.calls import INVALID_ARGUMENT, LOST, PERMANENT, GuardedCalls, gpu_lost
from telemetry.nvml.readings import MOST_POWER_W, within
from telemetry.source import NowNs

ERRORS_INTERVAL_NS = 10_000_000_000
ALL_LINKS = 0xFFFFFFFF
"""As a scope: the sum over all NVLinks."""


class Field(NamedTuple):
    """A row of nvmlDeviceGetFieldValues. The ids are those of the NVML header."""

    field_id: int
    scale: float = 1
    """Our unit over NVML's."""
    most: float = 1e15
    scope: int = 0


GAUGES: dict[str, Field] = {
    "power_w": Field(186, 1e-3, MOST_POWER_W),
    "power_average_w": Field(185, 1e-3, MOST_POWER_W),
    "memory_temperature_c": Field(82, 1, 200),
}
"""Fields of `GpuSample`, read as they are. 0 W and 0 °C are taken for missing: blanks of some boards."""

THROTTLED: dict[str, Field] = {
    "power cap": Field(74),
    "thermal": Field(269),
    "HW thermal": Field(270),
    "power brake": Field(271),
}
"""Counters of nanoseconds in which clocks were held down: keys of `GpuSample.throttled_pct`."""

TRAFFIC: dict[str, Field] = {
    "pcie_tx_bytes_per_s": Field(197),
    "pcie_rx_bytes_per_s": Field(198),
    "nvlink_tx_bytes_per_s": Field(138, 1024, scope=ALL_LINKS),
    "nvlink_rx_bytes_per_s": Field(139, 1024, scope=ALL_LINKS),
}
"""Counters of bytes: fields of `GpuSample` as rates. nvmlDeviceGetPcieThroughput is never called: it blocks
20 ms a direction."""
MOST_BYTES_PER_S = 1e13
MOST_ERRORS = 1e12

ERRORS: dict[str, Field] = {
    "ecc_corrected": Field(3),
    "ecc_uncorrected": Field(4),
    "row_remapped": Field(143),
    "remap_failed": Field(145),
}
"""Counters whose growth is a `GpuEvent`, asked every 10 s: volatile ECC errors, rows remapped after
uncorrectable ones, and failed remappings."""

WORDS = {
    "power_w": "power",
    "power_average_w": "mean power",
    "memory_temperature_c": "memory temperature",
    **{name: f"{name} throttling" for name in THROTTLED},
    "pcie_tx_bytes_per_s": "PCIe traffic sent",
    "pcie_rx_bytes_per_s": "PCIe traffic received",
    "nvlink_tx_bytes_per_s": "NVLink traffic sent",
    "nvlink_rx_bytes_per_s": "NVLink traffic received",
    **{name: f"the count {name.replace('_', ' ')}" for name in ERRORS},
}
"""What a person reads for a row."""

ROWS: dict[str, Field] = {**GAUGES, **THROTTLED, **TRAFFIC, **ERRORS}


class _Read(NamedTuple):
    value: float
    t_ns: int
    stamp_us: int
    """The driver's own time of the value; 0 where it gives none."""


class Fields:
    """What one GPU answers, and where its counters stood."""

    def __init__(self, nvml: Any) -> None:
        self._nvml = nvml
        self._batch = dict(ROWS)
        """Rows that may still answer."""
        self._checked = False
        self._before: dict[str, _Read] = {}
        self._errors_ns: int | None = None

    def supports(self, name: str) -> bool:
        """Whether `name` has not been found to be unsupported."""
        return name in self._batch

    def forget(self) -> None:
        """After the GPU was lost its counters may have started anew."""
        self._before.clear()

    def read(self, calls: GuardedCalls, handle: Any, now_ns: NowNs) -> tuple[dict[str, Any], dict[str, int]]:
        """Fields of `GpuSample`, and by how much the counters of `ERRORS` grew.

        Raises:
            GpuLost: the GPU is.
        """
        t_ns = now_ns()
        with_errors = self._errors_ns is None or t_ns - self._errors_ns >= ERRORS_INTERVAL_NS
        if with_errors:
            self._errors_ns = t_ns
        asked = [name for name in self._batch if with_errors or name not in ERRORS]
        read = self._ask(calls, handle, t_ns, asked)
        for name in asked:
            calls.gave(WORDS[name], name in read)
        sample: dict[str, Any] = {}
        for name, row in GAUGES.items():
            if name in read:
                sample[name] = within(read[name].value * row.scale, row.most, least=1e-6)
        throttled = {}
        grown: dict[str, int] = {}
        for name, now in read.items():
            if name in GAUGES:
                continue
            before, self._before[name] = self._before.get(name), now
            if before is None or now.value < before.value:
                continue
            gain, over_ns = now.value - before.value, _between_ns(before, now)
            if name in ERRORS:
                if gain <= MOST_ERRORS:
                    grown[name] = int(gain)
            elif over_ns <= 0:
                continue
            elif name in THROTTLED:
                # Clocks are read a little before the counters: a full window may come out above 100.
                if gain <= 1.2 * over_ns:
                    throttled[name] = round(min(100.0, 100 * gain / over_ns), 1)
            else:
                rate = gain * TRAFFIC[name].scale * 1e9 / over_ns
                sample[name] = float(round(rate)) if rate <= MOST_BYTES_PER_S else None
        if throttled:
            sample["throttled_pct"] = throttled
        return sample, {name: count for name, count in grown.items() if count}

    def _ask(self, calls: GuardedCalls, handle: Any, t_ns: int, names: list[str]) -> dict[str, _Read]:
        nvml = self._nvml
        if not names:
            return {}
        try:
            answers = nvml.nvmlDeviceGetFieldValues(
                handle, [(self._batch[name].field_id, self._batch[name].scope) for name in names]
            )
        except nvml.NVMLError as err:
            calls.error = err
            self._refused(err, handle, names)
            return {}
        read = {}
        for name, answer in zip(names, answers, strict=True):
            if answer.nvmlReturn == nvml.NVML_SUCCESS and (number := _number(nvml, answer)) is not None:
                read[name] = _Read(number, t_ns, int(answer.timestamp))
                continue
            if answer.nvmlReturn != nvml.NVML_SUCCESS:
                calls.error = nvml.NVMLError(answer.nvmlReturn)
            if answer.nvmlReturn in LOST:
                raise gpu_lost(calls.error)
            if answer.nvmlReturn in (*PERMANENT, INVALID_ARGUMENT, nvml.NVML_SUCCESS):
                del self._batch[name]
        return read

    def _refused(self, err: Any, handle: Any, names: list[str]) -> None:
        if err.value in LOST:
            raise gpu_lost(err) from err
        if err.value in PERMANENT:
            self._batch.clear()
        elif err.value == INVALID_ARGUMENT and not self._checked:
            # A driver may refuse the whole batch for one id that it does not know.
            self._checked = True
            for name in names:
                row = self._batch[name]
                try:
                    self._nvml.nvmlDeviceGetFieldValues(handle, [(row.field_id, row.scope)])
                except self._nvml.NVMLError as single:
                    if single.value in (*PERMANENT, INVALID_ARGUMENT):
                        del self._batch[name]


def _between_ns(before: _Read, now: _Read) -> int:
    """Time between two readings: the driver's where it is plausible beside ours."""
    ours = now.t_ns - before.t_ns
    theirs = (now.stamp_us - before.stamp_us) * 1000
    return theirs if before.stamp_us and ours / 2 < theirs < ours * 2 else ours


def _number(nvml: Any, answer: Any) -> float | None:
    member = {
        nvml.NVML_VALUE_TYPE_DOUBLE: "dVal",
        nvml.NVML_VALUE_TYPE_UNSIGNED_INT: "uiVal",
        nvml.NVML_VALUE_TYPE_UNSIGNED_LONG: "ulVal",
        nvml.NVML_VALUE_TYPE_UNSIGNED_LONG_LONG: "ullVal",
        nvml.NVML_VALUE_TYPE_SIGNED_LONG_LONG: "sllVal",
        nvml.NVML_VALUE_TYPE_SIGNED_INT: "siVal",
    }.get(answer.valueType)
    return None if member is None else float(getattr(answer.value, member))
