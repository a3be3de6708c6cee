"""`ttftop limit` as a person types it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.cli.conftest import Command


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["http://127.0.0.1:1"], "--slo: need targets"),
        (["http://127.0.0.1:1", "--slo", "tftt.p95<1s"], "did you mean ttft?"),
        (["http://127.0.0.1:1", "--slo", "output_tps>100"], "a search counts the requests that miss"),
        (["http://127.0.0.1:1", "--slo", "itl.mean<9ms"], "a search counts the requests that miss"),
        (["http://127.0.0.1:1", "--slo", "errors>1%"], "need errors< or attainment>"),
        (["http://api.example.com", "--slo", "ttft.p95<1s"], "give --yes to say that it is yours"),
        (["http://127.0.0.1:1", "--slo", "ttft.p95<1s", "--rate", "3"], "unknown option --rate"),
    ],
)
def test_what_cannot_be_searched_for_is_refused_in_one_line(
    typed: Callable[..., Any], arguments: list[str], said: str
) -> None:
    refused = typed("limit", *arguments)
    assert refused.returncode == 2
    assert said in refused.stderr
    assert refused.stderr.count("\n") == 1


@pytest.mark.slow
def test_the_concurrency_that_holds_is_found_on_the_simulator(ttftop: Command, simulator_url: str) -> None:
    done = ttftop(
        *("limit", simulator_url, "--slo", "ttft.p50<1s, errors<50%", "--concurrency", "--most", "4"),
        *("--input-tokens", "8", "--output-tokens", "2", "--telemetry", "none", "--name", "s", "--json"),
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    limit = said["plan"]["limit"]
    assert (limit["passed"], limit["failed"], limit["closed"], limit["over"]) == (4.0, None, True, True)
    assert [step["purpose"] for step in limit["steps"]] == ["single", "double", "double", "double", "confirm"]
    assert [stage["concurrency"] for stage in said["plan"]["stages"]] == [1, 1, 2, 4, 4]
    assert limit["requests"] == said["requests"]["due"]
    assert said["slo"]["verdict"] == "pass"
    text = ttftop("summary", "s").stdout
    assert "LIMIT (estimated): 4 requests at a time holds" in text


@pytest.mark.slow
def test_a_target_that_nothing_holds_is_exit_code_1(ttftop: Command, simulator_url: str) -> None:
    done = ttftop(
        *("limit", simulator_url, "--slo", "ttft.p95<1us", "--input-tokens", "8", "--output-tokens", "2"),
        *("--headless", "--telemetry", "none"),
    )
    assert done.returncode == 1, done.stderr
    assert "LIMIT NOT FOUND: single requests, one at a time, miss it already" in done.stdout
