"""The records a telemetry source emits. Missing is None, never 0; every record carries its own times.

Times (`*_ns`) are integer nanoseconds on the monotonic clock since the session's origin.
"""

from __future__ import annotations

import msgspec


class GpuProcess(msgspec.Struct, omit_defaults=True):
    """A process that computes on a GPU (NVML nvmlDeviceGetComputeRunningProcesses)."""

    pid: int
    """The process id as the driver counts: the machine's, also inside a container."""
    memory_bytes: int | None = None
    """Memory it has on this GPU; None where the driver keeps it to itself (WSL, some containers)."""
    name: str = ""
    """Empty where /proc does not show it."""


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
    """A counter since some past instant; only differences mean anything. It goes back to 0 when the driver
    is loaded anew: a negative difference is a gap."""
    after_ns: int | None = None
    """Asking this GPU began so long after the record's `t_ns`."""
    took_ns: int | None = None
    """Asking this GPU took so long."""
    lost: bool = False
    """Off the bus or in want of a reset (NVML GpuIsLost, ResetRequired): all values None; asked every 5 s."""
    power_average_w: float | None = None
    """Mean of the last second (NVML field 185; Ampere and later except GA100)."""
    memory_temperature_c: float | None = None
    """NVML field 82; most PCIe and consumer cards have none."""
    throttle: list[str] | None = None
    """Why the clocks are lower than they could be, at this instant (NVML clocks event reasons): some of
    `THROTTLE_REASONS`. [] is none; None is not known."""
    throttled_pct: dict[str, float] | None = None
    """Share of the time since the last sample in which clocks were held down, by reason: `power cap`,
    `thermal`, `HW thermal`, `power brake` (NVML fields 74, 269, 270, 271). Sees what an instant misses."""
    pcie_rx_bytes_per_s: float | None = None
    """Traffic to this GPU over PCIe, since the last sample (GPM metric 21; NVML field 198)."""
    pcie_tx_bytes_per_s: float | None = None
    """Traffic from this GPU over PCIe (GPM metric 20; NVML field 197)."""
    nvlink_rx_bytes_per_s: float | None = None
    """Payload received over all NVLinks, since the last sample (NVML field 139; GPM metric 60)."""
    nvlink_tx_bytes_per_s: float | None = None
    """Payload sent over all NVLinks (NVML field 138; GPM metric 61)."""
    sm_active_pct: float | None = None
    """Share of SMs that were busy since the last sample (GPM metric 2, Hopper and later): low beside a
    `util_pct` of 100 means that kernels run, but small ones."""
    tensor_active_pct: float | None = None
    """Share of the time with tensor operations of any kind (GPM metric 5)."""
    dram_active_pct: float | None = None
    """Memory bandwidth used, of the most there is (GPM metric 10)."""
    processes: list[GpuProcess] | None = None
    """Processes that compute here; asked once a second: None in samples between, [] where there are none."""


THROTTLE_REASONS = (
    *("idle", "app clocks", "power cap", "HW slowdown", "sync boost"),
    *("thermal", "HW thermal", "power brake", "display"),
)
"""Bits 0 to 8 of NVML's clocks event reasons. The first two and `display` are no trouble."""


def throttle_reasons(bits: int) -> list[str]:
    """The names of the bits that are set; those that have none are left out."""
    return [name for bit, name in enumerate(THROTTLE_REASONS) if bits >> bit & 1]


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
    parent: str = ""
    """A MIG instance: the `gpu` of the whole GPU it is a part of."""
    mig: str = ""
    """A MIG instance: its profile, such as `1g.10gb`."""
    unified_memory: bool = False
    """It shares the machine's memory: the memory figures are the machine's (/proc/meminfo)."""
    visible: bool | None = None
    """Named in CUDA_VISIBLE_DEVICES; None where that is not set. Visible ones come first, in its order."""
    cuda_index: int | None = None
    """Its place in CUDA_VISIBLE_DEVICES: what a program that was started with it calls this GPU."""
    serves_target: bool | None = None
    """A process that listens on the target's port, or a descendant of one, computes on it. None: not known
    (the target is elsewhere, or its process cannot be seen)."""
    role: str = ""
    """What its machine does for the server, as a person said (`prefill`, `decode`): it is a part of it."""


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
    cpu_ns: int | None = None
    """CPU time of this process that the poll cost; None where nobody counted."""
    age_ns: int | None = None
    """The values have been the same for so long: an exporter refreshes more seldom than it is asked
    (dcgm-exporter: 30 s). None where they are read when asked."""


class GpuEvent(msgspec.Struct, tag="gpu_event", tag_field="kind", omit_defaults=True):
    """Something happened to a GPU: a mark across all charts."""

    t_ns: int
    source: str
    gpu: str
    """The device's key (`GpuSample.gpu`); empty where the driver does not say which."""
    event: str
    """`xid`, `ecc_corrected`, `ecc_uncorrected`, `row_remapped`, `remap_failed`."""
    code: int | None = None
    """The number of an `xid` in NVIDIA's list; None for other events."""
    count: int | None = None
    """How many there were since the last look (every 10 s); None for an `xid`."""
    text: str = ""
    """One plain sentence."""


class HostSample(msgspec.Struct, tag="host_sample", tag_field="kind", omit_defaults=True):
    """One machine, by psutil and its cgroup. Shares and rates are over the time since the last sample."""

    t_ns: int
    took_ns: int
    source: str
    host: str = ""
    cpu_pct: float | None = None
    """CPU time used, of all cores together, 0 to 100."""
    cores: int | None = None
    load1: float | None = None
    """Runnable (and, on Linux, uninterruptible) tasks, mean of the last minute."""
    memory_used_bytes: int | None = None
    """Total minus what programs could still get (MemAvailable)."""
    memory_total_bytes: int | None = None
    net_rx_bytes_per_s: float | None = None
    """All interfaces but loopback."""
    net_tx_bytes_per_s: float | None = None
    steal_pct: float | None = None
    """Share of all cores' time that the hypervisor gave to others; None where the system does not tell."""
    throttled_pct: float | None = None
    """Share of the time in which our cgroup was held back by its CPU quota (cpu.stat throttled_usec, a sum
    over cores: cut at 100); None without a quota or without cgroup v2."""


class Histogram(msgspec.Struct, omit_defaults=True):
    """A Prometheus histogram of seconds, since the server's start."""

    bounds_s: list[float]
    """Ascending upper bounds, without the last, infinite one."""
    counts: list[int]
    """Observations at or below each bound, then all of them: one more than `bounds_s`, never falling."""
    sum_s: float | None = None


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
    prefix_hit_pct: float | None = None
    """Prompt tokens found in the prefix cache, of those looked up since the last sample (SGLang: its own
    gauge). None when none were looked up."""
    prefix_queried_tokens: float | None = None
    """Prompt tokens looked up in the prefix cache, since the server's start."""
    prefix_hit_tokens: float | None = None
    """Prompt tokens found in the prefix cache, since the server's start."""
    cached_tokens: float | None = None
    """Prompt tokens that came from any cache, since the server's start."""
    finished: float | None = None
    """Requests that ended, neither aborted nor failed."""
    ttft: Histogram | None = None
    """Time to first token as the server sees it: beside ours, the difference is network and client."""
    itl: Histogram | None = None
    """Time between tokens as the server sees it."""
    e2e: Histogram | None = None
    queue: Histogram | None = None
    """Time that requests waited in the server. vLLM and TGI count a request here when it has ended, SGLang
    when it is first computed."""
    prefill: Histogram | None = None
    """Time from there to the first token (vLLM, which counts a request here when it has ended)."""


class SourceNote(msgspec.Struct, tag="source", tag_field="kind", omit_defaults=True):
    """A source was found, was not, or was lost: one plain sentence for the person at the screen."""

    t_ns: int
    source: str
    ok: bool
    message: str


TelemetryRecord = GpuDevices | GpuSamples | GpuEvent | HostSample | ServerSample | SourceNote

# All are known to msgspec before two threads can meet at one, which would end the process. The lock for
# others is in loadgen, of which nothing is imported here.
msgspec.json.Decoder(TelemetryRecord)
