"""Who types a load that another machine is hardly meant to get is asked once."""

from __future__ import annotations

import argparse
import io

import pytest

from sessions.plan.config import LoadConfig, PlanConfig, Ramp, RunConfig, WorkloadConfig
from sessions.plan.stages import Stage
from sessions.plan.target_config import TargetConfig
from tui.draw.plans import said_estimate
from tui.foreground.question import ask_about_load, unusual_load
from tui.options.exit_codes import CommandError

ELSEWHERE = "https://llm.example.com"
WORK = WorkloadConfig(input_tokens=100, output_tokens=50)
TYPED = argparse.Namespace(max_rate=None, max_in_flight=None, yes=False)


def asked(
    monkeypatch: pytest.MonkeyPatch,
    answer: str,
    load: LoadConfig,
    url: str = ELSEWHERE,
    *,
    interactive: bool = True,
    options: argparse.Namespace = TYPED,
) -> str:
    """What of the answer was not read: all of it where nothing was asked."""
    stdin = io.StringIO(answer)
    monkeypatch.setattr("sys.stdin", stdin)
    ask_about_load(RunConfig(TargetConfig(url), load, interactive=interactive), options)
    return stdin.read()


LOADS = [
    LoadConfig(rate_rps=900.0),
    LoadConfig(ramp=Ramp(1.0, 640.0, 60.0)),
    LoadConfig(ramp=Ramp(101.0, 1.0, 60.0)),
    LoadConfig(concurrency=5000, max_in_flight=5000),
]


@pytest.mark.parametrize("load", LOADS)
def test_a_load_like_a_slip_of_the_fingers_starts_by_a_yes_alone(
    monkeypatch: pytest.MonkeyPatch, load: LoadConfig
) -> None:
    assert asked(monkeypatch, "y\nrest", load) == "rest"
    for answer in ("n\n", "\n", "", "yellow\n"):
        with pytest.raises(CommandError, match="not started, nothing was sent") as caught:
            asked(monkeypatch, answer, load)
        assert caught.value.exit_code == 130


def test_nobody_is_asked_for_a_usual_load_at_home_or_without_a_screen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for load in (
        LoadConfig(rate_rps=100.0),
        LoadConfig(concurrency=1000),
        LoadConfig(ramp=Ramp(1.0, 64.0, 9.0)),
    ):
        assert asked(monkeypatch, "rest", load) == "rest"
    for load in LOADS:
        assert asked(monkeypatch, "rest", load, "http://127.0.0.1:8000") == "rest"
        assert asked(monkeypatch, "rest", load, "unix:/run/x.sock") == "rest"
        assert asked(monkeypatch, "rest", load, interactive=False) == "rest"


def test_who_types_the_bound_as_well_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    twice = argparse.Namespace(max_rate=900.0, max_in_flight=5000, yes=False)
    for load in LOADS:
        assert asked(monkeypatch, "rest", load, options=twice) == "rest"


def test_the_question_names_the_option_that_ends_it() -> None:
    said = unusual_load(RunConfig(TargetConfig(ELSEWHERE), LoadConfig(rate_rps=900.0)), TYPED)
    assert said == ("900 requests per second", "--max-rate 900")
    many = LoadConfig(concurrency=5000, max_in_flight=5000)
    said = unusual_load(RunConfig(TargetConfig(ELSEWHERE), many), TYPED)
    assert said == ("5,000 requests at a time", "--max-in-flight 5000")


YES = argparse.Namespace(max_rate=None, max_in_flight=None, yes=True)


def test_yes_asks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(monkeypatch, "rest", LOADS[0], options=YES) == "rest"


def planned(url: str, rate_rps: float, *, interactive: bool) -> RunConfig:
    stages = [Stage("a", rate_rps=rate_rps, duration_s=60.0), Stage("b", concurrency=2, duration_s=60.0)]
    return RunConfig(TargetConfig(url), plan=PlanConfig("p", stages), interactive=interactive)


@pytest.mark.parametrize(
    ("url", "rate_rps", "why"),
    [
        ("http://localhost:8000", 4.0, ""),
        ("http://10.1.2.3:8000", 200.0, ""),
        ("http://node7:8000", 4.0, ""),
        ("http://vllm.prod.svc.cluster.local", 4.0, ""),
        ("http://[fd00::7]:8000", 4.0, ""),
        ("http://8.8.8.8", 4.0, "may be somebody else's"),
        ("http://203.0.113.7", 4.0, "may be somebody else's"),
        ("http://127.0.0.1.nip.io", 4.0, "may be somebody else's"),
        ("https://api.example.com", 4.0, "may be somebody else's"),
        ("http://localhost:8000", 201.0, "201 requests per second"),
    ],
)
def test_a_plan_says_what_it_comes_to_and_is_asked_about_where_it_may_hurt(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], url: str, rate_rps: float, why: str
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    for interactive, options in ((True, TYPED), (False, TYPED), (True, YES), (False, YES)):
        config = planned(url, rate_rps, interactive=interactive)
        if not why or options.yes:
            ask_about_load(config, options)
        else:
            with pytest.raises(CommandError) as refused:
                ask_about_load(config, options)
            said = capsys.readouterr().err + str(refused.value)
            assert why in said
            assert "--yes" in said
            assert refused.value.exit_code == (130 if interactive else 2)
            continue
        said = capsys.readouterr().err
        assert (
            "plan p: 2 stages, about 2 min and what the last answers of each stage take; "
            f"at least {rate_rps * 60:,.0f} requests, "
        ) in said


@pytest.mark.parametrize(
    ("stage", "said"),
    [
        (
            Stage("a", concurrency=1, duration_s=60.0),
            "about 60 s and what the last answers take; as many requests as are answered in that time",
        ),
        (
            Stage("a", concurrency=1, requests=10),
            "as long as the answers take; 10 requests, 1,000 tokens in, 500 out",
        ),
    ],
)
def test_what_only_the_answers_say_is_not_said_as_a_nought(stage: Stage, said: str) -> None:
    assert said_estimate([stage], WORK) == said
    both = [stage, Stage("b", rate_rps=1.0, duration_s=180.0)]
    assert said_estimate(both, WORK).startswith(
        "at least 3 min, 1 stage as long" if stage.requests else "about 4 min"
    )


def test_a_plan_of_many_hours_is_told_in_hours_and_prompts_of_files_are_not_counted_as_none() -> None:
    long = [Stage("a", rate_rps=1.0, duration_s=9000.0)]
    assert said_estimate(long, WORK).startswith("about 2.5 h and what the last answers")
    files = [Stage("a", concurrency=1, requests=10, prompts="/p.txt")]
    assert said_estimate(files, WORK).endswith("10 requests, 0 tokens in beside those of files, 500 out")
    assert said_estimate(files, WORK, "embeddings").endswith("10 requests, 0 tokens in beside those of files")


class Interrupted(io.StringIO):
    def readline(self, *_: int) -> str:  # type: ignore[override]
        raise KeyboardInterrupt


@pytest.mark.parametrize("stdin", [io.StringIO(""), Interrupted()])
def test_what_follows_a_question_that_was_not_answered_has_a_line_of_its_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], stdin: io.StringIO
) -> None:
    monkeypatch.setattr("sys.stdin", stdin)
    with pytest.raises((CommandError, KeyboardInterrupt)):
        ask_about_load(planned("https://api.example.com", 4.0, interactive=True), TYPED)
    assert capsys.readouterr().err.endswith("Start? [y/N] \n")
