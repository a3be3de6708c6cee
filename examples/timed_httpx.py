"""The kernel's receive times in any httpx client: python examples/timed_httpx.py URL MODEL"""

import asyncio
import sys

import httpx

from loadgen.transport.httpx_adapter import SENT, TIMES, TimedTransport


async def main(url: str, model: str) -> None:
    body = {"model": model, "prompt": "Once upon a time", "max_tokens": 16, "stream": True}
    # Compressed, a token could not be told from the next.
    headers = {"accept-encoding": "identity"}
    async with (
        httpx.AsyncClient(transport=TimedTransport(), headers=headers, timeout=60) as client,
        client.stream("POST", f"{url}/v1/completions", json=body) as response,
    ):
        response.raise_for_status()
        sent_ns = response.extensions[SENT]
        async for piece in response.aiter_raw():
            time = response.extensions[TIMES][-1]
            clock = "kernel" if time.by_kernel else "read"
            print(f"{(time.t_ns - sent_ns) / 1e6:9.3f} ms  {clock}  {len(piece)} bytes")


asyncio.run(main(*sys.argv[1:]))
