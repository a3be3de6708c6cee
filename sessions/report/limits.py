"""Targets as lines in a chart of the figure that they are about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sessions.plan.slo import Target, kept_targets
from sessions.report.svg import Limit
from sessions.report.words import plain
from sessions.summary.schema import Summary

OF_CDF = {"TTFT": "ttft", "TPOT": "tpot", "E2E": "e2e", "ITL": "itl", "chunk gap": "chunk_gap"}
"""The metric of a distribution."""
_MOST = 3
"""In one chart: more cannot be told apart."""


def limits_of(summaries: Sequence[Summary], metric: str) -> list[Limit]:
    """What runs had to hold of one metric, each once; no more than can be told apart."""
    found = {
        target.text: target for said in summaries for target in _targets(said) if target.metric == metric
    }
    return [Limit(target.limit, plain(target.text, 40)) for target in list(found.values())[:_MOST]]


def _targets(said: Summary) -> Iterator[Target]:
    results = [] if said.slo is None else said.slo.targets
    if said.plan is not None:
        results = [*results, *(each for stage in said.plan.stages for each in stage.targets)]
    yield from kept_targets(list(dict.fromkeys(each.target for each in results)))
