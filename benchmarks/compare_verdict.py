"""What `ttftop compare` says of servers whose difference is known: pairs of runs of a simulated queue.

    python benchmarks/compare_verdict.py [--pairs 100] [--docs docs/figures/compare.md]

SIMULATED, in virtual time: no clock is read, and the same seed gives the same runs. Poisson arrivals wait for
one of 32 slots in the order in which they came; a prefill and 64 tokens follow, the pace of which wanders (an
AR(1) whose memory is 5 s), so that requests near each other are fast or slow together. Each pair is two runs
with other arrivals. The status is 1 where a server compared with itself is called better or worse in more
than 5 of 100 pairs, where one that is 10 % slower is not found worse in 90 of 100 by runs of ten minutes, or
where it is ever called better.
"""

from __future__ import annotations

import argparse
import heapq
import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.common.section import write  # noqa: E402
from loadgen.records import TICK_NS, Request, Tick  # noqa: E402
from loadgen.sketch import BUCKETS, GROWTH  # noqa: E402
from sessions.compare.compare import Recorded, compare  # noqa: E402
from sessions.compare.cut import cut, whole  # noqa: E402
from sessions.compare.schema import Versus  # noqa: E402
from sessions.plan.config import LoadConfig, RunConfig, TargetConfig  # noqa: E402
from sessions.store.manifest import ClockAnchor, Manifest, SessionInfo  # noqa: E402
from sessions.store.records import End, LoadChange  # noqa: E402
from sessions.summary.summarise import summarise  # noqa: E402
from sessions.timeline.timeline import Timeline  # noqa: E402

SLOTS, TOKENS, PREFILL_S, TPOT_S = 32, 64, 0.12, 0.02
WANDER, MEMORY_S = 0.08, 5.0
"""How far the pace wanders (standard deviation of its log), and how long it remembers."""
TICKS_A_S = 4


class Asked(NamedTuple):
    """One simulated run. `utilisation`: of the slots of a server that is not slower."""

    utilisation: float
    seconds: float
    slower: float = 1.0
    steps: int = 1
    """Stretches of load, each half as high again as the one before it; `utilisation` is the last one's."""


class Due(NamedTuple):
    due_s: np.ndarray
    steps: list[tuple[float, float]]
    """When each stretch of load begins, and its rate."""


def arrivals(asked: Asked, draw: np.random.Generator) -> Due:
    top_rps = asked.utilisation * SLOTS / (PREFILL_S + TPOT_S * (TOKENS - 1))
    each_s = asked.seconds / asked.steps
    steps = [(i * each_s, top_rps / 1.5 ** (asked.steps - 1 - i)) for i in range(asked.steps)]
    due = [np.sort(draw.uniform(at, at + each_s, draw.poisson(rps * each_s))) for at, rps in steps]
    return Due(np.concatenate(due), steps)


def paces(seconds: float, draw: np.random.Generator) -> np.ndarray:
    """The server's pace in each quarter of a second: 1 on average."""
    memory = np.exp(-1 / TICKS_A_S / MEMORY_S)
    steps = draw.normal(0.0, WANDER * np.sqrt(1 - memory**2), round(seconds * TICKS_A_S))
    log = np.empty(len(steps))
    log[0] = draw.normal(0.0, WANDER)
    for i in range(1, len(log)):
        log[i] = memory * log[i - 1] + steps[i]
    return np.exp(log)


def served(asked: Asked, seed: int) -> tuple[Timeline, Manifest]:
    """A run as its records, folded."""
    draw = np.random.default_rng(seed)
    due = arrivals(asked, draw)
    n = len(due.due_s)
    pace = paces(2 * asked.seconds + 60, draw)
    prefill_s = PREFILL_S * draw.lognormal(0.0, 0.3, n)
    own = draw.lognormal(0.0, 0.05, n)
    free = [0.0] * SLOTS
    starts, firsts, tpots = np.empty(n), np.empty(n), np.empty(n)
    for i, at_s in enumerate(due.due_s.tolist()):
        starts[i] = max(at_s, free[0])
        now = asked.slower * pace[min(int(starts[i] * TICKS_A_S), len(pace) - 1)]
        firsts[i] = starts[i] + prefill_s[i] * now
        tpots[i] = TPOT_S * own[i] * now
        heapq.heapreplace(free, firsts[i] + tpots[i] * (TOKENS - 1))
    timeline = Timeline()
    for at_s, rps in due.steps:
        timeline.apply(LoadChange(round(at_s * 1e9), "start" if not at_s else "stage", rate_rps=rps))
    gaps_us = np.maximum(np.rint(tpots * 1e6), 1).astype(int)
    for i in range(n):
        first_ns = round(firsts[i] * 1e9)
        last_ns = first_ns + int(gaps_us[i]) * 1000 * (TOKENS - 1)
        due_ns = round(due.due_s[i] * 1e9)
        timeline.apply(
            Request(
                index=i, worker=0, due_ns=due_ns, sent_ns=due_ns, first_token_ns=first_ns,
                last_token_ns=last_ns, end_ns=last_ns, status=200, input_tokens=256, output_tokens=TOKENS,
                chunks=TOKENS, gaps_us=[int(gaps_us[i])] * (TOKENS - 1),
            )
        )  # fmt: skip
    for tick in ticks(due, firsts, gaps_us / 1e6, asked.seconds):
        timeline.apply(tick)
    timeline.apply(End(t_ns=timeline.newest_ns + 1, reason="completed"))
    load = LoadConfig(rate_rps=due.steps[0][1], duration_s=asked.seconds, seed=seed)
    config = RunConfig(TargetConfig("http://127.0.0.1:1"), load)
    return timeline, Manifest(
        SessionInfo(f"run-{seed}", "", ""), ClockAnchor(0, 0), config, {"simulated": True}
    )


def ticks(due: Due, firsts: np.ndarray, gaps_s: np.ndarray, seconds: float) -> list[Tick]:
    """What a worker would have counted: gaps between tokens by when they came, tokens, requests."""
    token_s = (firsts[:, None] + gaps_s[:, None] * np.arange(TOKENS)).ravel()
    count = int(max(token_s.max(initial=0.0), seconds) * TICKS_A_S) + 2
    tokens = np.bincount((token_s * TICKS_A_S).astype(int), minlength=count)
    later = (token_s.reshape(-1, TOKENS)[:, 1:] * TICKS_A_S).astype(int)
    bucket = (np.log(gaps_s * 1e6) / np.log(GROWTH)).astype(int)
    keys, counts = np.unique(later * BUCKETS + bucket[:, None], return_counts=True)
    sketches: dict[int, list[int]] = {}
    for key, number in zip(keys.tolist(), counts.tolist(), strict=True):
        sketches.setdefault(key // BUCKETS, []).extend((key % BUCKETS, number))
    dues = np.bincount((due.due_s * TICKS_A_S).astype(int), minlength=count)
    ends = np.bincount(later[:, -1], minlength=count)
    found = []
    for i in range(count):
        rate = next((rps for at_s, rps in reversed(due.steps) if at_s <= i / TICKS_A_S), None)
        sketch = sketches.get(i, [])
        found.append(
            Tick(
                t_ns=(i + 1) * TICK_NS, dt_ns=TICK_NS, worker=0, due=int(dues[i]), sent=int(dues[i]),
                succeeded=int(ends[i]), output_tokens=int(tokens[i]), chunks=int(tokens[i]),
                rate_rps=rate if i / TICKS_A_S < seconds else 0.0, itl=sketch, chunk_gap=sketch,
            )
        )  # fmt: skip
    return found


def recorded(asked: Asked, seed: int) -> Recorded:
    timeline, manifest = served(asked, seed)
    summary = summarise(timeline, manifest)
    return Recorded(manifest, summary, cut(timeline, manifest, summary), whole(timeline, manifest, summary))


def pair(a: Asked, b: Asked, seed: int) -> Versus:
    """Two runs held against each other, with other arrivals each."""
    sides = [[recorded(a, 2 * seed)], [recorded(b, 2 * seed + 1)]]
    (versus,) = compare(sides, labels=("A", "B")).versus
    return versus


CASES = {
    "10 min, 60 % busy": Asked(0.6, 600.0),
    "10 min, 80 % busy": Asked(0.8, 600.0),
    "four loads of 5 min, up to 80 % busy": Asked(0.8, 1200.0, steps=4),
    "3 min, 60 % busy": Asked(0.6, 180.0),
}
SLOWER = (1.0, 1.05, 1.1)
LONG_ENOUGH_S = 600.0
"""From here on one that is 10 % slower has to be found; shorter runs may say that they cannot tell."""


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=100, help="of each case")
    parser.add_argument("--docs", type=Path, help="the page whose section is written")
    parser.add_argument("--only", type=int, help="one of the cases, from 0")
    options = parser.parse_args()
    lines = [
        "| two runs of | B is slower by | better | worse | no difference | cannot tell |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    failed = []
    for number, (name, asked) in enumerate(CASES.items()):
        if options.only not in (None, number):
            continue
        for slower in SLOWER:
            words: Counter[str] = Counter()
            figures: Counter[str] = Counter()
            for seed in range(options.pairs):
                versus = pair(asked, asked._replace(slower=slower), seed)
                words[versus.word] += 1
                figures.update(f"{f.label} {f.word}" for f in versus.overall if f.word in ("better", "worse"))
            counts = [words[word] for word in ("better", "worse", "no difference", "cannot tell")]
            lines.append(f"| {name} | {slower - 1:.0%} | " + " | ".join(map(str, counts)) + " |")
            print(lines[-1], dict(figures), file=sys.stderr, flush=True)
            if slower == 1.0 and words["worse"] + words["better"] > 0.05 * options.pairs:
                failed.append(f"{name}: the same server was called better or worse")
            if slower == 1.1 and asked.seconds >= LONG_ENOUGH_S and words["worse"] < 0.9 * options.pairs:
                failed.append(f"{name}: one 10 % slower was found {words['worse']} times")
            if slower > 1 and any(figure.endswith(" better") for figure in figures):
                failed.append(f"{name}: a slower one was called better")
    text = "\n".join([f"SIMULATED, {options.pairs} seeded pairs each.\n", *lines])
    print(text)
    if options.docs is not None and not failed and options.only is None:
        write(options.docs, "compare_verdict", text)
    print("\n".join(failed), file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
