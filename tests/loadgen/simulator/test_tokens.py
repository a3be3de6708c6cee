from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadgen.simulator.profiles import PROFILES
from loadgen.simulator.tokens import SPECIALS, Vocabulary

VOCABULARY = Vocabulary(32_768)


def test_every_id_has_a_word_of_its_own() -> None:
    assert len(set(VOCABULARY.words)) == VOCABULARY.size
    assert all(word.isascii() and word.isalpha() for word in VOCABULARY.words[len(SPECIALS) :])
    # The first and last of one syllable, then the first of two: 80 syllables after the 3 specials.
    assert [VOCABULARY.words[token] for token in (3, 82, 83)] == ["ba", "zu", "baba"]


@given(st.lists(st.integers(0, VOCABULARY.size - 1)))
def test_ids_to_text_to_ids_is_exact(ids: list[int]) -> None:
    assert VOCABULARY.encode(VOCABULARY.decode(ids)) == ids


@given(st.text())
def test_any_text_is_as_many_tokens_as_it_has_words_all_within_the_vocabulary(text: str) -> None:
    ids = VOCABULARY.encode(text)
    assert len(ids) == len(text.split())
    assert all(0 <= token < VOCABULARY.size for token in ids)


@pytest.mark.parametrize("contents", [[""], ["a b c"], ["be kind", "hello"]])
def test_the_chat_template_adds_two_tokens_and_two_a_message(contents: list[str]) -> None:
    words = sum(len(content.split()) for content in contents)
    assert len(VOCABULARY.chat(contents)) == words + 2 + 2 * len(contents)


def test_output_is_the_same_for_a_seed_and_another_for_another() -> None:
    assert VOCABULARY.output(7, 50) == VOCABULARY.output(7, 50)
    assert VOCABULARY.output(7, 50) != VOCABULARY.output(8, 50)
    assert VOCABULARY.output(7, 50)[:20] == VOCABULARY.output(7, 20)
    assert min(VOCABULARY.output(7, 5000)) >= len(SPECIALS)


def test_every_profile_can_serve_a_request_as_long_as_its_context() -> None:
    for name, profile in PROFILES.items():
        assert profile.name == name
        limits = profile.limits
        limits.check(limits.context_tokens - 1, 1)
        assert limits.max_batched_tokens > limits.max_sequences
        full = profile.weights_bytes + limits.kv_tokens * profile.kv_bytes_per_token
        assert all(full + gpu.memory_reserved_bytes <= gpu.memory_total_bytes for gpu in profile.gpus)
        assert all("simulated" in gpu.name for gpu in profile.gpus)
