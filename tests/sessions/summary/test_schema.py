"""The summary as one typed value, and as JSON has it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from sessions.plan.config import Ramp
from sessions.summary.schema import Summary, plain
from sessions.summary.telemetry_schema import Gpu, Host
from sessions.timeline.gpus import THROTTLED
from sessions.timeline.hosts import HOST_FIELDS
from tests.sessions.summary.summing import gpu_records, summed

MakeRun = Callable[..., Any]


@pytest.mark.parametrize("ramp", [None, Ramp(1.0, 8.0, 10.0)], ids=["steady", "ramp"])
def test_a_summary_survives_json(make_run: MakeRun, ramp: Ramp | None) -> None:
    run = make_run(failing=0.1, changes=((5.0, 40.0),))
    load = msgspec.structs.replace(run.manifest.config.load, ramp=ramp)
    run.manifest.config = msgspec.structs.replace(run.manifest.config, load=load)
    summary = summed(run, [*run.records, *gpu_records(20)])
    text = json.dumps(plain(summary), allow_nan=False)
    assert msgspec.json.decode(text, type=Summary) == summary


def test_what_was_asked_is_spelled_out_although_it_is_the_default(make_run: MakeRun) -> None:
    made = plain(summed(make_run(rate_rps=20.0)))
    assert list(made["load"]) == [
        *("rate_rps", "arrivals", "ramp", "concurrency", "max_in_flight", "max_rate_rps", "duration_s"),
        *("requests", "seed", "workers", "give_up", "burstiness", "trace"),
    ]
    assert (made["load"]["arrivals"], made["load"]["ramp"]) == ("poisson", None)
    assert made["workload"] == {
        "input_tokens": 256,
        "output_tokens": 64,
        "body": [],
        "turns": None,
        "think": None,
        "system_tokens": 0,
        "conversation_header": None,
        "prefix": "",
        "cache": "",
        "prompts": "",
        "prompt_order": "",
        "mix": [],
    }


def test_stages_are_called_steps_in_json(make_run: MakeRun) -> None:
    made = plain(summed(make_run()))
    assert made["steps"]
    assert "stages" not in made


def test_every_figure_of_a_gpu_or_a_machine_that_can_be_missing_has_a_field() -> None:
    assert set(THROTTLED) < set(Gpu.__struct_fields__)
    assert Host.__struct_fields__ == ("host", *HOST_FIELDS)
