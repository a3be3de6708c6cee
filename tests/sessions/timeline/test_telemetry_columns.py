from __future__ import annotations

import numpy as np
import pytest

from sessions.timeline.gpus import SOURCES_CAP, reasons
from sessions.timeline.load_gpus import metered, powered
from sessions.timeline.servers import BOUNDS_CAP
from telemetry.records import (
    GpuDevice,
    GpuDevices,
    GpuEvent,
    GpuProcess,
    GpuSample,
    GpuSamples,
    Histogram,
    HostSample,
    ServerSample,
)
from tests.sessions.timeline.folding import folded

S = 1_000_000_000


def said(*devices: GpuDevice, t_ns: int = 1, source: str = "nvml") -> GpuDevices:
    return GpuDevices(t_ns=t_ns, source=source, devices=list(devices))


def sample(t_ns: int, source: str = "nvml", **values) -> GpuSamples:
    return GpuSamples(t_ns=t_ns, took_ns=1, source=source, gpus=[GpuSample("g", **values)])


@pytest.mark.parametrize("turned", [False, True])
def test_of_two_sources_of_one_gpu_nvml_is_read_from_when_it_has_spoken(turned):
    records = [sample(1, "dcgm", power_w=90.0), sample(2, power_w=100.0), sample(3, "dcgm", power_w=91.0)]
    gpu = folded(*(reversed(records) if turned else records)).gpus["g"]
    assert [gpu.source(t) for t in (0, 1, 2, 3)] == ["", "dcgm", "nvml", "nvml"]
    assert gpu.samples(3)["power_w"].tolist() == [100.0]
    assert gpu.samples(1)["power_w"].tolist() == [90.0, 91.0]


@pytest.mark.parametrize("turned", [False, True])
def test_the_processes_on_a_gpu_are_those_last_seen_by_then(turned):
    one, two = GpuProcess(1, 10, "a"), GpuProcess(2, 20, "b")
    records = [
        sample(1, processes=[one]),
        sample(2),  # not asked
        sample(3, processes=[one, two]),
        sample(4, processes=[one, two]),
        sample(5, processes=[]),
    ]
    gpu = folded(*(reversed(records) if turned else records)).gpus["g"]
    assert [gpu.processes(t) for t in range(6)] == [(), (one,), (one,), (two, one), (two, one), ()]


def test_what_a_gpu_is_may_be_learned_later():
    gpu = folded(said(GpuDevice("g", 0), t_ns=1), said(GpuDevice("g", 0, serves_target=True), t_ns=5)).gpus[
        "g"
    ]
    assert [gpu.device(t).serves_target for t in (0, 1, 4, 5)] == [None, None, None, True]


@pytest.mark.parametrize(
    ("values", "power", "thermal", "brake"),
    [
        (
            {"throttled_pct": {"power cap": 12.0, "thermal": 1.0, "HW thermal": 3.0, "power brake": 0.0}},
            12,
            3,
            0,
        ),
        ({"throttled_pct": {"power cap": 12.0}, "throttle": ["thermal"]}, 12, np.nan, np.nan),
        ({"throttle": []}, 0, 0, 0),
        ({"throttle": ["idle", "app clocks"]}, 0, 0, 0),
        ({"throttle": ["power cap"]}, 100, 0, 0),
        ({"throttle": ["HW slowdown", "HW thermal"]}, 0, 100, 0),
        ({"throttle": ["HW slowdown", "power brake"]}, 0, 0, 100),
        ({"throttle": ["HW slowdown"]}, 0, 0, 100),
        ({}, np.nan, np.nan, np.nan),
    ],
)
def test_throttling_is_a_share_of_the_time_by_cause(values, power, thermal, brake):
    table = folded(sample(1, **values)).gpus["g"].samples(1)
    names = ("power_throttled_pct", "thermal_throttled_pct", "brake_throttled_pct")
    np.testing.assert_array_equal([table[name][0] for name in names], [power, thermal, brake])


def test_reasons_come_back_by_name():
    table = (
        folded(sample(1, throttle=["power cap", "thermal"]), sample(2, throttle=[]), sample(3))
        .gpus["g"]
        .samples(3)
    )
    assert [reasons(bits) for bits in table["reasons"]] == [["power cap", "thermal"], [], []]
    assert np.isnan(table["reasons"][2])


@pytest.mark.parametrize(
    ("devices", "counted"),
    [
        ([GpuDevice("a", 0), GpuDevice("b", 1)], ["a", "b"]),
        ([GpuDevice("a", 0, serves_target=False), GpuDevice("b", 1, serves_target=True)], ["b"]),
        ([GpuDevice("a", 0, serves_target=False), GpuDevice("b", 1)], ["b"]),
        ([GpuDevice("a", 0, visible=False), GpuDevice("b", 1, visible=True)], ["b"]),
        ([GpuDevice("a", 0, visible=False, serves_target=True), GpuDevice("b", 1, visible=True)], ["a"]),
        ([GpuDevice("a", 0), GpuDevice("m", 0, parent="a", mig="1g.10gb")], ["m"]),
        ([GpuDevice("b", 1, host="n1"), GpuDevice("a", 0, host="n2")], ["b", "a"]),
    ],
)
def test_the_gpus_of_the_load_are_those_that_serve_it_else_those_that_can(devices, counted):
    timeline = folded(said(*devices))
    assert [gpu.device(1).gpu for gpu in metered(timeline.gpus, 1)] == counted
    assert metered(timeline.gpus, 0) == []


def test_mig_instances_are_powered_by_the_whole_gpu_once():
    timeline = folded(
        said(
            GpuDevice("a", 0),
            GpuDevice("m", 0, parent="a"),
            GpuDevice("n", 1, parent="a"),
            GpuDevice("lone", 2, parent="x"),
        )
    )
    assert [gpu.device(1).gpu for gpu in powered(timeline.gpus, 1)] == ["a"]


def histogram(*counts: int) -> Histogram:
    return Histogram([1.0, 1.2, 1.6], list(counts))


def test_a_servers_histogram_is_read_as_the_difference_over_a_span():
    timeline = folded(
        ServerSample(t_ns=1 * S, took_ns=1, source="m", ttft=histogram(100, 100, 100, 100)),
        ServerSample(t_ns=11 * S, took_ns=1, source="m", ttft=histogram(100, 120, 140, 140)),
    )
    ttft = timeline.servers["m"].histograms["ttft"]
    # 40 more: 20 in 1.0 to 1.2 s, 20 in 1.2 to 1.6 s. The 10th is half way into the one, the 30th into the other.
    count, found = ttft.quantiles_s(1 * S, 11 * S, (0.25, 0.5, 0.75))
    assert (count, [one.value_s for one in found]) == (40, pytest.approx([1.1, 1.2, 1.4]))
    assert [(one.at_least_s, one.at_most_s) for one in found] == [(1.0, 1.2), (1.0, 1.2), (1.2, 1.6)]
    assert ttft.quantiles_s(0, 11 * S, (0.5,))[0] == 40, "what came before it was read is not of the span"
    assert ttft.quantiles_s(11 * S, 20 * S, (0.5,)) is None
    assert ttft.quantiles_s(0, 5 * S, (0.5,)) is None


def test_in_the_first_bucket_and_beyond_the_last_bound_a_histogram_tells_no_quantile():
    timeline = folded(
        ServerSample(t_ns=1, took_ns=1, source="m", ttft=histogram(0, 0, 0, 0)),
        ServerSample(t_ns=2, took_ns=1, source="m", ttft=histogram(6, 6, 7, 10)),
    )
    count, found = timeline.servers["m"].histograms["ttft"].quantiles_s(1, 2, (0.5, 0.6, 0.65, 0.99))
    assert count == 10
    assert found[:2] == [(None, 0.0, 1.0)] * 2
    assert found[2].value_s == pytest.approx(1.4)
    assert found[3] == (None, 1.6, None)


def test_a_bucket_of_twice_its_lower_bound_tells_no_figure_within():
    timeline = folded(
        ServerSample(t_ns=1, took_ns=1, source="m", ttft=Histogram([10.0, 20.0, 40.0], [0, 0, 0, 0])),
        ServerSample(t_ns=2, took_ns=1, source="m", ttft=Histogram([10.0, 20.0, 40.0], [0, 1, 10, 10])),
    )
    _, found = timeline.servers["m"].histograms["ttft"].quantiles_s(1, 2, (0.05, 0.5))
    assert found == [(None, 10.0, 20.0), (None, 20.0, 40.0)]


@pytest.mark.parametrize("counts", [(0, 0, 0, 0), (9, 12, 12, 12), (10, 9, 12, 12), (0, 1, 2)])
def test_a_histogram_that_fell_or_changed_says_nothing(counts):
    timeline = folded(
        ServerSample(t_ns=1, took_ns=1, source="m", itl=histogram(10, 10, 10, 10)),
        ServerSample(t_ns=2, took_ns=1, source="m", itl=histogram(*counts)),
    )
    assert timeline.servers["m"].histograms["itl"].quantiles_s(1, 2, (0.5,)) is None


def test_what_happened_to_a_gpu_is_an_event():
    timeline = folded(
        GpuEvent(
            t_ns=1, source="nvml", gpu="g", event="xid", code=79, text="GPU 0: XID 79, fell off the bus"
        ),
        GpuEvent(t_ns=2, source="nvml", gpu="g", event="ecc_corrected", count=3, text=""),
    )
    assert [tuple(event) for event in timeline.events] == [
        (1, "error", "GPU 0: XID 79, fell off the bus"),
        (2, "warning", "GPU ecc_corrected"),
    ]


def test_a_host_has_columns_of_its_own():
    timeline = folded(HostSample(t_ns=1, took_ns=1, source="host", host="n1", cpu_pct=34.0, steal_pct=1.5))
    host = timeline.hosts["host"]
    assert host.host == "n1"
    assert (host.samples["cpu_pct"].tolist(), host.samples["steal_pct"].tolist()) == ([34.0], [1.5])
    assert np.isnan(host.samples["load1"]).all()


def test_a_session_that_names_thousands_takes_no_memory_for_them():
    timeline = folded(*(sample(1, f"s{i}", power_w=1.0) for i in range(2 * SOURCES_CAP)))
    assert len(timeline.gpus["g"].tables) == SOURCES_CAP
    wide = Histogram([float(i) for i in range(BOUNDS_CAP + 1)], [0] * (BOUNDS_CAP + 2))
    assert folded(ServerSample(t_ns=1, took_ns=1, source="m", ttft=wide)).servers["m"].histograms == {}
