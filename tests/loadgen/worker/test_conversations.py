"""Conversations over real sockets, against a server that keeps what was said and checks what it is told."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter, defaultdict
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from loadgen.arrivals.load import ClosedLoad, ConversationLoad, OpenLoad
from loadgen.arrivals.rate_curve import steady
from loadgen.records import Request
from loadgen.worker.engine import Engine
from loadgen.worker_config import SetLoad
from loadgen.workload.draws import turns_of
from loadgen.workload.lengths import Fixed, Lengths, Uniform
from loadgen.workload.spec import ConversationWorkload, PromptSpec
from tests.loadgen.raw_server import HEAD, RawServer, Step, chunked, sse, usage
from tests.loadgen.worker.engine_runs import Emitted, run_engine, worker_config

MS = 1_000_000
WORDS = PromptSpec("text", 8, words=[f"w{n}" for n in range(300)], overhead_tokens=4)


class Rebuilding:
    """A server that knows each conversation by its header, and what was said in it.

    It answers words of its own, in pieces, and counts the turns that do not carry exactly that history.
    """

    def __init__(self, *, chat: bool, fails: frozenset[int] = frozenset()) -> None:
        self.chat, self.fails = chat, fails
        self.said: dict[str, list[tuple[str, str]]] = defaultdict(list)
        self.wrong: list[str] = []
        self.turns = 0
        self.server: RawServer

    def __call__(self, number: int, body: bytes) -> list[Step]:
        asked = json.loads(body)
        match = re.search(rb"\r\nx-session: (\S+)\r\n", self.server.heads[number])
        assert match is not None
        name = match[1].decode()
        known = self.said[name]
        if number in self.fails:
            return [b"HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n"]
        if self.chat:
            messages = [(message["role"], message["content"]) for message in asked["messages"]]
            if messages[:-1] != known or messages[-1][0] != "user" or not messages[-1][1]:
                self.wrong.append(f"{name}: {messages} after {known}"[:500])
            known.append(messages[-1])
        else:
            before = " ".join(text for _, text in known)
            if not asked["prompt"].startswith(before) or asked["prompt"] == before:
                self.wrong.append(f"{name}: {asked['prompt']!r} after {before!r}"[:500])
            known.append(("user", asked["prompt"][len(before) :].removeprefix(" ")))
        self.turns += 1
        words = [f"a{number}", f" {name[-3:]}", ' \u00fc\n"quoted"'][: asked["max_tokens"]]
        known.append(("assistant", "".join(words)))
        pieces: list[Step] = [HEAD]
        for word in words:
            shown = {"delta": {"content": word}} if self.chat else {"text": word}
            event = json.dumps(
                {"choices": [{"index": 0, **shown, "finish_reason": None}]}, separators=(",", ":")
            )
            pieces.append(chunked(sse(event), end=False))
        end = {"delta": {}} if self.chat else {"text": ""}
        last = json.dumps({"choices": [{"index": 0, **end, "finish_reason": "length"}]})
        pieces.append(chunked(sse(last), sse(usage(8, len(words))), sse("[DONE]")))
        return pieces


def converse(
    starts: OpenLoad | ClosedLoad,
    turns: Lengths,
    *,
    chat: bool = True,
    workers: int = 1,
    requests: int | None = None,
    think_ms: Lengths | None = None,
    end_ms: int | None = None,
    system_tokens: int = 0,
    fails: frozenset[int] = frozenset(),
    during: Any = None,
    server_type: type[Rebuilding] = Rebuilding,
    max_in_flight: int = 4096,
) -> tuple[list[Request], Rebuilding, list[Emitted]]:
    rebuilding = server_type(chat=chat, fails=fails)
    asks = ConversationWorkload(WORDS, Uniform(2, 9), Uniform(1, 3), turns, 7, chat, system_tokens)

    async def body() -> list[Emitted]:
        async with RawServer(rebuilding) as server:
            rebuilding.server = server
            one = worker_config(server.port)
            template = one.template
            changed = {
                "endpoint": "chat" if chat else "completions",
                "conversation_header": "x-session",
                "conversation_prefix": "run7-",
            }
            configs = [
                worker_config(
                    server.port,
                    ConversationLoad(starts, turns, think_ms, 7),  # type: ignore[arg-type]
                    template=msgspec.structs.replace(template, **changed),
                    workload=asks,
                    worker=worker,
                    workers=workers,
                    requests=requests,
                    origin_ns=one.origin_ns,
                    end_ns=None if end_ms is None else end_ms * MS,
                    seed=7,
                    max_in_flight=max_in_flight,
                )
                for worker in range(workers)
            ]
            return list(await asyncio.gather(*(run_engine(config, during) for config in configs)))

    each = asyncio.run(body())
    requests_ = sorted((r for emitted in each for r in emitted.requests), key=lambda r: r.due_ns)
    return requests_, rebuilding, each


@pytest.mark.parametrize("chat", [True, False])
def test_a_thousand_turns_carry_exactly_what_was_said_before(chat: bool) -> None:
    requests, server, _ = converse(ClosedLoad(20), Uniform(1, 12), chat=chat, workers=2, requests=1000)
    assert (server.turns, len(requests)) == (1000, 1000)
    assert server.wrong == []
    assert all(request.error is None for request in requests)
    assert max(request.turn or 0 for request in requests) == 11


def test_a_conversation_stays_on_its_worker_and_has_its_turns_in_order() -> None:
    requests, _, _ = converse(ClosedLoad(6), Uniform(2, 5), workers=3, requests=150)
    by_conversation = defaultdict(list)
    for request in requests:
        by_conversation[request.conversation].append(request)
    for conversation, turns in by_conversation.items():
        assert conversation is not None
        assert {turn.worker for turn in turns} == {conversation % 3}
        assert [turn.turn for turn in turns] == list(range(len(turns)))
        assert all(b.due_ns >= a.end_ns for a, b in pairwise(turns))
        assert len(turns) <= turns_of(conversation, Uniform(2, 5), 7)
    whole = [c for c, turns in by_conversation.items() if len(turns) == turns_of(c or 0, Uniform(2, 5), 7)]
    assert len(whole) >= len(by_conversation) - 6, "only those that the end cut are short"


def test_no_more_conversations_at_a_time_than_were_asked_for() -> None:
    requests, _, _ = converse(ClosedLoad(4), Fixed(3), requests=60)
    spans = defaultdict(list)
    for request in requests:
        spans[request.conversation].append((request.due_ns, request.end_ns))
    edges = Counter()
    for turns in spans.values():
        edges[turns[0][0]] += 1
        edges[turns[-1][1]] -= 1
    open_now = most = 0
    for _, change in sorted(edges.items()):
        open_now += change
        most = max(most, open_now)
    assert most == 4


def test_the_next_turn_is_due_when_the_answer_was_thought_about() -> None:
    requests, _, _ = converse(ClosedLoad(3), Fixed(4), think_ms=Fixed(30), requests=12)
    by_conversation = defaultdict(list)
    for request in requests:
        by_conversation[request.conversation].append(request)
    waits = [b.due_ns - a.end_ns for turns in by_conversation.values() for a, b in pairwise(turns)]
    # A slot whose conversation is over begins another: three or four of them share the twelve requests.
    assert len(waits) == 12 - len(by_conversation) >= 8
    assert min(waits) >= 30 * MS


def test_conversations_begin_at_a_rate_and_their_turns_follow_from_answers() -> None:
    requests, server, _ = converse(OpenLoad("constant", [steady(0, 100.0)]), Fixed(3), end_ms=195)
    firsts = [request for request in requests if request.turn == 0]
    assert [request.due_ns for request in firsts] == [n * 10 * MS for n in range(20)]
    assert server.wrong == []
    assert all(request.due_ns < 195 * MS for request in requests)
    assert len(requests) > len(firsts), "how many more is for how busy the machine is"


def test_a_turn_that_fails_ends_its_conversation_and_another_begins() -> None:
    requests, server, _ = converse(ClosedLoad(1), Fixed(3), requests=8, fails=frozenset({1, 4}))
    got = [(request.conversation, request.turn, request.error is None) for request in requests]
    assert got == [
        *[(0, 0, True), (0, 1, False)],
        *[(1, 0, True), (1, 1, True), (1, 2, False)],
        *[(2, 0, True), (2, 1, True), (2, 2, True)],
    ]
    assert server.wrong == []


def test_all_begin_with_the_same_system_prompt_and_lengths_grow_by_what_was_said() -> None:
    seen: list[list[dict[str, str]]] = []

    class Keeping(Rebuilding):
        def __call__(self, number: int, body: bytes) -> list[Step]:
            asked = json.loads(body)
            seen.append(asked["messages"])
            asked["messages"] = asked["messages"][1:]
            return super().__call__(number, json.dumps(asked).encode())

    requests, server, _ = converse(
        ClosedLoad(2), Fixed(3), requests=12, system_tokens=16, server_type=Keeping
    )
    assert server.wrong == []
    assert len({messages[0]["content"] for messages in seen}) == 1
    assert {messages[0]["role"] for messages in seen} == {"system"}
    assert len(seen[0][0]["content"].split()) == 16
    for request in requests:
        if request.turn == 0:
            assert request.asked_input_tokens is not None
            assert 16 + 4 + 2 <= request.asked_input_tokens <= 16 + 4 + 9  # system, template, what is said
    by_turn = [[r.asked_input_tokens or 0 for r in requests if r.turn == turn] for turn in range(3)]
    assert min(by_turn[1]) > min(by_turn[0])
    assert min(by_turn[2]) > min(by_turn[1])


def test_a_hold_lets_no_turn_come_and_they_are_due_when_it_ends() -> None:
    held_from, held_to = 60 * MS, 200 * MS

    async def during(engine: Engine, emitted: Emitted) -> None:
        for at_ns, slots in ((held_from, 0), (held_to, 3)):
            load = ConversationLoad(ClosedLoad(slots), Fixed(5), Fixed(5), 7)
            engine.command(SetLoad(at_ns, load))
        await asyncio.wait_for(engine.idle.wait(), 20)

    requests, server, _ = converse(ClosedLoad(3), Fixed(5), think_ms=Fixed(5), requests=200, during=during)
    assert server.wrong == []
    assert len(requests) == 200
    assert not [r for r in requests if held_from <= r.due_ns < held_to]
    assert [r for r in requests if r.due_ns < held_from]


def test_a_turn_that_is_given_up_unsent_leaves_nothing_of_its_conversation_behind() -> None:
    kept: list[int] = []

    async def during(engine: Engine, emitted: Emitted) -> None:
        starts = OpenLoad("constant", [steady(40 * MS, 0.0)])
        engine.command(SetLoad(40 * MS, ConversationLoad(starts, Fixed(4), None, 7), drop_backlog=True))
        while len(emitted.ticks) < 1 or engine._in_flight or engine._backlog:
            await asyncio.sleep(0.01)
        kept.append(len(engine._workload._histories))  # type: ignore[attr-defined]

    class Slow(Rebuilding):
        def __call__(self, number: int, body: bytes) -> list[Step]:
            return [0.02, *super().__call__(number, body)]

    requests, server, (emitted,) = converse(
        OpenLoad("constant", [steady(0, 1000.0)]),
        Fixed(4),
        during=during,
        server_type=Slow,
        max_in_flight=2,
    )
    assert server.wrong == []
    assert emitted.total("not_sent") > 10
    held = {request.conversation for request in requests if request.turn != 3 and request.error is None}
    answered = {r.conversation for r in requests if r.turn == 3}
    assert kept[0] <= len(held - answered) <= 4, "those alone whose next turn the hold keeps back"
