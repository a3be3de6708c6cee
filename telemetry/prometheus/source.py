"""A /metrics address as a telemetry source: scraped over HTTP, read by whichever adapters know its names."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from telemetry.prometheus.adapters import ADAPTERS, NAMES
from telemetry.prometheus.deltas import ScrapeDeltas
from telemetry.prometheus.exposition import SIMULATED, MetricSample, Page, Scrape, simulated
from telemetry.prometheus.notices import LOST_AFTER, PageNotices, no_text, split_by_mig
from telemetry.prometheus.scrape import (
    ABSENT_INTERVAL_NS,
    PATIENT_TIMEOUT_S,
    RIGHT_ADDRESS,
    TIMEOUT_S,
    Failure,
    ModelWanted,
    Moved,
    ScrapeTarget,
    TooSlow,
    client,
    scrape,
)
from telemetry.records import GpuDevices, SourceNote, TelemetryRecord
from telemetry.source import NowNs, plain

if TYPE_CHECKING:
    import httpx

INTERVAL_NS = 1_000_000_000
SIMULATED_INTERVAL_NS = 250_000_000
"""A simulated server is cheap to ask, and its GPUs then move on screen like NVML's."""


class PrometheusSource:
    """Server and GPU samples from one /metrics address, at 1 Hz (4 Hz when the server is simulated)."""

    def __init__(self, target: ScrapeTarget) -> None:
        self._target = target
        self._url = target.url
        parts = urlsplit(target.url)
        self.name = plain(f"{parts.netloc}{parts.path}{f'?{parts.query}' if parts.query else ''}")
        self.interval_ns: int | None = INTERVAL_NS
        self._http: httpx.Client | None = None
        self._devices: GpuDevices | None = None
        self._between = ScrapeDeltas(self.name)
        self._notices = PageNotices(self.name)
        self._failed = 0
        self._patient = target.patient
        """It has not answered in time, or is to be given more from the start."""
        self._was_found = False
        self._told = ""
        """What was last said of it: `found`, `lost`, `absent`, or nothing yet."""

    def open(self, now_ns: NowNs) -> list[TelemetryRecord]:
        """Scrapes once: a note says what was found or why nothing was, then the first samples."""
        try:
            self._http = client(self._target)
        except Failure as failure:
            self.interval_ns = None
            return [SourceNote(now_ns(), self.name, False, f"{self.name}: {failure}")]
        self._failed = LOST_AFTER
        return self.sample(now_ns)

    def sample(self, now_ns: NowNs) -> list[TelemetryRecord]:
        if self._http is None:
            return []
        start_ns = now_ns()
        try:
            page = self._scrape(self._http, now_ns)
        except Failure as failure:
            return self._missed(now_ns, failure)
        taken = Scrape(start_ns, now_ns() - start_ns, self.name)
        self._patient = self._patient and taken.took_ns > TIMEOUT_S * 5e8
        found = {title: records for title, records in _read(page.samples, taken) if records}
        if not found:
            return self._missed(now_ns, _nothing_in(page))
        is_simulated = simulated(page.samples)
        self.interval_ns = SIMULATED_INTERVAL_NS if is_simulated else INTERVAL_NS
        records = [record for some in found.values() for record in some]
        first = self._found(now_ns, list(found), records, page)
        notes = self._notices.of_page(now_ns, found, page.bad_lines, taken.took_ns)
        records = self._only_news(records)
        self._between.add_to(records, ages=not is_simulated)
        return [*first, *notes, *self._between.events(page.samples, taken.t_ns), *records]

    def close(self) -> None:
        if self._http is not None:
            self._http.close()

    def _scrape(self, http: httpx.Client, now_ns: NowNs) -> Page:
        """Follows a page to where it moved, and asks a router for the model of the run, once each."""
        timeout_s = PATIENT_TIMEOUT_S if self._patient else None
        for _ in range(2):
            try:
                return scrape(http, self._url, NAMES, now_ns, redact=self._target.redact, timeout_s=timeout_s)
            except Moved as moved:
                self._url = moved.url
            except ModelWanted:
                if not self._target.model:
                    raise
                self._url = f"{self._url}?model={quote(self._target.model, safe='')}"
        raise Failure(f"it points from one address to another; {RIGHT_ADDRESS}", ABSENT_INTERVAL_NS)

    def _only_news(self, records: list[TelemetryRecord]) -> list[TelemetryRecord]:
        """Without `GpuDevices` that say what was said before. Limits that drift do not make a new device."""
        news: list[TelemetryRecord] = []
        for record in records:
            if isinstance(record, GpuDevices):
                if self._devices is not None and _same(self._devices, record):
                    continue
                self._devices = record
            news.append(record)
        return news

    def _found(
        self, now_ns: NowNs, titles: list[str], records: list[TelemetryRecord], page: Page
    ) -> list[TelemetryRecord]:
        self._failed = 0
        if self._told == "found":
            return []
        again = "answers again" if self._told == "lost" and self._was_found else "found"
        self._told, self._was_found = "found", True
        label = " (simulated)" if simulated(page.samples) else ""
        text = f"{self.name}: {again}, with metrics of {' and '.join(titles)}{label}"
        remarks = [remark for remark in (split_by_mig(records), self._notices.left_out(page)) if remark]
        return [SourceNote(now_ns(), self.name, True, "; ".join([text, *remarks]))]

    def _missed(self, now_ns: NowNs, failure: Failure) -> list[TelemetryRecord]:
        self._failed += 1
        why = str(failure)
        if isinstance(failure, TooSlow):
            if self._patient:
                self._failed = max(self._failed, LOST_AFTER)
            else:
                why += f" (given {PATIENT_TIMEOUT_S:g} s from now on)"
            why += "; is the server stuck?"
            self._patient = True
        if failure.retry_ns is None and self._failed < LOST_AFTER:
            return []
        kind = "lost" if failure.retry_ns is None else "absent"
        self.interval_ns = failure.retry_ns or INTERVAL_NS
        if self._told == kind:
            return []
        self._told = kind
        return [SourceNote(now_ns(), self.name, False, f"{self.name}: {why}")]


def _nothing_in(page: Page) -> Failure:
    if page.bad_lines:
        return Failure(f"{no_text(page.bad_lines)}, and nothing else is of use; {RIGHT_ADDRESS}", INTERVAL_NS)
    if any(sample.name != SIMULATED for sample in page.samples):
        return Failure("its metrics have no value that can be; see the server's log", INTERVAL_NS)
    looked_for = ", ".join(adapter.title for adapter in ADAPTERS.values())
    # Asked again soon: some servers show their names only after the first request.
    return Failure(
        f"no metrics that ttftop knows; give --telemetry one of {looked_for}", retry_ns=INTERVAL_NS
    )


def _read(samples: list[MetricSample], taken: Scrape) -> list[tuple[str, list[TelemetryRecord]]]:
    return [(adapter.title, adapter.read(samples, taken)) for adapter in ADAPTERS.values()]


def _same(one: GpuDevices, other: GpuDevices) -> bool:
    return (one.driver, one.simulated, one.devices) == (other.driver, other.simulated, other.devices)


def is_simulated(target: ScrapeTarget, now_ns: Callable[[], int]) -> bool:
    """Whether ttftop's own simulator answers there. Asks once; False when nothing answers."""
    with contextlib.suppress(Failure), client(target) as http:
        return simulated(scrape(http, target.url, (SIMULATED,), now_ns).samples)
    return False
