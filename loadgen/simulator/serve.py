"""Runs the simulator on a port until it is told to stop."""

from __future__ import annotations

import contextlib
import logging
import math
import signal
import socket
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from types import FrameType

import uvicorn

from loadgen.clock import Clock, MonotonicClock
from loadgen.errors import printable
from loadgen.signals import restored
from loadgen.simulator.app import create_app
from loadgen.simulator.engine import Engine
from loadgen.simulator.profiles import PROFILES

KEEP_ALIVE_S = 5
"""As vLLM's server."""
BACKLOG = 2048


class _Server(uvicorn.Server):
    """uvicorn, which says when it listens, and ends open streams first when it is to stop."""

    def __init__(self, config: uvicorn.Config, engine: Engine, listening: Callable[[], None]) -> None:
        super().__init__(config)
        self._engine, self._listening = engine, listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self._listening()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._engine.close()
        # A client that does not read holds its response open past the grace time: its end is no news.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL + 1)
        await super().shutdown(sockets=sockets)


def serve(
    host: str,
    port: int,
    profile: str,
    seed: int,
    api_key: str | None = None,
    ready: Callable[[int], None] | None = None,
    exit_when_idle_s: float | None = None,
    *,
    prefix_cache: bool = True,
) -> int:
    """Serves until SIGINT or SIGTERM; prints one line when it listens, then calls `ready(port)`.

    `port` 0 takes a free one. Without `prefix_cache` every prompt is computed whole. With
    `exit_when_idle_s` it also ends when for that long no request of any kind has come (a scrape of /metrics
    is one) and none is being answered. Returns an exit code: 0 stopped, 2 wrong usage (said in one line on
    stderr).
    """
    if profile not in PROFILES:
        return _wrong(f"--profile: got {profile!r}, need one of {', '.join(PROFILES)}")
    if not 0 <= port <= 65535:
        return _wrong(f"--port: got {port}, need a number from 0 (any free one) to 65535")
    if exit_when_idle_s is not None and not 0 < exit_when_idle_s < math.inf:
        return _wrong(f"--exit-when-idle: got {exit_when_idle_s:g}, need a number of seconds above 0")
    try:
        listener = _listen(host, port)
    except OSError as error:
        reason = "a name that cannot be resolved" if isinstance(error, socket.gaierror) else error.strerror
        return _wrong(f"--host {host} --port {port}: cannot listen there: {reason}; give another of them")
    chosen = PROFILES[profile] if prefix_cache else replace(PROFILES[profile], prefix_cache=False)
    bound: int = listener.getsockname()[1]
    shown = f"[{host}]" if ":" in host else host

    def listening() -> None:
        print(
            f"ttftop simulator listening on http://{shown}:{bound} "
            f"(profile {chosen.name}, model {chosen.model}) - SIMULATED",
            flush=True,
        )
        if ready is not None:
            ready(bound)

    clock = MonotonicClock(0)
    engine = Engine(chosen, clock)
    config = uvicorn.Config(
        create_app(engine, seed, time.time, api_key),
        log_level="warning",
        access_log=False,
        loop="auto",
        http="httptools",
        ws="none",
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=1,
        backlog=BACKLOG,
    )
    server = _Server(config, engine, listening)
    if exit_when_idle_s is not None:
        config.callback_notify = _idle_watch(server, engine, clock, round(exit_when_idle_s * 1e9))
        config.timeout_notify = 0
    _allow_many_connections()
    with listener, _stopped_by_signals(server):
        server.run(sockets=[listener])
    return 0


def _idle_watch(
    server: uvicorn.Server, engine: Engine, clock: Clock, idle_ns: int
) -> Callable[[], Awaitable[None]]:
    """To be called now and then: stops `server` when it has had nothing to do for `idle_ns`."""
    seen, since_ns = -1, clock.now_ns()

    async def watch() -> None:
        nonlocal seen, since_ns
        requests = server.server_state.total_requests
        if requests != seen or not engine.idle:
            seen, since_ns = requests, clock.now_ns()
        elif clock.now_ns() - since_ns >= idle_ns:
            server.should_exit = True

    return watch


def _wrong(message: str) -> int:
    print(f"ttftop: error: simulate: {printable(message, 500)}", file=sys.stderr)
    return 2


def _listen(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    listener.setblocking(False)
    return listener


@contextlib.contextmanager
def _stopped_by_signals(server: uvicorn.Server) -> Iterator[None]:
    """uvicorn raises the signal that stopped it once more at its end; without this, that would kill us."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_signal: int, _frame: FrameType | None) -> None:
        server.should_exit = True

    numbers = (signal.SIGINT, signal.SIGTERM)
    with restored(numbers):
        for number in numbers:
            signal.signal(number, stop)
        yield


def _allow_many_connections() -> None:
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = 65536 if hard == resource.RLIM_INFINITY else min(65536, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
