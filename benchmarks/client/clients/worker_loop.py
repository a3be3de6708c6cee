"""A closed loop of coroutines, for clients that have no load engine of their own."""

from __future__ import annotations

import argparse
import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable

from benchmarks.client.clients.telling import Told, tell


class Load:
    """Counts tokens and keeps times. `url` is where to post."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.url = f"http://127.0.0.1:{args.port}/v1/completions"
        self._errors = args.errors
        self.tokens = 0
        self.ttft_ns: list[int] = []
        self.times_ns: list[int] = []
        """Of every token, since that is what a load test keeps."""
        self.error_ns: list[int] = []

    def token(self, t_ns: int, event_id: str, sent_ns: int | None) -> None:
        """A token came at `t_ns`; `sent_ns` is given with the first of a request."""
        self.tokens += 1
        self.times_ns.append(t_ns)
        if sent_ns is not None:
            self.ttft_ns.append(t_ns - sent_ns)
        if self._errors:
            self.error_ns.append(t_ns - int(event_id[5:]))


async def closed_loop(args: argparse.Namespace, one: Callable[[Load, int], Awaitable[None]]) -> None:
    """`args.streams` slots, each running `one(load, number)` in turn, `args.requests` times in all."""
    load = Load(args)
    numbers = itertools.count()
    started, cpu = time.monotonic(), time.process_time()

    async def slot() -> None:
        while (number := next(numbers)) < args.requests:
            await one(load, number)

    await asyncio.gather(*(slot() for _ in range(args.streams)))
    wall_s, cpu_s = time.monotonic() - started, time.process_time() - cpu
    tell(Told(load.tokens, wall_s, cpu_s, ttft_ns=load.ttft_ns, error_ns=load.error_ns))
