"""ttftop itself against the stamping server: supervisor, worker and, on a pseudo-terminal, its screen."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import gzip
import os
import pty
import select
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.client.cases import Product
from benchmarks.client.clients.telling import quantiles_ms, sends_of
from benchmarks.client.memory import largest, of_run
from benchmarks.client.priority import give
from benchmarks.client.stand import Stand, pinned
from loadgen.endpoints import ENDPOINTS
from loadgen.probe.probe import probe
from loadgen.probe.result import ProbeResult
from loadgen.records import Request
from loadgen.target.url import parse_target
from loadgen.workload.synthetic_prompt import prompt
from sessions.store.journal import request_paths
from sessions.store.manifest import Manifest, SessionError, read
from sessions.store.parse import parse

Told = dict[str, Any]
TTFTOP = str(Path(sys.executable).with_name("ttftop"))
INPUT_TOKENS = 8
SEED = 0
"""Of the prompts, by which a request is found again in what the server wrote down."""
SIZE = (40, 120)
"""Rows and columns of the terminal."""
PATIENCE_S = 90.0
DRAWN_BYTES = 1500
"""A screen that has sent so many is there."""
LATER_S = 2.0
"""After the terminal is read again: a screen that was stopped draws what it missed."""


class Unmeasured(Exception):
    """Why there is no figure."""


class Terminal:
    """A pseudo-terminal that is read all the time, except while it is stalled."""

    def __init__(self) -> None:
        self.controller, self.terminal = pty.openpty()
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", *SIZE, 0, 0))
        self.bytes_read = 0
        self.reading, self._over = threading.Event(), threading.Event()
        self.reading.set()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        while not self._over.is_set():
            if not self.reading.wait(0.05):
                continue
            if select.select([self.controller], [], [], 0.05)[0] and self.reading.is_set():
                try:
                    self.bytes_read += len(os.read(self.controller, 65536))
                except OSError:  # nobody has the other end any more
                    return

    def stall(self, seconds: float) -> int:
        """Nobody reads for so long. Returns how many bytes waited at the end of it."""
        self.reading.clear()
        time.sleep(seconds)
        waiting = fcntl.ioctl(self.controller, termios.FIONREAD, b"\0\0\0\0")
        self.reading.set()
        return int.from_bytes(waiting, sys.byteorder)

    def close(self) -> None:
        self._over.set()
        self._thread.join()
        os.close(self.controller)


def measure(product: Product, stand: Stand) -> Told:
    """One run and what came of it.

    `error_ms` is the session's time of each token minus the server's time of its send: over the whole run, or
    with a screen over the time before the terminal stalled; `stalled_ms` is the same of what was sent while
    it was stalled. `memory` is of the processes that make the run, at their largest.

    Raises:
        Unmeasured: the run, or one of its requests, failed.
    """
    stand.configure(product.server)
    with tempfile.TemporaryDirectory(prefix="ttftop-bench-") as scratch:
        told = _run(product, stand, scratch)
        directory = next(path for path in Path(scratch).iterdir() if path.is_dir())
        manifest = read(directory)
        result = manifest.result or {}
        if manifest.end is None or manifest.end.reason != "completed":
            raise Unmeasured(f"the run ended: {manifest.end and manifest.end.message}")
        requests = list(_requests(directory))
        told |= {
            "events": sum(record.output_tokens or 0 for record in requests),
            "requests": len(requests),
            "reasons": result.get("reasons", []),
            "client": result.get("client", {}),
        }
        told["truth"] = stand.ask("/stats")
        if product.errors:
            told |= _errors(product, stand, manifest, requests, told.pop("stalled_ns"))
            told["send_lag_ms"] = quantiles_ms([r.sent_ns - r.due_ns for r in requests if r.sent_ns])
    return told


def _run(product: Product, stand: Stand, scratch: str) -> Told:
    argv = [*pinned(stand.client_core), TTFTOP, "run", stand.url, "--concurrency", str(product.streams)]
    argv += ["--max-in-flight", str(max(4096, product.streams)), "--workers", "1"]
    argv += ["--input-tokens", str(INPUT_TOKENS), "--output-tokens", str(product.tokens), "--seed", str(SEED)]
    argv += ["--nodes", "local://"] if product.agent else []
    argv += ["--duration", f"{product.seconds:g}s", "--sessions-dir", scratch]
    environment = {**os.environ, "TERM": "xterm-256color"}
    environment.pop("NO_COLOR", None)
    with contextlib.ExitStack() as stack:
        terminal: Terminal | None = None
        if product.screen:
            terminal = Terminal()
            stack.callback(terminal.close)
            end = terminal.terminal
        else:
            argv.append("--headless")
            end = subprocess.DEVNULL
        process = subprocess.Popen(
            argv, stdin=end, stdout=end, stderr=end, env=environment, start_new_session=True
        )
        stack.callback(process.wait)
        stack.callback(process.kill)
        if terminal is not None:
            os.close(terminal.terminal)
        directory = _until_running(Path(scratch), process)
        give(read(directory).session.pid or process.pid)  # the supervisor leads a POSIX session of its own
        if product.agent:
            _give_to_agents(directory)
        if terminal is not None and product.key:
            _press(terminal, product.key, process)
        began = time.monotonic()
        told: Told = {"stalled_ns": None}
        if terminal is not None and product.stall_s is not None:
            time.sleep((product.seconds - product.stall_s) / 2)
            drawn, start_ns = terminal.bytes_read, time.monotonic_ns()
            told["waiting_bytes"] = terminal.stall(product.stall_s)
            told["stalled_ns"] = (start_ns, time.monotonic_ns())
            told["drawn_kb_per_s"] = drawn / 1000 / ((product.seconds - product.stall_s) / 2)
            if not told["waiting_bytes"]:
                raise Unmeasured("nothing waited in the terminal: the screen did not draw")
        # Reading what a process has takes its memory lock: last of all, outside of what is compared.
        time.sleep(max(0.0, began + product.seconds - LATER_S - time.monotonic()))
        samples = []
        while time.monotonic() < began + product.seconds:
            samples.append(of_run(scratch))
            time.sleep(0.5)
        told["memory"] = largest(samples)
        _until_ended(directory)
    return told


def _give_to_agents(directory: Path) -> None:
    """Priority to the workers of agents, each of which leads a POSIX session of its own."""
    deadline = time.monotonic() + PATIENCE_S
    while not (nodes := read(directory).client.get("nodes")) and time.monotonic() < deadline:
        time.sleep(0.01)  # written right behind the first word of the load
    places = {node["directory"].encode() for node in nodes or ()}
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if places & set(path.read_bytes().split(b"\0")):
                give(int(path.parent.name))


def _press(terminal: Terminal, key: str, process: subprocess.Popen[bytes]) -> None:
    """Once there is a screen."""
    deadline = time.monotonic() + PATIENCE_S
    while terminal.bytes_read < DRAWN_BYTES and process.poll() is None:
        if time.monotonic() > deadline:
            raise Unmeasured(f"no screen within {PATIENCE_S:g} s")
        time.sleep(0.02)
    os.write(terminal.controller, key.encode())


def _until_running(root: Path, process: subprocess.Popen[bytes]) -> Path:
    """The session's directory, once the load runs."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        for journal in root.glob("*/host.jsonl"):
            if b'"state":"running"' in journal.read_bytes():
                return journal.parent
        if process.poll() is not None:
            raise Unmeasured(f"ttftop ended with exit code {process.returncode} before its load ran")
        time.sleep(0.05)
    raise Unmeasured(f"no load within {PATIENCE_S:g} s")


def _until_ended(directory: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        with contextlib.suppress(SessionError):
            if read(directory).result is not None:  # written after the end
                return
        time.sleep(0.2)
    raise Unmeasured(f"the run did not end within {PATIENCE_S:g} s of its load")


def _requests(directory: Path) -> Iterator[Request]:
    for path in request_paths(directory):
        with gzip.open(path) as lines:
            for line in lines:
                if isinstance(record := parse(line), Request):
                    if record.error is not None:
                        raise Unmeasured(f"a request failed: {record.error.message}")
                    yield record


def _asked(product: Product, stand: Stand) -> ProbeResult:
    """How the run asked the server: found as the run found it, for the session keeps no prompts."""
    return asyncio.run(
        probe(
            parse_target(stand.url),
            None,
            model=None,
            endpoint="auto",
            input_tokens=INPUT_TOKENS,
            output_tokens=product.tokens,
            seed=SEED,
            on_note=lambda text: None,
        )
    )


def _errors(
    product: Product,
    stand: Stand,
    manifest: Manifest,
    requests: list[Request],
    stalled_ns: tuple[int, int] | None,
) -> Told:
    sends, asked = sends_of(stand.port), _asked(product, stand)
    template, origin_ns = asked.template, manifest.clock.origin_monotonic_ns
    for node in manifest.client.get("nodes", ()):  # its files are of its own clock, which is this machine's
        origin_ns += node["clock_offset_ns"]
    errors: list[int] = []
    sent: list[int] = []
    for record in requests:
        ids = prompt(asked.prompt, 0, record.index)
        field = template.max_tokens_field
        body = ENDPOINTS[template.endpoint].body(template.fields, ids, field, asked.output_tokens)
        truth = sends[body]
        if record.first_token_ns is None or record.chunks != len(truth):
            raise Unmeasured(f"request {record.index}: {record.chunks} tokens, the server sent {len(truth)}")
        # Gaps are differences of whole microseconds: they add up without an error that grows.
        times_us = accumulate(record.gaps_us, initial=record.first_token_ns // 1000)
        sent += truth
        errors += [t * 1000 + 500 + origin_ns - at for t, at in zip(times_us, truth, strict=True)]
    at, error = np.array(sent), np.array(errors)
    if stalled_ns is None:
        return {"error_ms": quantiles_ms(error.tolist())}
    start, end = stalled_ns
    return {
        "error_ms": quantiles_ms(error[at < start].tolist()),
        "stalled_ms": quantiles_ms(error[(at >= start) & (at < end)].tolist()),
    }
