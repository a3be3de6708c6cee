"""What needs no screen does not load one: Textual costs half a second and 30 MB."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

REPORT = """
import shlex, sys
from tui.cli import main
for line in sys.argv[1:]:
    main(shlex.split(line))
    loaded = {name.split(".")[0] for name in sys.modules} & {"textual", "rich", "plotext", "httpx", "uvicorn"}
    print("LOADED", *sorted(loaded), file=sys.stderr)
"""


def loaded_by(*lines: str, home: Path) -> list[set[str]]:
    """The heavy packages that one process has loaded after each `ttftop LINE` of these, done one after another."""
    done = subprocess.run(
        [sys.executable, "-c", REPORT, *lines],
        cwd=ROOT,
        env={"HOME": str(home), "PATH": "/usr/bin:/bin"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    told = [line.split()[1:] for line in done.stderr.splitlines() if line.startswith("LOADED")]
    assert len(told) == len(lines), done.stderr
    return [set(names) for names in told]


def test_help_and_lists_load_nothing_heavy(tmp_path: Path) -> None:
    lines = [
        "--help",
        "run --help",
        "demo --help",
        "replay --help",
        "sessions",
        "summary nosuch",
        "frobnicate",
    ]
    found = loaded_by(*lines, home=tmp_path)
    assert {line: names for line, names in zip(lines, found, strict=True) if names} == {}


@pytest.mark.slow
def test_a_headless_run_and_its_summary_load_no_screen(tmp_path: Path, simulator_url: str) -> None:
    run = f"run {simulator_url} --headless --duration 1s --rate 20 --output-tokens 4"
    of_run, of_summary, of_charts = loaded_by(run, "summary --no-charts", "summary --charts", home=tmp_path)
    assert of_run.isdisjoint({"textual", "plotext"})
    assert of_summary.isdisjoint({"textual", "plotext"})
    assert "plotext" in of_charts
    assert "textual" not in of_charts
