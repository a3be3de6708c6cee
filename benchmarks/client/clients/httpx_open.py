"""httpx with the client it makes by default (100 connections), in an open loop: only its time-out is lifted.

python -m benchmarks.client.clients.httpx_open PORT 0 REQUESTS --rate RPS
"""

from __future__ import annotations

import asyncio
import time

import httpx

from benchmarks.client.clients.telling import Told, arguments, tell


def main() -> None:
    args = arguments()
    times_ns: list[tuple[int, int, int]] = []
    url = f"http://127.0.0.1:{args.port}/v1/completions"

    async def one(client: httpx.AsyncClient, number: int, due_ns: int) -> None:
        sent_ns = time.monotonic_ns()
        first_ns = 0
        body = {"model": "bench-model", "prompt": [number], "stream": True, "max_tokens": 1}
        async with client.stream("POST", url, json=body) as response:
            async for line in response.aiter_lines():
                if line.startswith("data: {") and not first_ns:
                    first_ns = time.monotonic_ns()
        times_ns.append((due_ns, sent_ns, first_ns))

    async def run() -> None:
        async with httpx.AsyncClient(timeout=None) as client:
            start_ns = time.monotonic_ns() + 50_000_000
            tasks = []
            for number in range(args.requests):
                due_ns = start_ns + int(number * 1e9 / args.rate)
                await asyncio.sleep(max(0.0, (due_ns - time.monotonic_ns()) / 1e9))
                tasks.append(asyncio.create_task(one(client, number, due_ns)))
            await asyncio.gather(*tasks)

    started, cpu = time.monotonic(), time.process_time()
    asyncio.run(run())
    wall_s, cpu_s = time.monotonic() - started, time.process_time() - cpu
    tell(Told(len(times_ns), wall_s, cpu_s, more={"times_ns": times_ns}))


if __name__ == "__main__":
    main()
