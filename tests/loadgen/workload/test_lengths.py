"""How long prompts and answers are."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadgen.workload.draws import drawn_length
from loadgen.workload.lengths import Histogram, LengthError, Uniform, mean, parse_lengths

N = 4000


def samples(text: str, seed: int = 3, what: str = "input") -> list[int]:
    lengths = parse_lengths(text)
    return [drawn_length(lengths, seed, index, what) for index in range(N)]


def ks(values: list[int], cdf: Callable[[float], float]) -> float:
    """The greatest distance between the share of values up to x and the cdf halfway to the next whole number."""
    count, seen, worst = Counter(values), 0, 0.0
    for length in sorted(count):
        worst = max(worst, abs(seen / len(values) - cdf(length - 0.5)))
        seen += count[length]
        worst = max(worst, abs(seen / len(values) - cdf(length + 0.5)))
    return worst


def normal_cdf(mean: float, sd: float) -> Callable[[float], float]:
    return lambda x: 0.5 * (1 + math.erf((x - mean) / (sd * math.sqrt(2))))


def lognormal_cdf(mean: float, sd: float) -> Callable[[float], float]:
    s2 = math.log(1 + sd**2 / mean**2)
    return lambda x: 0.5 * (1 + math.erf((math.log(x) - math.log(mean) + s2 / 2) / math.sqrt(2 * s2)))


@pytest.mark.parametrize("seed", [0, 1, 2**62])
@pytest.mark.parametrize(
    ("text", "cdf"),
    [
        ("100..2048", lambda x: (x + 0.5 - 100) / 1949),
        ("normal:5000:300", normal_cdf(5000, 300)),
        ("lognormal:1500:1200", lognormal_cdf(1500, 1200)),
        ("exponential:2000", lambda x: 1 - math.exp(-max(0.0, x) / 2000)),
    ],
)
def test_drawn_lengths_follow_the_distribution(text: str, cdf: Callable[[float], float], seed: int) -> None:
    # Kolmogorov-Smirnov at a level of 1e-4 (2.23 / sqrt(n)); seeds are fixed, so it passes or fails for ever.
    assert ks(samples(text, seed), cdf) < 2.23 / math.sqrt(N)


def test_what_lies_outside_the_clip_is_moved_to_its_ends() -> None:
    drawn = samples("exponential:200@50..500")
    assert (min(drawn), max(drawn)) == (50, 500)
    below, above = 1 - math.exp(-50.5 / 200), math.exp(-499.5 / 200)
    assert drawn.count(50) / N == pytest.approx(below, abs=0.03)
    assert drawn.count(500) / N == pytest.approx(above, abs=0.03)


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("vllm-ratio:1000:0.2", 800, 1200),
        ("vllm-old-ratio:8192:0.8", 6553, 8192),
        ("inferencex-ratio:8192:0.8", 6553, 8192),
        ("sglang-ratio:1024:0", 1, 1024),
    ],
)
def test_a_range_ratio_means_what_the_named_tool_means_by_it(text: str, low: int, high: int) -> None:
    assert parse_lengths(text) == Uniform(low, high)


def test_a_histogram_gives_each_length_its_share(tmp_path: Path) -> None:
    file = tmp_path / "lengths.csv"
    file.write_text("tokens,count\n128,1\n\n64 2 # most\n4096,1\n7,0\n")
    drawn = Counter(samples(f"histogram:{file}"))
    assert set(drawn) == {64, 128, 4096}
    for length, share in ((64, 0.5), (128, 0.25), (4096, 0.25)):
        assert drawn[length] / N == pytest.approx(share, abs=0.03)
    assert parse_lengths(f"histogram:{file}") == Histogram([64, 128, 4096], [0.5, 0.75, 1.0])


def test_prompts_and_answers_are_drawn_apart_and_seeds_differ() -> None:
    text = "1..1000000"
    assert samples(text) == samples(text)
    assert len({tuple(samples(text, seed, what)) for seed in (1, 2) for what in ("input", "output")}) == 4


@pytest.mark.parametrize(
    ("text", "expected"),
    [("256", 256.0), ("100..2048", 1074.0), ("normal:512:128", 512.0), ("exponential:200", 200.0)],
)
def test_the_mean_is_within_a_hundredth(text: str, expected: float) -> None:
    assert mean(parse_lengths(text)) == pytest.approx(expected, rel=0.01)


@given(
    st.sampled_from(["5..9", "normal:20:50@3..70", "lognormal:9:30", "exponential:4@2..8", "77"]),
    st.floats(0, 1, exclude_max=True),
    st.floats(0, 1, exclude_max=True),
)
def test_a_length_is_at_least_one_token_within_its_bounds_and_grows_with_the_share(
    text: str, a: float, b: float
) -> None:
    lengths = parse_lengths(text)
    low, high = lengths.at(min(a, b)), lengths.at(max(a, b))
    assert 1 <= low <= high
    if "@" in text:
        assert high <= lengths.most


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "need tokens such as 256, 100..2048"),
        ("0", "from 1 to"),
        ("-3", "need tokens such as"),
        ("9..3", "9 is above 3"),
        ("1..99999999999", "from 1 to 10,000,000"),
        ("normal:512", "need normal:MEAN:SD"),
        ("exponential:9:9", "need exponential:MEAN"),
        ("normal:0:1", "no number above 0"),
        ("lognormal:nan:1", "no number above 0"),
        ("normal:5:inf", "no number of at least 0"),
        ("normal:5:1@7", "need LOW..HIGH"),
        ("ratio-ratio:5:0.5", "each means something else"),
        ("vllm-ratio:5:1.5", "from 0 to 1"),
        ("histogram:", "histogram"),
        ("histogram:/does/not/exist", "No such file"),
    ],
)
def test_what_is_no_length_is_refused_in_one_line(text: str, said: str) -> None:
    with pytest.raises(LengthError) as refused:
        parse_lengths(text)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "no length occurs"),
        ("5,0\n", "no length occurs"),
        ("5,1\n6\n", "line 2: got '6', need a length and how often it occurs"),
        ("5,1\n6,-1\n", "line 2"),
        ("5,1\n6,x\n", "line 2"),
        ("0,1\n", "line 1"),
    ],
)
def test_a_histogram_that_is_none_is_refused_with_its_line(tmp_path: Path, content: str, said: str) -> None:
    file = tmp_path / "h"
    file.write_text(content)
    with pytest.raises(LengthError) as refused:
        parse_lengths(f"histogram:{file}")
    assert said in str(refused.value)


def test_a_length_that_is_never_drawn_is_not_in_a_histogram(tmp_path: Path) -> None:
    file = tmp_path / "h"
    file.write_text("1 1\n2 1\n3 2\n")
    histogram = parse_lengths(f"histogram:{file}")
    steps = [histogram.at(i / 1000) for i in range(1000)]
    assert [steps.count(length) for length in (1, 2, 3)] == pytest.approx([250, 250, 500], abs=1)
    assert all(a <= b for a, b in pairwise(steps))


def test_each_length_of_a_range_is_as_likely_as_the_others_both_ends_too() -> None:
    lengths = parse_lengths("1..6")
    assert Counter(lengths.at((i + 0.5) / 600) for i in range(600)) == dict.fromkeys(range(1, 7), 100)


def test_a_length_that_stands_twice_in_a_histogram_occurs_as_often_as_both_say(tmp_path: Path) -> None:
    file = tmp_path / "h"
    file.write_text("5 1\n6 1\n5 2\n")
    assert parse_lengths(f"histogram:{file}") == Histogram([5, 6], [0.75, 1.0])


def test_the_most_of_a_distribution_without_an_end_is_exceeded_once_in_a_thousand() -> None:
    assert parse_lengths("exponential:1000").most == round(1000 * math.log(1000))
    assert parse_lengths("exponential:1000@1..5000").most == 5000
