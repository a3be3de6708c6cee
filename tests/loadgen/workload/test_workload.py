"""A workload over real sockets: what it asks for goes out and is recorded; it gets answers where it needs them."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field

import msgspec
import pytest

from loadgen.arrivals.load import ClosedLoad
from loadgen.records import Request
from loadgen.workload.lengths import Fixed
from loadgen.workload.spec import MixWorkload, PromptSpec, RequestSpec, SyntheticWorkload, WeightedPart
from loadgen.workload.template import RequestTemplate
from loadgen.workload.workloads import WORKLOADS
from tests.loadgen.raw_server import HEAD, RawServer, Step, chunked, sse
from tests.loadgen.worker.engine_runs import Emitted, run_engine, worker_config


class Talk(msgspec.Struct, frozen=True):
    """Told to a worker: one conversation of three turns."""


@dataclass
class Conversation:
    """Each turn's prompt is all that was said before."""

    told: Talk
    seed: int
    needs_text: bool = True
    said: list[str] = field(default_factory=list)
    records: list[Request] = field(default_factory=list)

    def spec(self, index: int) -> RequestSpec:
        prompt = " | ".join([*self.said, f"question {index}"])
        return RequestSpec(prompt, len(prompt), 5, conversation=0, turn=index, tags=("talk", f"turn-{index}"))

    def answered(self, request: Request, text: str) -> None:
        self.records.append(request)
        self.said += [f"question {request.index}", text]


def answer(endpoint: str, words: list[str], *, counted: bool = False) -> list[Step]:
    """One word an event, the first two in one read, then each in its own; then reasoning, and the end."""

    def event(number: int, text: str, **more: object) -> bytes:
        choice = {"delta": {"content": text}} if endpoint == "chat" else {"text": text}
        usage = {"prompt_tokens": 8, "completion_tokens": number + 1} if counted else None
        return sse(
            json.dumps({"choices": [{"index": 0, "finish_reason": None, **choice, **more}], "usage": usage})
        )

    first, second, *others = [event(number, word) for number, word in enumerate(words)]
    steps: list[Step] = [HEAD, chunked(first, second, end=False)]
    for other in others:
        steps += [0.002, chunked(other, end=False)]
    thought = event(len(words) - 1, "", delta={"reasoning_content": "hm"}) if endpoint == "chat" else b""
    last = event(len(words) - 1, "", finish_reason="stop")
    return [*steps, 0.002, chunked(thought, last, sse("[DONE]"))]


@pytest.mark.parametrize("endpoint", ["completions", "chat"])
def test_a_workload_that_needs_the_text_of_answers_gets_all_of_it_before_its_next_request(
    monkeypatch: pytest.MonkeyPatch, endpoint: str
) -> None:
    made: list[Conversation] = []

    monkeypatch.setitem(WORKLOADS, Talk, lambda told, seed: made.append(Conversation(told, seed)) or made[-1])
    template = RequestTemplate("/v1/x", [("host", "x")], endpoint, {"model": "m", "stream": True})

    async def body() -> tuple[Emitted, list[bytes]]:
        async with RawServer(
            lambda n, b: answer(endpoint, [f"w{n}", " zwei", " ", "d\u00fcrr", " ende"])
        ) as server:
            config = worker_config(server.port, ClosedLoad(1), template=template, workload=Talk(), requests=3)
            return await run_engine(config), server.bodies

    emitted, bodies = asyncio.run(body())
    assert [request.error for request in emitted.requests] == [None] * 3
    texts = [f"w{n} zwei d\u00fcrr ende" for n in range(3)]
    assert made[0].said == ["question 0", texts[0], "question 1", texts[1], "question 2", texts[2]]
    asked = [json.loads(sent) for sent in bodies]
    prompts = [sent["messages"][0]["content"] if endpoint == "chat" else sent["prompt"] for sent in asked]
    assert prompts == [
        "question 0",
        f"question 0 | {texts[0]} | question 1",
        f"question 0 | {texts[0]} | question 1 | {texts[1]} | question 2",
    ]
    assert made[0].records == emitted.requests


def test_a_record_keeps_what_was_asked_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(WORKLOADS, Talk, Conversation)

    async def body() -> Emitted:
        async with RawServer(lambda n, b: answer("completions", ["a", "b"])) as server:
            return await run_engine(worker_config(server.port, ClosedLoad(1), workload=Talk(), requests=2))

    records = asyncio.run(body()).requests
    assert len(records) == 2
    for record in records:
        assert (record.conversation, record.turn, record.asked_output_tokens) == (0, record.index, 5)
        assert record.tags == ("talk", f"turn-{record.index}")
        assert record.asked_input_tokens is not None


@pytest.mark.parametrize("endpoint", ["completions", "chat"])
@pytest.mark.parametrize("counted", [False, True])
def test_the_text_of_answers_is_whole_however_it_is_read(
    monkeypatch: pytest.MonkeyPatch, endpoint: str, counted: bool
) -> None:
    made: list[Conversation] = []
    monkeypatch.setitem(WORKLOADS, Talk, lambda told, seed: made.append(Conversation(told, seed)) or made[-1])
    template = RequestTemplate("/v1/x", [("host", "x")], endpoint, {"model": "m", "stream": True})
    words = [f" {number}\u00e9" for number in range(60)]

    async def body() -> Emitted:
        async with RawServer(lambda n, b: answer(endpoint, words, counted=counted)) as server:
            config = worker_config(
                server.port,
                ClosedLoad(4),
                template=template,
                workload=Talk(),
                requests=12,
                chunk_counts=counted,
            )
            return await run_engine(config)

    emitted = asyncio.run(body())
    assert [request.error for request in emitted.requests] == [None] * 12
    assert emitted.total("reads") > 12 * 40  # most words come alone, as a batch reader has them
    assert made[0].said[1::2] == ["".join(words)] * 12


def test_chat_and_completions_go_out_in_one_run_and_both_are_read() -> None:
    chat = RequestTemplate("/v1/chat/completions", [("host", "x")], "chat", {"model": "m", "stream": True})
    words = PromptSpec("text", 9, words=["a", "b", "c"])
    work = SyntheticWorkload(words, Fixed(5), Fixed(60))
    told = MixWorkload([WeightedPart("plain", 0.5, work), WeightedPart("chat", 0.5, work, chat)])
    sent = [f" {number}" for number in range(60)]

    async def body() -> tuple[Emitted, list[bytes]]:
        async with RawServer(
            lambda n, b: answer("chat" if b'"messages"' in b else "completions", sent)
        ) as server:
            config = worker_config(server.port, ClosedLoad(6), workload=told, requests=20)
            return await run_engine(config), server.bodies

    emitted, bodies = asyncio.run(body())
    assert [request.error for request in emitted.requests] == [None] * 20
    chats = {index for index, asked in enumerate(bodies) if b'"messages"' in asked}
    assert len(chats) == sum(request.tags == ("chat",) for request in emitted.requests) > 0
    for request in emitted.requests:
        # Reasoning of a chat is a token more (`answer`).
        assert request.chunks == 60 + (request.tags == ("chat",))
