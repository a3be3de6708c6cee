"""aiohttp as `vllm bench serve` uses it: chunks of any size, a buffer of text split at blank lines.

An equivalent of vLLM's request function for completions (vllm/benchmarks/lib/endpoint_request_func.py): a
session without limit of connections, `iter_any`, each chunk stripped of its blank line, so that the last
message of it has to be tried as JSON to know that it is whole, and is then read once more.
"""

from __future__ import annotations

import asyncio
import json
import time

import aiohttp

from benchmarks.client.clients.telling import arguments
from benchmarks.client.clients.worker_loop import Load, closed_loop


class Messages:
    """Chunks in, whole messages out."""

    def __init__(self) -> None:
        self._text = ""

    def add(self, chunk: bytes) -> list[str]:
        self._text += chunk.decode("utf-8")
        messages = []
        while "\n\n" in self._text:
            message, self._text = self._text.split("\n\n", 1)
            if message := message.strip():
                messages.append(message)
        if self._text.startswith("data: "):
            content = self._text.removeprefix("data: ").strip()
            if content == "[DONE]":
                messages.append(self._text.strip())
                self._text = ""
            elif content:
                try:
                    json.loads(content)
                except json.JSONDecodeError:
                    return messages
                messages.append(self._text.strip())
                self._text = ""
        return messages


def main() -> None:
    args = arguments()

    async def run() -> None:
        connector = aiohttp.TCPConnector(limit=0, limit_per_host=0)
        timeout = aiohttp.ClientTimeout(total=6 * 60 * 60)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:

            async def one(load: Load, number: int) -> None:
                body = {"model": "bench-model", "prompt": [number], "stream": True, "max_tokens": 1000}
                sent_ns = time.monotonic_ns()
                first, answer = True, ""
                messages = Messages()
                async with session.post(load.url, json=body) as response:
                    async for chunk in response.content.iter_any():
                        chunk = chunk.strip()
                        if not chunk:
                            continue
                        for message in messages.add(chunk):
                            event_text = message.removeprefix("data: ")
                            if event_text == "[DONE]":
                                continue
                            event = json.loads(event_text)
                            if choices := event.get("choices"):
                                t_ns = time.monotonic_ns()
                                load.token(t_ns, event["id"], sent_ns if first else None)
                                first = False
                                answer += choices[0].get("text") or ""

            await closed_loop(args, one)

    asyncio.run(run())


if __name__ == "__main__":
    main()
