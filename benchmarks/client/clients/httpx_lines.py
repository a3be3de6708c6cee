"""httpx as its documentation shows it: `aiter_lines`, json.loads of each event, no limit of connections."""

from __future__ import annotations

import asyncio
import json
import time

import httpx

from benchmarks.client.clients.telling import arguments
from benchmarks.client.clients.worker_loop import Load, closed_loop


def main() -> None:
    args = arguments()

    async def run() -> None:
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
        async with httpx.AsyncClient(limits=limits, timeout=None, trust_env=False) as client:

            async def one(load: Load, number: int) -> None:
                body = {"model": "bench-model", "prompt": [number], "stream": True, "max_tokens": 1000}
                sent_ns = time.monotonic_ns()
                first = True
                async with client.stream("POST", load.url, json=body) as response:
                    async for line in response.aiter_lines():
                        if not line.startswith("data: ") or line == "data: [DONE]":
                            continue
                        t_ns = time.monotonic_ns()
                        event = json.loads(line[6:])
                        if event["choices"] and event["choices"][0]["text"]:
                            load.token(t_ns, event["id"], sent_ns if first else None)
                            first = False

            await closed_loop(args, one)

    asyncio.run(run())


if __name__ == "__main__":
    main()
