"""Several servers on the command line and in a plan: mistakes in one line, keys where they belong, and a run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sessions.plan.target_config import OtherTarget
from sessions.store.manifest import read
from tests.cli.conftest import Command
from tests.cli.test_connection_options import running
from tests.loadgen.probe.servers import Vllm
from tui.commands import run as run_command

A, B = "http://127.0.0.1:9", "http://127.0.0.1:10"
PLAN = 'name = "p"\n[[targets]]\nurl = "http://node2:8000"\nweight = 2\n[[stages]]\nrate = 1\nrequests = 1\n'


@pytest.mark.parametrize(
    ("typed_words", "said"),
    [
        ([A, "--target", f"0@{B}"], "--target: the weight is none, need a whole number from 1 to 1000 before the @, such as 2@http://node2:8000"),
        ([A, "--target", f"2.5@{B}"], "--target: the weight is none, need a whole number from 1 to 1000 before the @, such as 2@http://node2:8000"),
        ([f"x@{A}"], "URL: the weight is none, need a whole number from 1 to 1000 before the @, such as 2@http://node2:8000"),
        ([A, "--target", A], f"--target: {A} is named twice; give it once, with a weight: 2@{A}"),
        ([A, "--target", f"{A}/v1"], f"--target: {A} is named twice; give it once, with a weight: 2@{A}"),
        ([A, "--target", "node2:8000"], "node2:8000: the URL needs a scheme: http://node2:8000"),
        ([A, *(word for n in range(64) for word in ("--target", f"http://n{n}"))], "--target: got 65 targets, need at most 64"),
        ([A, "--source-address", "eth0"], "--source-address: got 'eth0', need an IP address of this machine such as 10.0.0.5"),
        ([A, "--source-address", "0.0.0.0"], "--source-address: got '0.0.0.0', need an IP address of this machine such as 10.0.0.5"),
        ([A, "--source-address", "192.0.2.1"], "--source-address: got '192.0.2.1', need an address of this machine (cannot assign requested address)"),
        ([A, "--source-address", "127.0.0.2", "--source-address", "127.0.0.2"], "--source-address: 127.0.0.2 is named twice"),
        (["--resume", "x", "--source-address", "127.0.0.2"], "--source-address: got '127.0.0.2', but with --resume the session says it already; leave --source-address out"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line(typed: Command, typed_words: list[str], said: str) -> None:
    done = typed("run", *typed_words, "--headless")
    assert (done.returncode, done.stderr) == (2, f"ttftop: error: {said}\n")


def test_a_key_in_the_place_of_a_weight_is_not_repeated(typed: Command) -> None:
    done = typed("run", A, "--target", f"sk-CANARY0123@{B}", "--headless", "--requests", "1")
    assert done.returncode == 2
    assert "CANARY" not in done.stderr
    done = typed("run", A, "--target", "http://joe:CANARY@node7", "--headless", "--requests", "1")
    assert done.returncode == 2
    assert "CANARY" not in done.stderr


def test_what_was_typed_is_asked_for_with_weights() -> None:
    typed = run_command.parser().read(
        [f"3@{A}", "--target", f"{B}/v1", "--target", "2@http://n:1/?api-version=2", "--rate", "1"]
    )
    target = run_command.asked(typed).target
    assert (target.url, target.weight) == (A, 3)
    assert target.others == [OtherTarget(B), OtherTarget("http://n:1?api-version=2", 2)]


def test_without_a_first_url_the_first_target_is_it() -> None:
    typed = run_command.parser().read(["--target", f"2@{A}", "--target", B, "--rate", "1"])
    target = run_command.asked(typed).target
    assert [(one.url, one.weight) for one in target.all] == [(A, 2), (B, 1)]


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        (PLAN.replace("weight = 2", "weight = 0"), "line 4: targets[0].weight: got 0, need a whole number from 1 to 1000"),
        (PLAN.replace("http://node2:8000", "node2"), "line 3: targets[0].url: node2: the URL needs a scheme: http://node2"),
        (PLAN.replace("url", "ur"), "line 3: targets[0].ur: there is no such key, did you mean url?"),
        (PLAN.replace("[[targets]]", "[targets]"), "line 2: targets: need a list, got a table: write [[targets]]"),
    ],
)  # fmt: skip
def test_a_mistake_of_a_plans_targets_is_told_with_its_line(
    typed: Command, tmp_path: Path, plan: str, said: str
) -> None:
    file = tmp_path / "p.toml"
    file.write_text(plan)
    done = typed("plan", "check", str(file))
    assert (done.returncode, done.stderr) == (2, f"ttftop: error: plan {file}, {said}\n")


def test_a_key_goes_to_no_server_that_only_a_plan_names(typed: Command, tmp_path: Path) -> None:
    file = tmp_path / "p.toml"
    file.write_text(PLAN)
    for secret in ({"TTFTOP_API_KEY": "sk-CANARY"}, {"TTFTOP_HEADERS": "x-gate: CANARY"}):
        done = typed("run", A, "--plan", str(file), "--headless", "--yes", **secret)
        what = "the API key" if "TTFTOP_API_KEY" in secret else "the header x-gate"
        assert (done.returncode, done.stderr) == (
            2,
            f"ttftop: error: plan {file}, line 3: targets[0].url: {what} goes to no server that a plan names "
            "alone; type it: --target URL\n",
        )


def test_targets_that_are_typed_take_the_place_of_the_plans(tmp_path: Path) -> None:
    file = tmp_path / "p.toml"
    file.write_text(PLAN)
    for words, urls in (
        ([A], [(A, 1), ("http://node2:8000", 2)]),
        ([], [("http://node2:8000", None)]),
        ([A, "--target", B], [(A, 1), (B, 1)]),
    ):
        options = run_command.parser().read([*words, "--plan", str(file)])
        target = run_command.asked(options).target
        assert [(one.url, one.weight) for one in target.all] == [(url, weight or 1) for url, weight in urls]


def test_another_machine_among_the_targets_is_asked_about(typed: Command) -> None:
    done = typed("limit", A, "--target", "http://api.example.com", "--slo", "ttft.p95<1s", "--headless")
    assert done.returncode == 2
    assert "http://api.example.com: a search loads a server up to its limit" in done.stderr


@pytest.mark.slow
def test_a_run_on_two_servers_from_two_addresses(ttftop: Command, home: Path) -> None:
    with running(Vllm()) as one, running(Vllm()) as two:
        done = ttftop(
            *("run", f"2@{one.url}", "--target", two.url, "--rate", "60", "--arrivals", "constant"),
            *("--requests", "60", "--output-tokens", "5", "--input-tokens", "16", "--workers", "2"),
            *("--telemetry", "none", "--json", "--source-address", "127.0.0.2", "--source-address", "127.0.0.3"),
            TTFTOP_API_KEY="sk-CANARY",
        )  # fmt: skip
        urls = [one.url, two.url]
        sent = [sum(len(asked.json().get("prompt", ())) == 16 for asked in served.asked if asked.body) for served in (one, two)]  # fmt: skip
        assert all(
            asked.headers.get("authorization") == "Bearer sk-CANARY"
            for served in (one, two)
            for asked in served.asked
        )
    said = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert [(row["url"], row["weight"], row["succeeded"]) for row in said["by_target"]] == [
        (urls[0], 2, 40),
        (urls[1], 1, 20),
    ]
    assert sent[0] >= 40
    assert sent[1] >= 20
    (directory,) = (home / ".local/share/ttftop/sessions").iterdir()
    assert "CANARY" not in (directory / "session.toml").read_text()
    manifest = read(directory)
    assert [each["url"] for each in manifest.server["targets"]] == urls
    table = ttftop("summary", str(directory), "--all").stdout
    assert "by target" in table
    report = home / "r.html"
    assert ttftop("report", str(directory), "--output", str(report)).returncode == 0
    assert "By target" in report.read_text()
