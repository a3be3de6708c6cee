"""How far off `ttftop limit` is, on servers in virtual time whose limit is known, beside naive searches.

`python benchmarks/limit_search.py [--searches 100] [--docs docs/figures/limit.md]`: always the same.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.common.section import write
from benchmarks.common.virtual_search import naive, search
from benchmarks.common.virtual_servers import (
    Serve,
    batch_server,
    single_queue,
    single_queue_limit,
    slots_32,
    slots_limit,
)
from sessions.limit.search import Ask
from sessions.plan.slo import parse_slo

TOO_HIGH = 1.05
FIRST_SEED = 1000
"""Above those on which the constants of `sessions.limit` were chosen."""
NAIVE = ((100, 0), (1000, 64))
"""Requests a step, and warm-up."""


class Server(NamedTuple):
    name: str
    serve: Serve
    slo: str
    limit_rps: float


def servers() -> list[Server]:
    """The last one's limit is measured: 60,000 requests at each of a few rates."""
    return [
        Server("single queue", single_queue, "ttft.p95<900ms", single_queue_limit(0.9, 0.05)),
        Server("32 slots", slots_32, "ttft.p95<500ms", slots_limit(0.5, 0.05)),
        Server("LLM batch", batch_server, "ttft.p95<150ms", measured_limit(batch_server, 0.15, 0.05, 26, 40)),
    ]


def measured_limit(serve: Serve, limit_s: float, share: float, low: float, high: float) -> float:
    """Halved, on the same draws each time."""
    for _ in range(7):
        middle = (low * high) ** 0.5
        ttft = np.array(serve(np.random.default_rng(99), middle, 60_000).ttft_s[500:])
        low, high = (middle, high) if (ttft > limit_s).mean() < share else (low, middle)
    return (low * high) ** 0.5


def row(name: str, of: list[float], requests: list[float], seconds: list[float]) -> str:
    low, middle, high = np.quantile(of, [0.05, 0.5, 0.95])
    too_high = 100 * float(np.mean(np.array(of) > TOO_HIGH))
    minutes = f"{np.median(seconds) / 60:.0f}" if seconds else "-"
    return (
        f"| {name} | {middle:.3f} | {low:.2f} to {high:.2f} | {too_high:.0f} % | {np.median(requests):,.0f} "
        f"| {minutes} |"
    )


def page(server: Server, searches: int) -> str:
    ask = Ask(parse_slo(server.slo), closed=False, most=1e4)
    found = [search(ask, server.serve, seed) for seed in range(FIRST_SEED, FIRST_SEED + searches)]
    truth = server.limit_rps
    requests, seconds = ([float(getattr(each, name)) for each in found] for name in ("requests", "seconds"))
    rows = [
        row("estimate", [(s.answer.estimate or 0.0) / truth for s in found], requests, seconds),
        row("highest that passed", [(s.answer.passed or 0.0) / truth for s in found], requests, seconds),
        row("lowest that failed", [(s.answer.failed or np.inf) / truth for s in found], requests, seconds),
    ]
    for count, warm_up in NAIVE:
        tried = [
            naive(ask, server.serve, seed, count, warm_up)
            for seed in range(FIRST_SEED, FIRST_SEED + searches)
        ]
        name = f"naive, {count:,} a step" + (f" after {warm_up}" if warm_up else ", cold")
        rows.append(row(name, [rate / truth for rate, _ in tried], [sent for _, sent in tried], []))
    inside = np.mean([(s.answer.passed or 0) <= truth <= (s.answer.failed or np.inf) for s in found])
    head = (
        f"**{server.name}**, `{server.slo}`: {truth:.2f} requests/s. The interval holds it in {inside:.0%}."
    )
    table = "| answer over truth | median | 5 % to 95 % | over 5 % too high | requests | minutes |\n"
    return f"{head}\n\n{table}| --- | --- | --- | --- | --- | --- |\n" + "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--searches", type=int, default=100)
    parser.add_argument("--docs", type=Path)
    options = parser.parse_args()
    text = f"SIMULATED, {options.searches} seeded searches each.\n\n"
    text += "\n\n".join(page(server, options.searches) for server in servers())
    print(text)
    if options.docs is not None:
        write(options.docs, "limit search", text)


if __name__ == "__main__":
    main()
