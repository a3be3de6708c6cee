"""What needs no screen does not load one: Textual costs half a second and 30 MB."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

REPORT = """
import sys
from tui.cli import main
code = main(sys.argv[1:])
loaded = {name.split(".")[0] for name in sys.modules}
sys.stderr.write("LOADED " + " ".join(sorted(loaded & {"textual", "rich", "plotext", "httpx", "uvicorn"})))
raise SystemExit(code)
"""


def loaded_by(*arguments: str, home: Path) -> set[str]:
    """The heavy packages that `ttftop ARGUMENTS` loaded into its process."""
    done = subprocess.run(
        [sys.executable, "-c", REPORT, *arguments],
        cwd=ROOT,
        env={"HOME": str(home), "PATH": "/usr/bin:/bin"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "LOADED" in done.stderr, done.stderr
    return set(done.stderr.rpartition("LOADED")[2].split())


@pytest.mark.parametrize(
    "line",
    ["--help", "run --help", "demo --help", "replay --help", "sessions", "summary nosuch", "frobnicate"],
)
def test_help_and_lists_load_nothing_heavy(tmp_path: Path, line: str) -> None:
    assert loaded_by(*line.split(), home=tmp_path) == set()


@pytest.mark.slow
def test_a_headless_run_and_its_summary_load_no_screen(tmp_path: Path, simulator_url: str) -> None:
    run = ["run", simulator_url, "--headless", "--duration", "1s", "--rate", "20", "--output-tokens", "4"]
    assert loaded_by(*run, home=tmp_path).isdisjoint({"textual", "plotext"})
    assert loaded_by("summary", "--no-charts", home=tmp_path).isdisjoint({"textual", "plotext"})
    assert loaded_by("summary", "--charts", home=tmp_path).isdisjoint({"textual"})
