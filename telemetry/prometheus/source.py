"""A /metrics address as a telemetry source: scraped over HTTP, read by whichever adapters know its names."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from telemetry.prometheus.adapters import ADAPTERS, NAMES
from telemetry.prometheus.deltas import ScrapeDeltas
from telemetry.prometheus.exposition import MetricSample, Scrape, parse, simulated
from telemetry.records import GpuDevices, SourceNote, TelemetryRecord
from telemetry.source import NowNs, plain

if TYPE_CHECKING:
    import ssl

    import httpx

INTERVAL_NS = 1_000_000_000
SIMULATED_INTERVAL_NS = 250_000_000
"""A simulated server is cheap to ask, and its GPUs then move on screen like NVML's."""

ABSENT_INTERVAL_NS = 30_000_000_000
"""A server without /metrics is asked this often, in case it is started again with its flag."""

TIMEOUT_S = 1.0
MOST_BYTES = 8 << 20
LOST_AFTER = 3
"""Scrapes that fail in a row before it is said: a busy server now and then misses one second."""

ABSENT = {
    404: "it publishes no metrics there (llama.cpp needs --metrics, SGLang --enable-metrics)",
    501: "its metrics are switched off (llama.cpp needs --metrics)",
}
REFUSED = {
    401: "it wants an API key for its metrics",
    403: "it refuses to show its metrics",
}


class Failure(Exception):
    """A scrape gave nothing: a few words why, safe to print.

    `retry_ns` set: the server answered, and it is certain that it shows no metrics now; ask again then.
    """

    def __init__(self, why: str, retry_ns: int | None = None) -> None:
        super().__init__(why)
        self.retry_ns = retry_ns


class ScrapeTarget(NamedTuple):
    """What to scrape. `api_key` goes out as a bearer token, and appears in no text."""

    url: str
    api_key: str | None = None
    ca_file: str | None = None
    insecure: bool = False


def client(target: ScrapeTarget) -> httpx.Client:
    """An HTTP client for `scrape`: one second, no redirects, no proxy of the environment's, which would see
    the key.

    Raises:
        Failure: the CA file cannot be read, or the key cannot stand in a header.
    """
    import ssl

    import httpx

    verify: ssl.SSLContext | bool = urlsplit(target.url).scheme == "https" and not target.insecure
    if verify:
        try:
            verify = ssl.create_default_context(cafile=target.ca_file or None)
        except (OSError, ssl.SSLError):
            raise Failure(f"the CA file {plain(target.ca_file or '')} cannot be read") from None
        if not target.ca_file:
            import certifi

            verify.load_verify_locations(certifi.where())
    # Identity: a compressed body could unfold beyond any cap, and costs the server time under load.
    headers = {"accept": "text/plain", "accept-encoding": "identity", "user-agent": "ttftop"}
    if target.api_key:
        if not (target.api_key.isascii() and target.api_key.isprintable()):
            raise Failure("the API key has characters that no HTTP header may hold")
        headers["authorization"] = f"Bearer {target.api_key}"
    return httpx.Client(
        headers=headers, timeout=TIMEOUT_S, follow_redirects=False, trust_env=False, verify=verify
    )


def scrape(http: httpx.Client, url: str, now_ns: NowNs) -> str:
    """The text at `url`.

    Raises:
        Failure: it cannot be had.
    """
    import httpx

    deadline_ns = now_ns() + int(2 * TIMEOUT_S * 1e9)
    body = bytearray()
    try:
        with http.stream("GET", url) as response:
            _check(response.status_code)
            for chunk in response.iter_raw():
                body += chunk
                if len(body) > MOST_BYTES:
                    raise Failure(f"more than {MOST_BYTES >> 20} MiB of metrics")
                # httpx's time-out is per read: a server that drips would hold us for ever.
                if now_ns() > deadline_ns:
                    raise Failure("too slow")
    except httpx.TimeoutException:
        raise Failure(f"no answer within {TIMEOUT_S:g} s") from None
    except httpx.ConnectError as err:
        # The system's words, such as "[Errno 111] Connection refused".
        raise Failure(f"cannot connect ({plain(str(err)).rpartition('] ')[2]})") from None
    except (httpx.HTTPError, httpx.InvalidURL) as err:
        # Not the text of `err`: it may quote headers.
        raise Failure(f"broken answer ({type(err).__name__})") from None
    return body.decode("utf-8", errors="replace")


def _check(status: int) -> None:
    if status == 200:
        return
    known = ABSENT.get(status) or REFUSED.get(status)
    if known:
        raise Failure(f"HTTP {status}: {known}", retry_ns=ABSENT_INTERVAL_NS)
    if 300 <= status < 400:
        why = f"HTTP {status}: it points elsewhere; give that address to --telemetry"
        raise Failure(why, retry_ns=ABSENT_INTERVAL_NS)
    raise Failure(f"HTTP {status}")


class PrometheusSource:
    """Server and GPU samples from one /metrics address, at 1 Hz (4 Hz when the server is simulated)."""

    def __init__(self, target: ScrapeTarget) -> None:
        self._target = target
        parts = urlsplit(target.url)
        self.name = plain(f"{parts.netloc}{parts.path}")
        self.interval_ns: int | None = INTERVAL_NS
        self._http: httpx.Client | None = None
        self._devices: GpuDevices | None = None
        self._between = ScrapeDeltas(self.name)
        self._failed = 0
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
            text = scrape(self._http, self._target.url, now_ns)
            taken = Scrape(start_ns, now_ns() - start_ns, self.name)
            samples = _parsed(text)
        except Failure as failure:
            return self._missed(now_ns, failure)
        found = {title: records for title, records in _read(samples, taken) if records}
        if not found:
            looked_for = ", ".join(adapter.title for adapter in ADAPTERS.values())
            # Asked again soon: some servers show their names only after the first request.
            why = f"no metrics that ttftop knows ({looked_for})"
            return self._missed(now_ns, Failure(why, retry_ns=INTERVAL_NS))
        self.interval_ns = SIMULATED_INTERVAL_NS if simulated(samples) else INTERVAL_NS
        records = self._only_news([record for some in found.values() for record in some])
        self._between.add_to(records, ages=not simulated(samples))
        events = self._between.events(samples, taken.t_ns)
        return [*self._found(now_ns, list(found), simulated(samples)), *events, *records]

    def close(self) -> None:
        if self._http is not None:
            self._http.close()

    def _only_news(self, records: list[TelemetryRecord]) -> list[TelemetryRecord]:
        """Without `GpuDevices` that say what was said before. Limits that drift do not make a new device."""
        notices: list[TelemetryRecord] = []
        for record in records:
            if isinstance(record, GpuDevices):
                if self._devices is not None and _same(self._devices, record):
                    continue
                self._devices = record
            notices.append(record)
        return notices

    def _found(self, now_ns: NowNs, titles: list[str], is_simulated: bool) -> list[TelemetryRecord]:
        self._failed = 0
        if self._told == "found":
            return []
        again = "answers again" if self._told == "lost" else "found"
        self._told = "found"
        label = " (simulated)" if is_simulated else ""
        text = f"{self.name}: {again}, with metrics of {' and '.join(titles)}{label}"
        return [SourceNote(now_ns(), self.name, True, text)]

    def _missed(self, now_ns: NowNs, failure: Failure) -> list[TelemetryRecord]:
        self._failed += 1
        if failure.retry_ns is None and self._failed < LOST_AFTER:
            return []
        kind = "lost" if failure.retry_ns is None else "absent"
        self.interval_ns = failure.retry_ns or INTERVAL_NS
        if self._told == kind:
            return []
        self._told = kind
        return [SourceNote(now_ns(), self.name, False, f"{self.name}: {failure}")]


def _parsed(text: str) -> list[MetricSample]:
    try:
        return parse(text, NAMES)
    except ValueError:
        raise Failure("the answer is not Prometheus text, or far too much of it") from None


def _read(samples: list[MetricSample], taken: Scrape) -> list[tuple[str, list[TelemetryRecord]]]:
    return [(adapter.title, adapter.read(samples, taken)) for adapter in ADAPTERS.values()]


def _same(one: GpuDevices, other: GpuDevices) -> bool:
    return (one.driver, one.simulated, one.devices) == (other.driver, other.simulated, other.devices)


def is_simulated(target: ScrapeTarget, now_ns: Callable[[], int]) -> bool:
    """Whether ttftop's own simulator answers there. Asks once; False when nothing answers."""
    with contextlib.suppress(Failure), client(target) as http:
        return simulated(_parsed(scrape(http, target.url, now_ns)))
    return False
