"""What the simulator says under published benchmarks, beside what they published.

    python benchmarks/simulator_published.py [--docs docs/measured/simulator_published.md]

The plans' own loads go through the batch model in virtual time: the same figures on any machine, in seconds
of CPU time. Published figures are read from the plans' files.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.common.section import write  # noqa: E402
from loadgen.arrivals.unit_points import UNIT_POINTS  # noqa: E402
from loadgen.simulator.profile import Profile  # noqa: E402
from loadgen.simulator.profiles import PROFILES  # noqa: E402
from loadgen.simulator.roofline_profiles import lambda_profile  # noqa: E402
from loadgen.simulator.virtual import Answer, Ask, answers  # noqa: E402
from loadgen.workload.draws import drawn_length  # noqa: E402
from loadgen.workload.lengths import parse_lengths  # noqa: E402
from sessions.plan.builtin_plans import find_plan  # noqa: E402
from sessions.plan.plan_file import PlanFile  # noqa: E402
from sessions.plan.stages import Stage  # noqa: E402

SEED = 0
LAMBDA_MODELS = {
    "Llama 3.1 8B FP8": "llama3.1-8b-fp8",
    "Llama 3.1 70B FP8": "llama3.1-70b-fp8",
    "Hermes 405B FP8": "hermes3-405b-fp8",
    "Mistral 7B v0.3": "mistral-7b",
    "Nemo 2407": "nemo-12b",
}
"""The plan's names; Mixtral is not here: a mixture of experts is no dense model."""

FITTED = {
    ("lambda-vllm", "1xH100 Llama 3.1 8B FP8"),
    ("lambda-vllm", "1xA100 Llama 3.1 8B FP8"),
    ("lambda-vllm", "1xH100 Mistral 7B v0.3"),
    ("lambda-vllm", "2xH100 Llama 3.1 8B FP8"),
    ("lambda-vllm", "2xH100 Llama 3.1 70B FP8"),
    ("nim-5000-500", "1"),
    ("nim-5000-500", "50"),
    ("nim-5000-500", "150"),
    ("kaito-guidellm", "16"),
}
"""The points that `loadgen/simulator/fitted.py` was fitted to."""


class Point(NamedTuple):
    """One published load on one server."""

    plan: str
    load: str
    figures: dict[str, tuple[float, float]]
    """Its columns: published, simulated."""

    @property
    def fitted(self) -> bool:
        return (self.plan, self.load) in FITTED


def deviation(published: float, simulated: float) -> float:
    return simulated / published - 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--docs", type=Path, help="page to write the tables into")
    options = parser.parse_args()
    tables = {"lambda": list(lambda_points()), "nim": list(nim_points()), "kaito": list(kaito_points())}
    for name, points in tables.items():
        text = table(points)
        print(f"{text}\n")
        if options.docs is not None:
            write(options.docs, f"simulator_published {name}", text)
    points = [point for several in tables.values() for point in several]
    text = counted(sum(point.fitted for point in points), len(points))
    print(f"{text}\n")
    if options.docs is not None:
        write(options.docs, "simulator_published count", text)
    text = "\n".join(beside())
    print(text)
    if options.docs is not None:
        write(options.docs, "simulator_published beside", text)


def counted(fitted: int, of: int) -> str:
    return f"{fitted} of {of} points are fitted, the other {of - fitted} are predicted."


def table(points: Iterable[Point]) -> str:
    lines: list[str] = []
    for point in points:
        if not lines:
            names = [f"{name}: published | simulated | deviation" for name in point.figures]
            lines = ["| " + " | ".join(["load", *names, "that point was"]) + " |"]
            lines += ["| --- |" + " ---: |" * 3 * len(names) + " --- |"]
        cells = [
            f"{published:,.5g} | {simulated:,.5g} | {100 * deviation(published, simulated):+.1f} %"
            for published, simulated in point.figures.values()
        ]
        lines.append(
            "| " + " | ".join([point.load, *cells, "fitted" if point.fitted else "predicted"]) + " |"
        )
    return "\n".join(lines)


def asks(plan: PlanFile, stage: Stage) -> Iterator[Ask]:
    """The requests of a stage, as ttftop with seed 0 would send them in a run of that stage alone."""
    lengths = {
        what: parse_lengths(getattr(stage, f"{what}_tokens") or plan.table.run[f"{what}_tokens"])
        for what in ("input", "output")
    }
    if stage.rate_rps is None:
        due_ns: Iterable[int] = [0] * (stage.requests or 0)
    else:
        rate_rps, end_ns = stage.rate_rps, (stage.longest_s or 0.0) * 1e9
        every = (round(unit / rate_rps * 1e9) for unit in UNIT_POINTS[stage.arrivals](SEED, 1.0))
        due_ns = takewhile(lambda at_ns: at_ns < end_ns, every)
    for index, at_ns in enumerate(due_ns):
        prompt, output = (drawn_length(told, SEED, index, what) for what, told in lengths.items())
        yield Ask(at_ns, prompt, output)


def run(profile: Profile, plan: PlanFile, stage: Stage) -> list[Answer]:
    return answers(profile, asks(plan, stage), stage.concurrency)


def itl_ms(told: list[Answer]) -> float:
    """Mean over all gaps between tokens."""
    gaps = sum(answer.output_tokens - 1 for answer in told)
    return sum(answer.last_ns - answer.first_ns for answer in told) / gaps / 1e6


def ttft_ms(told: list[Answer]) -> float:
    return float(np.mean([answer.ttft_ms for answer in told]))


def whole_tps(told: list[Answer]) -> float:
    """Tokens over the time until the last answer."""
    return sum(answer.output_tokens for answer in told) / max(answer.last_ns for answer in told) * 1e9


def full_tps(told: list[Answer], from_ns: int, to_ns: int) -> float:
    """Tokens a second from one time to another, those of an answer spread evenly over it."""
    tokens = sum(
        answer.output_tokens
        * max(0, min(to_ns, answer.last_ns) - max(from_ns, answer.first_ns))
        / (answer.last_ns - answer.first_ns)
        for answer in told
    )
    return tokens / (to_ns - from_ns) * 1e9


def lambda_points(only: frozenset[str] | None = None) -> Iterator[Point]:
    """At 320 prompts. `only`: these loads."""
    plan = find_plan("lambda-vllm")
    stage = next(stage for stage in plan.stages() if stage.concurrency == 320)
    (published,) = plan.table.published
    for gpus, model, tps, itl in published.rows:
        load = f"{gpus} {model}"
        if model not in LAMBDA_MODELS or (only is not None and load not in only):
            continue
        count, _, chip = str(gpus).partition("x")
        told = run(lambda_profile(chip, LAMBDA_MODELS[str(model)], int(count)), plan, stage)
        figures = {"tokens/s": (number(tps), whole_tps(told)), "ITL ms": (number(itl), itl_ms(told))}
        yield Point("lambda-vllm", load, figures)


def nim_points(only: frozenset[int] | None = None) -> Iterator[Point]:
    """While all slots are in use: from the first request of the second wave to the last one sent."""
    plan = find_plan("nim-5000-500")
    (published,) = plan.table.published
    stages = {stage.concurrency: stage for stage in plan.stages()}
    for concurrency, ttft, itl, tps in published.rows:
        slots = int(number(concurrency))
        if only is not None and slots not in only:
            continue
        told = run(PROFILES["2xh100-llama3.3-70b-nim"], plan, stages[slots])
        from_ns, to_ns = told[slots].sent_ns, told[-1].sent_ns
        later = told[slots:]
        figures = {
            "TTFT ms": (number(ttft), ttft_ms(later)),
            "ITL ms": (number(itl), itl_ms(later)),
            "tokens/s": (number(tps), full_tps(told, from_ns, to_ns)),
        }
        yield Point("nim-5000-500", str(slots), figures)


def kaito_points() -> Iterator[Point]:
    plan = find_plan("kaito-guidellm")
    (published,) = plan.table.published
    stages = {stage.rate_rps: stage for stage in plan.stages()}
    for rate, ttft in published.rows:
        told = run(PROFILES["phi4-mini-a10"], plan, stages[number(rate)])
        yield Point("kaito-guidellm", f"{rate:g}", {"TTFT ms": (number(ttft), ttft_ms(told))})


def beside() -> Iterator[str]:
    """What has no published number, as a list."""
    plan = find_plan("kaito-guidellm")
    for name in ("phi4-mini-a10", "phi4-mini-a100"):
        told = [run(PROFILES[name], plan, stage) for stage in plan.stages()]
        rates = ", ".join(f"{stage.rate_rps:g}" for stage in plan.stages())
        ttfts = ", ".join(f"{ttft_ms(one):,.0f}" for one in told)
        itls = ", ".join(f"{itl_ms(one):,.0f}" for one in told)
        yield f"- `{name}` at {rates} rps: TTFT {ttfts} ms, ITL {itls} ms."
    plan = find_plan("lambda-vllm", ["run.input_tokens=220", "run.output_tokens=195"])
    stage = next(stage for stage in plan.stages() if stage.concurrency == 320)
    told = run(PROFILES["h100-llama3.1-8b-fp8"], plan, stage)
    yield (
        "- `h100-llama3.1-8b-fp8` at 320 prompts, each of 220 tokens and all answers of 195,\n"
        f"  as if the means were the lengths: {whole_tps(told):,.0f} tokens/s, ITL {itl_ms(told):.1f} ms."
    )
    plan = find_plan("lambda-vllm")
    tensor = run(PROFILES["8xh100-llama3.1-70b-fp8-tp8"], plan, all_at_once(stage, 1280))
    data = run(PROFILES["8xh100-llama3.1-70b-fp8-tp2-dp4"], plan, all_at_once(stage, 1280))
    yield (
        "- Llama 3.1 70B FP8 on 8 H100 at 1,280 prompts: "
        f"{whole_tps(tensor):,.0f} tokens/s as one engine on 8 GPUs, {whole_tps(data):,.0f} as four of 2."
    )


def all_at_once(stage: Stage, concurrency: int) -> Stage:
    return msgspec.structs.replace(stage, concurrency=concurrency, requests=concurrency)


def number(cell: str | float | None) -> float:
    """A cell of a published table that holds one."""
    assert isinstance(cell, (int, float))
    return float(cell)


if __name__ == "__main__":
    main()
