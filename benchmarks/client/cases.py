"""What is measured: loads on the server, and how many requests each client makes of them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """A load that each client in turn puts on the server."""

    title: str
    server: str
    """Settings of the server for it (benchmarks/client/server.c)."""
    streams: int
    requests: int
    """For a client of ordinary speed; multiplied by `SPEED` where the server does not set the pace. So
    many that the steady state is measured, and not the first requests on new connections."""
    tokens: int
    paced: bool = True
    rate_rps: float | None = None
    """An open loop; None for a closed one of `streams`."""
    arrivals: str = "constant"
    seconds: float | None = None
    """What is due in that time, in place of `requests`."""
    workload: str = "plain"
    """What ttftop's own client asks for (`benchmarks.client.clients.workloads`)."""
    clients: tuple[str, ...] | None = None
    """Who is asked; None for all that are asked for anything but whole tools."""


WHOLE_TOOLS = ("vllm", "sglang", "guidellm", "aiperf")
"""Of whom only the open throttle and the TTFT are asked: their start takes longer than a case."""
CLIENTS = ("reader", "ours", "ours_asyncio", "sglang_rust", "aiohttp", "httpx")


def _paced(title: str, streams: int, itl_ms: int, pace: str, seconds: int = 2) -> Case:
    tokens = seconds * 1000 // itl_ms
    return Case(title, f"ttft_ms=50&itl_ms={itl_ms}&tokens={tokens}&pace={pace}", streams, streams, tokens)


CASES = {
    "open": Case(
        "Open throttle: 50 streams x 200 tokens",
        "tokens=200",
        50,
        500,
        200,
        paced=False,
        clients=(*CLIENTS, *WHOLE_TOOLS),
    ),
    "counted": Case(
        "Open throttle, each event with token_ids and usage",
        "tokens=200&counted=1",
        50,
        500,
        200,
        paced=False,
    ),
    "p5": _paced("5 k events/s spread: 100 streams x 20 ms", 100, 20, "spread"),
    "b5": _paced("5 k events/s in bursts: 100 streams x 20 ms", 100, 20, "burst"),
    "p20": _paced("20 k events/s spread: 200 streams x 10 ms", 200, 10, "spread", 5),
    "b20": _paced("20 k events/s in bursts: 200 streams x 10 ms", 200, 10, "burst", 5),
    "p50": _paced("50 k events/s spread: 500 streams x 10 ms", 500, 10, "spread"),
    "b50": _paced("50 k events/s in bursts: 500 streams x 10 ms", 500, 10, "burst"),
    "ttft": Case(
        "Reported TTFT and ITL: 200 streams x 10 ms, all started at once",
        "ttft_ms=50&itl_ms=10&tokens=100&pace=own",
        200,
        400,
        100,
        clients=(*CLIENTS[1:], *WHOLE_TOOLS),
    ),
    "request": Case("One token a request: 50 in flight", "tokens=1", 50, 400, 1, paced=False),
    "lateness": Case(
        "Sends on time: Poisson 64 requests/s x 200 tokens x 10 ms, a minute",
        "ttft_ms=50&itl_ms=10&tokens=200&pace=own",
        0,
        0,
        200,
        rate_rps=64,
        arrivals="poisson",
        seconds=60,
        clients=("ours",),
    ),
    "lateness_mixed": Case(
        "The same with length distributions, a mix and shared prefixes",
        "ttft_ms=50&itl_ms=10&tokens=200&pace=own",
        0,
        0,
        200,
        rate_rps=64,
        arrivals="poisson",
        seconds=60,
        workload="mixed",
        clients=("ours",),
    ),
    "request_long": Case(
        "One token a request, prompts as long as those of the mix are on average: 50 in flight",
        "tokens=1",
        50,
        400,
        1,
        paced=False,
        workload="long",
        clients=("ours",),
    ),
    "open_long": Case(
        "Open throttle, prompts as long as those of the mix are on average: 50 streams x 200 tokens",
        "tokens=200",
        50,
        500,
        200,
        paced=False,
        workload="long",
        clients=("ours",),
    ),
    "request_mixed": Case(
        "One token a request, with length distributions, a mix and shared prefixes: 50 in flight",
        "tokens=1",
        50,
        400,
        1,
        paced=False,
        workload="mixed",
        clients=("ours",),
    ),
    "open_mixed": Case(
        "Open throttle with length distributions, a mix and shared prefixes: 50 streams x 200 tokens",
        "tokens=200",
        50,
        500,
        200,
        paced=False,
        workload="mixed",
        clients=("ours",),
    ),
    "fixed": Case(
        "A server that always answers in 6.0 s: 240 requests at 30 a second",
        "ttft_ms=6000&tokens=1&pace=own",
        0,
        240,
        1,
        rate_rps=30,
        clients=("ours", "httpx_open"),
    ),
    "freeze": Case(
        "A server frozen for 2 s: 100 requests at 20 a second",
        "ttft_ms=50&itl_ms=10&tokens=20&pace=own",
        0,
        100,
        20,
        rate_rps=20,
        clients=("ours",),
    ),
}


@dataclass(frozen=True)
class Product:
    """A run of ttftop itself, a closed loop: supervisor, one worker and, where asked for, its screen."""

    title: str
    server: str
    streams: int
    tokens: int
    seconds: float
    screen: bool = False
    stall_s: float | None = None
    """For so long, in the middle, nobody reads the terminal."""
    errors: bool = True
    """Compare the session's times with the server's."""
    key: str = ""
    """Pressed on the screen as soon as it is there: the digit of a view."""
    agent: bool = False
    """Its worker is started by an agent, as on another node (`--nodes local://`)."""


def _screen(pace: str) -> dict[str, Product]:
    server = f"ttft_ms=50&itl_ms=10&tokens=200&pace={pace}"
    return {
        "off": Product("screen off", server, 200, 200, 6),
        "on": Product("screen on", server, 200, 200, 19, screen=True, stall_s=10),
    }


VIEWS = ("overview", "latency", "curve", "gpus", "server", "requests", "events")
"""Of the screen, in the order of their digits."""


def _views() -> dict[str, Product]:
    """Without a screen, and with each view open for as long."""
    server = "ttft_ms=50&itl_ms=10&tokens=200&pace=spread"
    views = {
        name: Product(f"view {name}", server, 200, 200, 8, screen=True, key=str(digit))
        for digit, name in enumerate(VIEWS, start=1)
    }
    return {"off": Product("screen off", server, 200, 200, 8), **views}


def _agent() -> dict[str, Product]:
    server = "ttft_ms=50&itl_ms=10&tokens=200&pace=spread"
    return {
        "here": Product("worker of the supervisor", server, 200, 200, 6),
        "agent": Product("worker of an agent", server, 200, 200, 6, agent=True),
    }


def _memory(streams: int) -> Product:
    server = f"ttft_ms=50&itl_ms={streams // 10}&tokens=20&pace=own"
    return Product(f"{streams:,} streams", server, streams, 20, max(4.0, streams / 600), errors=False)


PRODUCTS = {
    "screen": ("The whole product at 20 k events/s spread, screen off and on", _screen("spread")),
    "screen_b": ("The whole product at 20 k events/s in bursts, screen off and on", _screen("burst")),
    "views": ("The whole product at 20 k events/s spread, with each view open", _views()),
    "agent": ("A worker of the supervisor, and one of a node's agent, at 20 k events/s spread", _agent()),
    "memory": (
        "Memory of the worker by streams, 20 tokens each, 10 k events/s",
        {str(streams): _memory(streams) for streams in (200, 1000, 5000)},
    ),
}

CHECKS = {
    "start": "Start to first request, headless",
    "size": "Install size",
    "quirks": "Quirks of servers, and splits of event streams",
}

ONCE = ("memory", "size", "quirks", "start")
"""Not measured again in every round: they hardly vary, or have runs of their own."""
ALL = (*CASES, *PRODUCTS, *CHECKS)

SPEED = {
    "reader": 60,
    "ours": 40,
    "ours_asyncio": 40,
    "sglang_rust": 15,
    "aiohttp": 5,
    "httpx": 1,
    "httpx_open": 1,
    "vllm": 10,
    "sglang": 5,
    "guidellm": 5,
    "aiperf": 5,
}
"""How many times `Case.requests` a client makes where it is as fast as it can be: seconds each."""

NAMES = {
    "reader": "C reader (the floor)",
    "ours": "ttftop",
    "ours_asyncio": "ttftop without uvloop",
    "sglang_rust": "SGLang's Rust client",
    "aiohttp": "aiohttp as in vLLM's benchmark",
    "httpx": "httpx, aiter_lines",
    "httpx_open": "httpx, its default client",
    "vllm": "vLLM bench serve",
    "sglang": "SGLang bench_serving (Python)",
    "guidellm": "GuideLLM",
    "aiperf": "AIPerf",
}
