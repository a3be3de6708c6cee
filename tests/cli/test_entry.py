"""The first moments of the command, before any of its modules is there."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

INTERRUPTED_WHILE_LOADING = """
import os, signal, sys
class Interrupted:
    def find_spec(self, name, path=None, target=None):
        if name == "tui.cli":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupted())
{before}
from tui.entry import main
sys.argv = ["ttftop", "--version"]
sys.exit(main())
"""


@pytest.mark.parametrize(
    ("before", "code", "printed"),
    [
        ("", -signal.SIGINT, ""),
        ("signal.signal(signal.SIGINT, signal.SIG_IGN)", 0, "ttftop"),
    ],
)
def test_an_interrupt_while_modules_are_loaded_ends_the_command_without_a_traceback_unless_it_is_ignored(
    before: str, code: int, printed: str
) -> None:
    script = INTERRUPTED_WHILE_LOADING.format(before=before)
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (code, "")
    assert run.stdout.startswith(printed)


def test_an_interrupt_after_that_is_heeded_as_before() -> None:
    script = (
        "from tui import entry, cli; import signal; cli.main = lambda: signal.raise_signal(2); entry.main()"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert "KeyboardInterrupt" in run.stderr
