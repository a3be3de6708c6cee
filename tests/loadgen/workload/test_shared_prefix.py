"""Prompts that begin alike, against a prefix cache written for this test: blocks of 16 tokens, never forgotten."""

from __future__ import annotations

import random
from collections import Counter

import msgspec
import pytest

from loadgen.endpoints import ENDPOINTS
from loadgen.records import Request
from loadgen.workload.lengths import parse_lengths
from loadgen.workload.permutation import permuted
from loadgen.workload.prefixes import PrefixError, Prefixes, parse_prefixes
from loadgen.workload.shared_prefix import SharedPrefixes
from loadgen.workload.spec import PromptSpec, RequestSpec, SyntheticWorkload
from loadgen.workload.synthetic import SyntheticRequests
from sessions.timeline.requests import RequestColumns

IDS = PromptSpec("ids", 256)
WORDS = PromptSpec("text", 256, words=[f"w{n}" for n in range(200)], overhead_tokens=7)
BLOCK = 16


class BlockCache:
    """The chains of whole blocks that were seen, as a server's prefix cache keeps them."""

    def __init__(self) -> None:
        self._seen: set[tuple[object, ...]] = set()

    def hits(self, tokens: list[object]) -> int:
        """How many tokens of a prompt it has; it has all whole blocks of it from then on."""
        known, alike = 0, True
        for end in range(BLOCK, len(tokens) + 1, BLOCK):
            chain = tuple(tokens[:end])
            alike = alike and chain in self._seen and end < len(tokens)
            known = end if alike else known
            self._seen.add(chain)
        return known


def tokens_of(spec: RequestSpec) -> list[object]:
    """As a server would count them: ids, or words."""
    prompt = msgspec.json.decode(msgspec.json.encode(spec.prompt))
    return prompt if isinstance(prompt, list) else prompt.split(" ")


def workload(told: Prefixes, form: PromptSpec = IDS, seed: int = 3, **more: object) -> SyntheticRequests:
    spec = SyntheticWorkload(form, parse_lengths("40..80"), parse_lengths(8), prefix=told, **more)  # type: ignore[arg-type]
    return SyntheticRequests(spec, seed)


def aimed(specs: list[RequestSpec]) -> float:
    """What the summary says, from records in the order of their ends."""
    columns = RequestColumns()
    ended = list(enumerate(specs))
    random.Random(1).shuffle(ended)
    for index, spec in ended:
        columns.add(
            Request(
                index,
                0,
                index,
                asked_input_tokens=spec.input_tokens,
                prefix_group=spec.prefix_group,
                prefix_tokens=spec.prefix_tokens,
                prompt_number=spec.prompt_number,
            )
        )
    return columns.shared.repeated_tokens / sum(spec.input_tokens or 0 for spec in specs)


@pytest.mark.parametrize("form", [IDS, WORDS], ids=["ids", "words"])
@pytest.mark.parametrize("keep", [None, 0], ids=["new", "keep"])
@pytest.mark.parametrize(("told", "requests"), [("12x5x320", 150), ("32x8x176", 300), ("40x1x64", 100)])
def test_the_hit_rate_aimed_at_is_that_of_a_cache_of_blocks_within_two_percent(
    told: str, requests: int, form: PromptSpec, keep: int | None
) -> None:
    asking, cache = workload(parse_prefixes(told), form, prompt_seed=keep), BlockCache()
    specs = [asking.spec(index) for index in range(requests)]
    # A server puts its template before what it is sent.
    prompts = [["<template>"] * form.overhead_tokens + tokens_of(spec) for spec in specs]
    had = sum(map(cache.hits, prompts)) / sum(map(len, prompts))
    # Only whole blocks are kept: of a prompt that came before, half a block on average is not.
    blocks = 0.02 if keep is None else 0.02 + BLOCK / (parse_prefixes(told).tokens + 60)
    assert aimed(specs) == pytest.approx(had, abs=blocks)


def test_without_prefixes_no_prompt_is_in_the_cache() -> None:
    spec = SyntheticWorkload(IDS, parse_lengths(64), parse_lengths(8))
    asking, cache = SyntheticRequests(spec, 3), BlockCache()
    assert sum(cache.hits(tokens_of(asking.spec(index))) for index in range(200)) == 0


def test_members_of_a_group_share_their_prefix_and_nothing_more() -> None:
    asking = workload(Prefixes(4, 3, 50))
    by_group: dict[int, list[list[object]]] = {}
    for index in range(24):
        spec = asking.spec(index)
        assert spec.prefix_group is not None
        by_group.setdefault(spec.prefix_group, []).append(tokens_of(spec))
    assert {len(prompts) for prompts in by_group.values()} == {6}
    assert len({prompts[0][0] for prompts in by_group.values()}) == 4
    for prompts in by_group.values():
        assert len({tuple(prompt[:50]) for prompt in prompts}) == 1
        assert len({prompt[50] for prompt in prompts}) == 6


def test_each_member_has_its_turn_once_a_round_in_another_order_each_round() -> None:
    shared = SharedPrefixes(Prefixes(30, 5, 10), IDS, seed=3, prompt_seed=3)
    rounds = [[shared.place(index) for index in range(start, start + 150)] for start in (0, 150, 300)]
    assert all(sorted(places) == list(range(150)) for places in rounds)
    assert rounds[0] != rounds[1] != rounds[2]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 16, 17, 750, 1024])
def test_a_permutation_has_every_place_once(size: int) -> None:
    assert sorted(permuted(place, size, "k") for place in range(size)) == list(range(size))


def test_a_permutation_favours_no_place() -> None:
    # Where place 0 of 8 goes under 4,000 keys: chi-squared with 7 degrees of freedom, 29.9 at a level of 1e-4.
    counts = Counter(permuted(0, 8, f"key {number}") for number in range(4000))
    assert sum((counts[place] - 500) ** 2 / 500 for place in range(8)) < 29.9


@pytest.mark.parametrize("form", [IDS, WORDS], ids=["ids", "words"])
def test_prompts_have_the_asked_length_and_the_body_of_any_other(form: PromptSpec) -> None:
    asking = workload(Prefixes(3, 2, 100), form)
    for index in range(12):
        spec = asking.spec(index)
        assert spec.input_tokens is not None
        assert len(tokens_of(spec)) == spec.input_tokens - form.overhead_tokens
        sent = msgspec.json.decode(
            ENDPOINTS["completions"].body({"model": "m"}, spec.prompt, "max_tokens", 8)
        )
        assert sent == {"model": "m", "prompt": msgspec.json.decode(spec.prompt), "max_tokens": 8}  # type: ignore[arg-type]


def test_kept_prompts_are_those_of_every_run_and_come_again_in_every_round() -> None:
    told = Prefixes(5, 4, 30)

    def prompts(seed: int, keep: int | None) -> list[tuple[object, ...]]:
        asking = workload(told, seed=seed, prompt_seed=keep)
        return sorted(tuple(tokens_of(asking.spec(index))) for index in range(40))

    assert prompts(1, 0) == prompts(2, 0)
    assert len(set(prompts(1, 0))) == 20
    assert not set(prompts(1, None)) & set(prompts(2, None))
    assert len(set(prompts(1, None))) == 40


def test_what_is_kept_of_prefixes_has_a_bound_and_changes_no_prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    told, whole = Prefixes(20, 2, 50), []
    for cap in (1 << 20, 600):
        monkeypatch.setattr("loadgen.workload.shared_prefix.KEPT_BYTES", cap)
        asking = workload(told)
        whole.append([tokens_of(asking.spec(index)) for index in range(80)])
        shared = SharedPrefixes(told, IDS, seed=3, prompt_seed=3)
        for group in (*range(20), *range(20)):
            shared.joined(group, [1])
        kept = sum(map(len, shared._kept.values()))
        assert kept <= cap
        assert kept > cap / 2 or cap > 600, "as much as there is room for"
    assert whole[0] == whole[1]


@pytest.mark.parametrize(
    "text", ["", "150", "150x5", "0x5x10", "1x1x0", "1x1x1x1", "-1x2x3", "99999x99999x1", "1x1x99999999"]
)
def test_what_is_no_prefix_is_told_in_a_line(text: str) -> None:
    with pytest.raises(PrefixError, match="need "):
        parse_prefixes(text)


def test_prefixes_are_read_as_they_are_typed() -> None:
    assert parse_prefixes(" 150x5x6000 ") == Prefixes(150, 5, 6000)
