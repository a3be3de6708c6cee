"""`ttftop limit` as a person types it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.common.queue_model import Asked
from tests.cli.conftest import Command
from tests.cli.test_compare import store

PAGE = Path(__file__).parents[2] / "docs" / "guide" / "commands.md"


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


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A session of a queue whose ticks tell of no steady state."""
    root = tmp_path_factory.mktemp("sessions")
    store(root / "monday", Asked(0.6, 30.0), 1)
    return root


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["monday", "http://127.0.0.1:1"],
            "got http://127.0.0.1:1 among others, need one server, or sessions",
        ),
        (["monday", "--most", "4"], "--most: got '4', which is of a search that sends requests"),
        (
            ["monday", "--max-in-flight", "4"],
            "--max-in-flight: got '4', which is of a search that sends requests",
        ),
        (["monday", "--from", "3"], "error: --from: got '3', which is of"),
        (["monday", "--header", "X-Sess: hunter2hunter"], "error: --header, which is of"),
        (["monday", "--header=X-Sess: hunter2hunter"], "error: --header, which is of"),
        (["monday", "--target", "http://u:pw@127.0.0.1:1/?a=hunter2"], "error: --target, which is of"),
        (["monday", "--proxy", "http://u:hunter2@127.0.0.1:1"], "error: --proxy, which is of"),
        (["monday", "--body", "user=hunter2"], "error: --body, which is of"),
        (["monday", "--concurrency"], "no load of requests at a time is in these sessions"),
        (["tuesday"], "limit: tuesday: no session of that id, name or path"),
        (["monday", "tuesday"], "limit: tuesday: no session of that id, name or path"),
        (["localhost:8000"], "the URL needs a scheme: http://localhost:8000"),
    ],
)
def test_of_stored_sessions_what_would_need_load_is_refused_in_one_line(
    typed: Callable[..., Any], stored: Path, arguments: list[str], said: str
) -> None:
    refused = typed("limit", *arguments, "--slo", "ttft.p95<1s", "--sessions-dir", str(stored))
    assert (refused.returncode, refused.stdout) == (2, "")
    assert said in refused.stderr
    assert refused.stderr.count("\n") == 1


def test_of_stored_sessions_nothing_is_sent_and_the_json_is_what_the_page_lists(
    typed: Callable[..., Any], stored: Path
) -> None:
    before = sorted(stored.iterdir())
    done = typed("limit", "monday", "--slo", "ttft.p95<1s", "--sessions-dir", str(stored))
    assert done.returncode == 1, "no load is known to hold it"
    assert "LIMIT NOT FOUND: no stored load came to a steady state" in done.stdout
    done = typed("limit", "monday", "--slo", "ttft.p95<1s", "--json", "--sessions-dir", str(stored))
    said = json.loads(done.stdout)
    assert (said["limit"]["certified"], said["sessions"]) == (False, ["monday"])
    page = PAGE.read_text(encoding="utf-8").partition("## ttftop limit")[2].partition("\n## ")[0]
    named = set(re.findall(r"`([a-z_]+)`", page))
    assert [name for name in (*said, *said["rests_on"][0]) if name not in named] == []
    assert sorted(stored.iterdir()) == before, "no session was begun"


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
    purposes = [step["purpose"] for step in limit["steps"]]
    assert purposes == ["single", "double", "double", "double", "confirm", "single"]
    assert [stage["concurrency"] for stage in said["plan"]["stages"]] == [1, 1, 2, 4, 4, 1]
    assert limit["single_ratio"] > 0
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
