"""What a person adds to every request, from the command line to the server, and into no file of the session."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.loadgen.probe.servers import Asked, Reply, Served, Server, Vllm, as_json, serving

CANARY = "sk-CANARY-7f3a"
RUN = [
    "--rate",
    "20",
    "--duration",
    "1s",
    "--output-tokens",
    "5",
    "--input-tokens",
    "16",
    "--telemetry",
    "none",
]


@contextmanager
def running(server: Server) -> Iterator[Served]:
    """`server`, in a thread of its own."""
    loop = asyncio.new_event_loop()
    ready, stop = threading.Event(), asyncio.Event()
    given: list[Served] = []

    async def serve() -> None:
        async with serving(server) as served:
            given.append(served)
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert ready.wait(10)
    try:
        yield given[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


def everything_in(directory: Path) -> bytes:
    files = [path for path in directory.rglob("*") if path.is_file()]
    return b"".join(
        gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes() for path in files
    )


def tenant(asked: Asked) -> Reply:
    """A gateway that wants a header, repeats it, and fails every fifth request of the load with it."""
    if asked.headers.get("x-tenant") != CANARY:
        return as_json({"error": "no tenant"}, 401)
    body = asked.json() if asked.body else {}
    if body.get("max_tokens") == 5 and body["prompt"][0] % 5 == 0:
        return as_json({"error": f"busy, {asked.headers['x-tenant']}"}, 500)
    return Vllm()(asked)


@pytest.mark.slow
def test_a_header_is_as_secret_as_a_key_from_the_command_to_the_session(
    ttftop: Command, home: Path, tmp_path: Path
) -> None:
    file = tmp_path / "headers"
    file.write_text(f"X-Tenant: {CANARY}\n", encoding="utf-8")
    file.chmod(0o600)
    with running(tenant) as served:
        given = ["--header", f"@{file}", "--plain-header", "x-team: one", "--body", "temperature=0.5"]
        done = ttftop(served.url, *RUN, *given, "--timeout", "first-token=5m", "--debug")
        assert done.returncode in (0, 1), done.stderr
        by_environment = ttftop(
            served.url, *RUN, "--body", "temperature=0.5", TTFTOP_HEADERS=f"x-tenant: {CANARY}"
        )
        assert by_environment.returncode in (0, 1), by_environment.stderr
        assert "no tenant" not in by_environment.stderr
    assert {asked.headers.get("x-team") for asked in served.asked} == {"one", None}
    assert all(asked.json()["temperature"] == 0.5 for asked in served.asked if asked.body)
    kept = everything_in(home) + (done.stdout + done.stderr + by_environment.stderr).encode()
    assert b"busy, ***" in kept
    assert CANARY.encode() not in kept
    assert b"x-team: one" in kept
    assert b'"x-tenant"' in kept
    assert b"first-token = 300" in kept


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--header", CANARY], "--header: need 'Name: value', or @FILE with one such line for each header"),
        (["--header", "@none"], "--header @***: cannot read it: No such file or directory"),
        (["--plain-header", "te: x"], "--plain-header: te is set by ttftop itself, leave it out"),
        (["--body", "model=x"], "--body: model: --model sets it"),
        (["--timeout", "first=1m"], "--timeout: got 'first=1m', need NAME=TIME such as first-token=10m; NAME is one of"),
        (["--timeout", "gap=0"], "--timeout: gap: got '0', need a length of time above 0"),
        (["--cert-key", "x"], "--cert-key: got 'x', need the certificate it belongs to as well (--cert FILE)"),
        (["--cert", "/none"], "--cert: cannot read /none: No such file or directory"),
        (["--path", "x"], "--path: got 'x', need one such as /v3/chat/completions"),
    ],
)  # fmt: skip
def test_what_cannot_be_added_is_refused_in_one_line(typed: Command, given: list[str], said: str) -> None:
    done = typed("http://127.0.0.1:9", *given)
    assert done.returncode == 2
    assert done.stderr.startswith(f"ttftop: error: {said}")
    assert len(done.stderr.splitlines()) == 1
    assert CANARY not in done.stderr


def test_headers_of_the_environment_are_checked_too(typed: Command) -> None:
    done = typed("http://127.0.0.1:9", TTFTOP_HEADERS=f"x: 1\n{CANARY}")
    assert (done.returncode, CANARY in done.stderr) == (2, False)
    assert done.stderr.startswith("ttftop: error: TTFTOP_HEADERS, line 2: need 'Name: value'")


@pytest.mark.slow
def test_doctor_asks_with_the_same_headers(ttftop: Command) -> None:
    with running(tenant) as served:
        done = ttftop("doctor", served.url, "--telemetry", "none", "--header", f"x-tenant: {CANARY}")
    assert "load goes to                 /v1/completions" in done.stdout, done.stderr
    assert CANARY not in json.dumps(done.stdout + done.stderr)


def test_doctor_reads_a_key_that_comes_through_a_pipe_once_and_hides_it(typed: Command) -> None:
    key = f"{CANARY}-of-a-pipe"

    def guarded(asked: Asked) -> Reply:
        if asked.headers.get("authorization") != f"Bearer {key}":
            return as_json({"error": "no key"}, 401)
        return Vllm(owner=base64.b64encode(key.encode()).decode())(asked)

    reading, writing = os.pipe()
    os.write(writing, f"{key}\n".encode())
    os.close(writing)
    try:
        with running(guarded) as served:
            file = f"/dev/fd/{reading}"
            done = typed("doctor", served.url, "--telemetry", "none", "--api-key-file", file)
    finally:
        os.close(reading)
    assert "load goes to                 /v1/completions" in done.stdout, done.stderr
    assert f"{served.url} is ***" in done.stdout
    assert CANARY not in done.stdout + done.stderr
