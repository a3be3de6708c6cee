"""Each plan that comes with ttftop, a thousandth of it, to its end against the simulator."""

from __future__ import annotations

import contextlib
import io
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sessions.plan.builtin_plans import names
from tests.loadgen.simulator.processes import started
from tui.cli import main

SERVER = """
from dataclasses import replace
from loadgen.simulator.batch import Costs
from loadgen.simulator.profiles import PROFILES
from loadgen.simulator.serve import serve
small = PROFILES["small"]
# Two at a time: a closed loop with hundreds of slots waits for the server, not for this machine.
limits = replace(small.limits, max_sequences=2, max_batched_tokens=1 << 20, blocks=1 << 20, context_tokens=1 << 17)
PROFILES["quick"] = replace(small, costs=Costs(10.0, 0.0, 0.2, 0.0, 0.0), limits=limits, mean_output_tokens=8)
raise SystemExit(serve("127.0.0.1", 0, "quick", 0))
"""
"""A server that takes 10 ms for a prompt of any length; its answers end of themselves after some 8 tokens."""

SETTINGS = ["run.body=['ignore_eos=false','min_tokens=0']", "run.seed=1"]
"""A thousandth of the plans is a million tokens still, and what they cost is not what is tried here. The seed's
Poisson arrivals have some in 0.6 s at 4 rps."""
MORE_SETTINGS = {"guidellm-sweep": ["stages.1.concurrency=32"]}
"""A thousandth of its throughput stage is 0.1 s, too short to send for 512 slots."""


@pytest.fixture(scope="module")
def quick_url() -> Iterator[str]:
    with started([sys.executable, "-c", SERVER]) as running:
        yield running.url


@pytest.mark.slow
@pytest.mark.parametrize("plan", names())
def test_every_plan_runs_to_its_end(
    plan: str, quick_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    settings = [word for one in (*SETTINGS, *MORE_SETTINGS.get(plan, ())) for word in ("--set", one)]
    run = ["run", quick_url, "--plan", plan, "--scale", "0.001", "--name", "s", *settings]
    code, said = in_this_process([*run, "--headless", "--telemetry", "none"])
    read, text = in_this_process(["summary", "s", "--json"])
    summary = json.loads(text)
    stages = summary["plan"]["stages"]
    assert {stage["state"] for stage in stages} <= {"done", "left out"}, said
    assert stages[0]["state"] == "done"
    assert sum(stage["requests"] for stage in stages) > 0
    assert summary["errors"] == {}
    # Where this machine has other work, hundreds of slots in 0.2 s may be too many for the client: it says so.
    reasons = [
        reason for reason in summary["reasons"] if not re.search("the client was|requests were sent", reason)
    ]
    assert (read, reasons) == (0, []), said
    missed = summary["slo"] is not None and summary["slo"]["verdict"] == "fail"
    assert code == (0 if summary["valid"] and not missed else 1)


def in_this_process(arguments: list[str]) -> tuple[int, str]:
    """Exit code and output of a command. A process of its own would cost more than the run."""
    out, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
        code = main(arguments)
    return code, out.getvalue() + errors.getvalue()
