"""The command against a real server: llama.cpp's, on random weights, from `scripts/real-server`."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import urllib.request
from collections.abc import Iterator

import pytest

from tests.cli.conftest import ROOT, Command, child

pytestmark = [pytest.mark.real_server, pytest.mark.slow]


@pytest.fixture(scope="module")
def real_server() -> Iterator[str]:
    """URL of llama.cpp's server. The first use installs it."""
    command = [str(ROOT / "scripts" / "real-server"), "llamacpp"]
    with child(command, stderr=subprocess.DEVNULL, errors="replace") as server:
        assert server.stdout is not None
        url = ""
        for line in server.stdout:
            found = re.match(r"listening on (http://\S+)$", line)
            if found is not None:
                url = found[1]
                break
        assert url, "scripts/real-server did not start"
        yield url
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) == 0


@pytest.mark.parametrize("endpoint", ["completions", "chat", "responses", "llamacpp"])
def test_a_run_on_a_real_server_is_valid_and_exact(
    ttftop: Command, typed: Command, real_server: str, endpoint: str
) -> None:
    lengths = ["--input-tokens", "48", "--output-tokens", "16"]
    done = ttftop(real_server, "--rate", "8", "--duration", "4s", "--endpoint", endpoint, *lengths)
    assert done.returncode == 0, done.stdout + done.stderr
    summary = json.loads(typed("summary", "last", "--json").stdout)
    requests, tokens = summary["requests"], summary["tokens"]
    assert requests["failed"] == 0
    assert requests["succeeded"] == requests["sent"] == requests["due"] > 10
    assert (tokens["output"], tokens["source"]) == (16 * requests["succeeded"], "usage")
    assert abs(tokens["input"] - 48 * requests["succeeded"]) <= 2 * requests["succeeded"]
    assert summary["simulated"] is False
    # the mean: on a busy machine most tokens of so quick a model may come two at a time
    assert 0 < summary["itl_ms"]["mean"] <= summary["e2e_ms"]["mean"]


def test_kept_alive_connections_that_die_silently_are_no_errors(ttftop: Command, real_server: str) -> None:
    """llama.cpp closes a connection after two or three streams without saying so."""
    # two random tokens may both be parts of characters, which is no text and so a failure
    lengths = ["--input-tokens", "8", "--output-tokens", "8"]
    done = ttftop(real_server, "--concurrency", "4", "--requests", "200", *lengths)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "due 200   sent 200   succeeded 200   failed 0" in done.stdout


def test_shared_prefixes_come_to_the_hit_rate_that_was_aimed_at_and_that_the_server_counts(
    ttftop: Command, typed: Command, real_server: str
) -> None:
    def counted() -> int:
        with urllib.request.urlopen(f"{real_server}/metrics", timeout=30) as page:
            found = re.search(r"^llamacpp:prompt_tokens_cached_total (\S+)$", page.read().decode(), re.M)
        assert found is not None
        return int(float(found[1]))

    before = counted()
    # 18 of 20 prompts of 480 + 240 tokens find their first 480 in the cache: 18 * 480 / (20 * 720) = 0.6.
    work = ["--prefix", "2x10x480", "--input-tokens", "240", "--output-tokens", "4", "--concurrency", "1"]
    done = ttftop(real_server, *work, "--requests", "20", "--telemetry", "none")
    assert done.returncode == 0, done.stdout + done.stderr
    summary = json.loads(typed("summary", "last", "--json").stdout)
    assert summary["tokens"]["cached"] == counted() - before
    assert summary["prefix_cache"]["aimed_share"] == pytest.approx(0.6, abs=0.01)
    assert summary["prefix_cache"]["measured_share"] == pytest.approx(0.6, abs=0.03)


def test_doctor_knows_the_real_server(ttftop: Command, real_server: str) -> None:
    shown = ttftop("doctor", real_server).stdout
    assert re.search(r"is llamacpp", shown)
    assert re.search(r"^  vocabulary, tokens +4,096$", shown, re.M)
    assert re.search(r"^  /tokenize +llamacpp$", shown, re.M)
