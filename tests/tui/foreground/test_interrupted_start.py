"""A run whose screen is not open yet ends with the command that is interrupted."""

from __future__ import annotations

import argparse
import builtins
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sessions.run.launch import Launched
from tui.foreground import headless
from tui.foreground.screen import watch

ENDLESS = [sys.executable, "-c", "import time; time.sleep(600)"]


@pytest.mark.slow
def test_an_interrupt_amid_imports_ends_the_run_though_nothing_can_be_imported_any_more(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    real = builtins.__import__

    def interrupted(name: str, *rest: Any, **more: Any) -> Any:
        if name.startswith("tui.screens"):
            raise KeyboardInterrupt
        if name.startswith(("sessions.run.control", "asyncio")):
            raise NameError("name 'coroutines' is not defined")
        return real(name, *rest, **more)

    with subprocess.Popen(ENDLESS, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        with monkeypatch.context() as here:
            here.setattr(builtins, "__import__", interrupted)
            with pytest.raises(KeyboardInterrupt):
                watch(Launched(tmp_path, process), argparse.Namespace())
        assert process.wait(30) == -signal.SIGTERM


def test_a_run_whose_command_fails_does_not_go_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def failing(_: Path) -> None:
        raise MemoryError

    monkeypatch.setattr(headless, "LINE_S", 0.0)
    monkeypatch.setattr(headless, "view_of", failing)
    with subprocess.Popen(ENDLESS, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        options = argparse.Namespace(json=False, plain=False)
        with pytest.raises(MemoryError):
            headless.follow(Launched(tmp_path, process), headless.Interrupts(), options)
        assert process.wait(30) == -signal.SIGTERM
