"""The prefix cache against an oracle that compares tokens, not hashes."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadgen.simulator.batch import Batch, Costs, Limits
from loadgen.simulator.prefix_cache import block_hashes

COSTS = Costs(
    prefill_fixed_ms=1.0,
    prefill_ms_per_token=0.5,
    decode_base_ms=1.0,
    decode_ms_per_sequence=0.0,
    decode_ms_per_kv_token=0.0,
)
BLOCK = 16


def limits(blocks: int, **more: bool) -> Limits:
    return Limits(
        max_sequences=8,
        max_batched_tokens=64,
        block_tokens=BLOCK,
        blocks=blocks,
        context_tokens=blocks * BLOCK,
        **more,
    )


class Oracle:
    """One request at a time: the prefixes that are known, as the tokens themselves, the next to go first."""

    def __init__(self, blocks: int) -> None:
        self.blocks = blocks
        self.known: list[tuple[int, ...]] = []

    def cached_tokens(self, prompt: list[int], output: list[int]) -> int:
        """Of a request, which then ran to its end."""
        hits = 0
        while (hits + 1) * BLOCK < len(prompt) and tuple(prompt[: (hits + 1) * BLOCK]) in self.known:
            hits += 1
        held = [tuple(prompt[: (n + 1) * BLOCK]) for n in range(hits)]
        self.known = [prefix for prefix in self.known if prefix not in held]
        computed = (prompt + output)[:-1]  # the last token is never attended to
        needed = -(-len(computed) // BLOCK)
        while len(self.known) + needed > self.blocks:
            self.known.pop(0)
        full = [tuple(computed[: (n + 1) * BLOCK]) for n in range(len(computed) // BLOCK)]
        self.known += [prefix for prefix in reversed(full) if prefix not in self.known]
        return hits * BLOCK


def requests(seed: int, count: int) -> list[tuple[list[int], list[int]]]:
    """Of a few conversations that go on, some beginning alike, and of strangers."""
    rng = random.Random(seed)
    system = [rng.randrange(50) for _ in range(40)]
    chats = [[*system, number] for number in range(6)]
    told = []
    for _ in range(count):
        if rng.random() < 0.2:
            prompt = [rng.randrange(50) for _ in range(rng.randrange(1, 100))]
            output = [rng.randrange(50) for _ in range(rng.randrange(1, 20))]
        else:
            chat = rng.choice(chats)
            chat += [rng.randrange(50) for _ in range(rng.randrange(1, 30))]
            prompt, output = list(chat), [rng.randrange(50) for _ in range(rng.randrange(1, 30))]
            chat += output
            if len(chat) > 300:
                del chat[41:]
        told.append((prompt, output))
    return told


@pytest.mark.parametrize("blocks", [24, 40, 1000])  # room for one long conversation, for two, for all
def test_hits_are_those_of_an_oracle_that_compares_tokens(blocks: int) -> None:
    batch, oracle = Batch(COSTS, limits(blocks)), Oracle(blocks)
    queried = hits = 0
    for prompt, output in requests(seed=blocks, count=300):
        sequence = batch.submit(len(prompt), len(output), 0, block_hashes(prompt + output, BLOCK))
        prefilled = 0
        while (step := batch.begin(0)) is not None:
            prefilled += step.prefill_tokens
            batch.finish(step)
        expected = oracle.cached_tokens(prompt, output)
        assert sequence.cached_tokens == expected
        assert prefilled == len(prompt) - expected  # time is taken for the rest alone
        queried, hits = queried + len(prompt), hits + expected
    assert (batch.prefix_queried_tokens, batch.prefix_hit_tokens) == (queried, hits)
    assert 0 < hits < queried
    assert batch.free_blocks == blocks


def test_sequences_that_run_together_share_what_they_have_in_common() -> None:
    batch = Batch(COSTS, limits(20))
    prompt = list(range(100))
    first = batch.submit(100, 50, 0, block_hashes(prompt, BLOCK))
    for _ in range(3):  # 64 tokens, then the rest, then one of decode
        step = batch.begin(0)
        assert step is not None
        batch.finish(step)
    used = 20 - batch.free_blocks
    batch.submit(90, 5, 0, block_hashes(prompt[:80] + [7] * 10, BLOCK))
    assert batch.begin(0) is not None
    assert 20 - batch.free_blocks == used + 1  # 5 blocks of 16 shared, and one of its own
    batch.cancel(first)
    assert batch.free_blocks == 20 - 6


def test_without_hashes_nothing_is_shared_and_nothing_counted() -> None:
    batch = Batch(COSTS, limits(20))
    for _ in range(2):
        sequence = batch.submit(100, 1, 0)
        while (step := batch.begin(0)) is not None:
            batch.finish(step)
        assert sequence.cached_tokens == 0
    assert (batch.prefix_queried_tokens, batch.prefix_hit_tokens) == (0, 0)


def test_hashes_of_a_longer_prompt_begin_with_those_of_a_shorter() -> None:
    tokens = list(range(70))
    assert block_hashes(tokens, BLOCK)[:2] == block_hashes(tokens[:47], BLOCK)
    assert len(block_hashes(tokens, BLOCK)) == 4
    assert block_hashes([9, *tokens[1:]], BLOCK)[3] != block_hashes(tokens, BLOCK)[3]


chats = st.lists(
    st.tuples(st.integers(0, 3), st.integers(1, 70), st.integers(1, 40), st.integers(0, 300), st.booleans()),
    min_size=1,
    max_size=25,
)


@given(chats, st.integers(0, 8), st.booleans(), st.booleans())
def test_whatever_is_shared_every_request_ends_with_its_tokens_and_no_block_is_lost(
    told: list[tuple[int, int, int, int, bool]], spare: int, reserves: bool, prefill_first: bool
) -> None:
    blocks = 8 + spare
    batch = Batch(COSTS, limits(blocks, reserves_output=reserves, prefill_first=prefill_first))
    submitted = []
    for kind, prompt, output, at_ms, gives_up in sorted(told, key=lambda one: one[3]):
        hashes = block_hashes([kind] * (prompt + output), BLOCK)
        submitted.append((batch.submit(prompt, output, at_ms * 1_000_000, hashes), gives_up))
    now_ns = 0
    for _ in range(20_000):
        step = batch.begin(now_ns)
        if step is None:
            later = [sequence.arrived_ns for sequence, _ in submitted if sequence.arrived_ns > now_ns]
            if not later:
                break
            now_ns = min(later)
            continue
        assert 0 <= batch.free_blocks <= blocks
        for sequence, gives_up in submitted:
            if gives_up and sequence.state == "running" and sequence.generated:
                batch.cancel(sequence)
        now_ns = step.end_ns
        batch.finish(step)
    else:
        pytest.fail("the engine did not come to an end")
    assert all(s.state == ("ended" if s.generated == s.output_tokens else "cancelled") for s, _ in submitted)
    assert batch.free_blocks == blocks
    assert not (reserves and batch.preemptions)
