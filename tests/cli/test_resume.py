"""`--resume SESSION` as it is typed: what the session says already, and what it cannot say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sessions.plan.config import PlanConfig, RunConfig
from sessions.plan.stages import Stage
from sessions.plan.target_config import TargetConfig
from tests.sessions.run.test_resume import over, session
from tui.foreground.plan_left import how_it_goes_on
from tui.options.target_options import headers_again


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--insecure"], "the session says it already; leave --insecure out"),
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
