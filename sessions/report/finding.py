"""What was found, in sentences: the verdict first, then what the load came to."""

from __future__ import annotations

from collections.abc import Sequence

from sessions.digits import digits
from sessions.limit.step import NOT_OVER
from sessions.plan.target_figure import figure_words
from sessions.report.words import figure, ms, plain, share
from sessions.summary.plan_schema import Limit, PlanStage
from sessions.summary.quantile_schema import ExactQuantiles
from sessions.summary.schema import Stage, Summary
from sessions.summary.slo_schema import TargetResult

_NOTHING = ("room", "unknown", "no load", "idle")
"""Names of what binds that stand for none."""


_HELD = {"pass": "SLO held", "fail": "SLO missed", "undecided": "SLO undecided"}


def verdict(summary: Summary) -> str:
    """One word or two, as a badge."""
    return "valid" if summary.valid else "not valid"


def slo_verdict(summary: Summary) -> str:
    """The same of its targets; empty where it had none, or looked for the load that holds them."""
    if summary.slo is None or (summary.plan is not None and summary.plan.limit is not None):
        return ""
    return _HELD[summary.slo.verdict]


def finding(summary: Summary) -> list[str]:
    """The first sentence is what a reader came for: the answer of a search, targets that were not held, else
    what the server gave."""
    said = [_first(summary)]
    plan = summary.plan
    if plan is not None and plan.limit is not None:  # its steps hold targets or do not: so it searches
        said.insert(0, _limit(plan.limit, plan.stages))
    elif targets := _targets(summary):
        held = summary.slo is None or summary.slo.verdict == "pass"
        said.insert(1 if held else 0, targets if held else f"{slo_verdict(summary)}: {targets}")
    if bound := _bound(summary):
        said.append(bound)
    failed, sent = summary.requests.failed, summary.requests.sent
    if failed:
        said.append(f"{failed:,} of {sent:,} requests failed ({share(failed / max(sent, 1))}).")
    if not summary.valid:
        said.append("The figures are not to be relied on: " + "; ".join(map(plain, summary.reasons)) + ".")
    return said


def finding_of_several(summaries: Sequence[Summary]) -> list[str]:
    """How the runs stand to the first of them; whether that is more than chance, nobody has asked here."""
    first = summaries[0]
    best = max(summaries, key=lambda said: said.throughput.output_tps or 0.0)
    of_first, of_best = first.throughput.output_tps, best.throughput.output_tps
    said = []
    if of_best:
        beside = _with(("TTFT p95", ttft_of(best).p95))
        most = figure(of_best, "output tokens/s")
        said.append(f"Most of {len(summaries)} runs gave {_named(best)}: {most}{beside}.")
    else:
        said.append(f"None of {len(summaries)} runs gave tokens.")
    if best is not first and of_first and of_best:
        said.append(f"That is {figure(of_best / of_first)} times what {_named(first)} gave.")
    for verdict_, words in _HELD.items():
        names = [
            _named(one)
            for one in summaries
            if one.slo is not None and slo_verdict(one) and one.slo.verdict == verdict_
        ]
        said += [f"{words}: {', '.join(names)}."] if names else []
    wrong = [_named(one) for one in summaries if not one.valid]
    if wrong:
        said.append(f"Not valid: {', '.join(wrong)}.")
    models = {one.model for one in summaries}
    if len(models) > 1:
        said.append(
            f"They are of different models: {', '.join(plain(model, 60) for model in sorted(models))}."
        )
    return said


def _named(summary: Summary) -> str:
    """In quotes: a run may be called `missed`."""
    return f"“{plain(summary.name or summary.id, 60)}”"


def _first(summary: Summary) -> str:
    if not summary.requests.succeeded:
        return f"No request of {summary.requests.sent:,} succeeded."
    points = load_points(summary)
    best = max(points, key=lambda point: point[1].output_tps or 0.0, default=None)
    through, e2e = summary.throughput, ("E2E p95", summary.e2e_ms.p95)
    if not summary.has_tokens:  # nor has a piece of the run an E2E of its own
        rates = _known((through.request_rps, "requests/s"), (through.input_tps, "input tokens/s"))
        load = load_words(summary) if summary.plan is None else "all loads together"
        return f"At {load} the server gave {rates}{_with(e2e)}."
    ttft = ttft_of(summary)
    if best is None or len(points) < 2:
        rates = _known((through.output_tps, "output tokens/s"), (through.request_rps, "requests/s"))
        return f"At {load_words(summary)} the server gave {rates}{_with(('TTFT p95', ttft.p95), e2e)}."
    low, high = points[0], points[-1]
    unit = load_unit(summary)
    most = f"From {figure(low[0])} to {figure(high[0])} {unit} the most was "
    most += f"{figure(best[1].output_tps, 'output tokens/s')} at {figure(best[0])}"
    told = {"there": best, "at the lowest load": low, "at the highest": high}
    # Of a load that came several times no sentence tells two latencies apart: the one where most was stands.
    p95s = {
        where: p95_of(point[1])
        for where, point in told.items()
        if where == "there" or figure(point[0]) != figure(best[0])
    }
    known = _listed([f"{ms(p95_ms)} {where}" for where, p95_ms in p95s.items() if p95_ms is not None])
    unknown = _listed([where for where, p95_ms in p95s.items() if p95_ms is None])
    if not known:
        return f"{most}."
    return f"{most}, with TTFT p95 {known}{f'; unknown {unknown}' if unknown else ''}."


def _known(*rates: tuple[float | None, str]) -> str:
    """Those of them that were measured."""
    said = [figure(value, unit) for value, unit in rates if value is not None]
    return _listed(said) or "answers of an unknown rate"


def _with(*latencies: tuple[str, float | None]) -> str:
    said = [f"{name} {ms(value)}" for name, value in latencies if value is not None]
    return f", with {_listed(said)}" if said else ""


def _listed(said: Sequence[str]) -> str:
    """`a, b and c`."""
    *first, last = said or [""]
    return f"{', '.join(first)} and {last}" if first else last


def _limit(limit: Limit, steps: Sequence[PlanStage]) -> str:
    """The interval that a search found, and how sure that is."""
    unit = "requests at a time" if limit.closed else "requests/s"
    held = next((step.targets for step in steps if step.targets), [])
    targets = ", ".join(plain(one.target, 60) for one in held) or "the targets"
    why = "the search is not over" if limit.why == NOT_OVER else plain(limit.why)
    if limit.passed is None:
        return f"No load is known to hold {targets}: {why}."
    upper = f", {figure(limit.failed)} does not" if limit.failed is not None else ""
    about = ""
    if limit.estimate_says_more:
        about = f"; between them the steps put it at about {figure(limit.estimate)}"
    word = "certified" if limit.certified else "estimated"
    return f"{figure(limit.passed)} {unit} holds {targets}{upper}{about} ({word}: {why})."


def _targets(summary: Summary) -> str:
    """Which targets were held, or which loads held what the plan asked for."""
    if summary.plan is None:
        results = [] if summary.slo is None else summary.slo.targets
        said = (f"{plain(one.target, 60)} {_CAME[one.verdict]} ({_came_to(one)})" for one in results)
        return "; ".join(said) + "." if results else ""
    stages = [stage for stage in summary.plan.stages if stage.targets]
    if not stages:
        return ""
    held = [stage for stage in stages if all(one.verdict == "pass" for one in stage.targets)]
    unsure = sum(any(one.verdict == "undecided" for one in stage.targets) for stage in stages)
    text = f"{len(held)} of {len(stages)} stages held every target"
    if held:
        most = max(held, key=lambda stage: stage.concurrency or stage.offered_rps or 0.0)
        load = f"{figure(most.concurrency or most.offered_rps)} {load_unit(summary)}"
        text += f", the highest {plain(most.name, 40)} ({load})"
    return text + (f"; {unsure} undecided, for want of requests." if unsure else ".")


_CAME = {"pass": "was held", "fail": "was missed", "undecided": "is undecided"}


def _came_to(result: TargetResult) -> str:
    words = "not measured" if result.figure is None else figure_words(result.target, result.figure)
    return words if result.needs is None else f"{words}; {result.needs:,} more requests would decide it"


def _bound(summary: Summary) -> str:
    spans = [span for span in summary.limits if span.limit not in _NOTHING]
    if not spans:
        return ""
    longest = max(spans, key=lambda span: span.to_s - span.from_s)
    seconds = sum(span.to_s - span.from_s for span in spans if span.limit == longest.limit)
    typical = f"typically {plain(longest.why, 120)}"
    what = f"{plain(longest.limit, 40)}, {figure(round(seconds))} s ({typical})"
    return f"What bound the longest was {what}."


def ttft_of(summary: Summary) -> ExactQuantiles:
    """From due; of another tool's summary from sent, where that is all it has."""
    return summary.ttft_from_due_ms if summary.ttft_from_due_ms.count else summary.ttft_from_sent_ms


def load_points(summary: Summary) -> list[tuple[float, PlanStage | Stage]]:
    """Loads and what came of each, by rising load; of a plan its stages, else the pieces of constant load."""
    stages: list[PlanStage | Stage] = [*(summary.plan.stages if summary.plan is not None else summary.stages)]
    closed = bool(stages) and all(stage.concurrency for stage in stages)
    points = [(stage.concurrency if closed else stage.offered_rps, stage) for stage in stages]
    return sorted(((load, stage) for load, stage in points if load), key=lambda point: point[0])


def load_unit(summary: Summary) -> str:
    stages: list[PlanStage | Stage] = [*(summary.plan.stages if summary.plan is not None else summary.stages)]
    return "requests at a time" if stages and all(stage.concurrency for stage in stages) else "rps"


def load_words(summary: Summary) -> str:
    load = summary.load
    if load.concurrency is not None:
        return f"{load.concurrency} requests at a time"
    if load.trace is not None:
        return plain(load.trace.words)
    if load.ramp is not None:
        return f"{digits(load.ramp.from_rps, 6)} to {digits(load.ramp.to_rps, 6)} rps"
    return (
        f"{figure(summary.rate.offered_rps if summary.rate.offered_rps is not None else load.rate_rps)} rps"
    )


def p95_of(stage: PlanStage | Stage) -> float | None:
    return stage.ttft_ms.p95 if isinstance(stage, PlanStage) else stage.ttft_p95_ms
