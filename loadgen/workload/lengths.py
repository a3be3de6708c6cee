"""How long prompts and answers are: one length or a distribution, as values and as a person types them.

A distribution gives a length to a number between 0 and 1 (its quantile function). A request draws that number
from the seed and its own index, so the same seed gives the same lengths in any number of workers.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from itertools import accumulate

import msgspec

from loadgen.small_file import FileError, read_small

MOST_TOKENS = 10_000_000
"""Longer than any model's context: a slip of the hand."""
_HISTOGRAM_CAP_BYTES = 1 << 20
_EXAMPLES = (
    "256, 100..2048, normal:512:128, lognormal:1500:1200@100..10000, exponential:200@50..500, "
    "vllm-ratio:1024:0.2, histogram:FILE"
)


class LengthError(ValueError):
    """A length that cannot be: one line with what was got and what is allowed."""


class Fixed(msgspec.Struct, frozen=True, tag="fixed"):
    """Always the same."""

    tokens: int

    def at(self, u: float) -> int:
        return self.tokens

    @property
    def most(self) -> int:
        return self.tokens


class Uniform(msgspec.Struct, frozen=True, tag="uniform"):
    """Each whole number from `low` to `high`, both included, is as likely as the others."""

    low: int
    high: int

    def at(self, u: float) -> int:
        return self.low + int(u * (self.high - self.low + 1))

    @property
    def most(self) -> int:
        return self.high


class Curved(msgspec.Struct, frozen=True, tag="curved"):
    """Normal, lognormal or exponential, rounded, what lies outside `[low, high]` moved to that end."""

    shape: str
    mean: float
    """Of the lengths themselves, also of lognormal ones, before they are clipped."""
    sd: float
    """Likewise; of exponential ones it is the mean."""
    low: int = 1
    high: int = MOST_TOKENS

    def at(self, u: float) -> int:
        return min(self.high, max(self.low, round(self._unclipped(min(max(u, 1e-12), 1 - 1e-12)))))

    @property
    def most(self) -> int:
        """The longest; where nothing clips it, the one that a request in a thousand exceeds."""
        return self.high if self.high < MOST_TOKENS else self.at(0.999)

    def _unclipped(self, u: float) -> float:
        if self.shape == "exponential":
            return -self.mean * math.log1p(-u)
        from statistics import NormalDist  # not before one is asked for: the first request waits for imports

        if self.shape == "normal":
            return NormalDist(self.mean, self.sd).inv_cdf(u) if self.sd else self.mean
        variance = math.log1p((self.sd / self.mean) ** 2)
        z = NormalDist().inv_cdf(u)
        return math.exp(math.log(self.mean) - variance / 2 + math.sqrt(variance) * z)


class Histogram(msgspec.Struct, frozen=True, tag="histogram"):
    """Lengths with how often each occurs."""

    lengths: list[int]
    """Ascending."""
    until: list[float]
    """Share of requests of that length or shorter; the last is 1."""

    def at(self, u: float) -> int:
        # The least length whose share reaches u, so that a share of 0 is never drawn.
        return self.lengths[min(bisect_left(self.until, max(u, 1e-15)), len(self.lengths) - 1)]

    @property
    def most(self) -> int:
        return self.lengths[-1]


Lengths = Fixed | Uniform | Curved | Histogram


def mean(lengths: Lengths) -> float:
    """What a request is long on average, by the middles of a thousand equal shares: within 1 %."""
    if isinstance(lengths, Fixed):
        return float(lengths.tokens)
    return sum(lengths.at((i + 0.5) / 1000) for i in range(1000)) / 1000


_CURVED = re.compile(
    r"(?P<shape>normal|lognormal|exponential):(?P<mean>[^:@]+)(?::(?P<sd>[^:@]+))?(?:@(?P<clip>.+))?"
)
_RATIO = re.compile(r"(?P<tool>[a-z-]+)-ratio:(?P<length>[^:]+):(?P<ratio>[^:]+)")


def parse_lengths(text: str | int) -> Lengths:
    """What a person asked for: see `docs/guide/workloads.md`.

    A file of a histogram is read here: lines of a length and how often it occurs, apart by a comma or blanks.

    Raises:
        LengthError: it is none.
    """
    text = str(text).strip()
    if re.fullmatch(r"\d+", text):
        return Fixed(_tokens(text, text))
    if text.startswith("histogram:"):
        return _histogram(text.partition(":")[2])
    if match := _CURVED.fullmatch(text):
        return _curved(text, match)
    if match := _RATIO.fullmatch(text):
        return _ratio(text, match)
    if ".." in text and ":" not in text:
        return Uniform(*_range(text, text))
    raise LengthError(f"got {text[:60]!r}, need tokens such as {_EXAMPLES}")


def _curved(text: str, match: re.Match[str]) -> Curved:
    shape = match["shape"]
    if (match["sd"] is None) != (shape == "exponential"):
        need = "exponential:MEAN" if shape == "exponential" else f"{shape}:MEAN:SD"
        raise LengthError(f"got {text[:60]!r}, need {need}, with an optional @LOW..HIGH")
    low, high = (1, MOST_TOKENS) if match["clip"] is None else _range(match["clip"], text)
    mean = _number(match["mean"], text, above=0.0)
    sd = mean if match["sd"] is None else _number(match["sd"], text)
    return Curved(shape, mean, sd, low, high)


def _ratio(text: str, match: re.Match[str]) -> Uniform:
    """`random-range-ratio` in the meanings that tools give it.

    Source: vLLM's first one and InferenceX draw from [r L, L], vLLM's of today from [(1 - r) L, (1 + r) L],
    SGLang (bench_serving.py) from [max(1, r L), L].
    """
    length, ratio = _tokens(match["length"], text), _number(match["ratio"], text)
    if ratio > 1:
        raise LengthError(f"got {text[:60]!r}: a range ratio is from 0 to 1")
    if match["tool"] == "vllm":
        return Uniform(max(1, math.floor(length * (1 - ratio))), math.ceil(length * (1 + ratio)))
    if match["tool"] in ("vllm-old", "inferencex", "sglang"):
        return Uniform(max(1, int(length * ratio)), length)
    raise LengthError(
        f"got {text[:60]!r}: need vllm-ratio, vllm-old-ratio, inferencex-ratio or sglang-ratio, "
        "since each means something else by it"
    )


def _histogram(name: str) -> Histogram:
    counts: dict[int, float] = {}
    try:
        lines = read_small(name, _HISTOGRAM_CAP_BYTES).data.decode("utf-8-sig").splitlines()
    except FileError as error:
        raise LengthError(f"histogram {name[:200]}: {error}") from None
    except UnicodeDecodeError:
        raise LengthError(f"histogram {name[:200]}: not UTF-8") from None
    for number, line in enumerate(lines, 1):
        cells = line.partition("#")[0].replace(",", " ").split()
        if not cells or (number == 1 and not cells[0].isdigit()):
            continue  # blank, a remark, or the names of the columns
        try:
            length, count = _tokens(cells[0], ""), _number(" ".join(cells[1:]), "")
        except LengthError:
            raise LengthError(
                f"histogram {name}, line {number}: got {line.strip()[:60]!r}, "
                "need a length and how often it occurs"
            ) from None
        counts[length] = counts.get(length, 0.0) + count
    total = sum(counts.values())
    if not total > 0:
        raise LengthError(f"histogram {name}: no length occurs in it")
    lengths = sorted(length for length, count in counts.items() if count)
    until = [share / total for share in accumulate(counts[length] for length in lengths)]
    return Histogram(lengths, [*until[:-1], 1.0])


def _range(text: str, whole: str) -> tuple[int, int]:
    first, dots, last = text.partition("..")
    if not dots:
        raise LengthError(f"got {whole[:60]!r}, need LOW..HIGH, such as 100..2048")
    low, high = _tokens(first, whole), _tokens(last, whole)
    if low > high:
        raise LengthError(f"got {whole[:60]!r}: {low} is above {high}")
    return low, high


def _tokens(text: str, whole: str) -> int:
    text = text.strip()
    if not re.fullmatch(r"\d{1,12}", text) or not 1 <= int(text) <= MOST_TOKENS:
        raise LengthError(f"got {whole[:60]!r}, need tokens as a whole number from 1 to {MOST_TOKENS:,}")
    return int(text)


def _number(text: str, whole: str, above: float | None = None) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or value < 0 or (above is not None and value <= above):
        need = "above 0" if above is not None else "of at least 0"
        raise LengthError(f"got {whole[:60]!r}: {text[:20]!r} is no number {need}")
    return value
