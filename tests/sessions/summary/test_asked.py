"""What a summary says was asked for is what requests asked for, not what they would have asked for by default."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from sessions.plan.config import LoadConfig, PlanConfig, RunConfig, WorkloadConfig
from sessions.plan.mix import MixPart
from sessions.plan.stages import Stage
from sessions.plan.target_config import TargetConfig
from sessions.plan.trace_config import TraceConfig
from sessions.report.tables import about
from sessions.summary.asked import workload_asked
from sessions.summary.schema import plain
from sessions.summary.summarise import summarise
from tests.sessions.summary.summing import answered, manifest
from tests.sessions.timeline.folding import folded
from tui.report.text import render

TRACE = TraceConfig("t.csv")
BOTH = [
    MixPart(name="a", input_tokens=5, output_tokens=6),
    MixPart(name="b", input_tokens=9, output_tokens=8),
]
FIVE = MixPart(name="a", input_tokens=5)


def stage(**more: Any) -> Stage:
    return Stage("s", **{"rate_rps": 1.0, "duration_s": 9.0, **more})


def asked(
    work: dict[str, Any] | None = None, endpoint: str = "completions", **more: Any
) -> tuple[object, object]:
    config = RunConfig(TargetConfig("http://x"), workload=WorkloadConfig(**work or {}), **more)
    found = workload_asked(config, endpoint)
    return found.input_tokens, found.output_tokens


def plan(*stages: Stage) -> dict[str, Any]:
    return {"plan": PlanConfig("p", list(stages))}


@pytest.mark.parametrize(
    ("said", "more"),
    [
        ((256, 64), {}),
        ((256, 64), {"work": {"turns": 3}}),  # of each turn
        (("trace", "trace"), {"load": LoadConfig(trace=TRACE)}),
        (("file", 64), {"work": {"prompts": "/p.txt"}}),
        ((256, 0), {"endpoint": "embeddings"}),
        (("mix", "mix"), {"work": {"mix": BOTH}}),
        (("mix", 64), {"work": {"mix": [FIVE]}}),  # the answers are those of the run
        ((256, 64), plan()),
        ((256, 64), plan(stage(), stage())),
        ((5, 64), plan(stage(input_tokens=5), stage(input_tokens=5))),
        (("by stage", 7), plan(stage(input_tokens=5, output_tokens=7), stage(output_tokens=7))),
        (("trace", "trace"), plan(stage(trace=TRACE))),
        (("by stage", "by stage"), plan(stage(trace=TRACE), stage())),
        (("by stage", 64), plan(stage(prompts="/p.txt"), stage())),
        (("file", 64), plan(stage(prompts="/p.txt"), stage(prompts="/q.txt"))),
        (("by stage", "by stage"), plan(stage(mix=BOTH), stage())),
    ],
)
def test_lengths_that_nothing_asked_for_are_not_named(
    said: tuple[object, object], more: dict[str, Any]
) -> None:
    assert asked(**more) == said


def test_text_json_and_a_report_name_what_a_trace_and_the_stages_of_a_plan_asked_for() -> None:
    for more, words, table in (
        ({"load": LoadConfig(trace=TRACE)}, "tokens as in the trace", "as in the trace"),
        (plan(stage(input_tokens=5), stage()), "tokens in by stage, 64 out", "by stage in, 64 out"),
        (plan(stage(output_tokens=9)), "256 tokens in, 9 out", "256 in, 9 out"),
    ):
        made = manifest()
        made = msgspec.structs.replace(made, config=msgspec.structs.replace(made.config, **more))
        said = summarise(folded(answered(0, 1.5)), made)
        assert f", {words}, seed " in render(said)
        assert plain(said)["workload"]["input_tokens"] == said.workload.input_tokens
        assert dict(map(tuple, about(said)))["tokens asked"].startswith(f"{table}, seed ")
