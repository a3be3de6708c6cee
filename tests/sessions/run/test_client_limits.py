"""What a load takes of this machine is held against what there is, before it begins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sessions.plan.config import LoadConfig, Ramp
from sessions.run.client_limits import (
    Machine,
    Need,
    Spread,
    memory_bytes,
    need_of,
    port_count,
    refusal,
    this_machine,
    warnings,
)

PEAK = Ramp(from_rps=64.0, to_rps=2.0, over_s=60.0)
LARGE = Machine(descriptors=1 << 20, ports=28_232, memory_bytes=64 << 30)


def need(load: LoadConfig, request_s: float | None = None, **more: Any) -> Need:
    given: dict[str, Any] = {"workers": 1, "closes": False, "output_tokens": 100, **more}
    given.setdefault("spread", [Spread(given.pop("addresses", 1))])
    return need_of(load, request_s=request_s, **given)


@pytest.mark.parametrize(
    ("load", "workers", "request_s", "needed"),
    [
        (LoadConfig(rate_rps=100.0), 1, 6.0, 664),
        (LoadConfig(rate_rps=100.0), 4, 6.0, 214),
        (LoadConfig(rate_rps=100.0), 1, None, 64),
        (LoadConfig(rate_rps=100.0, max_in_flight=50), 1, 6.0, 114),
        (LoadConfig(rate_rps=2.0, ramp=PEAK), 1, 1.5, 160),
        (LoadConfig(concurrency=300), 1, None, 364),
        (LoadConfig(concurrency=301), 2, None, 215),
    ],
)
def test_each_request_in_flight_needs_a_descriptor(
    load: LoadConfig, workers: int, request_s: float | None, needed: int
) -> None:
    assert need(load, request_s, workers=workers).descriptors == needed


def test_a_load_that_may_need_more_descriptors_is_warned_of_once_and_with_what_to_do() -> None:
    load = LoadConfig(rate_rps=1936.0, max_rate_rps=9999.0)
    assert warnings(need(load, 1.0), LARGE) == []
    assert warnings(need(load, 1.0), LARGE._replace(descriptors=None)) == []
    assert warnings(need(load, 1.0), LARGE._replace(descriptors=1024)) == [
        "the load may need 2,000 file descriptors, the limit is 1,024: "
        "raise it (ulimit -Hn) or give --max-in-flight 960"
    ]
    (word,) = warnings(need(load, 2.0, workers=2), LARGE._replace(descriptors=1024))
    assert "in each of 2 workers" in word
    assert "--max-in-flight 1920" in word


@pytest.mark.parametrize(
    ("machine", "more", "most", "what"),
    [
        (LARGE._replace(descriptors=1024), {}, 960, "1,024 file descriptors a worker (ulimit -Hn)"),
        (LARGE._replace(descriptors=1024), {"workers": 2}, 1920, "1,024 file descriptors a worker (ulimit -Hn)"),
        (LARGE, {}, 28_232, "28,232 ports to one address (net.ipv4.ip_local_port_range)"),
        (LARGE, {"addresses": 2}, 56_464, "28,232 ports to one address (net.ipv4.ip_local_port_range)"),
        # 8,000 bytes and 44 for each of 4,000 tokens
        (LARGE._replace(memory_bytes=1 << 30), {"output_tokens": 4000}, 5835, "1.0 GiB of memory"),
    ],
)  # fmt: skip
def test_a_closed_loop_that_cannot_fit_is_refused_with_the_bound(
    machine: Machine, more: dict[str, Any], most: int, what: str
) -> None:
    load = LoadConfig(concurrency=100_000, max_in_flight=100_000)
    said = f"--concurrency: got 100000, need at most {most}: this machine has {what}"
    assert refusal(load, need(load, **more), machine) == said
    fits = LoadConfig(concurrency=most, max_in_flight=100_000)
    assert refusal(fits, need(fits, **more), machine) == ""


def test_an_open_loop_is_never_refused_nor_one_whose_limits_nobody_knows() -> None:
    load = LoadConfig(rate_rps=1000.0)
    assert refusal(load, need(load, 100.0), Machine(1024, 100, 1)) == ""
    closed = LoadConfig(concurrency=10**6, max_in_flight=10**6)
    assert refusal(closed, need(closed), Machine(None, None, None)) == ""


def test_a_unix_socket_needs_no_ports() -> None:
    load = LoadConfig(concurrency=50_000, max_in_flight=50_000)
    assert refusal(load, need(load, addresses=None), LARGE) == ""
    assert warnings(need(load, addresses=None), LARGE) == []


def test_ports_are_warned_of_from_half_of_them_on_and_each_address_has_its_own() -> None:
    load = LoadConfig(concurrency=15_000, max_in_flight=15_000)
    (word,) = warnings(need(load), LARGE)
    assert word.startswith("15,000 connections at once: beyond half of the ports new ones open slowly; ")
    assert warnings(need(load, addresses=2), LARGE) == []
    open_loop = LoadConfig(rate_rps=1000.0, max_in_flight=50_000)
    (word,) = warnings(need(open_loop, 40.0), LARGE)
    assert word.startswith("the load may need 40,000 connections at once; this machine has 28,232 ports")


def test_where_the_server_closes_each_connection_the_ports_of_a_minute_are_counted() -> None:
    load = LoadConfig(rate_rps=1000.0)
    (word,) = warnings(need(load, 0.232, closes=True), LARGE)
    # 232 open at once leave 28,000 ports, 1,000 of them gone each second.
    assert word.startswith(
        "the server closes its connections: 1,000 new ones a second use up the ports after 28 s"
    )
    assert warnings(need(load, 0.232), LARGE) == []
    slow = LoadConfig(rate_rps=100.0)
    assert warnings(need(slow, 0.232, closes=True), LARGE) == []


def test_the_port_range_is_read_less_what_is_reserved(tmp_path: Path) -> None:
    between, reserved = tmp_path / "range", tmp_path / "reserved"
    between.write_text("32768\t60999\n", encoding="ascii")
    assert port_count(between, reserved) == 28_232
    reserved.write_text("8080,40000-40009,60999\n", encoding="ascii")
    assert port_count(between, reserved) == 28_221
    between.write_text("nonsense\n", encoding="ascii")
    assert port_count(between, reserved) is None


def test_memory_is_that_of_the_container_where_there_is_one(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal:  4096 kB\nMemAvailable:  1024 kB\n", encoding="ascii")
    assert memory_bytes(meminfo, tmp_path / "none") == 1 << 20
    for name, text in (("memory.max", "900000\n"), ("memory.current", "300000\n")):
        (tmp_path / name).write_text(text, encoding="ascii")
    assert memory_bytes(meminfo, tmp_path) == 600_000
    (tmp_path / "memory.max").write_text("max\n", encoding="ascii")
    assert memory_bytes(meminfo, tmp_path) == 1 << 20
    assert memory_bytes(tmp_path / "none", tmp_path) is None


def test_this_machine_can_be_asked() -> None:
    machine = this_machine()
    assert machine.ports is None or machine.ports > 0
    assert machine.memory_bytes is None or machine.memory_bytes > 0
