"""What only shows between two scrapes of one address: shares of counters, the age of a value, a new XID."""

from __future__ import annotations

from telemetry.prometheus.dcgm import last_xids
from telemetry.prometheus.exposition import MetricSample
from telemetry.records import GpuSample, GpuSamples, ServerSample, TelemetryRecord
from telemetry.xid import xid_event


class ScrapeDeltas:
    """Keeps the last scrape of one address."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._server: ServerSample | None = None
        self._gpus: list[GpuSample] | None = None
        self._new_ns = 0
        self._xids: dict[str, tuple[str, int]] | None = None

    def add_to(self, records: list[TelemetryRecord], *, ages: bool) -> None:
        """Fills in `prefix_hit_pct` and, with `ages`, `age_ns`."""
        for record in records:
            if isinstance(record, ServerSample):
                before, self._server = self._server, record
                if before is not None and record.prefix_hit_pct is None:
                    record.prefix_hit_pct = _hit_pct(before, record)
            elif isinstance(record, GpuSamples) and ages:
                if record.gpus != self._gpus:
                    self._gpus, self._new_ns = record.gpus, record.t_ns
                record.age_ns = record.t_ns - self._new_ns

    def events(self, samples: list[MetricSample], t_ns: int) -> list[TelemetryRecord]:
        """XIDs that were not there at the last scrape. The same one twice in a row cannot be told."""
        before, self._xids = self._xids, last_xids(samples, self._source)
        if before is None:
            return []
        return [
            xid_event(t_ns, self._source, key, label, code)
            for key, (label, code) in self._xids.items()
            if code and before.get(key, ("", 0))[1] != code
        ]


def _hit_pct(before: ServerSample, now: ServerSample) -> float | None:
    """Share of the tokens looked up between two scrapes that were found, percent.

    None when none were looked up, or the server started anew.
    """
    if None in (before.prefix_queried_tokens, now.prefix_queried_tokens):
        return None
    queried = (now.prefix_queried_tokens or 0) - (before.prefix_queried_tokens or 0)
    if queried <= 0 or before.prefix_hit_tokens is None or now.prefix_hit_tokens is None:
        return None
    hit = now.prefix_hit_tokens - before.prefix_hit_tokens
    return round(100 * hit / queried, 1) if 0 <= hit <= queried else None
