"""The machine itself: CPU, load, memory, network and what was taken from us, by psutil and the cgroup."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from telemetry.records import HostSample, SourceNote, TelemetryRecord
from telemetry.source import NowNs, plain

INTERVAL_NS = 1_000_000_000
CGROUP = Path("/sys/fs/cgroup")
SELF_CGROUP = Path("/proc/self/cgroup")


class _Counters(NamedTuple):
    """Where the counters stood."""

    t_ns: int
    cpu_s: dict[str, float]
    """Seconds of all cores together, by what they went to."""
    rx_bytes: int | None
    tx_bytes: int | None
    throttled_us: float | None


class HostSource:
    """One `HostSample` a second.

    Args:
        host: this machine's name.
        cgroup: where cgroup v2 is mounted.
        own: the file that says which cgroup is ours.
    """

    name = "host"

    def __init__(self, host: str = "", *, cgroup: Path = CGROUP, own: Path = SELF_CGROUP) -> None:
        self._host = host
        self._cgroup = cgroup
        self._own = own
        self._psutil: Any = None
        self._before: _Counters | None = None

    @property
    def interval_ns(self) -> int | None:
        return None if self._psutil is None else INTERVAL_NS

    def open(self, now_ns: NowNs) -> list[TelemetryRecord]:
        """Nothing but a note when psutil is missing; else the counters start, without a word."""
        try:
            import psutil
        except ImportError:
            text = "host: the Python package psutil is missing; pip install psutil"
            return [SourceNote(now_ns(), self.name, False, text)]
        self._psutil = psutil
        try:
            self._before = self._counters(now_ns())
        except OSError as err:
            self._psutil = None
            return [SourceNote(now_ns(), self.name, False, f"host: {plain(str(err))}")]
        return []

    def sample(self, now_ns: NowNs) -> list[TelemetryRecord]:
        start_ns = now_ns()
        psutil, before = self._psutil, self._before
        now = self._counters(start_ns)
        self._before = now
        memory = psutil.virtual_memory()
        sample = HostSample(
            start_ns,
            0,
            self.name,
            host=self._host,
            cores=psutil.cpu_count(),
            load1=_load1(psutil),
            memory_used_bytes=memory.total - memory.available,
            memory_total_bytes=memory.total,
        )
        if before is not None and now.t_ns > before.t_ns:
            _shares(sample, before, now)
        sample.took_ns = now_ns() - start_ns
        return [sample]

    def close(self) -> None:
        """Nothing is held."""

    def _counters(self, t_ns: int) -> _Counters:
        # What runs in a guest is counted under user and nice already.
        spent = {k: v for k, v in self._psutil.cpu_times()._asdict().items() if not k.startswith("guest")}
        try:
            cards = self._psutil.net_io_counters(pernic=True) or {}
        except OSError:  # no /proc/net in some containers
            cards = {}
        outside = [card for name, card in cards.items() if name != "lo" and not name.startswith("lo0")]
        return _Counters(
            t_ns,
            spent,
            sum(card.bytes_recv for card in outside) if outside else None,
            sum(card.bytes_sent for card in outside) if outside else None,
            _throttled_us(self._cgroup, self._own),
        )


def _shares(sample: HostSample, before: _Counters, now: _Counters) -> None:
    """Fills in what is over the time since the last sample. A counter that went back is a gap."""
    over_s = (now.t_ns - before.t_ns) / 1e9
    gained = {name: spent - before.cpu_s.get(name, 0.0) for name, spent in now.cpu_s.items()}
    whole = sum(max(0.0, spent) for spent in gained.values())
    if whole > 0:
        idle = max(0.0, gained.get("idle", 0.0)) + max(0.0, gained.get("iowait", 0.0))
        sample.cpu_pct = round(100 * (1 - idle / whole), 1)
        if "steal" in gained:
            sample.steal_pct = round(100 * max(0.0, gained["steal"]) / whole, 1)
    sample.net_rx_bytes_per_s = _rate(before.rx_bytes, now.rx_bytes, over_s)
    sample.net_tx_bytes_per_s = _rate(before.tx_bytes, now.tx_bytes, over_s)
    held_us = _rate(before.throttled_us, now.throttled_us, over_s)
    if held_us is not None:
        sample.throttled_pct = round(min(100.0, held_us / 1e4), 1)


def _rate(before: float | None, now: float | None, over_s: float) -> float | None:
    if before is None or now is None or now < before:
        return None
    return float(round((now - before) / over_s))


def _load1(psutil: Any) -> float | None:
    try:
        return float(psutil.getloadavg()[0])
    except OSError:
        return None


def _throttled_us(cgroup: Path, own: Path) -> float | None:
    """Microseconds in which our cgroup, or one above it, was held back; None without cgroup v2 or quota."""
    try:
        path = next(line[3:] for line in own.read_text().splitlines() if line.startswith("0::"))
    except (OSError, StopIteration):
        return None
    # In a container the path is as the host sees it, and only the mount's own files are there.
    here = cgroup / path.strip().lstrip("/")
    folder = here if (here / "cpu.stat").is_file() else cgroup
    most: float | None = None
    while True:
        found = _stat_of(folder)
        if found is not None:
            most = found if most is None else max(most, found)
        if folder == cgroup or cgroup not in folder.parents:
            return most
        folder = folder.parent


def _stat_of(folder: Path) -> float | None:
    try:
        if (folder / "cpu.max").read_text().startswith("max"):
            return None
        for line in (folder / "cpu.stat").read_text().splitlines():
            name, _, value = line.partition(" ")
            if name == "throttled_usec":
                return float(value)
    except (OSError, ValueError):
        pass
    return None
