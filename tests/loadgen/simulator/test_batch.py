"""The engine model against numbers worked by hand, and against invariants for any load."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadgen.simulator.batch import Batch, Costs, Limits, Sequence, Step, TooLong

MS = 1_000_000
COSTS = Costs(
    prefill_fixed_ms=10.0,
    prefill_ms_per_token=0.5,
    decode_base_ms=4.0,
    decode_ms_per_sequence=1.0,
    decode_ms_per_kv_token=0.01,
)


def limits(**changed: Any) -> Limits:
    values: dict[str, Any] = {
        "max_sequences": 8,
        "max_batched_tokens": 1000,
        "block_tokens": 4,
        "blocks": 100,
        "context_tokens": 400,
    }
    return Limits(**(values | changed))


def take(batch: Batch, now_ns: int) -> tuple[Step, list[Sequence]]:
    step = batch.begin(now_ns)
    assert step is not None
    return step, batch.finish(step)


def drain(batch: Batch, now_ns: int = 0) -> dict[Sequence, list[int]]:
    """Steps until nothing is left; when each sequence got its tokens."""
    times: dict[Sequence, list[int]] = {}
    while (step := batch.begin(now_ns)) is not None:
        now_ns = step.end_ns
        for sequence in batch.finish(step):
            times.setdefault(sequence, []).append(now_ns)
    return times


def test_alone_ttft_is_the_prefill_and_each_gap_is_a_decode_step() -> None:
    batch = Batch(COSTS, limits())
    batch.submit(20, 4, now_ns=0)
    (times,) = drain(batch).values()
    # Prefill: 10 + 20 * 0.5 = 20 ms. Decode: 4 + 1 + 0.01 * context, context 21, 22, 23.
    assert times == [20 * MS, 25_210_000, 30_430_000, 35_660_000]


def test_nothing_to_do_is_no_step() -> None:
    assert Batch(COSTS, limits()).begin(0) is None


def test_a_sequence_that_arrives_after_the_step_began_waits_for_the_next() -> None:
    batch = Batch(COSTS, limits())
    batch.submit(4, 1, now_ns=5)
    assert batch.begin(4) is None
    assert batch.begin(5) is not None


def test_two_that_arrive_together_share_the_prefill_and_the_decode_step() -> None:
    batch = Batch(COSTS, limits())
    first, second = batch.submit(20, 2, 0), batch.submit(40, 2, 0)
    times = drain(batch)
    # Prefill of both: 10 + 60 * 0.5 = 40 ms. Decode of both: 4 + 2 + 0.01 * (21 + 41) = 6.62 ms.
    assert times[first] == times[second] == [40 * MS, 46_620_000]


def test_a_newcomers_prefill_delays_the_running_ones_token() -> None:
    batch = Batch(COSTS, limits())
    first = batch.submit(20, 2, 0)
    take(batch, 0)
    second = batch.submit(40, 1, 20 * MS)
    step, gained = take(batch, 20 * MS)
    # Prefill 10 + 20, decode 4 + 1 + 0.21: 35.21 ms, for both.
    assert (step.end_ns, gained) == (55_210_000, [first, second])
    assert step.prefill_share == pytest.approx(30 / 35.21)
    assert (step.prefill_tokens, step.decodes) == (40, 1)


def test_a_long_prompt_is_computed_in_chunks_of_what_decoding_leaves_of_the_budget() -> None:
    batch = Batch(COSTS, limits(max_batched_tokens=50))
    runner = batch.submit(10, 9, 0)
    take(batch, 0)
    long = batch.submit(120, 1, 0)
    steps = [take(batch, 0) for _ in range(3)]
    assert [step.prefill_tokens for step, _ in steps] == [49, 49, 22]
    assert [gained for _, gained in steps] == [[runner], [runner], [runner, long]]


def test_more_than_max_sequences_wait_in_order_of_arrival() -> None:
    batch = Batch(COSTS, limits(max_sequences=2))
    sequences = [batch.submit(4, 2, 0) for _ in range(3)]
    take(batch, 0)
    assert batch.running == sequences[:2]
    assert list(batch.waiting) == sequences[2:]
    take(batch, 0)  # the two end
    _, gained = take(batch, 0)
    assert gained == sequences[2:]


def test_the_cache_fills_by_blocks_and_is_empty_after_the_end() -> None:
    batch = Batch(COSTS, limits(block_tokens=4, blocks=10))
    batch.submit(7, 4, 0)
    usage = []
    while (step := batch.begin(0)) is not None:
        usage.append(batch.kv_usage)
        batch.finish(step)
    # In the cache while each step runs: 7, 8, 9 and 10 tokens, in blocks of 4: 2, 2, 3, 3 of 10.
    assert usage == pytest.approx([0.2, 0.2, 0.3, 0.3])
    assert (batch.kv_usage, batch.kv_tokens) == (0.0, 0)


def test_out_of_blocks_the_youngest_is_preempted_and_computed_again() -> None:
    batch = Batch(COSTS, limits(block_tokens=4, blocks=4, context_tokens=16))
    old, young = batch.submit(8, 4, 0), batch.submit(8, 3, 0)
    take(batch, 0)  # both prefilled: 2 + 2 blocks, the cache is full
    assert batch.free_blocks == 0
    step, gained = take(batch, 0)  # the old one needs a third block
    assert gained == [old]
    assert (step.decodes, step.prefill_tokens) == (1, 0)
    assert (young.state, young.blocks, young.preemptions, batch.preemptions) == ("waiting", 0, 1, 1)
    assert list(batch.waiting) == [young]
    assert young.generated == 1  # what it has sent it has sent
    take(batch, 0)
    _, gained = take(batch, 0)
    assert (gained, old.state) == ([old], "ended")
    step, gained = take(batch, 0)  # now the young one's prompt and its token are computed: 9
    assert (step.prefill_tokens, step.decodes, gained) == (9, 0, [young])
    assert step.end_ns == round((10 + 9 * 0.5) * MS)
    _, gained = take(batch, 0)
    assert (gained, young.state, young.generated, batch.free_blocks) == ([young], "ended", 3, 4)


def test_a_preempted_sequence_goes_before_those_that_never_ran() -> None:
    batch = Batch(COSTS, limits(block_tokens=4, blocks=4, context_tokens=16))
    _, young = batch.submit(8, 4, 0), batch.submit(8, 3, 0)
    take(batch, 0)
    newcomer = batch.submit(1, 1, 0)
    take(batch, 0)
    assert list(batch.waiting) == [young, newcomer]


@pytest.mark.parametrize("state", ["waiting", "running"])
def test_cancelling_frees_at_once_and_once(state: str) -> None:
    batch = Batch(COSTS, limits())
    sequence = batch.submit(40, 4, 0)
    if state == "running":
        take(batch, 0)
        assert batch.free_blocks == 90
    assert sequence.state == state
    batch.cancel(sequence)
    batch.cancel(sequence)
    assert (batch.free_blocks, batch.running, list(batch.waiting)) == (100, [], [])
    assert batch.begin(0) is None


def test_cancelled_within_a_step_gains_nothing_from_it() -> None:
    batch = Batch(COSTS, limits())
    gone, stays = batch.submit(4, 4, 0), batch.submit(4, 4, 0)
    step = batch.begin(0)
    assert step is not None
    batch.cancel(gone)
    assert batch.finish(step) == [stays]
    assert (gone.generated, gone.state, batch.free_blocks) == (0, "cancelled", 99)


@pytest.mark.parametrize(
    ("limit", "prompt", "output", "says"),
    [
        (limits(context_tokens=100), 90, 11, "maximum context length is 100"),
        (limits(blocks=10, context_tokens=400), 30, 12, "KV cache holds 40 tokens; this request needs 41"),
    ],
)
def test_what_can_never_fit_is_refused(limit: Limits, prompt: int, output: int, says: str) -> None:
    batch = Batch(COSTS, limit)
    with pytest.raises(TooLong, match=says):
        batch.submit(prompt, output, 0)
    batch.submit(prompt, output - 1, 0)  # one token less does fit
    assert [len(times) for times in drain(batch).values()] == [output - 1]


arrivals = st.lists(
    st.tuples(st.integers(1, 60), st.integers(1, 40), st.integers(0, 400), st.booleans()),
    min_size=1,
    max_size=25,
)


@given(arrivals, st.integers(1, 6), st.integers(1, 80), st.integers(1, 8), st.integers(0, 20))
def test_whatever_comes_every_request_ends_once_with_its_tokens_and_no_block_is_lost(
    requests: list[tuple[int, int, int, bool]], max_sequences: int, budget: int, block_tokens: int, spare: int
) -> None:
    blocks = -(-100 // block_tokens) + spare
    batch = Batch(COSTS, Limits(max_sequences, budget, block_tokens, blocks, context_tokens=100))
    due = sorted(requests, key=lambda request: request[2])
    now_ns, ended, cancelled, submitted = 0, [], [], []
    gained: dict[Sequence, int] = {}
    for _ in range(20_000):
        while due and due[0][2] * MS <= now_ns:
            prompt, output, _, gives_up = due.pop(0)
            sequence = batch.submit(prompt, output, now_ns)
            submitted.append((sequence, gives_up))
        step = batch.begin(now_ns)
        assert 0 <= batch.free_blocks <= blocks
        assert batch.free_blocks + sum(sequence.blocks for sequence in batch.running) == blocks
        assert len(batch.running) <= max_sequences
        if step is None:
            if not due:
                break
            now_ns = due[0][2] * MS
            continue
        assert sum(tokens for _, tokens in step.work) <= budget
        for sequence, gives_up in submitted:
            if gives_up and sequence.state in ("waiting", "running") and sequence.generated:
                batch.cancel(sequence)
                cancelled.append(sequence)
        assert step.end_ns > step.start_ns == now_ns
        now_ns = step.end_ns
        for sequence in batch.finish(step):
            gained[sequence] = gained.get(sequence, 0) + 1
            if sequence.state == "ended":
                ended.append(sequence)
    else:
        pytest.fail("the engine did not come to an end")
    assert len(ended) == len(set(ended))
    assert {*ended, *cancelled} == {sequence for sequence, _ in submitted}
    assert not {*ended} & {*cancelled}
    assert all(gained[sequence] == sequence.output_tokens for sequence in ended)
    assert batch.free_blocks == blocks


def test_a_step_has_its_own_time_once_whatever_it_computes() -> None:
    batch = Batch(replace(COSTS, step_ms=2.0), limits())
    batch.submit(20, 2, 0)
    (times,) = drain(batch).values()
    assert times == [22 * MS, 29_210_000]  # 2 + 20, then 2 + 4 + 1 + 0.21
    batch.submit(20, 2, 0)
    take(batch, 0)
    batch.submit(40, 1, 0)
    step, _ = take(batch, 0)
    assert step.end_ns == 37_210_000  # 2 + 30 + 5.21
    assert step.prefill_share == pytest.approx(31 / 37.21)


def test_prefill_first_decodes_nothing_while_a_prompt_is_computed() -> None:
    batch = Batch(COSTS, limits(prefill_first=True))
    old = batch.submit(20, 3, 0)
    take(batch, 0)
    new = batch.submit(40, 2, 0)
    step, gained = take(batch, 0)
    assert (step.end_ns, step.decodes, gained) == (30 * MS, 0, [new])
    _, gained = take(batch, 0)
    assert gained == [old, new]


def test_where_outputs_are_reserved_a_request_waits_for_room_and_is_never_preempted() -> None:
    batch = Batch(COSTS, limits(block_tokens=4, blocks=4, context_tokens=16, reserves_output=True))
    first, second = batch.submit(8, 4, 0), batch.submit(8, 3, 0)
    take(batch, 0)  # 11 tokens are kept for the first: 3 of 4 blocks
    assert (batch.running, list(batch.waiting), batch.free_blocks) == ([first], [second], 1)
    drain(batch)
    assert (second.state, batch.preemptions, batch.free_blocks) == ("ended", 0, 4)
