"""What is not a load: start, install size, and the tests that count quirks of servers and splits."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

from benchmarks import startup
from benchmarks.client.environments import PEERS, ROOT, size_mb
from benchmarks.client.measure import NOT_INSTALLED
from benchmarks.client.priority import PREFIX
from benchmarks.client.product import Unmeasured

Told = dict[str, Any]
STARTS = 5
QUIRKS = "tests/quirks/test_server_quirks.py"
SPLITS = "tests/loadgen/endpoints/test_sse.py"
_ROW = re.compile(r"test_(?:a_quirk_\w+\[(\d+)|(\d+)_)")
"""The number of a row in the list of quirks, in the name of a test."""
SPLITS_TEST = "test_every_split_in_two_and_thousands_of_random_splits_give_the_same_events"


def start() -> Told:
    """Seconds from the command to its first request at the server, in `STARTS` runs; all of the command."""
    environment = {**os.environ, "TERM": "xterm-256color"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # what changed would be compiled anew at each start
    with tempfile.TemporaryDirectory() as scratch, startup.simulator() as address:
        times = []
        for _ in range(STARTS):
            proxy = startup.TimingProxy(address)
            command = [*PREFIX, *startup.ttftop_command(proxy.url, f"{scratch}/sessions", "--headless")]
            times.append(startup.first_request_s(command, proxy, environment, Path(scratch)))
    if None in times:
        raise Unmeasured("a run sent no request")
    return {"first_request_s": sorted(t for t in times if t is not None)[STARTS // 2], "runs": STARTS}


def size(name: str) -> Told:
    megabytes = size_mb(name)
    if megabytes is None:
        raise Unmeasured(NOT_INSTALLED)
    return {"size_mb": megabytes}


def quirks() -> Told:
    """Runs the scripts of servers' quirks and the random splits, and counts what failed."""
    scripts = _outcomes(QUIRKS)
    rows = [_ROW.match(name) for name in scripts]
    splits = _outcomes(f"{SPLITS}::{SPLITS_TEST}")
    least = re.search(r"tried >= ([\d_]+)", (ROOT / SPLITS).read_text())
    return {
        "played": sum(row is not None for row in rows),
        "rows": len({row[1] or row[2] for row in rows if row is not None}),
        "wrong": sum(not ok for ok in scripts.values()),
        "splits": int(least[1]) if least else 0,
        "splits_wrong": sum(not ok for ok in splits.values()),
    }


def _outcomes(tests: str) -> dict[str, bool]:
    """Test -> whether it passed."""
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch) / "report.xml"
        argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", tests]
        done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
        if not report.exists():
            raise Unmeasured(f"pytest: {(done.stdout + done.stderr).strip().splitlines()[-1][:120]}")
        found = {
            f"{case.get('name')}": case.find("failure") is None and case.find("error") is None
            for case in ElementTree.parse(report).iter("testcase")
            if case.find("skipped") is None
        }
    if not found:
        raise Unmeasured("no test was found")
    return found


def job(name: str, who: str) -> Told:
    """The check `name`; `who` is the environment of a size."""
    if name == "size":
        return size(who)
    return start() if name == "start" else quirks()


SIZES = tuple(PEERS)
