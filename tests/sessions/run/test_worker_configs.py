"""What workers are told to ask for, from what a person wished and the probe found."""

from __future__ import annotations

import pytest

from loadgen.probe.result import Capabilities, ProbeResult
from loadgen.workload.lengths import Fixed, Uniform
from loadgen.workload.spec import PromptSpec, SyntheticWorkload
from loadgen.workload.template import RequestTemplate
from sessions.plan.config import RunConfig, WorkloadConfig
from sessions.plan.target_config import TargetConfig
from sessions.run.asking import Asking

PROMPT = PromptSpec("ids", 48)


def found(output_tokens: int) -> ProbeResult:
    template = RequestTemplate("/x", [], "embeddings", {})
    return ProbeResult("m", template, PROMPT, output_tokens, Capabilities(), (), 3, True, False)


@pytest.mark.parametrize(
    ("output_tokens", "asked"),
    [(32, Uniform(10, 60)), (0, Fixed(0))],
)
def test_no_answer_is_asked_for_where_answers_have_no_tokens(
    output_tokens: int, asked: Fixed | Uniform
) -> None:
    wished = WorkloadConfig("20..80", "10..60")
    config = RunConfig(TargetConfig("http://h"), workload=wished)
    spec = Asking(config, found(output_tokens), {}, {}).spec(wished)
    assert spec == SyntheticWorkload(PROMPT, Uniform(20, 80), asked)
