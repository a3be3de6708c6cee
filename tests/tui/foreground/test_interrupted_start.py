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
from tui import cli
from tui.foreground import headless
from tui.foreground.screen import watch
from tui.options.exit_codes import INTERRUPTED

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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
@pytest.mark.parametrize("raised", [ImportError, SystemError])
def test_an_interrupt_that_an_extension_module_turns_into_an_error_of_its_own_is_one_all_the_same(
    monkeypatch: pytest.MonkeyPatch, number: signal.Signals, raised: type[Exception]
) -> None:
    """As numpy does it, whose `PyCapsule_Import` says that it cannot import `datetime`."""

    def interrupted(_: list[str]) -> int:
        try:
            signal.raise_signal(number)
        except KeyboardInterrupt:
            pass
        raise raised('PyCapsule_Import could not import module "datetime"')

    monkeypatch.setattr(cli, "dispatch", interrupted)
    assert cli.main(["report"]) == INTERRUPTED


def test_without_an_interrupt_such_an_error_is_a_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: list[str]) -> int:
        raise ImportError("no such name")

    monkeypatch.setattr(cli, "dispatch", broken)
    with pytest.raises(ImportError, match="no such name"):
        cli.main(["report"])
    assert signal.set_wakeup_fd(-1) == -1
