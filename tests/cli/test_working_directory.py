"""What lies in the directory where a person starts `ttftop` is none of its business."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TAKEN = ("json", "runpy", "asyncio", "msgspec", "telemetry", "loadgen", "sessions", "sitecustomize", "signal")


@pytest.fixture
def trapped(tmp_path: Path) -> Path:
    """A directory with modules of the names that a run imports; each says so when it is run."""
    for name in TAKEN:
        folder = tmp_path / name
        folder.mkdir()
        for path in (tmp_path / f"{name}.py", folder / "__init__.py"):
            path.write_text(f"open({str(tmp_path / 'executed')!r}, 'a').write({str(path)!r} + chr(10))\n")
    return tmp_path


def test_no_process_of_a_run_imports_a_module_of_the_working_directory(trapped: Path, tmp_path: Path) -> None:
    # The command itself is started as its entry point starts it: without the working directory on its path.
    start = f"import sys; sys.path[:1] = [{str(ROOT)!r}]; from tui.cli import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", start, *("demo", "--headless", "--requests", "3", "--rate", "20")],
        cwd=trapped,
        env={**os.environ, "HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path / "data")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    executed = trapped / "executed"
    assert not executed.exists(), executed.read_text()
    assert done.returncode == 0, done.stderr
