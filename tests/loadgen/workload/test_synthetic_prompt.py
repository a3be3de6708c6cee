from __future__ import annotations

import hashlib
import json
import subprocess
import sys

import pytest

from loadgen.workload.spec import PromptSpec
from loadgen.workload.synthetic_prompt import prompt

IDS = PromptSpec("ids", 256, 1000, 20000)
WORDS = PromptSpec("text", 40, words=["a", "the", "of", "and", "to"], overhead_tokens=9)


@pytest.mark.parametrize("tokens", [1, 2, 16, 255, 4096])
def test_an_id_prompt_has_exactly_the_asked_length_inside_the_vocabulary(tokens: int) -> None:
    spec = PromptSpec("ids", tokens, 5, 300)
    for index in range(50):
        ids = prompt(spec, 1, index)
        assert isinstance(ids, list)
        assert len(ids) == tokens
        assert all(type(value) is int and 5 <= value < 300 for value in ids)


@pytest.mark.parametrize(("overhead", "words"), [(0, 40), (9, 31), (39, 1), (100, 1)])
def test_a_text_prompt_has_the_asked_length_less_the_overhead(overhead: int, words: int) -> None:
    spec = PromptSpec("text", 40, words=WORDS.words, overhead_tokens=overhead)
    text = prompt(spec, 0, 3)
    assert isinstance(text, str)
    assert len(text.split(" ")) == words
    assert set(text.split(" ")) <= set(WORDS.words)


def test_the_same_seed_and_index_give_the_same_prompt_in_another_process() -> None:
    code = (
        "import json;from loadgen.workload.spec import PromptSpec;from loadgen.workload.synthetic_prompt import prompt;"
        "print(json.dumps([prompt(PromptSpec('ids',256,1000,20000),7,i) for i in (0,1,10**9)]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert json.loads(done.stdout) == [prompt(IDS, 7, index) for index in (0, 1, 10**9)]


def test_prompts_of_a_seed_stay_the_same_from_version_to_version() -> None:
    said = json.dumps([prompt(IDS, seed, index) for seed in (0, 1) for index in (0, 1, 2)]).encode()
    assert (
        hashlib.sha256(said).hexdigest() == "1212a5cf2b57371e043299b7749ad24eb1b9fe92e2edd7e2f90d6b9714363e95"
    )
    text = json.dumps([prompt(WORDS, seed, index) for seed in (0, 1) for index in (0, 1, 2)]).encode()
    assert (
        hashlib.sha256(text).hexdigest() == "63e99cebe539582904e6ed88d067f08457551171203b6362b398d2cac32bcf72"
    )


def test_no_two_of_a_whole_vocabulary_of_prompts_share_their_first_token() -> None:
    spec = PromptSpec("ids", 4, 1000, 4000)
    assert len({prompt(spec, 3, index)[0] for index in range(3000)}) == 3000


def test_neighbouring_text_prompts_begin_with_different_words() -> None:
    firsts = [str(prompt(WORDS, 3, index)).split(" ")[0] for index in range(200)]
    assert all(len(set(firsts[start : start + 5])) == 5 for start in range(195))


def test_seeds_give_different_prompts() -> None:
    assert len({tuple(prompt(IDS, seed, 0)) for seed in range(100)}) == 100


def test_ids_are_spread_evenly_over_the_vocabulary() -> None:
    spec = PromptSpec("ids", 1000, 0, 10)
    counts = [0] * 10
    for index in range(50):
        for value in prompt(spec, 0, index):
            counts[int(value)] += 1
    # 50,000 draws over 10 ids: chi-square with 9 degrees of freedom exceeds 33.7 once in 10,000.
    assert sum((count - 5000) ** 2 / 5000 for count in counts) < 33.7


@pytest.mark.parametrize("spec", [PromptSpec("ids", 4, 10, 10), PromptSpec("text", 4)])
def test_a_prompt_spec_with_nothing_to_draw_from_is_an_error(spec: PromptSpec) -> None:
    with pytest.raises(ValueError, match="nothing to draw from"):
        prompt(spec, 0, 0)
