"""Chat streams as bytes, and one engine run against a scripted server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

from loadgen.arrivals.load import ClosedLoad
from loadgen.workload.lengths import Fixed
from loadgen.workload.spec import PromptSpec, SyntheticWorkload
from loadgen.workload.template import RequestTemplate
from tests.loadgen.raw_server import HEAD, RawServer, Step, chunked, sse
from tests.loadgen.worker.engine_runs import Emitted, run_engine, worker_config

DONE = "[DONE]"


def chunk(delta: dict[str, Any] | None = None, finish: str | None = None, **more: Any) -> str:
    """One `chat.completion.chunk`, spelled as vLLM does."""
    choice = {"index": 0, "delta": {} if delta is None else delta, "logprobs": None, "finish_reason": finish}
    made = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "m", "choices": [choice]}
    return json.dumps({**made, **more})


def text(content: str = "x", finish: str | None = None, **more: Any) -> str:
    return chunk({"content": content}, finish, **more)


def role(content: object = "") -> str:
    return chunk({"role": "assistant", "content": content})


def usage(completion: int, prompt: int = 8) -> str:
    counts = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }
    return json.dumps({"id": "chatcmpl-1", "object": "chat.completion.chunk", "choices": [], "usage": counts})


def counted(content: str, so_far: int, finish: str | None = None) -> str:
    """A chunk that says how many tokens there were so far (`continuous_usage_stats`)."""
    counts = {"prompt_tokens": 8, "completion_tokens": so_far, "total_tokens": 8 + so_far}
    return text(content, finish, usage=counts)


def one(*events: str) -> bytes:
    """One HTTP chunk with these events."""
    return chunked(sse(*events), end=False)


def end(*events: str) -> bytes:
    """The last HTTP chunks: these events, and the end of the body."""
    return chunked(sse(*events))


def stream(*events: str) -> list[Step]:
    """A whole answer: each event in an HTTP chunk, and so in a write, of its own."""
    return [HEAD, *(one(event) for event in events), chunked()]


def short_prompts(output_tokens: int) -> SyntheticWorkload:
    return SyntheticWorkload(
        PromptSpec(form="text", tokens=4, words=["a", "b", "c"]), Fixed(4), Fixed(output_tokens)
    )


def ask(
    steps: Sequence[Step], *, requests: int = 2, endpoint: str = "chat", **changes: Any
) -> tuple[Emitted, RawServer]:
    """What an engine makes of `requests` requests, one after the other, that are all answered by `steps`."""

    async def body() -> tuple[Emitted, RawServer]:
        async with RawServer(lambda number, sent: steps) as server:
            config = worker_config(
                server.port,
                ClosedLoad(1),
                requests=requests,
                template=RequestTemplate(
                    path=f"/v1/{'chat/' if endpoint == 'chat' else ''}completions",
                    headers=[("host", "x"), ("accept-encoding", "identity")],
                    endpoint=endpoint,
                    fields={"model": "m", "stream": True},
                ),
                **{"workload": short_prompts(3), **changes},
            )
            return await run_engine(config), server

    return asyncio.run(body())
