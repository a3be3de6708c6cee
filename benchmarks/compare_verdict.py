"""What `ttftop compare` says of servers whose difference is known: pairs of runs of a simulated queue.

    python benchmarks/compare_verdict.py [--pairs 100] [--docs docs/figures/compare.md]

SIMULATED, in virtual time (`benchmarks/common/queue_model.py`): the same seed gives the same runs. Each pair
is two runs with other arrivals. The status is 1 where a server compared with itself is called better or worse
in more than 5 of 100 pairs, where one that is 10 % slower is not found worse in 90 of 100 by runs of ten
minutes, or where it is ever called better.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

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


def pair(a: Asked, b: Asked, seed: int) -> Versus:
    """Two runs held against each other, with other arrivals each."""
    sides = [[recorded(a, 2 * seed)], [recorded(b, 2 * seed + 1)]]
    (versus,) = compare(sides, labels=("A", "B")).versus
    return versus


CASES = {
    "10 min, 60 % busy": Asked(0.6, 600.0),
    "four loads of 5 min, up to 80 % busy": Asked(0.8, 1200.0, steps=4),
    "3 min, 60 % busy": Asked(0.6, 180.0),
}
SLOWER = (1.0, 1.05, 1.1)
FIRST_SEED = 50_000
"""The two runs of a pair have twice its seed, and one more. The constants of `sessions.compare` were chosen
on runs below 40,000."""
LONG_ENOUGH_S = 600.0
"""From here on one that is 10 % slower has to be found; shorter runs may say that they cannot tell."""


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
            for seed in range(options.first_seed, options.first_seed + options.pairs):
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
    text = "\n".join(
        [f"SIMULATED, {options.pairs} pairs each, from seed {2 * options.first_seed:,} on.\n", *lines]
    )
    print(text)
    if options.docs is not None and not failed and options.only is None:
        write(options.docs, "compare_verdict", text)
    print("\n".join(failed), file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
