"""`--resume SESSION` as it is typed: what the session says already, and what it cannot say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sessions.plan.config import PlanConfig, RunConfig
from sessions.plan.stages import Stage
from sessions.plan.target_config import OtherTarget, TargetConfig
from tests.sessions.run.test_resume import over, session
from tui.commands import run as run_command
from tui.foreground.plan_left import how_it_goes_on
from tui.options.exit_codes import CommandError
from tui.options.target_options import headers_again


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--insecure"], "with --resume the session says it already; leave --insecure out"),
        (["--max-in-flight", "5"], "leave --max-in-flight out"),
        (["--orphan-timeout", "9s"], "leave --orphan-timeout out"),
        (["--drain", "5s"], "leave --drain out"),
        (["--seed", "5"], "leave --seed out"),
        (["--plain-header", "a: b"], "leave --plain-header out"),
        (["--headless"], "the session sent a header x-secret, whose value it does not keep"),
    ],
)
def test_nothing_that_is_typed_beside_a_session_is_passed_over_in_silence(
    tmp_path: Path, typed: Callable[..., Any], arguments: list[str], said: str
) -> None:
    headers = ["x-tenant: 7", "x-secret"]
    session(tmp_path / "root" / "s", [Stage("a", concurrency=1, requests=1)], [], headers=headers)
    refused = typed("run", "--resume", "s", "--sessions-dir", str(tmp_path / "root"), *arguments)
    assert refused.returncode == 2
    assert said in refused.stderr
    assert refused.stderr.count("\n") == 1


A, B = "http://127.0.0.1:9", "http://127.0.0.1:10"


@pytest.mark.parametrize("secret", [{"TTFTOP_API_KEY": "sk-CANARY"}, {"TTFTOP_HEADERS": "x-gate: CANARY"}])
def test_a_secret_goes_to_several_servers_of_a_session_only_where_they_are_typed_again(
    tmp_path: Path, typed: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, secret: dict[str, str]
) -> None:
    begun: list[TargetConfig] = []

    def start(config: RunConfig, *_: Any) -> Any:
        begun.append(config.target)
        raise CommandError("begun")

    monkeypatch.setattr("tui.foreground.start.start", start)
    others = [OtherTarget(B, 2)]
    stages = [Stage("a", concurrency=1, requests=1)]
    session(tmp_path / "root" / "s", stages, [], others=others, weight=1)
    words = ("run", "--resume", "s", "--sessions-dir", str(tmp_path / "root"), "--headless", "--yes")
    refused = typed(*words, **secret)
    what = "the API key" if "TTFTOP_API_KEY" in secret else "the header x-gate"
    assert (refused.returncode, begun) == (2, [])
    assert refused.stderr == (
        f"ttftop: error: --resume: {what} goes to several servers, or to a plan's, only where they are typed: "
        "type those of the session again, URL --target [W@]URL\n"
    )
    for same in ([A, "--target", f"2@{B}"], ["--target", f"{A}/v1", "--target", f"2@{B}/"]):
        assert "begun" in typed(*words, *same, **secret).stderr
    assert "begun" in typed(*words).stderr  # nothing secret
    assert [target.others for target in begun] == [others] * 3


def test_the_one_server_of_a_plan_gets_no_key_when_its_session_goes_on_either(
    tmp_path: Path, typed: Callable[..., Any]
) -> None:
    plan = tmp_path / "p.toml"
    stage = "[[stages]]\nconcurrency = 1\nrequests = 1\n"
    plan.write_text(f'name = "p"\n[[targets]]\nurl = "{A}"\n{stage}')
    of_plan = run_command.asked(run_command.parser().read(["--plan", str(plan)])).target
    typed_one = run_command.asked(run_command.parser().read([A, "--concurrency", "1"])).target
    stages = [Stage("a", concurrency=1, requests=1)]
    for name, target in (("planned", of_plan), ("typed", typed_one)):
        session(tmp_path / "root" / name, stages, [], others=target.others, weight=target.weight)
    words = ("--sessions-dir", str(tmp_path / "root"), "--headless", "--yes")
    refused = typed("run", "--resume", "planned", *words, TTFTOP_API_KEY="sk-CANARY")
    assert refused.returncode == 2
    assert "type those of the session again" in refused.stderr
    with pytest.raises(AssertionError, match="a run is started"):
        typed("run", "--resume", "typed", *words, TTFTOP_API_KEY="sk-CANARY")


@pytest.mark.parametrize(
    "servers",
    [[B], ["--target", B], [A, "--target", B], [B, "--target", f"2@{A}"], [f"2@{A}", "--target", B]],
)
def test_other_servers_than_those_of_the_session_are_refused(
    tmp_path: Path, typed: Callable[..., Any], servers: list[str]
) -> None:
    stages = [Stage("a", concurrency=1, requests=1)]
    session(tmp_path / "root" / "s", stages, [], others=[OtherTarget(B, 2)], weight=1)
    refused = typed("run", "--resume", "s", "--sessions-dir", str(tmp_path / "root"), *servers)
    assert (refused.returncode, refused.stderr) == (
        2,
        "ttftop: error: --resume: the session says its servers already; "
        "leave URL and --target out, or type the same with the same weights\n",
    )


def test_a_plain_header_of_the_session_is_sent_again_and_a_secret_one_is_the_new_one() -> None:
    given = [("x-secret", "new")]
    assert headers_again(["x-tenant: 7", "X-Secret"], given) == [("x-tenant", "7")]


def asked(plan: PlanConfig | None) -> RunConfig:
    return RunConfig(TargetConfig("http://127.0.0.1:9"), plan=plan)


def test_whoever_leaves_a_plan_is_told_how_it_goes_on(tmp_path: Path) -> None:
    stages = [Stage(str(n), concurrency=1, requests=1) for n in range(3)]
    directory = session(tmp_path / "s", stages, over(0, 1, 5))
    assert how_it_goes_on(directory, asked(PlanConfig("p", stages)), "s") == (
        "ttftop run --resume s    (the plan goes on at stage 2 of 3)"
    )
    assert how_it_goes_on(directory, asked(PlanConfig("p", stages[:1])), "s") == ""
    assert how_it_goes_on(directory, asked(None), "s") == ""
