"""How fast and how exact a load client is, side by side on one core.

    python benchmarks/client/run.py [--rounds 3] [--only open,p20] [--clients ours,httpx] [--peers]
                                    [--results FILE] [--fresh] [--docs FILE] [--show]

Builds a server that stamps its sends and a minimal reader (a C compiler is needed), pins the server to one
core and each client in turn to another, and runs all clients once in every round, so that what the machine
does meanwhile hits all alike. Figures are medians of the rounds. `--peers` first installs the peers into
environments of their own under ~/.cache/ttftop-benchmarks; who is not installed is named in the output.

Figures are kept in the results file, and a later run puts what it measured in the place of what was there: a
row that failed is measured again by `--only CASE --clients NAME`. `--show` measures nothing.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks.client import checks, product  # noqa: E402
from benchmarks.client.cases import ALL, CASES, CLIENTS, NAMES, ONCE, PRODUCTS, WHOLE_TOOLS  # noqa: E402
from benchmarks.client.environments import CACHE, PEERS, install  # noqa: E402
from benchmarks.client.measure import measure  # noqa: E402
from benchmarks.client.page import page  # noqa: E402
from benchmarks.client.results import add, fresh, load, now, save  # noqa: E402
from benchmarks.client.stand import Stand, machine, stand  # noqa: E402
from benchmarks.client.tables import tables  # noqa: E402

Told = dict[str, Any]
FAILURES = (product.Unmeasured, OSError, KeyError, ValueError, subprocess.SubprocessError)
"""One row's end, not the benchmark's: a tool that failed, or that reports otherwise than expected."""


@dataclass(frozen=True)
class Job:
    """One row: `measure` is called once a round."""

    case: str
    who: str
    rounds: int
    measure: Callable[[], Told]


def jobs(names: list[str], clients: list[str], rounds: int, tool_rounds: int, at: Stand) -> list[Job]:
    made = []
    for name in names:
        if name in CASES:
            for who in CASES[name].clients or CLIENTS:
                if who in clients:
                    times = tool_rounds if who in WHOLE_TOOLS else rounds
                    made.append(Job(name, who, times, functools.partial(measure, who, name, at)))
            continue
        times = 1 if name in ONCE else rounds
        if name in PRODUCTS:
            for who, what in PRODUCTS[name][1].items():
                made.append(Job(name, who, times, functools.partial(product.measure, what, at)))
        else:
            for who in checks.SIZES if name == "size" else ("ttftop",):
                made.append(Job(name, who, times, functools.partial(checks.job, name, who)))
    return made


def in_turn(due: list[Job], number: int) -> list[Job]:
    """Case by case, each in an order drawn for the round: nobody always follows the same client."""
    turns = []
    for _, group in itertools.groupby(due, key=lambda job: job.case):
        row = list(group)
        random.Random(number).shuffle(row)
        turns += row
    return turns


def benchmark(result: dict[str, Any], planned: list[Job], results: Path | None) -> None:
    """Measures round by round, all clients in turn; keeps what there is after each round."""
    began, began_at = time.monotonic(), now()
    before_s = result["seconds"]
    runs: dict[tuple[str, str], list[Told]] = {(job.case, job.who): [] for job in planned}
    why: dict[tuple[str, str], str] = {}
    for number in range(1, max((job.rounds for job in planned), default=0) + 1):
        due = in_turn([job for job in planned if number <= job.rounds], number)
        for count, job in enumerate(due, 1):
            row = (job.case, job.who)
            took = f"{time.monotonic() - began:.0f} s"
            line = f"\r\x1b[Kround {number}, {count} of {len(due)}, {took}: {job.case} {job.who}"
            print(line, end="", file=sys.stderr, flush=True)
            try:
                runs[row].append(job.measure())
            except FAILURES as error:
                said = str(error) if isinstance(error, product.Unmeasured) else repr(error)[:160]
                why[row] = f"{said} (round {number})"
                print(f"\r\x1b[K{job.case} {job.who}: {said}", file=sys.stderr)
        for job in due:
            row = (job.case, job.who)
            add(result, *row, runs[row], why.get(row), began_at)
        result["seconds"] = before_s + time.monotonic() - began
        if results is not None:
            save(result, results)
    print(f"\r\x1b[Kmeasured in {time.monotonic() - began:.0f} s", file=sys.stderr)


def chosen(text: str, known: tuple[str, ...], what: str) -> list[str]:
    names = [name for name in text.split(",") if name]
    if unknown := set(names) - set(known):
        raise SystemExit(f"benchmark: no {what} {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    return [name for name in known if name in names]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tool-rounds", type=int, help="of whole tools, slow to start (as --rounds)")
    parser.add_argument("--only", default=",".join(ALL), help=f"of {', '.join(ALL)}")
    parser.add_argument("--clients", default=",".join(NAMES), help=f"of {', '.join(NAMES)}")
    parser.add_argument("--peers", action="store_true", help="install what is missing first")
    parser.add_argument("--results", type=Path, default=CACHE / "results.json", help="%(default)s")
    parser.add_argument("--fresh", action="store_true", help="forget what the results file holds")
    parser.add_argument("--show", action="store_true", help="measure nothing")
    parser.add_argument(
        "--docs", type=Path, help="write the page docs/measured/performance.md from the figures"
    )
    options = parser.parse_args()
    if options.rounds < 1 or (options.tool_rounds is not None and options.tool_rounds < 1):
        raise SystemExit("benchmark: --rounds and --tool-rounds: need 1 or more")
    this = machine()
    result = fresh(this) if options.fresh else load(options.results, this)
    if not options.show:
        names = chosen(options.only, ALL, "case")
        clients = chosen(options.clients, tuple(NAMES), "client")
        if options.peers:
            for name in PEERS:
                result["absent"].pop(f"installation/{name}", None)
                if (reason := install(name)) is not None:
                    result["absent"][f"installation/{name}"] = reason
        result["load_before"] = os.getloadavg()[0]
        with stand() as at:
            planned = jobs(names, clients, options.rounds, options.tool_rounds or options.rounds, at)
            benchmark(result, planned, options.results)
    if options.docs is not None:
        options.docs.write_text(page(result))
    print(tables(result))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
