"""Conversations as a person asks for them: on a simulator, in a plan, refused in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from loadgen.workload.lengths import Curved, Fixed, LengthError, Lengths, Uniform
from sessions.plan.think_time import parse_think
from tests.cli.conftest import Command

URL = "http://127.0.0.1:9"


@pytest.mark.slow
def test_conversations_run_on_a_server_and_the_summary_has_ttft_by_turn(
    ttftop: Command, simulator_url: str
) -> None:
    asked = (
        "--turns 3 --think 10ms --concurrency 4 --requests 36 --input-tokens 20 --output-tokens 5 --seed 3"
    )
    more = ("--headless", "--telemetry", "none", "--name", "c", "--workers", "2")
    done = ttftop("run", simulator_url, *asked.split(), *more)
    assert done.returncode == 0, done.stderr
    assert (
        "chat, closed loop of 4, conversations of 3 turns, 10ms to think, 20 tokens in, 5 out" in done.stdout
    )
    assert "TTFT p50" in done.stdout
    summary = json.loads(ttftop("summary", "c", "--json").stdout)
    turns = summary["turns"]
    assert [turn["turn"] for turn in turns] == [1, 2, 3]
    assert sum(turn["count"] for turn in turns) == summary["requests"]["succeeded"] == 36
    assert turns[0]["count"] >= turns[1]["count"] >= turns[2]["count"] > 0
    lengths = [turn["input_tokens_mean"] for turn in turns]
    assert 20 <= lengths[0] < 30, "what was said, and the template around it"
    # each turn adds what was asked, 5 answered tokens, and what the template puts around a message
    assert lengths[1] >= lengths[0] + 20
    assert lengths[2] >= lengths[1] + 20
    assert all(turn["ttft_p50_ms"] > 0 for turn in turns)


@pytest.mark.slow
def test_a_stage_of_a_plan_may_be_of_conversations(
    ttftop: Command, simulator_url: str, tmp_path: Path
) -> None:
    plan = tmp_path / "p.toml"
    plan.write_text(
        'name = "p"\n[run]\noutput_tokens = 4\ninput_tokens = 8\n'
        "[[stages]]\nconcurrency = 2\nrequests = 6\n"
        '[[stages]]\nconcurrency = 2\nrequests = 12\nturns = 2\nthink = "5ms"\n'
    )
    done = ttftop(
        "run", simulator_url, "--plan", str(plan), "--headless", "--telemetry", "none", "--name", "p"
    )
    assert done.returncode == 0, done.stderr
    summary = json.loads(ttftop("summary", "p", "--json").stdout)
    assert [stage["requests"] for stage in summary["plan"]["stages"]] == [6, 12]
    assert sum(turn["count"] for turn in summary["turns"]) == 12


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--think", "2s"), "--think: got 2s, which is of conversations; give --turns N as well"),
        (
            ("--system-tokens", "9"),
            "--system-tokens: got 9, which is of conversations; give --turns N as well",
        ),
        (("--conversation-header", "x-s"), "--conversation-header: got x-s, which is of conversations"),
        (("--turns", "0"), "argument --turns: got '0', need a number of turns from 1 to 1000"),
        (("--turns", "1..2000"), "need a number of turns from 1 to 1000"),
        (("--turns", "many"), "need a number of turns from 1 to 1000, or a distribution such as 2..8"),
        (("--turns", "2", "--think", "soon"), "--think: got 'soon', need a time or a distribution of times"),
        (("--turns", "2", "--think", "5s..1s"), "--think: got '5s..1s', need a time or a distribution"),
        (("--turns", "2", "--think", "histogram:x"), "--think: got 'histogram:x', need a time"),
        (("--turns", "2", "--conversation-header", "Host"), "need the name of a header such as x-session-id"),
        (("--turns", "2", "--conversation-header", "a b"), "need the name of a header such as x-session-id"),
        (
            ("--turns", "2", "--trace", "x"),
            "--turns: got '2', but the trace says it; give --trace or --turns, not both",
        ),
    ],
)
def test_what_cannot_be_is_one_line(typed: Command, options: tuple[str, ...], said: str) -> None:
    done = typed("run", URL, "--headless", *options)
    assert done.returncode == 2
    assert said.removeprefix("argument ") in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2", Fixed(2000)),
        ("2s", Fixed(2000)),
        ("250ms", Fixed(250)),
        ("1.5m", Fixed(90_000)),
        ("500ms..2s", Uniform(500, 2000)),
        ("exponential:2s", Curved("exponential", 2000.0, 2000.0)),
        ("lognormal:5s:3s@1s..1m", Curved("lognormal", 5000.0, 3000.0, 1000, 60_000)),
    ],
)
def test_times_to_think_are_read_in_milliseconds(text: str, expected: Lengths) -> None:
    assert parse_think(text) == expected


@pytest.mark.parametrize("text", ["0", "", "-1s", "2h", "3h", "1e3", "nan", "vllm-ratio:2:1", "10001s"])
def test_what_is_no_time_to_think_is_refused(text: str) -> None:
    with pytest.raises(LengthError, match="need a time or a distribution of times"):
        parse_think(text)


def test_a_stage_that_cannot_be_is_one_line(typed: Command, tmp_path: Path) -> None:
    plan = tmp_path / "p.toml"
    plan.write_text('name = "p"\n[[stages]]\nconcurrency = 2\nrequests = 9\nturns = "x"\n')
    assert (
        "line 5: stages[0].turns: got 'x', need a number of turns" in typed("plan", "check", str(plan)).stderr
    )
