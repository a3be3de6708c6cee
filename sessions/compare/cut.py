"""A session cut into stretches that may be compared: the stages of its plan, or where its load changed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from loadgen.sketch import GROWTH
from sessions.compare.blocks import Counts, Sums, per_cell
from sessions.compare.stretch import Load, Stretch, Values, least_block
from sessions.metrics import Floats, Requests, bears_tokens, e2e, itl_is_known, tpot, ttft_from_due
from sessions.plan.slo import Target, kept_targets
from sessions.plan.stages import Stage as AskedStage
from sessions.store.manifest import Manifest
from sessions.summary.arithmetic import mean
from sessions.summary.asked import workload_asked
from sessions.summary.prices import Prices
from sessions.summary.schema import Summary
from sessions.summary.slo import misses_of_any
from sessions.timeline.energy import EnergyCurve, curves, used
from sessions.timeline.load_gpus import powered_names
from sessions.timeline.requests import NONE
from sessions.timeline.sketches import VALUES_NS
from sessions.timeline.stage_list import stages_of
from sessions.timeline.timeline import Timeline

CELL_S = 0.5
CELLS = (20, 240)
"""At least and at most, of a stretch."""


class Cutter:
    """Cuts stretches out of one session."""

    def __init__(
        self, timeline: Timeline, per_hour: float | None = None, targets: Sequence[Target] = ()
    ) -> None:
        """`per_hour`: what the GPUs cost that the load runs on; None where that is not known. `targets`: what
        is asked of a request for it to be good."""
        self._timeline = timeline
        self._rows = timeline.requests.rows
        self._due_ns = self._rows["due_ns"]
        self._curves: list[EnergyCurve] = curves(timeline.gpus, timeline.newest_ns)
        self._per_hour, self._targets = per_hour, targets
        self._bears_tokens = bears_tokens(self._rows[self._rows["error"] == NONE])

    def stretch(
        self,
        name: str,
        load: Load,
        from_ns: int,
        to_ns: int,
        *,
        not_sent: int = 0,
        repetition: int | None = None,
    ) -> Stretch:
        """What was due and came in `[from_ns, to_ns)`. `not_sent`: how many more requests were due in it and
        given up unsent."""
        timeline, seconds = self._timeline, (to_ns - from_ns) / 1e9
        cells = int(min(max(seconds / CELL_S, CELLS[0]), CELLS[1]))
        edges = from_ns + (to_ns - from_ns) * np.arange(cells + 1) / cells
        due = self._rows[slice(*np.searchsorted(self._due_ns, (from_ns, to_ns)))]
        good = due[due["error"] == NONE]
        cell = np.clip(np.searchsorted(edges, good["due_ns"], side="right") - 1, 0, cells - 1)
        cell_s = np.full(cells, seconds / cells)
        ticks = timeline.ticks
        tokens = ticks.sums(("output_tokens",), ticks.upto(edges))[0].sum(axis=1)
        ended = np.histogram(self._rows["end_ns"][self._rows["error"] == NONE], edges)[0].astype(np.float64)
        rates = {"request_rps": Sums(ended, cell_s)}
        if self._bears_tokens:
            rates["output_tps"] = Sums(tokens, cell_s)
            if self._per_hour is not None:
                rates["cost"] = Sums(self._per_hour / 3600 * 1e6 * cell_s, tokens)
            if (joules := _joules(self._curves, edges)) is not None:
                rates["j_per_output_token"] = Sums(joules, tokens)
        if (missed := misses_of_any(self._targets, due)) is not None:
            due_cell = np.clip(np.searchsorted(edges, due["due_ns"], side="right") - 1, 0, cells - 1)
            held = per_cell((~missed).astype(np.float64), due_cell, cells)
            scheduled = per_cell(np.ones(len(due)), due_cell, cells)
            scheduled[-1] += not_sent  # when each of them was due is not kept
            rates |= {"goodput_rps": Sums(held, cell_s), "attainment": Sums(held, scheduled)}
        itl_mean, itl = self._itl(good, cell, edges)
        latencies = {
            "ttft": _values(ttft_from_due(good), cell),
            "tpot": _values(tpot(good), cell),
            "e2e": _values(e2e(good), cell),
        }
        streamed = good[good["last_token_ns"] >= 0]
        stream_s = (streamed["last_token_ns"] - streamed["first_token_ns"]) / 1e9
        return Stretch(
            name=name,
            load=load,
            repetition=repetition,
            seconds=seconds,
            cells=cells,
            block_cells=least_block(stream_s, latencies["tpot"], cells, seconds / cells),
            latencies=latencies,
            itl_mean=itl_mean,
            itl=itl,
            rates=rates,
            requests=len(due),
            succeeded=len(good),
            input_tokens_mean=mean(good["input_tokens"]),
            output_tokens_mean=mean(good["output_tokens"]),
        )

    def _itl(self, good: Requests, cell: Any, edges: Floats) -> tuple[Sums | None, Counts | None]:
        """The mean exactly, by when requests were due: the gaps of a request add up to its span."""
        known = good["itl_known"] & (good["output_tokens"] > 1)
        sketched, gaps = (self._timeline.sketches(name, edges) for name in ("itl", "chunk_gap"))
        unknown = len(good) - int(good["itl_known"].sum())
        if not known.any() or not itl_is_known(sketched.total, gaps.total, unknown, len(good)):
            return None, None
        of, at, cells = good[known], cell[known], len(edges) - 1
        span_ms = (of["last_token_ns"] - of["first_token_ns"]) / 1e6
        mean = Sums(per_cell(span_ms, at, cells), per_cell(of["output_tokens"] - 1.0, at, cells))
        values_ms = VALUES_NS[sketched.low : sketched.low + sketched.counts.shape[1]] / 1e6
        return mean, Counts(values_ms, sketched.counts.astype(np.float32), 0.5, math.log(GROWTH))


def cut(
    timeline: Timeline, manifest: Manifest, summary: Summary, prices: Prices | None = None
) -> list[Stretch]:
    """The stretches of a session, in order; the whole run, where its load never stood still."""
    cutter = _cutter(timeline, manifest, prices)
    start_ns, work = timeline.first_ns, workload_asked(manifest.config, summary.endpoint)

    def at(seconds: float) -> int:
        return start_ns + round(seconds * 1e9)

    plan = manifest.config.plan
    if plan is not None and summary.plan is not None:
        stages = stages_of(plan, timeline.stages)
        found = [
            cutter.stretch(
                stage.name,
                _load_of(asked, stage.offered_rps, str(stage.input_tokens), str(stage.output_tokens)),
                at(stage.measured_from_s),
                at(stage.to_s),
                not_sent=max(stage.scheduled - stage.requests, 0),
                repetition=asked.repetition,
            )
            for stage in summary.plan.stages
            if stage.requests and stage.to_s > stage.measured_from_s
            for asked in (stages[stage.number - 1],)
        ]
        return _of_one_pace(found)
    lengths = (str(work.input_tokens), str(work.output_tokens))
    loads = [
        (Load("rps" if step.concurrency is None else "concurrency", value, *lengths), step)
        for step in summary.stages
        if (value := step.offered_rps if step.concurrency is None else step.concurrency)
    ]
    if not loads:
        return [whole(timeline, manifest, summary, prices)]
    begins = [at(step.from_s) for _, step in loads]
    return _of_one_pace(
        [
            cutter.stretch(
                load.words, load, from_ns, at(step.to_s), not_sent=_not_sent(timeline, from_ns, next_ns)
            )
            for (load, step), from_ns, next_ns in zip(loads, begins, [*begins[1:], None], strict=True)
        ]
    )


def _not_sent(timeline: Timeline, from_ns: int, next_ns: int | None) -> int:
    """Requests that were given up from the one instant to the other; None is to the end."""
    to_ns = np.inf if next_ns is None else next_ns
    a, b = timeline.ticks.upto(np.array([from_ns, to_ns], dtype=np.float64)).tolist()
    return int(timeline.ticks["not_sent"][a:b].sum())


def targets_of(manifest: Manifest) -> list[Target]:
    """What a session was to hold, or was held against when it was read."""
    plan = manifest.config.plan
    return kept_targets(manifest.config.slo if plan is None else plan.targets)


def _of_one_pace(stretches: list[Stretch]) -> list[Stretch]:
    """Blocks no shorter than the session's stretches need on average: one stretch alone tells little of how
    long the server's pace is remembered, and those that tell too little of it would look surest."""
    if len(stretches) < 2:
        return stretches
    mean_s = sum(each.block_cells * each.seconds / each.cells for each in stretches) / len(stretches)
    return [
        each._replace(block_cells=max(each.block_cells, math.ceil(mean_s * each.cells / each.seconds)))
        for each in stretches
    ]


def whole(timeline: Timeline, manifest: Manifest, summary: Summary, prices: Prices | None = None) -> Stretch:
    """All of a run, whatever its load was."""
    work, cutter = workload_asked(manifest.config, summary.endpoint), _cutter(timeline, manifest, prices)
    load = Load("whole", 0.0, str(work.input_tokens), str(work.output_tokens))
    start_ns = timeline.first_ns
    end_ns = start_ns + max(round(summary.load_s * 1e9), 1)
    return cutter.stretch("whole run", load, start_ns, end_ns, not_sent=summary.requests.not_sent)


def _cutter(timeline: Timeline, manifest: Manifest, prices: Prices | None) -> Cutter:
    names = powered_names(timeline.gpus, timeline.newest_ns)
    per_hour = None if prices is None else prices.together_per_hour(names)
    return Cutter(timeline, per_hour, targets_of(manifest))


def _load_of(asked: AskedStage, offered_rps: float | None, *lengths: str) -> Load:
    if asked.concurrency is not None:
        return Load("concurrency", float(asked.concurrency), *lengths)
    rate_rps = asked.rate_rps if asked.rate_rps is not None else offered_rps
    return Load("rps", rate_rps or 0.0, *lengths)


def _values(values_ns: Floats, cell: Any) -> Values:
    known = np.isfinite(values_ns) & (values_ns > 0)
    return Values(values_ns[known] / 1e6, cell[known])


def _joules(parts: Sequence[EnergyCurve], edges: Floats) -> Floats | None:
    """Between each two edges; None where next to all of it is not known."""
    if not parts:
        return None
    each = [used(parts, float(a), float(b)) for a, b in pairwise(edges)]
    if used(parts, float(edges[0]), float(edges[-1])).whole((edges[-1] - edges[0]) / 1e9) is None:
        return None
    return np.array([energy.joules or 0.0 for energy in each])
