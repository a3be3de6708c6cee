"""What `ttftop compare` says of servers whose difference is known: pairs of runs of a simulated queue.

    python benchmarks/compare_verdict.py [--pairs 100] [--docs docs/figures/compare.md]

SIMULATED, in virtual time (`benchmarks/common/queue_model.py`): the same seed gives the same runs. Each pair
is two runs with other arrivals; one that is 10 % slower takes 10 % longer for everything, prefill and each
token. The oracle knows what nobody can see in two runs: how far the ITL mean of such runs scatters (that of
the pairs of a server with itself); it calls what lies 1.96 times as far from no change, and no test of the
same figures does better at 5 %. The status is 1 where a server compared with itself is called better or worse
in more than 5 of 100 pairs, where one that is 10 % slower is not found worse in 90 of 100 by runs of five
minutes or more, or where it is ever called better.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.common.queue_model import Asked, served  # noqa: E402
from benchmarks.common.section import write  # noqa: E402
from sessions.compare.compare import Recorded, compare  # noqa: E402
from sessions.compare.cut import cut, whole  # noqa: E402
from sessions.compare.schema import Versus  # noqa: E402
from sessions.summary.summarise import summarise  # noqa: E402
from sessions.timeline.timeline import Timeline  # noqa: E402


def recorded(asked: Asked, seed: int) -> Recorded:
    records, manifest = served(asked, seed)
    timeline = Timeline()
    for record in records:
        timeline.apply(record)
    summary = summarise(timeline, manifest)
    return Recorded(manifest, summary, cut(timeline, manifest, summary), whole(timeline, manifest, summary))


def against(a: Recorded, b: Recorded) -> Versus:
    (versus,) = compare([[a], [b]], labels=("A", "B")).versus
    return versus


def pair(a: Asked, b: Asked, seed: int) -> Versus:
    """Two runs held against each other, with other arrivals each."""
    return against(recorded(a, 2 * seed), recorded(b, 2 * seed + 1))


CASES = {
    "3 min, 60 % busy": Asked(0.6, 180.0),
    "5 min, 60 % busy": Asked(0.6, 300.0),
    "10 min, 60 % busy": Asked(0.6, 600.0),
    "four loads of 5 min, up to 80 % busy": Asked(0.8, 1200.0, steps=4),
}
SLOWER = (1.0, 1.05, 1.1)
FIRST_SEED = 150_000
"""The two runs of a pair have twice its seed, and one more. How `sessions.compare` decides was chosen on runs
below 40,000."""
LONG_ENOUGH_S = 300.0
"""From here on one that is 10 % slower has to be found; shorter runs may say that they cannot tell."""
WORDS = ("better", "worse", "no difference", "cannot tell")
LEAD = "itl.mean"
ORACLE_LIMIT = 1.96
"""Standard errors: an oracle is wrong of the same server in 5 of 100 cases."""


class Found(NamedTuple):
    """Of one case, by how much slower B is: each pair's word, and its log ratio of the ITL mean."""

    words: dict[float, Counter[str]]
    leads: dict[float, list[float]]
    called_better: list[str]


def found_of(asked: Asked, seeds: range) -> Found:
    found = Found({s: Counter() for s in SLOWER}, {s: [] for s in SLOWER}, [])
    for seed in seeds:
        a = recorded(asked, 2 * seed)
        for slower in SLOWER:
            versus = against(a, recorded(asked._replace(slower=slower), 2 * seed + 1))
            found.words[slower][versus.word] += 1
            (lead,) = (figure for figure in versus.overall if figure.metric == LEAD)
            if lead.ratio:
                found.leads[slower].append(math.log(lead.ratio))
            called = [f"{f.label} {f.word}" for f in versus.overall if f.word in ("better", "worse")]
            if slower == 1.0 and called:
                print(f"  {seed}: {', '.join(called)}", file=sys.stderr, flush=True)
            if slower > 1.0:
                found.called_better.extend(each for each in called if each.endswith(" better"))
    return found


def rows(name: str, found: Found) -> list[str]:
    scatter = math.sqrt(sum(each**2 for each in found.leads[1.0]) / len(found.leads[1.0]))
    lines = []
    for slower in SLOWER:
        oracle = sum(abs(each) > ORACLE_LIMIT * scatter for each in found.leads[slower])
        counts = [*(found.words[slower][word] for word in WORDS), oracle]
        lines.append(f"| {name} | {slower - 1:.0%} | " + " | ".join(map(str, counts)) + " |")
    return lines


def faults(name: str, asked: Asked, found: Found, pairs: int) -> list[str]:
    same, slower = found.words[1.0], found.words[1.1]
    failed = []
    if same["worse"] + same["better"] > 0.05 * pairs:
        failed.append(f"{name}: the same server was called better or worse")
    if asked.seconds >= LONG_ENOUGH_S and slower["worse"] < 0.9 * pairs:
        failed.append(f"{name}: one 10 % slower was found {slower['worse']} times")
    if found.called_better or any(found.words[s]["better"] for s in SLOWER if s > 1.0):
        failed.append(f"{name}: a slower one was called better")
    return failed


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=100, help="of each case")
    parser.add_argument("--first-seed", type=int, default=FIRST_SEED)
    parser.add_argument("--docs", type=Path, help="the page whose section is written")
    parser.add_argument("--only", type=int, help="one of the cases, from 0")
    options = parser.parse_args()
    lines = [
        "| two runs of | B is slower by | better | worse | no difference | cannot tell | an oracle finds |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    failed = []
    seeds = range(options.first_seed, options.first_seed + options.pairs)
    for number, (name, asked) in enumerate(CASES.items()):
        if options.only not in (None, number):
            continue
        found = found_of(asked, seeds)
        lines += rows(name, found)
        failed += faults(name, asked, found, options.pairs)
        print("\n".join(lines[-len(SLOWER) :]), file=sys.stderr, flush=True)
    text = "\n".join(
        [f"SIMULATED, {options.pairs} pairs each, runs from seed {2 * options.first_seed:,} on.\n", *lines]
    )
    if failed:
        text += "\n\n" + "\n".join(f"**Missed:** {fault}." for fault in failed)
    print(text)
    if options.docs is not None and options.only is None:
        write(options.docs, "compare_verdict", text)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
