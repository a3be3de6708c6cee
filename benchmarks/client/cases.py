"""What is measured: loads on the server, and how many requests each client makes of them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    title: str
    server: str
    """Settings of the server for it (benchmarks/client/server.c)."""
    streams: int
    requests: int
    """For a client of ordinary speed; multiplied by `SPEED` where the server does not set the pace."""
    tokens: int
    paced: bool = True


def _paced(title: str, streams: int, itl_ms: int, pace: str, seconds: int = 2) -> Case:
    tokens = seconds * 1000 // itl_ms
    return Case(title, f"ttft_ms=50&itl_ms={itl_ms}&tokens={tokens}&pace={pace}", streams, streams, tokens)


CASES = {
    "open": Case("Open throttle: 50 streams x 200 tokens", "tokens=200", 50, 100, 200, paced=False),
    "counted": Case(
        "Open throttle, each event with token_ids and usage",
        "tokens=200&counted=1",
        50,
        100,
        200,
        paced=False,
    ),
    "p5": _paced("5 k events/s spread: 100 streams x 20 ms", 100, 20, "spread"),
    "b5": _paced("5 k events/s in bursts: 100 streams x 20 ms", 100, 20, "burst"),
    "p20": _paced("20 k events/s spread: 200 streams x 10 ms", 200, 10, "spread"),
    "b20": _paced("20 k events/s in bursts: 200 streams x 10 ms", 200, 10, "burst"),
    "ttft": Case(
        "Reported TTFT: 200 streams x 10 ms, all started at once",
        "ttft_ms=50&itl_ms=10&tokens=100&pace=own",
        200,
        400,
        100,
    ),
    "request": Case("One token a request: 50 in flight", "tokens=1", 50, 400, 1, paced=False),
    "lateness": Case(
        "Sends on time: Poisson 64 requests/s x 200 tokens x 10 ms",
        "ttft_ms=50&itl_ms=10&tokens=200&pace=own",
        0,
        512,
        200,
    ),
}

SPEED = {
    "reader": 60,
    "ours": 40,
    "ours_asyncio": 40,
    "sglang_rust": 15,
    "aiohttp": 5,
    "httpx": 1,
    "vllm": 10,
    "guidellm": 5,
    "aiperf": 5,
}
"""How many times `Case.requests` a client makes where it is as fast as it can be: a second or so each."""

NAMES = {
    "reader": "C reader (the floor)",
    "ours": "ttftop",
    "ours_asyncio": "ttftop without uvloop",
    "sglang_rust": "SGLang's Rust client",
    "aiohttp": "aiohttp as in vLLM's benchmark",
    "httpx": "httpx, aiter_lines",
    "guidellm": "GuideLLM",
    "aiperf": "AIPerf",
    "vllm": "vLLM bench serve",
}
