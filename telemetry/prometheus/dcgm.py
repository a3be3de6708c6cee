"""GPUs of one or several hosts, as dcgm-exporter shows them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from copy import copy
from itertools import islice

from telemetry.prometheus.exposition import MetricSample, Scrape, simulated
from telemetry.records import GpuDevice, GpuDevices, GpuSample, GpuSamples, TelemetryRecord, throttle_reasons
from telemetry.source import plain

_MIB = 1 << 20
_XIDS = "DCGM_FI_DEV_XID_ERRORS"
MOST_GPUS = 1000
"""By host and number, the first: a line of a session holds no more."""

_DCGM: dict[str, tuple[str, float, float]] = {
    "DCGM_FI_DEV_GPU_UTIL": ("util_pct", 1, 100),
    "DCGM_FI_DEV_FB_USED": ("memory_used_bytes", _MIB, 2**50),
    "DCGM_FI_DEV_FB_RESERVED": ("memory_reserved_bytes", _MIB, 2**50),
    "DCGM_FI_DEV_FB_FREE": ("free_bytes", _MIB, 2**50),
    "DCGM_FI_DEV_FB_TOTAL": ("memory_total_bytes", _MIB, 2**50),
    "DCGM_FI_DEV_POWER_USAGE": ("power_w", 1, 1e5),
    "DCGM_FI_DEV_ENFORCED_POWER_LIMIT": ("power_limit_w", 1, 1e5),
    "DCGM_FI_DEV_POWER_MGMT_LIMIT": ("managed_power_limit_w", 1, 1e5),
    "DCGM_FI_DEV_GPU_TEMP": ("temperature_c", 1, 200),
    "DCGM_FI_DEV_MEMORY_TEMP": ("memory_temperature_c", 1, 200),
    "DCGM_FI_DEV_SM_CLOCK": ("sm_clock_mhz", 1, 1e5),
    "DCGM_FI_DEV_MEM_CLOCK": ("memory_clock_mhz", 1, 1e5),
    "DCGM_FI_DEV_MAX_SM_CLOCK": ("sm_clock_max_mhz", 1, 1e5),
    "DCGM_FI_DEV_MAX_MEM_CLOCK": ("memory_clock_max_mhz", 1, 1e5),
    "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION": ("energy_j", 1e-3, 1e15),
    # Ratios; a MIG device may show a little more than 1 (DCGM#152). Most exporters leave SM_ACTIVE out.
    "DCGM_FI_PROF_SM_ACTIVE": ("sm_active_pct", 100, 110),
    "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE": ("tensor_active_pct", 100, 110),
    "DCGM_FI_PROF_DRAM_ACTIVE": ("dram_active_pct", 100, 110),
    "DCGM_FI_PROF_PCIE_TX_BYTES": ("pcie_tx_bytes_per_s", 1, 1e13),
    "DCGM_FI_PROF_PCIE_RX_BYTES": ("pcie_rx_bytes_per_s", 1, 1e13),
    "DCGM_FI_PROF_NVLINK_TX_BYTES": ("nvlink_tx_bytes_per_s", 1, 1e13),
    "DCGM_FI_PROF_NVLINK_RX_BYTES": ("nvlink_rx_bytes_per_s", 1, 1e13),
    "DCGM_FI_DEV_CLOCKS_EVENT_REASONS": ("throttle", 1, 1 << 32),
    "DCGM_FI_DEV_CLOCK_THROTTLE_REASONS": ("throttle", 1, 1 << 32),
    _XIDS: ("xid", 1, 1e6),
}
"""Name of a sample -> (what it is, our unit over DCGM's, the most that can be: DCGM's blanks lie above)."""


OF_INSTANCE = frozenset(
    (
        *("util_pct", "memory_used_bytes", "memory_reserved_bytes", "free_bytes", "memory_total_bytes"),
        *("sm_active_pct", "tensor_active_pct", "dram_active_pct"),
    )
)
"""What a MIG instance has of its own. The rest is the board's: dcgm-exporter repeats it for each instance."""


class _Row:
    """All that was said about one GPU, or one MIG instance."""

    def __init__(self, labels: Mapping[str, str]) -> None:
        # dcgm-exporter wrote `Hostname` up to 3.x and `hostname` later; pod relabelling changes case again.
        by_name = {name.lower(): plain(value) for name, value in labels.items()}
        self.uuid = by_name.get("uuid", "")
        self.index = int(gpu) if (gpu := by_name.get("gpu", "")).isdecimal() and len(gpu) < 6 else 0
        self.host = by_name.get("hostname", "")
        self.model = by_name.get("modelname", "")
        self.driver = by_name.get("dcgm_fi_driver_version", "")
        self.profile = by_name.get("gpu_i_profile", "")
        self.instance = by_name.get("gpu_i_id", "") or self.profile
        """Empty for a whole GPU."""
        self.parent = ""
        self.values: dict[str, float] = {}
        self.repeated: dict[str, float] = {}
        """What the lines of its instances say of the board: good where it has no line of its own."""

    def board(self) -> _Row:
        """The GPU that this instance is a part of."""
        whole = copy(self)
        whole.profile = whole.instance = ""
        whole.values, whole.repeated = {}, {}
        return whole

    def whole(self, name: str) -> int | None:
        return int(self.values[name]) if name in self.values else None

    def total_bytes(self) -> int | None:
        if "memory_total_bytes" in self.values:
            return self.whole("memory_total_bytes")
        if "free_bytes" not in self.values or "memory_used_bytes" not in self.values:
            return None
        parts = ("memory_used_bytes", "free_bytes", "memory_reserved_bytes")
        return int(sum(self.values.get(part, 0) for part in parts))

    def share(self, name: str) -> float | None:
        return round(min(100.0, self.values[name]), 1) if name in self.values else None

    def throttle(self) -> list[str] | None:
        bits = self.whole("throttle")
        return None if bits is None else throttle_reasons(bits)

    def power_limit_w(self) -> float | None:
        return self.values.get("power_limit_w", self.values.get("managed_power_limit_w"))


def _rows(samples: list[MetricSample], source: str) -> dict[str, _Row]:
    rows: dict[str, _Row] = {}
    for sample in samples:
        known = _DCGM.get(sample.name)
        if known is None or not sample.labels:
            continue
        what, scale, most = known
        value = sample.value * scale
        possible = math.isfinite(value) and 0 <= value <= most
        row = _Row(sample.labels)
        # A MIG instance carries the UUID of its GPU.
        key = row.uuid or f"{source}#{row.host}:{row.index}"
        if row.instance:
            board = rows.setdefault(key, row.board())
            if possible and what not in OF_INSTANCE:
                board.repeated[what] = value
            row.parent, key = key, f"{key}/{row.instance}"
            possible = possible and what in OF_INSTANCE
        row = rows.setdefault(key, row)
        if possible:
            row.values[what] = value
    for row in rows.values():
        row.values = {**row.repeated, **row.values}
    return dict(sorted(rows.items(), key=lambda item: (item[1].host, item[1].index, item[0])))


NAMES = tuple(_DCGM)


def read(samples: list[MetricSample], scrape: Scrape) -> list[TelemetryRecord]:
    """dcgm-exporter (MiB, W, mJ) of one or several hosts: `GpuDevices`, then `GpuSamples`.

    `energy_j` and the rest are as old as the exporter's own collection (30 s by default).
    """
    rows = dict(islice(_rows(samples, scrape.source).items(), MOST_GPUS))
    if not rows:
        return []
    devices = [
        GpuDevice(
            gpu=key,
            index=row.index,
            name=row.model,
            host=row.host,
            memory_total_bytes=row.total_bytes(),
            power_limit_w=row.power_limit_w(),
            sm_clock_max_mhz=row.values.get("sm_clock_max_mhz"),
            memory_clock_max_mhz=row.values.get("memory_clock_max_mhz"),
            parent=row.parent,
            mig=row.profile if row.parent else "",
        )
        for key, row in rows.items()
    ]
    gpus = [
        GpuSample(
            gpu=key,
            util_pct=row.values.get("util_pct"),
            memory_used_bytes=row.whole("memory_used_bytes"),
            memory_reserved_bytes=row.whole("memory_reserved_bytes"),
            memory_total_bytes=row.total_bytes(),
            power_w=row.values.get("power_w"),
            power_limit_w=row.power_limit_w(),
            temperature_c=row.values.get("temperature_c"),
            sm_clock_mhz=row.values.get("sm_clock_mhz"),
            memory_clock_mhz=row.values.get("memory_clock_mhz"),
            energy_j=row.values.get("energy_j"),
            memory_temperature_c=row.values.get("memory_temperature_c") or None,
            throttle=row.throttle(),
            sm_active_pct=row.share("sm_active_pct"),
            tensor_active_pct=row.share("tensor_active_pct"),
            dram_active_pct=row.share("dram_active_pct"),
            pcie_rx_bytes_per_s=row.values.get("pcie_rx_bytes_per_s"),
            pcie_tx_bytes_per_s=row.values.get("pcie_tx_bytes_per_s"),
            nvlink_rx_bytes_per_s=row.values.get("nvlink_rx_bytes_per_s"),
            nvlink_tx_bytes_per_s=row.values.get("nvlink_tx_bytes_per_s"),
        )
        for key, row in rows.items()
    ]
    driver = next((row.driver for row in rows.values() if row.driver), "")
    return [
        GpuDevices(scrape.t_ns, scrape.source, devices, driver=driver, simulated=simulated(samples)),
        GpuSamples(scrape.t_ns, scrape.took_ns, scrape.source, gpus),
    ]


def last_xids(samples: list[MetricSample], source: str) -> dict[str, tuple[str, int]]:
    """Key of a GPU -> (words for a person, its last XID; 0 is none)."""
    found = {}
    for key, row in _rows([sample for sample in samples if sample.name == _XIDS], source).items():
        code = row.whole("xid")
        if code is not None:
            found[key] = (f"GPU {row.index}{f' of {row.host}' if row.host else ''}", code)
    return found
