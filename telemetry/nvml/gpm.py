"""GPM, the performance counters of Hopper and later: what a GPU that is "100 % utilised" really does."""

from __future__ import annotations

from typing import Any

from telemetry.nvml.calls import NO_PERMISSION, NOT_SUPPORTED, GuardedCalls
from telemetry.nvml.readings import Values
from telemetry.source import NowNs

LEAST_NS = 100_000_000
"""Two samples must lie so far apart, says NVML."""

_MIB = 1 << 20

METRICS: dict[int, tuple[str, float, float]] = {
    2: ("sm_active_pct", 1, 100),
    5: ("tensor_active_pct", 1, 100),
    10: ("dram_active_pct", 1, 100),
    20: ("pcie_tx_bytes_per_s", _MIB, 1e13),
    21: ("pcie_rx_bytes_per_s", _MIB, 1e13),
    60: ("nvlink_rx_bytes_per_s", _MIB, 1e13),
    61: ("nvlink_tx_bytes_per_s", _MIB, 1e13),
}
"""Metric -> (field of `GpuSample`, our unit over NVML's, the most that can be)."""

QUANTITY = "SM, tensor and DRAM activity"
NO_GPM_PERMISSION = (
    f"{QUANTITY} need permission: run as root, or load the driver with NVreg_RestrictProfilingToAdminUsers=0"
)


class Gpm:
    """Two buffers of one device, filled in turn. `remark` is what a person should know, or empty.

    Args:
        calls: about the device; `device` is the handle of the whole GPU.
        instance: the GPU instance of a MIG device; None for the whole.
    """

    def __init__(self, calls: GuardedCalls, instance: int | None = None) -> None:
        self._calls = calls
        self._instance = instance
        self._buffers: list[Any] = []
        self._filled_ns: int | None = None
        self._request: Any = None
        self.remark = ""

    def read(self, device: Any, now_ns: NowNs) -> Values:
        """Fields of `GpuSample` over the time since the last call that was at least 100 ms ago.

        Raises:
            GpuLost: the GPU is.
        """
        t_ns = now_ns()
        if self._filled_ns is not None and t_ns - self._filled_ns < LEAST_NS:
            return {}
        if not self._buffers and self._calls.ask("GPM", lambda: self._prepare(device)) is None:
            self._explain()
            return {}
        before, after = self._buffers
        if self._calls.ask("GPM", lambda: self._fill(device, after)) is None:
            self._filled_ns = None
            self._calls.gave(QUANTITY, False)
            self._explain()
            return {}
        self._buffers = [after, before]
        first, self._filled_ns = self._filled_ns is None, t_ns
        if first:
            return {}
        values = self._calls.ask("GPM", lambda: self._metrics(before, after))
        self._calls.gave(QUANTITY, values is not None)
        self._explain()
        return values or {}

    def forget(self) -> None:
        """The next reading is a first one: the time before belongs to a lost GPU."""
        self._filled_ns = None

    def close(self) -> None:
        nvml = self._calls.nvml
        for buffer in self._buffers:
            try:
                nvml.nvmlGpmSampleFree(buffer)
            except nvml.NVMLError:
                pass
        self._buffers = []

    def _prepare(self, device: Any) -> bool:
        nvml = self._calls.nvml
        if self._instance is None and not nvml.nvmlGpmQueryDeviceSupport(device).isSupportedDevice:
            raise nvml.NVMLError(NOT_SUPPORTED)
        self._buffers = [nvml.nvmlGpmSampleAlloc(), nvml.nvmlGpmSampleAlloc()]
        self._request = nvml.c_nvmlGpmMetricsGet_t()
        return True

    def _fill(self, device: Any, buffer: Any) -> bool:
        if self._instance is None:
            self._calls.nvml.nvmlGpmSampleGet(device, buffer)
        else:
            self._calls.nvml.nvmlGpmMigSampleGet(device, self._instance, buffer)
        return True

    def _metrics(self, before: Any, after: Any) -> Values:
        nvml, request = self._calls.nvml, self._request
        request.version = nvml.NVML_GPM_METRICS_GET_VERSION
        request.numMetrics = len(METRICS)
        request.sample1, request.sample2 = before, after
        for place, metric in enumerate(METRICS):
            request.metrics[place].metricId = metric
        nvml.nvmlGpmMetricsGet(request)
        values: Values = {}
        for place, (name, scale, most) in enumerate(METRICS.values()):
            answer = request.metrics[place]
            if answer.nvmlReturn == nvml.NVML_SUCCESS:
                values[name] = _plausible(answer.value * scale, most)
        return values

    def _explain(self) -> None:
        if self._calls.refused.get("GPM") == NO_PERMISSION:
            self.remark = NO_GPM_PERMISSION


def _plausible(value: float, most: float) -> float | None:
    """A little above the most is rounding (seen on MIG, DCGM#152); far above, or no number, is nothing."""
    return round(min(value, most), 1) if 0 <= value <= 1.1 * most else None
