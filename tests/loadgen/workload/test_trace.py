"""Prompts of a trace: as long as its own, shared where they were, random where they were not."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from loadgen.indices import INDEX_STRIDE
from loadgen.trace.compile import compiled
from loadgen.trace.formats import read_trace
from loadgen.trace.rows import TraceRow
from loadgen.workload.spec import PromptSpec, TraceWorkload
from loadgen.workload.trace import TraceRequests

MOONCAKE = Path(__file__).parent / "fixtures" / "mooncake_short_excerpt.jsonl"
"""The first 300 requests of under 6,000 tokens of Mooncake's conversation trace (FAST 25).
Source: github.com/kvcache-ai/Mooncake, Apache-2.0."""
WORDS = [f"w{n}" for n in range(500)]
IDS, TEXT = PromptSpec("ids", 8), PromptSpec("text", 8, words=WORDS)
CACHE_BLOCK = 16
"""Tokens that a prefix cache takes or leaves together, as vLLM's does."""


def made(
    tmp_path: Path, spec: PromptSpec, rows: Sequence[TraceRow] | None = None, seed: int = 5
) -> TraceRequests:
    file, _ = compiled(read_trace(MOONCAKE).rows if rows is None else rows)
    file.seek(0)
    place = tmp_path / f"{id(file)}"
    place.write_bytes(file.read())
    return TraceRequests(TraceWorkload(spec, str(place)), seed)


def tokens(prompt: list[int] | str) -> list[object]:
    return list(prompt.split(" ")) if isinstance(prompt, str) else list(prompt)


def hit_share(prompts: Sequence[Sequence[object]]) -> float:
    """What a prefix cache without bound would have had: whole blocks from the beginning on, in order."""
    seen: set[int] = set()
    hits = total = 0
    for prompt in prompts:
        chain, known = 0, True
        for at in range(0, len(prompt) - CACHE_BLOCK + 1, CACHE_BLOCK):
            chain = hash((chain, *prompt[at : at + CACHE_BLOCK]))
            known = known and chain in seen
            hits += CACHE_BLOCK * known
            seen.add(chain)
        total += len(prompt)
    return hits / total


def own_hit_share() -> float:
    """The same by the trace's hash ids, each of which stands for 512 tokens, the last one for the rest."""
    seen: set[int] = set()
    hits = total = 0
    for line in MOONCAKE.read_text().splitlines():
        row = json.loads(line)
        known = True
        for n, block in enumerate(row["hash_ids"]):
            known = known and block in seen
            hits += min(512, row["input_length"] - 512 * n) * known
            seen.add(block)
        total += row["input_length"]
    return float(hits / total)


@pytest.mark.parametrize("spec", [IDS, TEXT, PromptSpec("ids", 8, overhead_tokens=3)])
def test_hash_ids_give_the_hit_rate_that_the_trace_had(tmp_path: Path, spec: PromptSpec) -> None:
    requests = made(tmp_path, spec)
    prompts = [tokens(requests.spec(index).prompt) for index in range(300)]
    lengths = [json.loads(line)["input_length"] for line in MOONCAKE.read_text().splitlines()]
    assert [len(prompt) + spec.overhead_tokens for prompt in prompts] == lengths
    own = own_hit_share()
    assert 0.25 < own < 0.35
    assert hit_share(prompts) == pytest.approx(own, abs=0.02)


def test_prompts_that_share_no_hash_id_begin_unlike(tmp_path: Path) -> None:
    rows = [TraceRow(n, 600, 1, (2 * n, 2 * n + 1)) for n in range(200)]
    requests = made(tmp_path, IDS, rows)
    assert len({tokens(requests.spec(n).prompt)[0] for n in range(200)}) == 200


def test_the_last_block_is_cut_and_what_has_no_id_is_of_the_request_alone(tmp_path: Path) -> None:
    rows = [
        TraceRow(0, 1024, 1, (7, 8)),
        TraceRow(1, 700, 1, (7, 8)),
        TraceRow(2, 700, 1, (7,)),
        TraceRow(3, 700, 1, (7,)),
        TraceRow(4, 700, 1),
    ]
    requests = made(tmp_path, IDS, rows)
    whole, cut, rest, other, alone = (tokens(requests.spec(n).prompt) for n in range(5))
    assert cut == whole[:700]
    assert rest[:512] == other[:512] == whole[:512]
    assert rest[512:] != other[512:]
    assert [len(rest), len(other), len(alone)] == [700, 700, 700]
    assert alone[0] != whole[0]


def test_every_process_makes_the_same_and_another_seed_or_load_others(tmp_path: Path) -> None:
    requests, again, other = made(tmp_path, IDS), made(tmp_path, IDS), made(tmp_path, IDS, seed=6)
    assert requests.spec(17) == again.spec(17)
    assert requests.spec(17).prompt != other.spec(17).prompt
    later = requests.spec(17 + INDEX_STRIDE)
    assert tokens(later.prompt)[:16] != tokens(requests.spec(17).prompt)[:16]
    assert (later.input_tokens, later.output_tokens) == (
        requests.spec(17).input_tokens,
        requests.spec(17).output_tokens,
    )


def test_conversation_turn_and_tags_of_a_session_are_kept(tmp_path: Path) -> None:
    rows = [TraceRow(0, 5, 2, (), 41, 3, ("chat", "gold")), TraceRow(1, 5, 2)]
    requests = made(tmp_path, IDS, rows)
    spec, plain = requests.spec(0), requests.spec(1)
    assert (spec.conversation, spec.turn, spec.tags) == (41, 3, ("chat", "gold"))
    assert (plain.conversation, plain.turn, plain.tags) == (None, None, ())


def test_behind_the_last_row_a_trace_begins_again(tmp_path: Path) -> None:
    requests = made(tmp_path, IDS, [TraceRow(n, 10 + n, 20 + n) for n in range(3)])
    asked = [requests.spec(n) for n in range(7)]
    assert [(spec.input_tokens, spec.output_tokens) for spec in asked] == [
        (10 + n % 3, 20 + n % 3) for n in range(7)
    ]
