"""How often one interval of several may be wrong, for all of them to hold together in 95 % of cases.

Figures of one run go together: where a server is slow for a while, ITL, TPOT and E2E are high at once.
Several of them are therefore hardly more chances of a false word than one, and to share out what may go wrong
as if they had nothing in common (Bonferroni) gives most of it away. How much they have in common is seen in
the blocks of time; what each may then miss is that under a normal law with those correlations (a max-t, after
Westfall and Young).
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from sessions.timeline.columns import Floats

LEADS = ("itl.mean", "e2e.p50")
"""The first of them that was measured has the sharpest interval: it rests on all tokens, and a server that
is slower in more than its first token shows it here before it shows elsewhere."""
OF_THE_LEAD = 4.0
"""It may be wrong so many times as often as any other figure."""
DRAWS = 20_000
_HALVINGS = 25

Matrix = NDArray[np.float64]


def correlation(pulls: Sequence[Floats | None], block_cells: int) -> Matrix:
    """Of figures over blocks of time, `(m, m)`.

    Args:
        pulls: how each cell of time pulls each figure (`sessions.compare.blocks.pull`); None of one that is
            not known, which then has nothing in common with the others.
    """
    found: Matrix = np.eye(len(pulls))
    known = [i for i, each in enumerate(pulls) if each is not None]
    if len(known) < 2:
        return found
    series = np.array([each for each in pulls if each is not None])
    cells = series.shape[1]
    length = min(max(block_cells, 1), cells)
    around = np.hstack([np.zeros((len(known), 1)), series, series[:, :length]])
    sums = np.cumsum(around, axis=1)
    blocks = sums[:, length : length + cells] - sums[:, :cells]
    blocks -= blocks.mean(axis=1, keepdims=True)
    covariance = blocks @ blocks.T
    size = np.sqrt(np.diag(covariance))
    scale = np.outer(size, size)
    found[np.ix_(known, known)] = np.divide(covariance, scale, out=np.zeros_like(scale), where=scale > 0)
    np.fill_diagonal(found, 1.0)
    return found


def over_loads(parts: Sequence[tuple[Sequence[float | None], Matrix]]) -> Matrix:
    """Of means over loads. `parts`: the standard errors of the figures at each load, None of one that is not
    known there, and their correlation there."""
    spreads = [np.array([error or 0.0 for error in errors]) for errors, _ in parts]
    together = sum(np.outer(e, e) * matrix for e, (_, matrix) in zip(spreads, parts, strict=True))
    covariance = np.asarray(together, dtype=np.float64)
    size = np.sqrt(np.diag(covariance))
    scale = np.outer(size, size)
    found: Matrix = np.divide(covariance, scale, out=np.zeros_like(scale), where=scale > 0)
    np.fill_diagonal(found, 1.0)
    return found


def shares(names: Sequence[str], told: Sequence[bool], correlated: Matrix, alpha: float) -> list[float]:
    """What each of several intervals may miss, so that any of them does in a share `alpha` of cases.

    Args:
        names: the metrics.
        told: which have an interval; the others take no part in it.
        correlated: `(m, m)`.
    """
    lead = next((name for name in LEADS for n, t in zip(names, told, strict=True) if t and n == name), None)
    known = [i for i, each in enumerate(told) if each]
    weight = [OF_THE_LEAD if names[i] == lead else 1.0 for i in known]
    each = dict(zip(known, _shares(correlated[np.ix_(known, known)], weight, alpha), strict=True))
    return [each.get(i, alpha) for i in range(len(names))]


def _shares(correlated: Matrix, weight: Sequence[float], alpha: float) -> list[float]:
    if len(weight) < 2:
        return [alpha] * len(weight)
    values, vectors = np.linalg.eigh(correlated)
    draws = np.random.default_rng(len(weight)).standard_normal((DRAWS, len(weight)))
    sizes = np.abs(draws @ (vectors * np.sqrt(np.maximum(values, 0.0))).T)
    normal = NormalDist()
    low, high = alpha / sum(weight), alpha / max(weight)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        limits = np.array([normal.inv_cdf(1 - each * middle / 2) for each in weight])
        if float((sizes > limits).any(axis=1).mean()) > alpha:
            high = middle
        else:
            low = middle
    return [each * low for each in weight]
