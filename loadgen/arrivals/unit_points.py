"""Arrival processes at unit rate: one row each, from a seed.

Constant arrivals are the points 0, 1, 2, ...; those of Poisson and Gamma processes are independent gaps of
mean 1 added up. The first of constant arrivals is due at once, those of the others after a gap.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator


def _constant(_seed: int, _burstiness: float) -> Iterator[float]:
    n = 0
    while True:
        yield n
        n += 1


def _poisson(seed: int, _burstiness: float) -> Iterator[float]:
    # random() is the one method whose sequence Python promises to keep for a seed.
    draw = random.Random(f"arrivals:{seed}").random
    at = 0.0
    while True:
        at -= math.log1p(-draw())
        yield at


def _gamma(seed: int, burstiness: float) -> Iterator[float]:
    """Gaps of a Gamma distribution with shape `burstiness` and mean 1, as `--burstiness` of vLLM's benchmark
    means it: 1 is Poisson, below 1 they come in bursts (the gaps' coefficient of variation is
    1 / sqrt(burstiness)), above 1 they are more even."""
    draw = random.Random(f"arrivals:{seed}").random
    at = 0.0
    while True:
        at += _gamma_variate(burstiness, draw) / burstiness
        yield at


def _gamma_variate(shape: float, draw: Callable[[], float]) -> float:
    """One of mean `shape` and scale 1.

    Source: Marsaglia and Tsang, A simple method for generating gamma variables (2000), with their way to
    shapes below 1; normal variates by Box and Muller (1958).
    """
    if shape < 1:
        return _gamma_variate(shape + 1, draw) * math.pow(1.0 - draw(), 1 / shape)
    d = shape - 1 / 3
    c = 1 / math.sqrt(9 * d)
    while True:
        x = math.sqrt(-2 * math.log1p(-draw())) * math.cos(2 * math.pi * draw())
        v = (1 + c * x) ** 3
        if v > 0 and math.log1p(-draw()) < x * x / 2 + d - d * v + d * math.log(v):
            return d * v


UNIT_POINTS: dict[str, Callable[[int, float], Iterator[float]]] = {
    "constant": _constant,
    "poisson": _poisson,
    "gamma": _gamma,
}
"""Name of an arrival process -> its points at unit rate, from a seed and a burstiness."""
