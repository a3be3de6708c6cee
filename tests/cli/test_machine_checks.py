"""What `ttftop doctor` finds of a machine, on trees of files as kernels write them."""

from __future__ import annotations

import argparse
import re
import sys
import types
from pathlib import Path

import pytest

from loadgen.target.url import parse_target
from sessions.run.client_limits import Machine
from tests.cli.conftest import Command
from tui.commands.clock_sync import ClockState, clock_state, clock_sync
from tui.commands.load_checks import planned_load
from tui.commands.machine_checks import (
    Finding,
    clock_source,
    cpu_times,
    governor,
    gpus_at_rest,
    quota,
    round_trip_ms,
    steal,
)


def tree(root: Path, **files: str) -> Path:
    for name, text in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_a_core_that_saves_power_is_told_with_what_to_do(tmp_path: Path) -> None:
    cpus = "sys__devices__system__cpu__cpu{}__cpufreq__scaling_governor"
    tree(tmp_path, **{cpus.format(0): "powersave\n", cpus.format(1): "performance\n"})
    (found,) = governor(tmp_path)
    assert not found.ok
    assert "powersave on 1, performance on 1" in found.text
    assert list(governor(tmp_path / "none")) == []


def test_the_tightest_cap_on_the_way_to_ones_own_group_counts(tmp_path: Path) -> None:
    tree(
        tmp_path,
        proc__self__cgroup="0::/a/b\n",
        **{
            "sys__fs__cgroup__a__b__cpu.max": "max 100000\n",
            "sys__fs__cgroup__a__cpu.max": "50000 100000\n",
        },
    )
    (found,) = quota(tmp_path)
    assert (found.ok, found.name) == (False, "CPU quota")
    assert found.text.startswith("0.5 of ")
    tree(tmp_path, **{"sys__fs__cgroup__a__cpu.max": "max 100000\n"})
    assert list(quota(tmp_path)) == []


@pytest.mark.parametrize(
    ("source", "ok"), [("tsc", True), ("kvm-clock", True), ("hpet", False), ("acpi_pm", False)]
)
def test_a_clock_that_is_slow_to_read_is_told(tmp_path: Path, source: str, ok: bool) -> None:
    place = "sys__devices__system__clocksource__clocksource0__"
    tree(
        tmp_path,
        **{f"{place}current_clocksource": source, f"{place}available_clocksource": f"{source} acpi_pm"},
    )
    (found,) = clock_source(tmp_path)
    assert found.ok is ok
    assert found.text.startswith(source)


def test_stolen_time_is_a_share_of_all_of_it_and_guests_are_not_counted_twice(tmp_path: Path) -> None:
    assert cpu_times("cpu  10 0 10 70 0 0 0 10 5 5\ncpu0 1") == (100, 10)
    assert cpu_times("") is None
    tree(tmp_path, proc__stat="cpu  10 0 10 70 0 0 0 10 0 0\n")
    (found,) = steal(tmp_path, look_s=0.0)
    assert (found.ok, found.text.split(";")[0]) == (False, "0.0% of the CPU time now, 10.0% since start")


def test_a_gpu_that_the_driver_lets_sleep_or_that_others_use_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refused(Exception):
        pass

    def no_word(_: int) -> int:
        raise Refused

    nvml = types.ModuleType("pynvml")
    nvml.NVMLError = Refused  # type: ignore[attr-defined]
    nvml.nvmlInit = nvml.nvmlShutdown = lambda: None  # type: ignore[attr-defined]
    nvml.nvmlDeviceGetCount = lambda: 2  # type: ignore[attr-defined]
    nvml.nvmlDeviceGetHandleByIndex = lambda index: index  # type: ignore[attr-defined]
    nvml.nvmlDeviceGetPersistenceMode = lambda index: 0 if index == 0 else no_word(index)  # type: ignore[attr-defined]
    busy = [types.SimpleNamespace(pid=2**22 + 7)]
    nvml.nvmlDeviceGetComputeRunningProcesses = lambda index: busy if index else []  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    asleep, used = gpus_at_rest()
    assert (asleep.ok, asleep.name) == (False, "GPU 0")
    assert "persistence mode is off" in asleep.text
    assert used == Finding(True, "GPU 1", f"computes now: pid {2**22 + 7}; all of it is in its figures")


def test_a_round_trip_is_how_long_a_connection_takes_and_none_where_nothing_listens() -> None:
    assert round_trip_ms(parse_target("unix:/tmp/x")) is None
    assert round_trip_ms(parse_target("http://127.0.0.1:1")) is None


def test_a_clock_that_nothing_sets_right_is_told_and_one_nobody_knows_of_is_no_fault() -> None:
    right, loose, free, unknown = (
        clock_sync(state)
        for state in (ClockState(True, 0.0123), ClockState(True, 0.4), ClockState(False, 16.0), None)
    )
    assert (right.ok, right.text) == (True, "synchronised, at most 12.3 ms off by the kernel's bound")
    assert (loose.ok, free.ok) == (False, False)
    assert "cannot be laid beside those of another machine" in free.text
    assert (unknown.ok, unknown.text.split(":")[0]) == (True, "not known")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="adjtimex is of Linux")
def test_the_kernel_is_asked_for_its_own_bound_and_nothing_is_set() -> None:
    """As `adjtimex --print` has it, where that is there; it moves by 500 parts in a million at most."""
    state = clock_state()
    if state is None:
        pytest.skip("the kernel does not tell here")
    assert 0 <= state.most_off_s <= 16.1, "NTP_PHASE_LIMIT is the most the kernel says"


def asked(**more: object) -> argparse.Namespace:
    return argparse.Namespace(
        **{"rate": None, "concurrency": None, "output_tokens": None, "target": None, **more}
    )


def test_a_planned_load_is_held_against_descriptors_ports_and_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    small = Machine(descriptors=1024, ports=28_000, memory_bytes=1 << 30)
    monkeypatch.setattr("sessions.run.client_limits.this_machine", lambda: small)
    monkeypatch.setattr("sessions.run.worker_configs.planned_client", lambda _: {"workers": 1})
    assert list(planned_load(asked(), None)) == []
    (fits,) = planned_load(asked(concurrency=100), None)
    assert (fits.ok, fits.text) == (
        True, "100 requests at once: 164 of 1,024 descriptors, 100 of 28,000 ports to an address, 0.0 of 1.0 GiB of memory"
    )  # fmt: skip
    (refused,) = planned_load(asked(concurrency=5000), None)
    assert (refused.ok, refused.text) == (
        False,
        "--concurrency: got 5000, need at most 960: this machine has 1,024 file descriptors a worker (ulimit -Hn)",
    )


@pytest.mark.parametrize(
    ("typed_too", "why"),
    [
        (
            ("--rate", "5"),
            "--rate: got '5': how many are in flight is seen of the server; give its URL as well",
        ),
        (
            ("--rate", "5", "--concurrency", "2"),
            "--rate: got '5', but a closed loop has no rate; give --rate or --concurrency",
        ),
        (
            ("--output-tokens", "5"),
            "--output-tokens: got '5', which is of a planned load; give --rate or --concurrency",
        ),
    ],
)
def test_a_planned_load_of_which_nothing_could_be_said_is_refused(
    typed: Command, typed_too: tuple[str, ...], why: str
) -> None:
    done = typed("doctor", *typed_too)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"ttftop: error: {why}")


def test_how_many_are_in_flight_at_a_rate_is_what_the_probe_took(typed: Command, simulator_url: str) -> None:
    done = typed("doctor", simulator_url, "--rate", "8", "--output-tokens", "8", "--telemetry", "none")
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith(("ok  load ", "!   load "))]
    assert re.search(r"about \d+ requests at once by the time that one took in the probe: \d", line)
    assert " clock sync " in done.stdout
