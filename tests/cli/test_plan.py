"""Plans as a person runs them: shown, run on a simulator, gone on with, refused in one line."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sessions.plan.builtin_plans import find_plan, names
from sessions.plan.plan_file import read_plan
from tests.cli.conftest import Command
from tui.options.plan_options import plan_run_options

PLAN = """
name = "mine"
title = "small"
source = "https://example.org/paper"

[run]
input_tokens = "16..32"
output_tokens = 8
seed = 7                    # of how many requests are due in a second: enough for a median

[[stages]]
rate = [20, 40]
duration = "1s"
warm_up = "200ms"

[[stages]]
name = "users"
concurrency = 3
requests = 12
output_tokens = 4

[[published]]
title = "theirs"
source = "https://example.org/table"
columns = ["conc.", "tokens/s"]
rows = [[3, 51.5]]
"""


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    file = tmp_path / "mine.toml"
    file.write_text(PLAN)
    return file


def summary_of(ttftop: Command, session: str) -> Any:
    return json.loads(ttftop("summary", session, "--json").stdout)


@pytest.mark.slow
def test_a_plan_runs_stage_by_stage_and_its_table_stands_in_the_summary(
    ttftop: Command, simulator_url: str, plan: Path
) -> None:
    done = ttftop(
        "run", simulator_url, "--plan", str(plan), "--headless", "--name", "s", "--telemetry", "none"
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"plan mine: small\nafter https://example.org/paper\nstage ", done.stdout)
    assert re.search(r"published: theirs\nhttps://example.org/table\nconc.\s+tokens/s\n3\s+51.5", done.stdout)
    stages = summary_of(ttftop, "s")["plan"]["stages"]
    assert [(s["number"], s["name"], s["state"]) for s in stages] == [
        (1, "20 rps", "done"),
        (2, "40 rps", "done"),
        (3, "users", "done"),
    ]
    assert [s["output_tokens_mean"] for s in stages] == [8, 8, 4]
    assert all(16 <= s["input_tokens_mean"] <= 32 for s in stages)
    assert stages[2]["requests"] == 12
    assert 16 <= sum(s["requests"] + s["warm_up_requests"] for s in stages[:1]) <= 40
    assert [s["window"]["verdict"] for s in stages] == ["too_short"] * 3, "of a second each"
    assert "too short to tell whether the server kept up: 1, 2, 3" in done.stdout
    # one is answered before the next begins
    assert stages[0]["over_s"] <= stages[1]["from_s"]
    assert stages[1]["over_s"] <= stages[2]["from_s"]


@pytest.mark.slow
def test_a_stage_shorter_than_its_answers_is_named_as_it_starts(
    ttftop: Command, simulator_url: str, tmp_path: Path, home: Path
) -> None:
    file = tmp_path / "short.toml"
    file.write_text(
        'name = "p"\n[run]\noutput_tokens = 200\n[[stages]]\nconcurrency = 1\nduration = "20ms"\n'
    )
    more = ("--headless", "--telemetry", "none", "--set", "stages.0.drain=false")
    done = ttftop("run", simulator_url, "--plan", str(file), *more)
    assert done.returncode in (0, 1)
    told = "stage 1 (concurrency 1): shorter than its answers"
    assert told in done.stderr
    (host,) = home.rglob("host.jsonl")
    before, said, after = host.read_text().partition(told)
    assert said
    assert '"kind":"stage"' not in before, "it is told before the stage begins"
    assert '"kind":"stage"' in after


@pytest.mark.slow
def test_a_plan_that_was_cut_goes_on_at_its_stage_in_a_session_of_its_own(
    ttftop: Command, simulator_url: str, plan: Path, home: Path
) -> None:
    more = ("--headless", "--telemetry", "none")
    # The first stage is over, the second cannot be: the session is cut as a kill in the middle would cut it.
    done = ttftop("run", simulator_url, "--plan", str(plan), "--name", "first", *more)
    assert done.returncode == 0, done.stderr
    (file,) = home.rglob("host.jsonl")
    lines = file.read_text().splitlines(keepends=True)
    begun = next(i for i, line in enumerate(lines) if '"kind":"stage"' in line and '"number":1' in line)
    file.write_text("".join(lines[: begun + 1]))

    done = ttftop("run", "--resume", "first", "--name", "second", "--headless", "--telemetry", "host")
    assert done.returncode == 0, done.stderr
    second = summary_of(ttftop, "second")
    assert second["hosts"]  # what is watched is for the new session to say
    stages = second["plan"]["stages"]
    assert [s["number"] for s in stages] == [2, 3]
    assert "leave --rate out" in ttftop("run", "--resume", "first", "--rate", "3").stderr
    assert "all stages of session" in ttftop("run", "--resume", "second", *more).stderr


def test_a_number_of_a_plan_is_taken_to_its_last_digit(tmp_path: Path) -> None:
    file = tmp_path / "p.toml"
    file.write_text(
        'name = "p"\n[run]\nmax_rate = 1234567.5\nmax_in_flight = 4.0\n[[stages]]\nrate = 1\nrequests = 1\n'
    )
    assert plan_run_options(read_plan(file)) == {"max_rate": 1234567.5, "max_in_flight": 4}


@pytest.mark.parametrize("name", names())
def test_every_plan_that_comes_with_ttftop_is_one_and_names_its_source(
    name: str, typed: Callable[..., Any]
) -> None:
    plan = find_plan(name)
    assert plan.table.name == name
    assert plan.table.source.startswith("https://")
    assert plan.stages()
    plan_run_options(plan)
    shown = typed("plan", "show", name)
    assert shown.returncode == 0
    assert plan.table.source in shown.stdout
    assert name in typed("plan", "list").stdout


def test_a_source_that_could_not_be_found_again_is_shown_as_one(typed: Callable[..., Any]) -> None:
    shown = typed("plan", "show", "aphrodite-mixed").stdout
    (source, *published) = [line for line in shown.splitlines() if "dphnAI/aphrodite-engine" in line]
    assert source.startswith("source  https://github.com/dphnAI/aphrodite-engine (the page with ")
    assert all(line.endswith("could not be found again)") for line in (source, *published))
    assert len(published) == 4


@pytest.mark.slow
def test_targets_fits_and_prices_stand_beneath_the_table(
    ttftop: Command, simulator_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "priced.toml"
    file.write_text(
        PLAN
        + """
[slo]
targets = ["ttft.mean < 5m", "output_tps > 1000000", "errors < 1%"]

[report]
columns = ["concurrency", "output_tps", "ttft_p50_ms"]
charts = ["output_tps over offered_rps"]
fits = ["ttft_mean_ms over offered_rps"]

[[providers]]
gpu = "X"
provider = "dear"
per_hour = 36.0
published_tps = 100
published_per_million = 99.0

[[providers]]
gpu = "X"
provider = "cheap"
per_hour = 3.6
"""
    )
    done = ttftop(
        "run", simulator_url, "--plan", str(file), "--headless", "--name", "s", "--telemetry", "none"
    )
    assert done.returncode == 1, "a target was missed"
    said = summary_of(ttftop, "s")
    plan = said["plan"]
    assert (said["valid"], said["slo"]["verdict"]) == (True, "fail")
    assert "output_tps > 1000000" in done.stdout.partition("missed or undecided")[2]
    assert [[r["verdict"] for r in s["targets"]] for s in plan["stages"]] == [["pass", "fail", "pass"]] * 3
    best = max(s["output_tps"] for s in plan["stages"])
    assert [(p["provider"], p["per_million"]) for p in plan["providers"]] == [
        ("cheap", pytest.approx(3.6 / 3600 / best * 1e6)),
        ("dear", pytest.approx(36 / 3600 / best * 1e6)),
    ]
    assert plan["providers"][1]["published_by_arithmetic"] == 100.0
    assert "100.00 differs" in done.stdout  # the source printed 99
    charts = ttftop("summary", "s", "--charts").stdout
    assert "output_tps over offered_rps\n" in charts.replace("  ", "")
    assert plan["fits"] == []  # two rates are no line


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["plan", "show"], "need a name or a file"),
        (["plan", "show", "kaito"], "did you mean kaito-vllm?"),
        (["plan", "check", "/no/such.toml"], "plan /no/such.toml: cannot read it: No such file or directory"),
        (["plan", "check", "kaito-vllm", "--set", "run.rate=1"], "run.rate: each stage says it for itself"),
        (
            ["plan", "check", "kaito-vllm", "--set", "run.seeed=1"],
            "there is no such option, did you mean seed?",
        ),
        (["plan", "check", "kaito-vllm", "--set", "run.seed=x"], "run.seed: got 'x'"),
        (["plan", "check", "kaito-vllm", "--set", "run.insecure=3"], "need true or false"),
        (["plan", "check", "kaito-vllm", "--set", "run.telemetry=nvml"], "need a list"),
        (["run", "http://h", "--plan", "kaito-vllm", "--rate", "3"], "give --rate or --plan, not both"),
        (
            ["plan", "check", "vllm-ci", "--set", "slo.targets=['tftt.p99<3s']"],
            "slo.targets[0]: got 'tftt.p99<3s'",
        ),
        (["run", "http://h", "--plan", "vllm-ci", "--set", "slo.targets=['x']"], "slo.targets[0]: got 'x'"),
        (
            ["plan", "check", "vllm-ci", "--set", "report.columns=['ttft_p98_ms']"],
            "did you mean ttft_p99_ms?",
        ),
        (
            ["plan", "check", "vllm-ci", "--set", "report.fits=['output_tps']"],
            "need two columns, as Y over X",
        ),
        (["run", "http://h", "--scale", "0.1"], "--scale: got '0.1', which changes a plan"),
        (["run", "http://h", "--plan", "kaito-vllm", "--scale", "0"], "need a number from 0.001"),
        (["run", "--resume", "nothing"], "no session of that id"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    typed: Callable[..., Any], arguments: list[str], said: str
) -> None:
    refused = typed(*arguments)
    assert refused.returncode == 2
    assert said in refused.stderr
    assert refused.stderr.count("\n") == 1
