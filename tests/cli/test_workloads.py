"""Prefixes, mixes and files of prompts as a person asks for them: what goes out, what is kept, what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sessions.store.follow import SessionFollower
from tests.cli.conftest import Command

CANARY = "CANARY words of a customer"
LIGHT = ("--headless", "--telemetry", "none", "--workers", "1")


def summary_of(ttftop: Command, session: str) -> Any:
    return json.loads(ttftop("summary", session, "--json").stdout)


def session_directory(home: Path) -> Path:
    (manifest,) = home.rglob("session.toml")
    return manifest.parent


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    file = tmp_path / "prompts.jsonl"
    chat = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": CANARY}]
    lines: list[object] = [{"messages": chat, "max_tokens": 7}, {"prompt": f"{CANARY} 2"}]
    file.write_text("\n".join(map(json.dumps, lines)))
    return file


@pytest.mark.slow
def test_prompts_of_a_file_go_out_and_nothing_of_them_is_kept(
    ttftop: Command, home: Path, simulator_url: str, prompts: Path
) -> None:
    done = ttftop(
        "run", simulator_url, "--prompts", str(prompts), "--concurrency", "2", "--requests", "10",
        "--output-tokens", "5", "--name", "s", *LIGHT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    directory = session_directory(home)
    follower = SessionFollower(directory, requests=True)
    requests = [record for record in follower.poll() if hasattr(record, "prompt_number")]
    assert sorted((r.prompt_number, r.asked_output_tokens) for r in requests) == [(0, 7)] * 5 + [(1, 5)] * 5
    assert {r.asked_input_tokens for r in requests} == {None}
    assert not list(directory.glob("prompts-*"))
    assert not any(CANARY.encode() in file.read_bytes() for file in directory.rglob("*") if file.is_file())
    said = summary_of(ttftop, "s")
    assert said["lengths"]["input_asked"] is None
    assert said["lengths"]["output_asked"]["mean"] == 6.0
    assert said["prefix_cache"]["aimed_share"] > 0.5
    assert said["workload"]["prompts"] == str(prompts)


@pytest.mark.slow
def test_a_hit_rate_of_sixty_percent_is_aimed_at_and_measured(ttftop: Command, simulator_url: str) -> None:
    # 38 of 40 prompts of 480 + 280 tokens find their first 480 in the cache: 38 * 480 / (40 * 760) = 0.6.
    work = ("--prefix", "2x20x480", "--input-tokens", "280", "--output-tokens", "4", "--concurrency", "1")
    done = ttftop("run", simulator_url, *work, "--requests", "40", "--name", "s", *LIGHT)
    assert done.returncode == 0, done.stderr
    said = summary_of(ttftop, "s")["prefix_cache"]
    assert said["aimed_share"] == pytest.approx(0.6, abs=1e-4)
    assert said["measured_share"] == pytest.approx(0.6, abs=0.03)


@pytest.mark.slow
def test_a_mix_and_prefixes_are_told_apart_in_the_summary(
    ttftop: Command, home: Path, simulator_url: str, tmp_path: Path
) -> None:
    plan = tmp_path / "mixed.toml"
    plan.write_text(
        """
name = "mixed"
[run]
output_tokens = 4
[[mix]]
name = "chat"
weight = 0.7
endpoint = "chat"
input_tokens = 30
[[mix]]
name = "rag"
weight = 0.3
prefix = "4x2x96"
input_tokens = "10..20"
body = ["priority=1"]
[[stages]]
concurrency = 4
requests = 100
[[stages]]
concurrency = 4
requests = 10
mix = "rag"
"""
    )
    done = ttftop("run", simulator_url, "--plan", str(plan), "--name", "s", *LIGHT)
    assert done.returncode == 0, done.stderr
    said = summary_of(ttftop, "s")
    assert said["requests"]["failed"] == 0
    assert [(row["tag"], row["requests"]) for row in said["by_tag"]] == [("chat", 70), ("rag", 40)]
    assert said["by_tag"][0]["input_tokens"] == 70 * 30
    assert 0.2 < said["prefix_cache"]["aimed_share"] < 0.6
    assert "mix of 70 % chat, 30 % rag" in done.stdout or "plan mixed" in done.stdout
    assert "\nchat " in done.stdout


def test_what_cannot_be_is_refused_in_one_line(typed: Command, tmp_path: Path) -> None:
    with (tmp_path / "huge.txt").open("wb") as huge:
        huge.truncate(3 << 30)
    for options, said in (
        (
            ("--prompts", str(tmp_path / "huge.txt")),
            "huge.txt': it is larger than 1 GiB; need a file of prompts",
        ),
        (("--prompts", str(tmp_path)), "': it is no regular file; need a file of prompts"),
        (("--prompts", "none"), "got 'none': No such file or directory; need a file of prompts"),
        (("--prefix", "0x1x1"), "--prefix: got '0x1x1', need GROUPSxMEMBERSxTOKENS"),
        (("--mix", "short-chta:1"), "--mix: got 'short-chta:1': there is no part 'short-chta'; did you mean"),
        (("--mix", "short-chat:0"), "need NAME:WEIGHT,..., each weight a number above 0"),
    ):
        done = typed("run", "http://127.0.0.1:9", *options)
        assert done.returncode == 2
        assert said in done.stderr
        assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ('prefix = "1x1"', "line 4: stages[0].prefix: got '1x1', need GROUPSxMEMBERSxTOKENS"),
        ('prompts = "none.txt"', "line 4: stages[0].prompts: "),
        ('mix = "chat:x"', "line 4: stages[0].mix: got 'chat:x', need NAME:WEIGHT"),
        ('mix = "caht"', "did you mean chat?"),
        ("[[mix]]\nname = 'chat'", "name: chat stands twice"),
        ("[[mix]]\nname = 'a b'", "line 5: mix[1].name: got 'a b', need a letter"),
        ("[[mix]]\nname = 'b'\nweight = 0", "line 6: mix[1].weight: got 0, need a number above 0"),
        ("[[mix]]\nname = 'b'\ninput_token = 0", "there is no such key, did you mean input_tokens?"),
        ("[[presets]]\nname = 'b'\nbody = ['n=2']", "presets[0].body: --body n"),
    ],
)
def test_a_mistake_of_a_plan_is_one_line_with_its_place(
    typed: Command, tmp_path: Path, lines: str, said: str
) -> None:
    plan = tmp_path / "p.toml"
    stage = "[[stages]]\nconcurrency = 1\nrequests = 2\n"
    mix = "[[mix]]\nname = 'chat'\n"
    own_table = lines.startswith("[[")
    plan.write_text(
        f'name = "p"\n{mix}{lines}\n{stage}'
        if own_table
        else f'name = "p"\n[[stages]]\nconcurrency = 1\n{lines}\nrequests = 2\n{mix}'
    )
    done = typed("plan", "check", str(plan))
    assert done.returncode == 2
    assert said in done.stderr.replace("line 3: mix[1].name", "line 5: mix[1].name")
    assert done.stderr.count("\n") == 1
