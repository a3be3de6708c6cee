"""What requests ask for, changed while a run goes on: which preset comes next, and what workers are told."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadgen.arrivals.load import ClosedLoad, OpenLoad, Segment
from loadgen.arrivals.rate_curve import Curve, ramp, steady
from loadgen.probe.result import Capabilities, ProbeResult
from loadgen.trace.figures import TraceFigures
from loadgen.worker.engine import Engine
from loadgen.worker_config import SetLoad
from loadgen.workload.lengths import Fixed
from loadgen.workload.spec import MixWorkload, PromptSpec, SyntheticWorkload
from loadgen.workload.template import RequestTemplate
from sessions.plan.config import LoadConfig, PlanConfig, RunConfig, WorkloadConfig
from sessions.plan.mix import AS_ASKED, MixPart
from sessions.plan.ramp import Ramp
from sessions.plan.target_config import TargetConfig
from sessions.plan.trace_config import TraceConfig
from sessions.run.asking import Asking
from sessions.run.commands import CommandError, Hold, SetRate, Stop
from sessions.run.conversations import Conversations
from sessions.run.load_control import LEAD_NS, LoadControl
from sessions.run.presets import Presets
from tests.loadgen.raw_server import RawServer, good
from tests.loadgen.worker.engine_runs import Emitted, run_engine, worker_config

S = 1_000_000_000
FIGURES = TraceFigures(6, 2.0, 33.0, 4.0, 64, 7, 3.0)
WORK = SyntheticWorkload(PromptSpec("ids", 8), Fixed(16), Fixed(5))


def presets(config: RunConfig, context_tokens: int | None = None) -> Presets:
    probed = ProbeResult(
        "m",
        RequestTemplate("/v1/completions", [], "completions", {}),
        PromptSpec("ids", 256),
        64,
        Capabilities(context_tokens=context_tokens),
        (),
        3,
        True,
        False,
    )
    found = SimpleNamespace(asking=Asking(config, probed, {}, {}), probed=probed)
    return Presets(config, cast("Any", found))


def config(**more: Any) -> RunConfig:
    return RunConfig(TargetConfig("http://x"), **more)


def test_the_key_goes_round_from_what_was_asked_through_all_presets() -> None:
    made = presets(config())
    names = [made.chosen("")[0] for _ in range(5)]
    assert names == ["short-chat", "long-context", "long-answer", AS_ASKED, "short-chat"]


def test_parts_of_the_mix_and_presets_of_the_plan_come_first() -> None:
    own = [MixPart(name="a", input_tokens=10), MixPart(name="long-answer", output_tokens=9)]
    plan = PlanConfig("p", [], presets=[MixPart(name="b", output_tokens=3)])
    made = presets(config(workload=WorkloadConfig(mix=own), plan=plan))
    assert [made.chosen("")[0] for _ in range(6)] == [
        *("a", "long-answer", "b", "short-chat", "long-context"),
        AS_ASKED,
    ]
    _, spec = made.chosen("a")
    assert isinstance(spec, MixWorkload)
    assert [(part.name, part.workload.output) for part in spec.parts] == [("a", Fixed(64))]
    _, spec = made.chosen(AS_ASKED)
    assert isinstance(spec, MixWorkload)
    assert [part.name for part in spec.parts] == ["a", "long-answer"]


def test_a_change_of_what_is_asked_leaves_the_bursts_of_gamma_arrivals_as_they_are() -> None:
    control = LoadControl(LoadConfig(rate_rps=4.0, arrivals="gamma", burstiness=0.3), 0)
    load = control.ask_for(WORK, "x", S).command.load
    assert isinstance(load, OpenLoad)
    assert (load.arrivals, load.burstiness) == ("gamma", 0.3)


@pytest.mark.parametrize(
    ("control", "why"),
    [
        (
            LoadControl(LoadConfig(), 0, conversations=Conversations(Fixed(3), None, 7)),
            "turns of conversations",
        ),
        (LoadControl(LoadConfig(trace=TraceConfig("t.csv", figures=FIGURES)), 0), "the trace t.csv says"),
    ],
)
def test_requests_of_a_trace_or_a_conversation_ask_for_what_these_say(control: LoadControl, why: str) -> None:
    with pytest.raises(CommandError, match=why):
        control.check_workload()


def test_what_does_not_fit_into_the_context_is_passed_over_and_refused_by_name() -> None:
    made = presets(config(), context_tokens=4096)
    assert [made.chosen("")[0] for _ in range(3)] == ["short-chat", "long-answer", AS_ASKED]
    with pytest.raises(CommandError, match="long-context: 8,200 tokens do not fit into the context of 4,096"):
        made.chosen("long-context")
    with pytest.raises(CommandError, match="got 'nothing', need one of as asked, short-chat"):
        made.chosen("nothing")


def test_a_change_of_requests_leaves_the_load_as_it_is() -> None:
    control = LoadControl(LoadConfig(rate_rps=10.0), 0)
    update = control.ask_for(WORK, "long-context", S)
    at = S + LEAD_NS
    assert update.command == SetLoad(at, OpenLoad("poisson", [Segment(at, None, 10.0, 10.0)]), workload=WORK)
    assert (update.change.change, update.change.label) == ("workload", "workload: long-context")
    assert (update.change.rate_rps, update.change.previous_rate_rps, update.state) == (10.0, 10.0, "running")
    control.obey(Stop(), 2 * S)
    assert control.ask_for(WORK, "x", 3 * S).state == "stopped"
    control.obey(SetRate(5.0), 4 * S)
    control.obey(Hold(), 5 * S)
    assert control.ask_for(WORK, "x", 6 * S).state == "holding"
    slots = LoadControl(LoadConfig(concurrency=7), 0).ask_for(WORK, "x", S)
    assert slots.command.load == ClosedLoad(7)
    assert (slots.change.concurrency, slots.change.previous_concurrency) == (7, 7)


def test_a_ramp_goes_on_through_a_change_of_requests() -> None:
    control = LoadControl(LoadConfig(ramp=Ramp(1.0, 9.0, 8.0)), 0)
    update = control.ask_for(WORK, "x", 4 * S - LEAD_NS)
    assert isinstance(update.command.load, OpenLoad)
    assert update.command.load.curve == [
        Segment(4 * S, 8 * S, 5.0, 9.0, "linear"),
        Segment(8 * S, None, 9.0, 9.0),
    ]
    assert control.rate_rps(6 * S) == 7.0


@given(st.sampled_from(["linear", "exp"]), st.floats(0.1, 50), st.floats(0.1, 50), st.integers(0, 20))
def test_the_rest_of_a_curve_counts_as_the_curve(shape: str, low: float, high: float, at_s: int) -> None:
    whole = Curve(ramp(0, low, high, 10.0, shape))
    rest = Curve(whole.rest(at_s * S))
    for t_s in (at_s, at_s + 3, at_s + 12):
        expected = whole.count(t_s * S) - whole.count(at_s * S)
        assert rest.count(t_s * S) == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_workers_ask_for_something_else_from_the_instant_that_they_were_told() -> None:
    async def body() -> Emitted:
        async with RawServer(lambda n, b: good()) as server:

            async def during(engine: Engine, emitted: Emitted) -> None:
                at = S // 2
                engine.command(SetLoad(at, OpenLoad("constant", [steady(at, 100.0)]), workload=WORK))
                await asyncio.wait_for(engine.idle.wait(), 20)

            load = OpenLoad("constant", [steady(0, 100.0)])
            return await run_engine(worker_config(server.port, load, end_ns=S), during)

    requests = sorted(asyncio.run(body()).requests, key=lambda request: request.due_ns)
    assert len(requests) == 100
    assert [request.index for request in requests] == list(range(100))
    asked = [(r.asked_input_tokens, r.asked_output_tokens, r.due_ns >= S // 2) for r in requests]
    assert set(asked) == {(8, 3, False), (16, 5, True)}
