"""The machines of a session as columns by time."""

from __future__ import annotations

from dataclasses import dataclass, field
from operator import attrgetter

from sessions.timeline.columns import Table
from telemetry.records import HostSample

HOST_FIELDS = (
    *("cpu_pct", "cores", "load1", "memory_used_bytes", "memory_total_bytes", "net_rx_bytes_per_s"),
    *("net_tx_bytes_per_s", "steal_pct", "throttled_pct"),
)
_values_of = attrgetter(*HOST_FIELDS)


@dataclass
class HostColumns:
    """One machine."""

    host: str
    samples: Table = field(default_factory=lambda: Table(("t", *HOST_FIELDS)))

    def take(self, record: HostSample) -> None:
        self.samples.add((record.t_ns, *_values_of(record)))
