"""What of this machine would spoil a measurement: clocks, cores that others take, caps (`doctor`)."""

from __future__ import annotations

import os
import socket
import statistics
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from loadgen.target.url import Target


class Finding(NamedTuple):
    ok: bool
    name: str
    text: str


ROOT = Path("/")
STEAL = 0.02
"""Share of the machine's time that others took, from which on latencies of the client are not its own."""
LOOK_S = 0.3
GOOD_CLOCKS = ("tsc", "kvm-clock", "arch_sys_counter", "hyperv_clocksource_tsc_page", "timebase", "tod")
"""Clock sources that are read without a call into the kernel (vDSO); others cost a microsecond each time."""
CONNECTS = 7


def machine(root: Path = ROOT) -> Iterator[Finding]:
    """What the kernel says; of what it does not say there is no line."""
    yield from governor(root)
    yield from quota(root)
    yield from clock_source(root)
    yield from steal(root)


def governor(root: Path) -> Iterator[Finding]:
    """How the cores' clocks are chosen."""
    files = sorted((root / "sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_governor"))
    known = Counter(text for file in files if (text := _text(file)))
    if known:
        said = ", ".join(f"{name} on {count}" for name, count in known.most_common())
        slow = [name for name in known if name not in ("performance", "schedutil")]
        advice = "; an idle core wakes slowly: cpupower frequency-set -g performance" if slow else ""
        yield Finding(not slow, "governor", f"{said} cores{advice}")


def quota(root: Path) -> Iterator[Finding]:
    """What a container may use of the cores it sees: the tightest cap on the way to this process's group."""
    own = next(
        (line.split("::", 1)[1] for line in _text(root / "proc/self/cgroup").splitlines() if "::" in line),
        "/",
    )
    caps = []
    base = root / "sys/fs/cgroup"
    for place in (base / own.strip("/"), *(base / own.strip("/")).parents):
        most, _, period = _text(place / "cpu.max").partition(" ")
        if most.isdigit() and period.strip().isdigit() and int(period) > 0:
            caps.append(int(most) / int(period))
        if place == base:
            break
    v1 = (_text(base / "cpu/cpu.cfs_quota_us"), _text(base / "cpu/cpu.cfs_period_us"))
    if v1[0].isdigit() and v1[1].isdigit() and int(v1[1]) > 0:
        caps.append(int(v1[0]) / int(v1[1]))
    seen = os.cpu_count() or 1
    if caps and min(caps) < seen:
        text = f"{min(caps):g} of {seen} cores (cgroup); at the cap all stands still until the next period"
        yield Finding(False, "CPU quota", text)


def clock_source(root: Path) -> Iterator[Finding]:
    """What tells the time, and whether the kernel gave up a better one."""
    place = root / "sys/devices/system/clocksource/clocksource0"
    current, available = _text(place / "current_clocksource"), _text(place / "available_clocksource").split()
    if not current:
        return
    text = f"{current} (available: {', '.join(available) or 'not told'})"
    good = current in GOOD_CLOCKS
    if not good:
        text += "; reading it costs a call into the kernel"
        if "tsc" not in available:
            text += ": is the TSC unstable? dmesg | grep -i tsc"
    yield Finding(good, "clock", text)


def steal(root: Path, look_s: float = LOOK_S) -> Iterator[Finding]:
    """Time that other machines of this host took, now and since it started."""
    before = cpu_times(_text(root / "proc/stat"))
    time.sleep(look_s)
    after = cpu_times(_text(root / "proc/stat"))
    if before is None or after is None:
        return
    now = (after.stolen - before.stolen) / max(after.total - before.total, 1)
    ever = after.stolen / max(after.total, 1)
    text = f"{now:.1%} of the CPU time now, {ever:.1%} since start"
    advice = "; this virtual machine shares its cores with others" if max(now, ever) > STEAL else ""
    yield Finding(not advice, "steal", text + advice)


class CpuTimes(NamedTuple):
    total: int
    stolen: int


def cpu_times(stat: str) -> CpuTimes | None:
    """Of all cores, in ticks (proc_stat(5)); None where the kernel does not tell of steal."""
    fields = (stat.splitlines() or [""])[0].split()[1:]
    if len(fields) < 8 or not all(field.isdigit() for field in fields):
        return None
    values = [int(field) for field in fields]
    return CpuTimes(sum(values[:8]), values[7])  # guest time is in user time already


def gpus_at_rest() -> Iterator[Finding]:
    """Whether the driver keeps them awake, and who else computes on them."""
    from telemetry.nvml.at_rest import at_rest

    for gpu in at_rest():
        if gpu.persistent is False:
            text = "persistence mode is off: its first request waits for the driver; nvidia-smi -pm 1"
            yield Finding(False, f"GPU {gpu.number}", text)
        if gpu.processes:
            counted = Counter(gpu.processes)
            names = ", ".join(f"{name} x {n}" if n > 1 else name for name, n in counted.most_common(4))
            yield Finding(True, f"GPU {gpu.number}", f"computes now: {names}; all of it is in its figures")


def round_trip_ms(where: Target) -> float | None:
    """Median time of a TCP connection, which is a round trip; None of a Unix socket, or without one."""
    hop = where.hop
    if hop.unix_path is not None:
        return None
    took = []
    for _ in range(CONNECTS):
        begin_ns = time.monotonic_ns()
        try:
            with socket.create_connection((hop.host, hop.port), timeout=5):
                took.append((time.monotonic_ns() - begin_ns) / 1e6)
        except OSError:
            return None
    return statistics.median(took)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
