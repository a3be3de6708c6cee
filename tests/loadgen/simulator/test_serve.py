"""The process: how it starts, how it ends, what it says when it cannot."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from tests.loadgen.simulator.processes import Running, simulator, started

pytestmark = pytest.mark.slow

ENDLESS = {"prompt": "go on", "max_tokens": 8000, "ignore_eos": True}


def run(*flags: str, key: str = "") -> subprocess.CompletedProcess[str]:
    """Runs it with flags that should make it end by itself."""
    return subprocess.run(
        [sys.executable, "-m", "loadgen.simulator", *flags],
        capture_output=True,
        text=True,
        timeout=30,
        env=os.environ | {"TTFTOP_SIM_API_KEY": key},
    )


def ended(running: Running, number: int) -> tuple[int, float]:
    """Signals it; its exit code and the seconds it took."""
    start = time.monotonic()
    running.process.send_signal(number)
    code = running.process.wait(timeout=20)
    return code, time.monotonic() - start


def request_head(length: int) -> bytes:
    return b"POST /v1/completions HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % length


def metric(client: httpx.Client, name: str) -> float:
    found = re.search(rf"^{name}{{.*}} (\S+)$", client.get("/metrics").text, re.MULTILINE)
    assert found is not None
    return float(found[1])


def test_it_says_in_one_line_where_it_listens_and_that_it_is_simulated() -> None:
    with simulator("--profile", "demo") as running:
        line = r"ttftop simulator listening on http://127\.0\.0\.1:\d+ \(profile demo, model sim-8b\) - SIMULATED\n"
        assert re.fullmatch(line, running.said)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_in_order_though_streams_are_open(number: int) -> None:
    with simulator("--profile", "demo") as running:
        with (
            running.client() as client,
            client.stream("POST", "/v1/completions", json={**ENDLESS, "stream": True}) as response,
        ):
            pieces = response.iter_text()
            assert next(pieces).startswith("data: ")
            code, took_s = ended(running, number)
            rest = "".join(pieces)
        assert code == 0
        assert took_s < 5  # 2 s are allowed; the machine may be busy
        *_, error, done, _ = rest.split("\n\n")
        assert '"code":503' in error
        assert done == "data: [DONE]"
        assert running.process.stderr is not None
        assert running.process.stderr.read() == b""


FAST = """
from dataclasses import replace
from loadgen.simulator.profiles import PROFILES
from loadgen.simulator.serve import serve
small = PROFILES["small"]
costs = replace(small.costs, decode_base_ms=0.05, decode_ms_per_sequence=0.0)
limits = replace(small.limits, blocks=100_000, context_tokens=1_000_000)
PROFILES["fast"] = replace(small, costs=costs, limits=limits)
raise SystemExit(serve("127.0.0.1", 0, "fast", 0))
"""


def test_a_client_that_reads_nothing_does_not_hold_up_the_end() -> None:
    body = b'{"prompt":"a","max_tokens":900000,"ignore_eos":true,"stream":true,"return_token_ids":true}'
    with started([sys.executable, "-c", FAST]) as running, socket.socket() as deaf:
        host, port = running.url.removeprefix("http://").split(":")
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect((host, int(port)))
        deaf.sendall(request_head(len(body)) + body)
        with running.client() as client:
            deadline = time.monotonic() + 60
            # Some 7 MB of chunks: more than the kernel keeps for a socket that nobody reads.
            while metric(client, "vllm:generation_tokens_total") < 30_000:
                assert time.monotonic() < deadline, "it makes no tokens"
                time.sleep(0.05)
        code, took_s = ended(running, signal.SIGTERM)
        assert (code, took_s < 5) == (0, True)
        assert running.process.stderr is not None
        assert running.process.stderr.read() == b""


def test_a_request_that_is_not_streamed_gets_an_error_at_the_end() -> None:
    with simulator("--profile", "demo") as running:
        host, port = running.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            body = b'{"prompt":"a","max_tokens":8000,"ignore_eos":true}'
            connection.sendall(request_head(len(body)) + body)
            with running.client() as client:
                deadline = time.monotonic() + 10
                while metric(client, "vllm:num_requests_running") != 1:
                    assert time.monotonic() < deadline, "the request does not run"
            code, _ = ended(running, signal.SIGTERM)
            answer = b"".join(iter(lambda: connection.recv(4096), b""))
        assert code == 0
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"shutting down" in answer


def test_left_alone_it_ends_by_itself_when_asked_to() -> None:
    with simulator("--profile", "small", "--exit-when-idle", "0.2") as running:
        assert running.process.wait(timeout=20) == 0


def test_it_does_not_idle_while_it_answers() -> None:
    with (
        simulator("--profile", "demo", "--exit-when-idle", "0.1") as running,
        running.client() as client,
    ):
        body = {"prompt": "a", "max_tokens": 150, "ignore_eos": True}  # some 2 s
        answer = client.post("/v1/completions", json=body)
        assert answer.json()["usage"]["completion_tokens"] == 150


def test_a_port_in_use_is_one_clear_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = run("--port", str(port))
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr == (
        f"ttftop: error: simulate: --host 127.0.0.1 --port {port}: cannot listen there: Address already in use; "
        "give another of them\n"
    )


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--profile", "gpt"), "--profile: got 'gpt', need one of demo, small, h100-8b, two-gpu"),
        (("--port", "70000"), "--port: got 70000, need a number from 0 (any free one) to 65535"),
        (("--port", "-1"), "--port: got -1"),
        (("--host", "no.such.host.invalid", "--port", "0"), "a name that cannot be resolved"),
        (("--exit-when-idle", "nan"), "--exit-when-idle: got nan"),
        (
            ("--api-key-file", "/nonexistent/key"),
            "--api-key-file /nonexistent/key: cannot read it: No such file",
        ),
        (("--api-key-file", "/dev/null"), "--api-key-file /dev/null: it is neither a file nor a pipe"),
    ],
)
def test_wrong_usage_is_one_line_and_two(flags: tuple[str, ...], says: str) -> None:
    result = run(*flags)
    assert result.returncode == 2
    assert result.stderr.startswith("ttftop: error: simulate: ")
    assert says in result.stderr
    assert result.stderr.count("\n") == 1


def test_the_key_comes_from_a_file_before_the_environment(tmp_path: Path) -> None:
    key_file = tmp_path / "key"
    key_file.write_text("fromfile\n")
    with (
        simulator("--profile", "small", "--api-key-file", str(key_file), key="fromenvironment") as running,
        running.client() as client,
    ):
        codes = [
            client.get("/v1/models", headers={"Authorization": f"Bearer {key}"}).status_code
            for key in ("fromfile", "fromenvironment")
        ]
    assert codes == [200, 401]


def test_importing_the_package_imports_no_web_framework() -> None:
    code = "import sys, loadgen.simulator.profiles; print([m for m in ('starlette', 'uvicorn', 'httpx') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"
