"""Mixes: exact shares, the same in every process, each part as it would be alone."""

from __future__ import annotations

import json
from collections import Counter

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadgen.workload.lengths import parse_lengths
from loadgen.workload.mixed import counts_of, seed_of
from loadgen.workload.payloads import Payloads
from loadgen.workload.prefixes import Prefixes
from loadgen.workload.spec import MixWorkload, PromptSpec, RequestSpec, SyntheticWorkload, WeightedPart
from loadgen.workload.synthetic import SyntheticRequests
from loadgen.workload.template import RequestTemplate
from loadgen.workload.workloads import WORKLOADS

WORDS = PromptSpec("text", 9, words=[f"w{n}" for n in range(50)])
CHAT = RequestTemplate("/v1/chat/completions", [("host", "x")], "chat", {"model": "lora", "stream": True})
USUAL = RequestTemplate("/v1/completions", [("host", "x")], "completions", {"model": "m"})


def part(
    name: str, weight: float, lengths: str, template: RequestTemplate | None = None, **more: object
) -> WeightedPart:
    work = SyntheticWorkload(WORDS, parse_lengths(lengths), parse_lengths(lengths), **more)  # type: ignore[arg-type]
    return WeightedPart(name, weight, work, template)


TOLD = MixWorkload([part("chat", 0.7, "5..9", CHAT), part("rag", 0.3, "20..30", prefix=Prefixes(3, 2, 40))])


def encoded(spec: RequestSpec) -> bytes:
    return msgspec.json.encode([spec.prompt, spec.input_tokens, spec.output_tokens])


def test_each_hundred_requests_have_their_shares_exactly_in_an_order_that_is_mixed() -> None:
    asking = WORKLOADS[MixWorkload](TOLD, 3)
    tags = [asking.spec(index).tags for index in range(1000)]
    for begin in range(0, 1000, 100):
        assert Counter(tags[begin : begin + 100]) == {("chat",): 70, ("rag",): 30}
    orders = {tuple(tags[begin : begin + 100]) for begin in range(0, 1000, 100)}
    assert len(orders) == 10
    assert tags == [WORKLOADS[MixWorkload](TOLD, 3).spec(index).tags for index in range(1000)]


def test_a_part_asks_what_it_would_ask_alone() -> None:
    asking = WORKLOADS[MixWorkload](TOLD, 3)
    for number, name in enumerate(("chat", "rag")):
        work = TOLD.parts[number].workload
        assert isinstance(work, SyntheticWorkload)
        alone = SyntheticRequests(work, seed_of(number, 3))
        made = [spec for index in range(300) if name in (spec := asking.spec(index)).tags]
        expected = [alone.spec(index) for index in range(len(made))]
        assert sorted(map(encoded, made)) == sorted(map(encoded, expected))
    groups = Counter(spec.prefix_group for index in range(100) if (spec := asking.spec(index)).prefix_tokens)
    assert groups == {0: 10, 1: 10, 2: 10}


def test_two_parts_of_one_kind_ask_for_other_prompts() -> None:
    told = MixWorkload([part("a", 1.0, "9"), part("b", 1.0, "9")])
    asking = WORKLOADS[MixWorkload](told, 3)
    assert len({encoded(asking.spec(index)) for index in range(200)}) == 200


def test_a_part_with_a_template_of_its_own_goes_to_its_endpoint() -> None:
    payloads = Payloads(USUAL, WORKLOADS[MixWorkload](TOLD, 3))
    for index in range(50):
        payloads.prepare(index)
        spec, payload = payloads.take(index)
        head, _, body = payload.partition(b"\r\n\r\n")
        sent = json.loads(body)
        chat = spec.tags == ("chat",)
        assert head.startswith(b"POST /v1/chat/completions " if chat else b"POST /v1/completions ")
        assert sent["model"] == ("lora" if chat else "m")
        assert ("messages" in sent, "prompt" in sent) == (chat, not chat)
        assert sent["max_tokens"] == spec.output_tokens


@given(st.lists(st.floats(0.001, 1000.0), min_size=1, max_size=20))
def test_shares_are_whole_and_near_their_weights(weights: list[float]) -> None:
    counts = counts_of(weights)
    block, total = sum(counts), sum(weights)
    assert min(counts) >= 1
    assert block in range(100, 1021)
    for count, weight in zip(counts, weights, strict=True):
        assert abs(count - max(1, weight / total * block)) <= 21


@pytest.mark.parametrize(
    ("weights", "counts"),
    [
        ([1, 1, 1], [334, 333, 333]),
        ([0.999, 0.001], [999, 1]),
        ([7, 3], [70, 30]),
        ([3331, 3332, 3337], [333, 333, 334]),
    ],
)
def test_a_block_is_as_long_as_its_shares_need(weights: list[float], counts: list[int]) -> None:
    assert counts_of(weights) == counts
