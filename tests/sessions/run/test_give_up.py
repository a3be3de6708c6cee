"""A run in which everything fails from the first request on: it ends early, or stops sending on a screen."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sessions.frame.session_view import SessionView
from sessions.plan.config import LoadConfig, PlanConfig, RunConfig, WorkloadConfig
from sessions.plan.stages import Stage
from sessions.plan.target_config import TargetConfig
from sessions.run.asking import PromptFiles
from sessions.run.commands import AbortRun, Resume
from sessions.run.control_client import send_once
from sessions.run.launch import Launched, launch
from sessions.run.preflight import Preflight, preflight
from sessions.store.manifest import read
from sessions.summary.read import read_summary
from tests.loadgen.raw_server import sse, token, usage
from tests.sessions.run.test_supervisor import host_records, until

pytestmark = pytest.mark.slow

REFUSAL = b'{"error":{"message":"model not loaded"}}'


class Server(ThreadingHTTPServer):
    """Answers `good` requests well, and every later one with 500 or what `then` says."""

    daemon_threads = True
    posts = 0
    good: float = float("inf")
    then: int = 500


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        self._answer(200, "application/json", b'{"data":[{"id":"m"}]}')

    def do_POST(self) -> None:
        asked = msgspec.json.decode(self.rfile.read(int(self.headers["content-length"])))
        self.server.posts += 1
        if self.server.posts > self.server.good:
            self._answer(self.server.then, "application/json", REFUSAL)
            return
        n = asked.get("max_tokens") or 8
        events = [token() for _ in range(n - 1)] + [token(finish="length"), usage(32, n), "[DONE]"]
        self._answer(200, "text/event-stream", sse(*events))

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def failing_server(then: int = 500, **load: Any) -> Iterator[tuple[Server, RunConfig]]:
    """Good for exactly as many requests as the probe of such a run asks."""
    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    config = RunConfig(
        TargetConfig(f"http://127.0.0.1:{server.server_port}", model="m", endpoint="completions"),
        LoadConfig(**load),
        WorkloadConfig(input_tokens=32, output_tokens=8),
        telemetry=["none"],
    )
    asked = preflight(config, None, lambda text: None, PromptFiles(Path()))
    assert isinstance(asyncio.run(asked), Preflight)
    server.good, server.posts, server.then = server.posts, 0, then
    try:
        yield server, config
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def started(config: RunConfig, root: Path) -> Iterator[Launched]:
    run = launch(config, root=root, api_key=None)
    try:
        run.wait_ready(30)
        yield run
    finally:
        if run.process.poll() is None:
            run.process.kill()
        run.process.wait()
        assert run.process.stdout is not None
        run.process.stdout.close()


@pytest.mark.parametrize("load", [{"rate_rps": 200.0}, {"concurrency": 4, "workers": 2}])
def test_a_run_without_a_screen_ends_early_with_the_reason(tmp_path: Path, load: dict[str, Any]) -> None:
    with failing_server(duration_s=600.0, give_up=20, **load) as (_, config):
        with started(config, tmp_path) as run:
            assert run.process.wait(30) == 1
        said, end = read_summary(run.directory), read(run.directory).end
    assert end is not None
    assert end.reason == "gave_up"
    assert end.message == 'the first 20 requests all failed, lately with: HTTP 500 "model not loaded"'
    assert not said.valid
    assert said.reasons[0] == "the run gave up, since every request failed from the first on"
    assert 20 <= said.requests.failed == said.requests.sent < 200
    assert said.causes[0].words == 'HTTP 500 "model not loaded"'


def test_a_plan_is_given_up_though_each_of_its_stages_is_shorter_than_that(tmp_path: Path) -> None:
    with failing_server(give_up=20) as (_, config):
        stages = [Stage(f"{n}", concurrency=5, requests=5) for n in range(40)]
        config = msgspec.structs.replace(config, plan=PlanConfig("p", stages))
        with started(config, tmp_path) as run:
            assert run.process.wait(60) == 1
        said, end = read_summary(run.directory), read(run.directory).end
    assert end is not None
    assert end.reason == "gave_up"
    assert 20 <= said.requests.failed < 200


def test_with_a_screen_it_stops_sending_until_it_is_resumed_and_then_counts_anew(tmp_path: Path) -> None:
    with failing_server(rate_rps=200.0, give_up=20) as (server, config):
        config = msgspec.structs.replace(config, interactive=True)
        with started(config, tmp_path) as run:

            def changes() -> list[str]:
                return [r.change for r in host_records(run.directory) if hasattr(r, "change")]

            until(lambda: changes() == ["start", "stop"], "it stops")
            view = SessionView(run.directory)

            def shown() -> Any:
                view.poll()
                frame = view.frame(view.last_ns + 10**9, 60 * 10**9, 60)
                return frame if frame.failing and frame.state == "stopped" else None

            frame = until(shown, "a screen shows it")
            assert any(
                mark.kind == "error" and mark.label.startswith("stopped sending: the first 20 requests all failed")
                and mark.label.endswith('HTTP 500 "model not loaded"; space resumes')
                for mark in frame.marks
            )  # fmt: skip
            view.close()
            send_once(run.directory, Resume())
            until(lambda: changes() == ["start", "stop", "resume", "stop"], "it stops again")
            server.good = float("inf")
            send_once(run.directory, Resume())
            until(lambda: server.posts > 400, "it goes on, since the server is mended")
            assert changes() == ["start", "stop", "resume", "stop", "resume"]
            send_once(run.directory, AbortRun())
            run.process.wait(20)


@pytest.mark.parametrize(("give_up", "then"), [(0, 500), (20, 503)])
def test_it_goes_on_where_that_was_asked_for_or_the_server_is_just_busy(
    tmp_path: Path, give_up: int, then: int
) -> None:
    with failing_server(then, rate_rps=200.0, requests=120, give_up=give_up) as (_, config):
        with started(config, tmp_path) as run:
            assert run.process.wait(30) == 1
        said = read_summary(run.directory)
    assert said.end.reason == "completed"
    assert said.requests.failed == said.requests.due == 120


def test_one_that_stopped_sending_and_that_nobody_watches_does_not_wait_for_ever(tmp_path: Path) -> None:
    with failing_server(rate_rps=200.0, give_up=20, requests=10_000) as (_, config):
        config = msgspec.structs.replace(config, interactive=True, orphan_timeout_s=1.0)
        with started(config, tmp_path) as run:
            assert run.process.wait(30) == 1
        end = read(run.directory).end
    assert end is not None
    assert end.reason == "orphaned"
