"""Traces as a person asks for them: run on a simulator, as a session again, in a plan, refused in one line."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from loadgen.records import Request
from sessions.plan.config import ConfigError, LoadConfig, PlanConfig, RunConfig
from sessions.plan.stages import Stage
from sessions.plan.target_config import TargetConfig
from sessions.plan.trace_config import TraceConfig
from sessions.run.traces import Traces
from sessions.store.follow import SessionFollower
from tests.cli.conftest import Command

URL = "http://127.0.0.1:9"
HEAD = "TIMESTAMP,ContextTokens,GeneratedTokens\n"
TIMES_S = [0.0, 0.1, 0.1, 0.75, 1.9, 2.0]
LENGTHS = [(20, 3), (33, 4), (20, 5), (64, 2), (21, 3), (40, 7)]


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    lines = [
        f"2023-11-16 18:15:{40 + at:010.7f},{taken},{given}\n"
        for at, (taken, given) in zip(TIMES_S, LENGTHS, strict=True)
    ]
    file = tmp_path / "six.csv"
    file.write_text(HEAD + "".join(lines))
    return file


def requests_of(home: Path, name: str) -> list[Request]:
    (directory,) = [path for path in home.rglob(f"*-{name}") if path.is_dir()]
    files = SessionFollower(directory, requests=True)
    found = [record for record in files.poll() if isinstance(record, Request)]
    files.close()
    return sorted(found, key=lambda request: request.due_ns)


def offsets_ms(requests: list[Request]) -> list[float]:
    return [(request.due_ns - requests[0].due_ns) / 1e6 for request in requests]


@pytest.mark.slow
def test_a_trace_is_run_at_its_speed_and_the_session_is_a_trace_again(
    ttftop: Command, simulator_url: str, trace: Path, home: Path
) -> None:
    more = ("--headless", "--telemetry", "none", "--workers", "2")
    done = ttftop("run", simulator_url, "--trace", str(trace), "--speed", "2x", "--name", "first", *more)
    assert done.returncode == 0, done.stderr
    assert "trace six.csv (azure) at 2x: 6 requests, 5 rps on average, 33 tokens in, 4 out on average" in (
        " ".join(done.stdout.split())
    )
    requests = requests_of(home, "first")
    assert offsets_ms(requests) == pytest.approx([at * 500 for at in TIMES_S], abs=0.01)
    asked = [(r.asked_input_tokens, r.asked_output_tokens) for r in requests]
    assert sorted(asked) == sorted(LENGTHS)
    assert sorted(r.index for r in requests) == list(range(6))
    assert not list(home.rglob("trace-*.bin")), "what was compiled is gone with the run"

    done = ttftop("run", simulator_url, "--trace", "first", "--trace-rate", "10", "--name", "again", *more)
    assert done.returncode == 0, done.stderr
    again = requests_of(home, "again")
    assert offsets_ms(again) == pytest.approx([at * 250 for at in TIMES_S], abs=0.01)
    assert sorted((r.asked_input_tokens, r.asked_output_tokens) for r in again) == sorted(LENGTHS)
    summary = json.loads(ttftop("summary", "again", "--json").stdout)
    assert summary["load"]["trace"]["form"] == "ttftop"
    assert (summary["workload"]["input_tokens"], summary["workload"]["output_tokens"]) == ("trace", "trace")
    assert summary["load"]["rate_rps"] == pytest.approx(10.0)
    assert summary["requests"]["due"] == 6


@pytest.mark.slow
def test_stages_of_a_plan_replay_a_trace_each_and_a_part_of_it(
    ttftop: Command, simulator_url: str, trace: Path, home: Path, tmp_path: Path
) -> None:
    plan = tmp_path / "p.toml"
    plan.write_text(
        f'name = "p"\n[[stages]]\ntrace = "{trace}"\nspeed = [4, "8x"]\n'
        f'[[stages]]\ntrace = "{trace}"\ntrace_rate = 20\nrequests = 4\n'
    )
    done = ttftop(
        "run", simulator_url, "--plan", str(plan), "--headless", "--telemetry", "none", "--name", "p"
    )
    assert done.returncode == 0, done.stderr
    requests = requests_of(home, "p")
    assert len(requests) == 16
    assert offsets_ms(requests[:6]) == pytest.approx([at * 250 for at in TIMES_S], abs=0.01)
    assert offsets_ms(requests[6:12]) == pytest.approx([at * 125 for at in TIMES_S], abs=0.01)
    # four requests in 0.75 s are 4 a second: at 20 five times as fast
    assert offsets_ms(requests[12:]) == pytest.approx([at * 200 for at in TIMES_S[:4]], abs=0.01)
    stages = json.loads(ttftop("summary", "p", "--json").stdout)["plan"]["stages"]
    assert [stage["requests"] for stage in stages] == [6, 6, 4]
    assert {stage["input_tokens"] for stage in stages} == {"trace"}


def test_a_plan_shows_what_its_traces_come_to(typed: Command, trace: Path, tmp_path: Path) -> None:
    plan = tmp_path / "p.toml"
    plan.write_text(f'name = "p"\n[[stages]]\ntrace = "{trace}"\nspeed = 4\n')
    shown = typed("plan", "show", str(plan)).stdout
    assert "trace six.csv, 4x" in shown
    assert "0.5 s" in shown
    assert "6 requests, 198 tokens in, 24 out" in shown


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--speed", "2x"), "--speed: got '2x', which is of a trace; give --trace FILE as well"),
        (("--trace-rate", "2"), "--trace-rate: got '2', which is of a trace; give --trace FILE as well"),
        (("--trace", "TRACE", "--rate", "2"), "--rate: got '2', but the trace says it; give"),
        (("--trace", "TRACE", "--concurrency", "2"), "--concurrency: got '2', but the trace says it"),
        (("--trace", "TRACE", "--input-tokens", "2"), "--input-tokens: got '2', but the trace says it"),
        (("--trace", "TRACE", "--speed", "2", "--trace-rate", "3"), "give --speed or --trace-rate, not both"),
        (("--trace", "TRACE", "--speed", "fast"), "need a speed from 0.001x to 1000x such as 2x or 0.5x"),
        (("--trace", "TRACE", "--speed", "0"), "need a speed from 0.001x to 1000x"),
        (
            ("--trace", "TRACE", "--speed", "900"),
            "at 900x it comes to 2250 rps on average, need at most 1000",
        ),
        (("--trace", "none.csv"), "no such file, and no session of that name in"),
        (("--trace", "/none.csv"), "trace /none.csv: cannot read it: No such file or directory"),
        (("--trace", "/"), "trace /: /session.toml: no such file, so this is no ttftop session"),
        (("--trace", ""), "need the path of a trace, or a session"),
    ],
)
def test_what_does_not_go_with_a_trace_is_one_line(
    typed: Command, trace: Path, options: tuple[str, ...], said: str
) -> None:
    done = typed("run", URL, "--headless", *(str(trace) if part == "TRACE" else part for part in options))
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_column_that_is_missing_is_one_line_with_file_and_line(typed: Command, tmp_path: Path) -> None:
    file = tmp_path / "short.csv"
    file.write_text("TIMESTAMP,ContextTokens\n2023-11-16 18:15:40,5\n")
    done = typed("run", URL, "--headless", "--trace", str(file))
    assert done.returncode == 2
    assert f"--trace {file}: line 1: there is no column 'generatedtokens'" in done.stderr
    plan = tmp_path / "p.toml"
    plan.write_text(f'name = "p"\n\n[[stages]]\ntrace = "{file}"\n')
    for command in (("plan", "check", str(plan)), ("run", URL, "--plan", str(plan), "--headless")):
        done = typed(*command)
        assert done.returncode == 2
        assert (
            f"plan {plan}, line 4: stages[0].trace: trace {file}: line 1: there is no column" in done.stderr
        )


@pytest.mark.parametrize(
    ("stage", "said"),
    [
        ("speed = 2\nrate = 1\nduration = 5", "stages[0].speed: it is of a trace: need trace as well"),
        ('trace = "x"\nrate = 1', "need one of rate, ramp, concurrency and trace"),
        (
            'trace = "x"\ninput_tokens = 4',
            "stages[0].input_tokens: the trace says it; leave input_tokens out",
        ),
        ('trace = "x"\nspeed = 2\ntrace_rate = 4', "stages[0].trace_rate: it says how fast the trace is"),
        ('trace = "x"\nspeed = "-1x"', "stages[0].speed: got '-1x', need a speed from"),
        ("trace = 5", "stages[0].trace: need a text"),
    ],
)
def test_a_stage_that_cannot_be_is_one_line(typed: Command, tmp_path: Path, stage: str, said: str) -> None:
    plan = tmp_path / "p.toml"
    plan.write_text(f'name = "p"\n[[stages]]\n{stage}\n')
    done = typed("plan", "check", str(plan))
    assert done.returncode == 2
    assert said in done.stderr


def test_a_plan_that_goes_on_reads_its_traces_again(trace: Path, tmp_path: Path) -> None:
    before = Traces().stage(Stage("a", trace=TraceConfig(str(trace), speed=2.0)))
    assert before.trace is not None
    kept = msgspec.structs.replace(before.trace, compiled="/gone/trace-0.bin")
    plan = PlanConfig("p", [Stage("b", rate_rps=1.0), msgspec.structs.replace(before, trace=kept)])
    again = Traces()
    assert again.plan(plan).stages == [plan.stages[0], before]
    again.put(RunConfig(TargetConfig(URL)), tmp_path)
    assert (tmp_path / "trace-0.bin").exists()
    trace.unlink()
    with pytest.raises(ConfigError, match=r"six.csv: cannot read it: No such file"):
        Traces().plan(plan)


def test_what_is_compiled_is_private_shared_by_stages_and_taken_away(trace: Path, tmp_path: Path) -> None:
    traces = Traces()
    stages = [traces.stage(Stage("a", trace=TraceConfig(str(trace), speed=speed))) for speed in (1.0, 2.0)]
    half = traces.stage(Stage("b", trace=TraceConfig(str(trace))), by=0.5)
    assert [stage.rate_rps for stage in stages] == [2.5, 5.0]
    assert half.expected_requests == 3
    load = traces.load(LoadConfig(trace=TraceConfig(str(trace), rate_rps=7.0)))
    assert (load.rate_rps, load.highest_rps) == (7.0, 4 * 7.0 / 2.5)
    config = traces.put(RunConfig(TargetConfig(URL), load), tmp_path)
    files = sorted(tmp_path.glob("trace-*.bin"))
    assert [file.name for file in files] == ["trace-0.bin", "trace-1.bin"]
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    assert config.load.trace is not None
    assert config.load.trace.compiled == str(files[0])
    traces.remove(tmp_path)
    assert not list(tmp_path.glob("trace-*.bin"))
