"""From `--telemetry auto|none|nvml|URL ...` to sources. Does no I/O itself: each source looks when opened.

Importing this module is cheap: pynvml, httpx and the Prometheus parser are imported by the sources' `open`.
"""

from __future__ import annotations

import socket
import time
from urllib.parse import SplitResult, urlsplit

from telemetry.nvml import NvmlSource
from telemetry.prometheus import PrometheusSource, Target, is_simulated
from telemetry.source import Source, TelemetryError, plain

ALLOWED = "allowed are auto, none, nvml, or addresses such as http://node1:9400/metrics"


def resolve(
    spec: list[str],
    target_url: str,
    api_key: str | None = None,
    *,
    ca_file: str | None = None,
    insecure: bool = False,
) -> list[Source]:
    """The sources to poll.

    Args:
        spec: words of `--telemetry`. `auto` is NVML and the target's own /metrics at the root of its
            address; NVML is left alone when that turns out to be ttftop's simulator.
        target_url: the server under test; any path of it is ignored.
        api_key: sent to the target's own /metrics only.
        ca_file: for https, as for the target.
        insecure: no verification of certificates, for the target's own /metrics only.

    Raises:
        TelemetryError: a word is none of these, or an address is no plain http(s) address.
    """
    if "none" in spec:
        if set(spec) != {"none"}:
            raise TelemetryError(f"--telemetry: none stands alone, got {' '.join(map(plain, spec))}")
        return []
    own = _own_metrics(target_url)
    host = urlsplit(target_url).hostname or ""
    urls: list[str] = []
    for word in spec:
        if word == "auto":
            urls += [own] if own else []
        elif word != "nvml":
            urls.append(_metrics_url(word))
    targets = [
        Target(url, api_key, ca_file, insecure)
        if own and _origin(url) == _origin(own)
        else Target(url, None, ca_file)
        for url in dict.fromkeys(urls)
    ]
    sources: list[Source] = []
    if "nvml" in spec:
        sources.append(NvmlSource(socket.gethostname(), remark=lambda: _elsewhere(host)))
    elif "auto" in spec:
        own_target = next((target for target in targets if target.url == own), None)
        sources.append(
            NvmlSource(
                socket.gethostname(), skip=lambda: _simulated(own_target), remark=lambda: _elsewhere(host)
            )
        )
    return [*sources, *map(PrometheusSource, targets)]


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


def _elsewhere(host: str) -> str:
    if on_this_machine(host):
        return ""
    return f"all of this machine ({plain(socket.gethostname())}); the target {plain(host)} is another one"


def _simulated(target: Target | None) -> str:
    if target is not None and is_simulated(target, time.monotonic_ns):
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


def _metrics_url(word: str) -> str:
    if "@" in word:
        # Not quoted: it would show the password.
        raise TelemetryError("--telemetry: an address must not hold a user name or password")
    where = f"--telemetry: got {plain(word)}"
    try:
        parts = urlsplit(word)
        port_ok = parts.port is None or parts.port > 0
    except ValueError:
        raise TelemetryError(f"{where}, which is no address; {ALLOWED}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or not port_ok:
        raise TelemetryError(f"{where}; {ALLOWED}")
    if any(not char.isprintable() or char.isspace() for char in word):
        raise TelemetryError(f"{where}, which holds spaces or control characters; {ALLOWED}")
    return word if parts.path not in ("", "/") else _with_path(parts)


def _with_path(parts: SplitResult) -> str:
    return parts._replace(path="/metrics", fragment="").geturl()


def _origin(url: str) -> tuple[str, str | None, int]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)
