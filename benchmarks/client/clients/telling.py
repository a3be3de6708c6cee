"""What every benchmark client takes and prints: one line of JSON."""

from __future__ import annotations

import argparse
import json
import struct
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Told:
    events: int
    """Tokens counted."""
    wall_s: float
    cpu_s: float
    """Of the load alone; imports are not in it."""
    ttft_ns: Sequence[int] = ()
    itl_ns: Sequence[int] = ()
    """Gaps between tokens, as the client reports them."""
    error_ns: Sequence[int] = ()
    """The client's time of each event minus the server's time of its send."""
    more: dict[str, object] = field(default_factory=dict)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("streams", type=int)
    parser.add_argument("requests", type=int)
    parser.add_argument("--errors", action="store_true", help="also compare each time with the server's")
    parser.add_argument("--counted", action="store_true", help="the server tells tokens in each event")
    parser.add_argument("--loop", default="uvloop", choices=["uvloop", "asyncio"])
    parser.add_argument("--rate", type=float, help="open loop, requests per second")
    parser.add_argument("--arrivals", default="constant", choices=["constant", "poisson"])
    parser.add_argument("--workload", default="plain", help="of benchmarks.client.clients.workloads")
    parser.add_argument("--seconds", type=float, help="what is due in that time, in place of REQUESTS")
    return parser.parse_args()


def quantiles_ms(values_ns: Sequence[int]) -> dict[str, float] | None:
    """Mean, p50, p90, p99 and max in milliseconds; None of nothing. The quantile is `sorted[int(n * p)]`."""
    if not values_ns:
        return None
    ordered = sorted(values_ns)
    at = {
        name: ordered[int(len(ordered) * p)] / 1e6 for name, p in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99))
    }
    return {"mean": sum(ordered) / len(ordered) / 1e6, **at, "max": ordered[-1] / 1e6}


def most_rss_mb() -> float:
    """The most this process has had; not ru_maxrss, which begins at what the parent had at the fork."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e6


def tell(told: Told) -> None:
    print(
        json.dumps(
            {
                "events": told.events,
                "wall_s": told.wall_s,
                "cpu_s": told.cpu_s,
                "rss_mb": most_rss_mb(),
                "ttft_ms": quantiles_ms(told.ttft_ns),
                "itl_ms": quantiles_ms(told.itl_ns),
                "error_ms": quantiles_ms(told.error_ns),
                **told.more,
            }
        )
    )


class Sends:
    """The server's own log of its sends, found by the body of the request."""

    def __init__(self, raw: bytes) -> None:
        words = struct.unpack(f"{len(raw) // 8}q", raw)
        self._by_hash: dict[int, tuple[int, ...]] = {}
        at = 0
        while at < len(words):
            tokens = words[at + 1]
            self._by_hash[words[at] & 0xFFFFFFFFFFFFFFFF] = words[at + 2 : at + 2 + tokens]
            at += 2 + tokens

    def __getitem__(self, body: bytes) -> tuple[int, ...]:
        """Times of the sends of the stream that answered `body`, CLOCK_MONOTONIC ns."""
        hashed = 1469598103934665603
        for byte in body:
            hashed = (hashed ^ byte) * 1099511628211 & 0xFFFFFFFFFFFFFFFF
        return self._by_hash[hashed]


def sends_of(port: int) -> Sends:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/sends") as answer:
        return Sends(answer.read())
