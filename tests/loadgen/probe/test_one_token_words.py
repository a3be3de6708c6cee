from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadgen.probe.one_token_words import CANDIDATES, ENOUGH, OneTokenWords, find_words


class Counter:
    """A server that counts: `overhead` around the text, a word's own cost, else one."""

    def __init__(self, cost: dict[str, int] | None = None, overhead: int = 0, answers: int = 10**9) -> None:
        self.cost = cost or {}
        self.overhead = overhead
        self.answers = answers
        self.asked = 0

    async def __call__(self, text: str) -> int | None:
        self.asked += 1
        if self.asked > self.answers:
            return None
        return self.overhead + sum(self.cost.get(word, 1) for word in text.split())


def found(counter: Counter, most: int = 24) -> OneTokenWords | None:
    return asyncio.run(find_words(counter, most))


def test_a_large_vocabulary_takes_two_requests() -> None:
    counter = Counter(overhead=11)
    words = found(counter)
    assert counter.asked == 2
    assert words == OneTokenWords(list(CANDIDATES[1:]), 11)


def test_the_candidates_are_all_different_and_plain() -> None:
    assert len(set(CANDIDATES)) == len(CANDIDATES) > 150
    assert all(word.isascii() and word.isalpha() for word in CANDIDATES)


@given(
    st.dictionaries(st.sampled_from(CANDIDATES), st.integers(2, 5)),
    st.integers(0, 50),
    st.integers(3, 40),
)
def test_every_word_found_is_one_token_and_the_requests_are_bounded(
    cost: dict[str, int], overhead: int, most: int
) -> None:
    counter = Counter(cost, overhead)
    words = found(counter, most)
    assert counter.asked <= most
    if words is not None:
        assert words.words
        assert not set(words.words) & set(cost)
        assert len(set(words.words)) == len(words.words)
        assert words.overhead_tokens == overhead + cost.get(CANDIDATES[0], 1) - 1


def test_a_small_vocabulary_still_gives_words_within_the_budget() -> None:
    every_third = dict.fromkeys(CANDIDATES[1::3], 2)
    words = found(Counter(every_third))
    assert words is not None
    assert len(words.words) >= 6


def test_the_search_stops_at_enough_words() -> None:
    counter = Counter({CANDIDATES[-1]: 2})
    words = found(counter)
    assert words is not None
    assert len(words.words) >= ENOUGH
    assert counter.asked == 3


def test_no_word_of_one_token_is_no_answer() -> None:
    assert found(Counter(dict.fromkeys(CANDIDATES, 2))) is None


@pytest.mark.parametrize("answers", [0, 1, 2])
def test_a_server_that_stops_counting_is_no_answer(answers: int) -> None:
    assert found(Counter(dict.fromkeys(CANDIDATES[1::2], 2), answers=answers)) is None
