"""A supervisor that is started before its run is known: silent without orders, gone unless it is taken."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

import psutil
import pytest

from sessions.run.prestart import PrestartedSupervisor, start_supervisor
from tui.cli import main


def test_a_supervisor_without_orders_ends_in_silence(capfd: pytest.CaptureFixture[str]) -> None:
    process = start_supervisor()
    said, _ = process.communicate(timeout=30)
    assert (process.returncode, said) == (0, b"")
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_comes_before_a_supervisor_can_heed_it_waits(number: signal.Signals) -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    process = start_supervisor()
    process.send_signal(number)
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before
    process.communicate(timeout=30)
    assert process.returncode == 0


def test_a_supervisor_that_nobody_took_is_gone_with_its_block_and_one_that_was_taken_is_not() -> None:
    with PrestartedSupervisor() as unused:
        waiting = unused._process
        assert waiting is not None
        assert waiting.poll() is None
    assert waiting.poll() is not None
    with PrestartedSupervisor() as used:
        taken = used.take()
    assert taken.poll() is None
    taken.communicate(timeout=30)


def test_what_is_secret_in_our_environment_is_not_in_that_of_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TTFTOP_API_KEY", "OPENAI_API_KEY", "TTFTOP_HEADERS"):
        monkeypatch.setenv(name, "sk-CANARY")
    monkeypatch.setenv("TTFTOP_TEST", "kept")
    process = start_supervisor()
    until = time.monotonic() + 30
    while not (environment := psutil.Process(process.pid).environ()):
        assert time.monotonic() < until  # the kernel shows none while the program is being put in place
    process.communicate(timeout=30)
    assert environment["TTFTOP_TEST"] == "kept"
    assert "sk-CANARY" not in environment.values()


@pytest.mark.parametrize(
    "words", [["run", "--bogus"], ["http://127.0.0.1:9", "--rate", "0"], ["run", "--help"]]
)
def test_what_starts_no_run_leaves_no_supervisor(words: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    main(words)
    capfd.readouterr()
    assert not [child for child in psutil.Process().children() if "sessions.run" in child.cmdline()]


def test_a_machine_that_starts_no_process_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
    assert main(["http://127.0.0.1:9", "--headless"]) == 2
    said = "no process can be started: No such file or directory; need a path that exists"
    assert capfd.readouterr().err == f"ttftop: error: {said}\n"
