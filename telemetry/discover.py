"""From `--telemetry auto|none|nvml|host|URL|ssh://HOST ...` to sources.

Does no I/O itself: each source looks when opened. Importing this module is cheap: pynvml, httpx,
psutil and the Prometheus parser are imported by the sources' `open`.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

from telemetry.fallback import FallbackSource
from telemetry.host import HostSource
from telemetry.nvml.source import INTERVAL_NS, START_PATIENCE_S, NvmlSource
from telemetry.prometheus.scrape import ScrapeTarget
from telemetry.prometheus.source import PrometheusSource, is_simulated
from telemetry.server_processes import server_pids
from telemetry.source import Source, plain, unchanged
from telemetry.source_spec import parse_sources
from telemetry.ssh.source import SshSource

PATIENT_START_S = 20.0
"""Without persistence mode, a driver takes about a second a GPU before it answers at all."""
DCGM_PORTS = (9400, 9401)
"""Where a dcgm-exporter listens unless told otherwise: by itself, and beside another."""


def resolve(
    spec: list[str],
    target_url: str,
    api_key: str | None = None,
    *,
    model: str = "",
    redact: Callable[[str], str] = unchanged,
    ca_file: str | None = None,
    insecure: bool = False,
    nvml_interval_ns: int = INTERVAL_NS,
    patient: bool = False,
    dcgm_ports: Sequence[int] = DCGM_PORTS,
    more_targets: Sequence[str] = (),
) -> list[Source]:
    """The sources to poll.

    Args:
        spec: words of `--telemetry`. `auto` is this machine's GPUs (NVML, else a dcgm-exporter on one of
            `dcgm_ports`), the target's own /metrics at the root of its address, and the host; GPUs are left
            alone when the target turns out to be ttftop's simulator.
        target_url: the server under test; any path of it is ignored. Empty: there is none.
        more_targets: servers that are loaded beside it, each asked as that one is.
        api_key: sent to the targets' own /metrics only.
        model: of the run, for a target's /metrics that shows one of several; empty when it is not known.
        patient: slow ones are waited for, by one who opens them and asks no more.
        redact: hides the key in what a server, an exporter or a node says.
        ca_file: for https, as for the target.
        insecure: no verification of certificates, for the target's own /metrics only.

    Raises:
        TelemetryError: a word is none of these, or an address is no plain http(s) address.
    """
    words = parse_sources(spec)
    own = [page for url in (target_url, *more_targets) if (page := _own_metrics(url))]
    where = [_host_and_port(url) for url in (target_url, *more_targets)]
    # Not twice the same page: of one model by name, and of the run's.
    named = {url.partition("?")[0] for url in words.urls}
    urls = dict.fromkeys([*(page for page in own if words.auto and page not in named), *words.urls])
    own_origins = {_origin(page) for page in own}
    targets = [
        ScrapeTarget(url, api_key, ca_file, insecure, model, redact, patient)
        if _origin(url) in own_origins
        else ScrapeTarget(url, None, ca_file, redact=redact, patient=patient)
        for url in urls
    ]
    sources: list[Source] = []
    if words.nvml or words.auto:
        own_targets = [target for target in targets if target.url.partition("?")[0] in own]
        nvml = NvmlSource(
            socket.gethostname(),
            skip=(lambda: "") if words.nvml else (lambda: _simulated(own_targets)),
            remark=lambda: _elsewhere([host for host, _ in where]),
            owners=lambda: _owners(where),
            cuda_visible=os.environ.get("CUDA_VISIBLE_DEVICES"),
            cuda_order=os.environ.get("CUDA_DEVICE_ORDER"),
            interval_ns=nvml_interval_ns,
            start_patience_s=PATIENT_START_S if patient else START_PATIENCE_S,
        )
        taken = {_origin(url) for url in urls}
        local = [f"http://127.0.0.1:{port}/metrics" for port in dcgm_ports]
        free = [url for url in local if _origin(url) not in taken]
        exporters = (
            [PrometheusSource(ScrapeTarget(url, redact=redact, patient=True)) for url in free]
            if not words.nvml
            else []
        )
        sources.append(FallbackSource([nvml, *exporters], "dcgm-exporter") if exporters else nvml)
    sources += map(PrometheusSource, targets)
    if words.host or words.auto:
        sources.append(HostSource(socket.gethostname()))
    # A loopback address would be another server there.
    shared_url = "" if _is_loopback(where[0][0]) else _bare(target_url)
    return [*sources, *(SshSource(node, shared_url, redact) for node in dict.fromkeys(words.nodes))]


def _host_and_port(url: str) -> tuple[str, int | None]:
    """Empty host and no port where there is no http address."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return "", None
    return parts.hostname or "", port if parts.hostname else None


def _owners(where: Sequence[tuple[str, int | None]]) -> frozenset[int] | None:
    """The processes of those servers that are on this machine; None where it is not known of one."""
    own = [server_pids(port) for host, port in where if port is not None and on_this_machine(host)]
    known = [pids for pids in own if pids is not None]
    return frozenset().union(*known) if known and len(known) == len(own) else None


def _is_loopback(host: str) -> bool:
    return host in ("", "localhost", "::1") or host.startswith("127.")


def _bare(url: str) -> str:
    """The target's origin: the rest is none of another machine's business."""
    return _own_metrics(url).removesuffix("/metrics")


def on_this_machine(host: str) -> bool:
    """Whether `host` is this machine: a loopback name, or an address of ours. Looks names up (may block)."""
    if host in ("", "localhost"):
        return True
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError):
        return False
    for family, kind, proto, _, address in found:
        # The kernel lets a socket be bound to this machine's own addresses only; nothing is sent.
        try:
            with socket.socket(family, kind, proto) as ours:
                ours.bind(address)
        except OSError:
            continue
        return True
    return False


def _elsewhere(hosts: Sequence[str]) -> str:
    if any(map(on_this_machine, hosts)):
        return ""
    return f"all of this machine ({plain(socket.gethostname())}); the target {plain(hosts[0])} is another one"


def _simulated(targets: Sequence[ScrapeTarget]) -> str:
    if any(is_simulated(target, time.monotonic_ns) for target in targets):
        return "NVML is left alone: the server is simulated and shows GPUs of its own"
    return ""


def _own_metrics(target_url: str) -> str:
    """Root of the target's origin + /metrics; empty where the target has no http address."""
    try:
        parts = urlsplit(target_url)
        address = parts.netloc.rpartition("@")[2]
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return ""
    return f"{parts.scheme}://{address}/metrics"


def own_source(target_url: str) -> str:
    """The source by which a target's own /metrics is known; empty where it has none."""
    parts = urlsplit(_own_metrics(target_url))
    return plain(f"{parts.netloc}{parts.path}")


def _origin(url: str) -> tuple[str, str | None, int]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)
