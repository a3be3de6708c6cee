"""aiohttp as `vllm bench serve` uses it: chunks of any size, a buffer of text split at blank lines.

Written after the description of vLLM's request functions (vllm/benchmarks/lib/endpoint_request_func.py): a
session without limit of connections, `iter_any`, each message stripped, decoded and read as JSON.
"""

from __future__ import annotations

import asyncio
import json
import time

import aiohttp

from benchmarks.client.clients.telling import arguments
from benchmarks.client.clients.worker_loop import Load, closed_loop


def main() -> None:
    args = arguments()

    async def run() -> None:
        connector = aiohttp.TCPConnector(limit=0, limit_per_host=0)
        timeout = aiohttp.ClientTimeout(total=6 * 60 * 60)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout, read_bufsize=1 << 18) as session:

            async def one(load: Load, number: int) -> None:
                body = {"model": "bench-model", "prompt": [number], "stream": True, "max_tokens": 200}
                sent_ns = time.monotonic_ns()
                first, text = True, ""
                async with session.post(load.url, json=body) as response:
                    async for chunk in response.content.iter_any():
                        text += chunk.decode("utf-8")
                        while "\n\n" in text:
                            message, text = text.split("\n\n", 1)
                            message = message.strip().removeprefix("data: ")
                            if not message or message == "[DONE]":
                                continue
                            t_ns = time.monotonic_ns()
                            event = json.loads(message)
                            if event["choices"] and event["choices"][0]["text"]:
                                load.token(t_ns, event["id"], sent_ns if first else None)
                                first = False

            await closed_loop(args, one)

    asyncio.run(run())


if __name__ == "__main__":
    main()
