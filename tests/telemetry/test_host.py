"""The host by psutil's own counters, scripted where a figure is expected, real once."""

from __future__ import annotations

import sys
import time
from types import SimpleNamespace
from typing import NamedTuple

import pytest

from telemetry.host import HostSource
from telemetry.records import HostSample


class Times(NamedTuple):
    user: float
    system: float
    idle: float
    iowait: float
    steal: float
    guest: float = 0.0


class Clock:
    def __init__(self):
        self.ns = 0

    def __call__(self):
        return self.ns


@pytest.fixture
def machine(monkeypatch):
    """psutil's face, with figures that a test sets."""
    card = SimpleNamespace(bytes_recv=0, bytes_sent=0)
    fake = SimpleNamespace(
        times=Times(10, 5, 100, 1, 2),
        cards={"lo": SimpleNamespace(bytes_recv=10**9, bytes_sent=10**9), "eth0": card, "eth1": card},
    )
    fake.cpu_times = lambda: fake.times
    fake.net_io_counters = lambda pernic: fake.cards
    fake.virtual_memory = lambda: SimpleNamespace(total=1000, available=400)
    fake.cpu_count = lambda: 4
    fake.getloadavg = lambda: (1.5, 0, 0)
    monkeypatch.setitem(sys.modules, "psutil", fake)
    return fake


def sampled(machine, tmp_path, change, seconds=2.0):
    source, clock = HostSource("node-a", cgroup=tmp_path / "cg", own=tmp_path / "own"), Clock()
    assert source.open(clock) == []
    change()
    clock.ns += int(seconds * 1e9)
    (sample,) = source.sample(clock)
    assert isinstance(sample, HostSample)
    return sample


def test_shares_and_rates_are_over_the_time_since_the_last_sample(machine, tmp_path):
    def change():
        # 8 seconds of 4 cores in 2 s: 3 + 1 busy, 3.2 idle, 0.4 waiting, 0.4 stolen; guest is in user already.
        machine.times = Times(13, 6, 103.2, 1.4, 2.4, guest=3)
        machine.cards = {**machine.cards, "eth0": SimpleNamespace(bytes_recv=4000, bytes_sent=1000)}

    got = sampled(machine, tmp_path, change)
    assert (got.cpu_pct, got.steal_pct) == (55.0, 5.0)
    assert (got.net_rx_bytes_per_s, got.net_tx_bytes_per_s) == (2000.0, 500.0)
    assert (got.host, got.cores, got.load1) == ("node-a", 4, 1.5)
    assert (got.memory_used_bytes, got.memory_total_bytes) == (600, 1000)
    assert got.throttled_pct is None


def test_a_card_that_went_away_is_a_gap(machine, tmp_path):
    machine.cards["eth0"] = SimpleNamespace(bytes_recv=5000, bytes_sent=0)

    def change():
        machine.cards = {"lo": machine.cards["lo"], "eth1": SimpleNamespace(bytes_recv=0, bytes_sent=0)}

    got = sampled(machine, tmp_path, change)
    assert (got.net_rx_bytes_per_s, got.net_tx_bytes_per_s) == (None, 0.0)


def test_only_loopback_is_no_network(machine, tmp_path):
    machine.cards = {"lo": machine.cards["lo"]}
    assert sampled(machine, tmp_path, lambda: None).net_rx_bytes_per_s is None


def test_a_system_that_does_not_count_steal_has_none(machine, tmp_path):
    class Mac(NamedTuple):
        user: float
        idle: float

    machine.times = Mac(1, 1)

    def change():
        machine.times = Mac(2, 4)

    got = sampled(machine, tmp_path, change)
    assert (got.cpu_pct, got.steal_pct) == (25.0, None)


def cgroup(tmp_path, quota, throttled_us, path="a/b"):
    folder = tmp_path / "cg" / path
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cpu.max").write_text(quota)
    (folder / "cpu.stat").write_text(f"usage_usec 1\nnr_throttled 1\nthrottled_usec {throttled_us}\n")


def test_a_quota_that_held_us_back_is_a_share_of_the_time(machine, tmp_path):
    (tmp_path / "own").write_text("0::/a/b\n")
    cgroup(tmp_path, "200000 100000\n", 1_000_000)

    got = sampled(machine, tmp_path, lambda: cgroup(tmp_path, "200000 100000\n", 1_500_000))
    assert got.throttled_pct == 25.0


def test_a_quota_on_a_cgroup_above_ours_counts(machine, tmp_path):
    (tmp_path / "own").write_text("0::/a/b\n")
    cgroup(tmp_path, "max 100000\n", 0)
    cgroup(tmp_path, "200000 100000\n", 0, path="a")
    got = sampled(machine, tmp_path, lambda: cgroup(tmp_path, "200000 100000\n", 400_000, path="a"))
    assert got.throttled_pct == 20.0


def test_a_container_reads_the_mounts_own_files(machine, tmp_path):
    (tmp_path / "own").write_text("0::/kubepods/elsewhere\n")
    cgroup(tmp_path, "100000 100000\n", 0, path=".")
    got = sampled(machine, tmp_path, lambda: cgroup(tmp_path, "100000 100000\n", 200_000, path="."))
    assert got.throttled_pct == 10.0


def test_without_a_quota_nothing_can_hold_us_back(machine, tmp_path):
    (tmp_path / "own").write_text("0::/a/b\n")
    cgroup(tmp_path, "max 100000\n", 0)
    assert sampled(machine, tmp_path, lambda: None).throttled_pct is None


def test_without_psutil_one_sentence_and_nothing_to_poll(monkeypatch):
    monkeypatch.setitem(sys.modules, "psutil", None)
    source = HostSource()
    (note,) = source.open(Clock())
    assert note.message == "host: the Python package psutil is missing; pip install psutil"
    assert (note.ok, source.interval_ns) == (False, None)


def test_the_real_machine_has_a_plausible_sample():
    source = HostSource("here")
    assert source.open(time.monotonic_ns) == []
    assert source.interval_ns == 1_000_000_000
    (got,) = source.sample(time.monotonic_ns)
    assert got.cores >= 1
    assert 0 < got.memory_used_bytes < got.memory_total_bytes
    assert got.load1 >= 0
    assert got.took_ns > 0
