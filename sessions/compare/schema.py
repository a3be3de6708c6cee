"""What a comparison says, as one typed value: `ttftop compare --json`.

Names are a contract (docs/guide/commands.md). Ratios are the other side over the first one; None is what was
not measured or cannot be told.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

Word = Literal["better", "worse", "no difference", "cannot tell"]
"""All that is ever said of a figure; `no difference` stands for *no difference larger than d*."""


Kind = Literal["compared", "asked", "also"]


class ComparedFigure(msgspec.Struct, frozen=True):
    """One figure on both sides."""

    metric: str
    """As `--metrics` takes it: `ttft.p95`."""
    label: str
    a: float | None
    """In ms; per second; joules; money. Over all loads together there is none."""
    b: float | None
    ratio: float | None
    low: float | None
    """All intervals of the comparison hold together in 95 % of the cases: by these it is decided."""
    high: float | None
    low_alone: float | None
    """This one holds in 95 % of the cases."""
    high_alone: float | None
    word: Word
    no_difference_larger_than: float | None
    """0.03: the other side lies within 3 % of the first; None where that is not what is said."""
    because: str
    """Why it cannot be told, or has no interval; empty where the interval decides."""
    loads: int
    """At how many loads it could be compared."""
    interval_from: str
    """`blocks` of time within each run, or `repetitions`."""
    would_find: float | None = None
    """The difference (0.08 is 8 %) that runs like these tell in 80 of 100 cases; None where unknown."""
    times_as_long_for_ten_percent: float | None = None
    """So many times as long (or as many repetitions) runs would have to be to tell 10 % that often."""
    apart: float | None = None
    """B's part of time that is nearest to A against A's nearest, where it is told from these without an
    interval: all of B lies that far from all of A, at least."""


class ComparedLoad(msgspec.Struct, frozen=True):
    """One load that both sides were put under."""

    name: str
    load: str
    """`8 rps`, `concurrency 32`, `whole run`; `4 rps against 5 rps` where no load was common."""
    value: float
    """The number in it."""
    requests_a: int
    requests_b: int
    failed_a: int
    failed_b: int
    figures: list[ComparedFigure]
    value_b: float | None = None
    """The other side's load, where it is not the same."""


class Difference(msgspec.Struct, frozen=True):
    """Something that is not the same in the two manifests."""

    what: str
    a: str
    b: str
    kind: Kind
    """`compared`: the server and what it runs on. `asked`: the work itself, so figures are of two things.
    `also`: anything else that might be the cause."""


class Side(msgspec.Struct, frozen=True):
    """One session, or several repetitions of the same."""

    label: str
    sessions: list[str]
    valid: bool
    reasons: list[str]
    """Why not, each with its session; `[]` when valid."""
    badges: list[str]
    """`SIMULATED`, `IMPORTED`: where any of its sessions is."""


class Versus(msgspec.Struct, frozen=True):
    """The first side against one other."""

    b: Side
    word: Word
    """`worse` where anything is worse, else `better` where anything is, else `no difference` where that is
    said of all that was measured, else `cannot tell`."""
    overall: list[ComparedFigure]
    """Each figure over all loads: the mean of its log ratios. Of one load, that load's."""
    loads: list[ComparedLoad]
    differences: list[Difference]
    warnings: list[str]
    not_compared: list[str]
    """Loads that only one side has."""


class ScaledSide(msgspec.Struct, frozen=True):
    """What one side made with its GPUs, at the load at which that was most."""

    label: str
    layout: str
    """`tp=2 dp=2`, by its tags; empty without."""
    gpus: int
    gpus_from: str
    """Who says how many: its tags, or telemetry."""
    load: str
    output_tps: float
    output_tps_per_gpu: float
    efficiency: float | None
    """`output_tps_per_gpu` against that of the side with the fewest GPUs: 0.9 is 90 %. None of another side
    with no more GPUs: that is no scaling."""
    highest_load_is_best: bool
    """It was put under no higher load than that, so there may be more in it."""


class TpAgainstDp(msgspec.Struct, frozen=True):
    """A side that is only tensor parallel against one on as many GPUs that is only data parallel."""

    gpus: int
    tp: str
    dp: str
    output_tps_ratio: float
    """At the best load of each."""
    load: str | None
    """The lowest that both were put under; None where there is none."""
    tps_per_user_ratio: float | None
    """There."""


class LoadPoint(msgspec.Struct, frozen=True):
    """One side at one load; means over repetitions."""

    side: str
    load: str
    value: float
    requests: int
    failed: int
    gpus: int
    output_tps: float
    output_tps_per_gpu: float
    tps_per_user: float | None
    """1 / median TPOT."""
    on_front: bool


class Scaling(msgspec.Struct, frozen=True):
    """What more GPUs give, of the sides whose GPUs are known."""

    smallest: str
    """The side with the fewest GPUs."""
    sides: list[ScaledSide]
    tp_against_dp: list[TpAgainstDp]
    points: list[LoadPoint]
    efficiency: str
    """What it is, in words."""
    front: str
    """Which points are on it, in words."""


class Comparison(msgspec.Struct, frozen=True):
    a: Side
    versus: list[Versus]
    intervals: int
    """How many there are that all hold together."""
    smallest: float
    """Differences below are none."""
    widest: float
    """An interval that reaches farther tells nothing."""
    currency: str = ""
    scaling: Scaling | None = None
    """None where of no side both tokens and GPUs are known."""


def plain(comparison: Comparison) -> dict[str, Any]:
    """As dictionaries, lists and plain values."""
    made: dict[str, Any] = msgspec.to_builtins(comparison)
    return made
