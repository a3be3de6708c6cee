"""One run of one client on a case: what it told, and the server's truth."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from typing import Any

import numpy as np

from benchmarks.client.cases import CASES, SPEED, WHOLE_TOOLS, Case
from benchmarks.client.clients.telling import quantiles_ms
from benchmarks.client.environments import CACHE, ROOT, python_of
from benchmarks.client.product import Unmeasured
from benchmarks.client.stand import Stand, pinned, tokenizer

Told = dict[str, Any]
PATIENCE_S = 120.0
PATIENCE_TOOL_S = 240.0
FROZEN_S = 2.0
BEFORE_FREEZE = 30
"""Requests the server has answered when it is stopped."""
NOT_INSTALLED = "not installed (--peers installs it)"
MODULES = {
    "aiohttp": "aiohttp_vllm",
    "httpx": "httpx_lines",
    "httpx_open": "httpx_open",
    "sglang_rust": "sglang_rust",
    "ours": "ours",
    "ours_asyncio": "ours",
}


def command(client: str, case: Case, port: int, requests: int) -> list[str]:
    """How to run a client.

    Raises:
        Unmeasured: it is not installed.
    """
    load = [str(port), str(case.streams), str(requests)]
    python = None
    if client not in ("reader", "ours", "ours_asyncio"):
        python = python_of("httpx" if client == "httpx_open" else client)
        if python is None:
            raise Unmeasured(NOT_INSTALLED)
    if client in WHOLE_TOOLS:
        module = "benchmarks.client.clients.whole_tool"
        return [sys.executable, "-m", module, client, str(tokenizer()), *load, str(case.tokens)]
    if case.paced and case.rate_rps is None and client != "sglang_rust":
        load.append("--errors")
    if client == "reader":
        return [str(CACHE / "bin" / "reader"), *load]
    if case.rate_rps is not None:
        load += ["--rate", str(case.rate_rps), "--arrivals", case.arrivals]
    if case.seconds is not None:
        load += ["--seconds", str(case.seconds)]
    if client.startswith("ours"):
        load += ["--counted"] if "counted" in case.server else []
        load += ["--loop", "asyncio"] if client == "ours_asyncio" else []
        load += ["--workload", case.workload] if case.workload != "plain" else []
    return [str(python or sys.executable), "-m", f"benchmarks.client.clients.{MODULES[client]}", *load]


def measure(client: str, name: str, stand: Stand) -> Told:
    """One run.

    Raises:
        Unmeasured: why there are no figures: not installed, failed, too slow, or counted wrongly.
    """
    case = CASES[name]
    requests = case.requests if case.paced else case.requests * SPEED[client]
    argv = [*pinned(stand.client_core), *command(client, case, stand.port, requests)]
    # SGLang's Python client does not stand an event without choices and counts the request as failed.
    stand.configure(case.server + ("&usage=0" if client == "sglang" else ""))
    spawned_ns = time.monotonic_ns()
    frozen_ns: tuple[int, int] | None = None
    ends = subprocess.PIPE
    with subprocess.Popen(
        argv, stdout=ends, stderr=ends, text=True, cwd=ROOT, start_new_session=True
    ) as process:
        try:
            if name == "freeze":
                frozen_ns = freeze(stand, process)
            patience_s = PATIENCE_TOOL_S if client in WHOLE_TOOLS else PATIENCE_S
            out, errors = process.communicate(timeout=patience_s)
        except subprocess.TimeoutExpired:
            process.terminate()  # a whole tool's wrapper ends its processes then
            try:
                process.communicate(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
            raise Unmeasured(f"took longer than {patience_s:g} s") from None
        except BaseException:
            process.terminate()
            raise
    if process.returncode != 0 or not out.strip():
        raise Unmeasured((errors.strip().splitlines() or [f"exit code {process.returncode}"])[-1][:160])
    told: Told = {"requests": requests, **json.loads(out.strip().splitlines()[-1])}
    finished: int = told["succeeded"] if "succeeded" in told else told["requests"]
    if told["events"] != finished * case.tokens:
        raise Unmeasured(f"counted {told['events']} tokens of {finished} requests x {case.tokens}")
    told["truth"] = stand.ask("/stats")
    if finished != told["requests"]:
        others = f" ({told['others']})" if "others" in told else ""
        answered = f"the server answered {told['truth']['requests']}"
        told["note"] = f"it counts {finished} of {told['requests']} requests{others}, {answered}"
    told["first_request_s"] = (told["truth"]["first_ns"] - told.pop("spawned_ns", spawned_ns)) / 1e9
    if case.rate_rps is not None:
        told |= of_schedule(told.pop("times_ns"), frozen_ns)
    return told


def freeze(stand: Stand, process: subprocess.Popen[str]) -> tuple[int, int]:
    """Stops the server under load for `FROZEN_S`; from when to when, CLOCK_MONOTONIC ns."""
    while stand.ask("/stats")["requests"] < BEFORE_FREEZE:
        if process.poll() is not None:
            raise Unmeasured("it ended before the server was stopped")
        time.sleep(0.05)
    start_ns = time.monotonic_ns()
    stand.server.send_signal(signal.SIGSTOP)
    try:
        time.sleep(FROZEN_S)
    finally:
        end_ns = time.monotonic_ns()
        stand.server.send_signal(signal.SIGCONT)
    return start_ns, end_ns


def of_schedule(times_ns: list[list[int]], frozen_ns: tuple[int, int] | None) -> Told:
    """Figures of an open loop from due, sent and first token of each request, CLOCK_MONOTONIC ns.

    `slope_us_per_s`: of a line through the lateness of all requests by least squares;
    `slope_median_us_per_s`: through the median of each second, which a stall of the machine does not bend.
    Neither of less than a second.
    """
    due, sent, first = np.array(times_ns).T
    late = sent - due
    seconds = (due - due.min()) / 1e9
    whole = np.unique(seconds.astype(int))
    medians = [np.median(late[seconds.astype(int) == second]) for second in whole]
    told: Told = {
        "send_late_ms": quantiles_ms(late.tolist()),
        "from_due_ms": quantiles_ms((first - due).tolist()),
    }
    if len(whole) > 1:
        told["slope_us_per_s"] = float(np.polyfit(seconds, late, 1)[0]) / 1e3
        told["slope_median_us_per_s"] = float(np.polyfit(whole + 0.5, medians, 1)[0]) / 1e3
    if frozen_ns is not None:
        start, end = frozen_ns
        meanwhile = (due >= start) & (due < end)
        told["due_frozen"] = int(meanwhile.sum())
        told["sent_frozen"] = int(((sent >= start) & (sent < end)).sum())
        told["late_frozen_ms"] = quantiles_ms(late[meanwhile].tolist())
    return told
