"""What a summary says of GPUs, hosts and sources; expected figures are worked by hand."""

from __future__ import annotations

import msgspec
import pytest

from sessions.store.records import LoadChange
from sessions.summary.telemetry import gpus_over, hosts_over, server_over, telemetry_sources
from sessions.summary.telemetry_schema import Host, Said, Spread, TelemetrySource
from telemetry.records import (
    GpuDevice,
    GpuDevices,
    GpuEvent,
    GpuSample,
    GpuSamples,
    Histogram,
    HostSample,
    ServerSample,
    SourceNote,
)
from tests.sessions.timeline.folding import folded

S = 1_000_000_000


def sample(t_s: float, age_ns: int | None = None, **values) -> GpuSamples:
    return GpuSamples(round(t_s * S), 1, "nvml", [GpuSample("g", **values)], age_ns=age_ns)


def test_what_was_read_of_a_gpu_has_its_mean_and_most_and_what_was_not_is_left_out():
    busy = {"sm_active_pct": 40.0, "dram_active_pct": 80.0, "throttled_pct": {"power cap": 10.0}}
    more = {"sm_active_pct": 60.0, "dram_active_pct": None, "throttled_pct": {"power cap": 30.0}}
    (gpu,) = gpus_over(
        folded(
            sample(0.5, sm_active_pct=99.0),  # before the span
            sample(1, **busy, memory_temperature_c=70.0, nvlink_tx_bytes_per_s=1e9),
            sample(2, **more, memory_temperature_c=74.0, nvlink_tx_bytes_per_s=3e9),
        ),
        S,
        3 * S,
    )
    assert gpu.sm_active_pct == Spread(50.0, 60.0)
    assert gpu.dram_active_pct == Spread(80.0, 80.0)
    assert gpu.power_throttled_pct == Spread(20.0, 30.0)
    assert gpu.memory_temperature_c == Spread(72.0, 74.0)
    assert gpu.nvlink_tx_bytes_per_s == Spread(2e9, 3e9)
    assert gpu.pcie_tx_bytes_per_s is None
    assert gpu.tensor_active_pct is None
    assert (gpu.age_s, gpu.lost_pct, gpu.events) == (None, None, {})
    assert not {"age_s", "lost_pct", "events", "tensor_active_pct"} & set(msgspec.to_builtins(gpu))


def test_the_age_of_an_exporters_values_is_said_in_seconds():
    (gpu,) = gpus_over(folded(sample(1, 0), sample(2, S), sample(3, 29 * S)), S, 4 * S)
    assert gpu.age_s == Spread(10.0, 29.0)


def test_a_gpu_that_was_lost_says_for_how_many_of_its_samples():
    samples = [sample(t, util_pct=50.0) for t in (1, 2, 3)]
    (gpu,) = gpus_over(folded(*samples, sample(4, lost=True)), S, 5 * S)
    assert gpu.lost_pct == 25.0
    assert gpu.util_pct == Spread(50.0, 50.0)


def test_xids_and_memory_errors_are_counted_over_the_run_only():
    events = [
        GpuEvent(0, "nvml", "g", "xid", code=13),
        GpuEvent(2 * S, "nvml", "g", "xid", code=79),
        GpuEvent(2 * S, "nvml", "g", "ecc_corrected", count=7),
        GpuEvent(3 * S, "nvml", "g", "ecc_corrected", count=5),
        GpuEvent(3 * S, "nvml", "", "xid", code=79),  # the driver did not say whose
    ]
    (gpu,) = gpus_over(folded(sample(1), *events), S, 4 * S)
    assert gpu.events == {"xid": 1, "ecc_corrected": 12}


def test_gpus_stand_by_host_with_what_cuda_hides_behind():
    devices = [
        GpuDevice("a", 0, host="n2"),
        GpuDevice("b", 0, host="n1", visible=False),
        GpuDevice("c", 1, host="n1", visible=True),
    ]
    found = gpus_over(folded(GpuDevices(1, "nvml", devices)), 0, S)
    assert [(gpu.host, gpu.index) for gpu in found] == [("n1", 1), ("n1", 0), ("n2", 0)]
    assert [gpu.visible for gpu in found] == [True, False, None]


def test_a_machine_leaves_out_what_it_does_not_tell():
    (host,) = hosts_over(
        folded(
            HostSample(S, 1, "host", "n1", cpu_pct=20.0), HostSample(2 * S, 1, "host", "n1", cpu_pct=40.0)
        ),
        S,
        2 * S,
    )
    assert host == Host("n1", cpu_pct=Spread(30.0, 40.0))


def test_each_source_says_its_last_word_and_all_before_it():
    found = telemetry_sources(
        folded(
            LoadChange(t_ns=10 * S, change="start"),
            SourceNote(9 * S, "nvml", True, "NVML: 8 GPUs"),
            SourceNote(14 * S, "n1:9400/metrics", True, "n1:9400/metrics: answers again"),
            SourceNote(12 * S, "n1:9400/metrics", False, "n1:9400/metrics: no answer within 1 s"),
        )
    )
    no_answer = Said(2.0, False, "n1:9400/metrics: no answer within 1 s")
    again = Said(4.0, True, "n1:9400/metrics: answers again")
    assert found == [
        TelemetrySource("n1:9400/metrics", True, again.message, [no_answer, again]),
        TelemetrySource("nvml", True, "NVML: 8 GPUs", [Said(-1.0, True, "NVML: 8 GPUs")]),
    ]


def test_a_servers_own_quantile_that_its_histogram_is_too_coarse_for_is_said_as_a_range():
    before = Histogram([0.4, 0.5], [0, 0, 0])
    after = Histogram([0.4, 0.5], [80, 96, 100])
    found = server_over(
        folded(ServerSample(S, 1, "m", queue=before), ServerSample(2 * S, 1, "m", queue=after)), S, 2 * S
    )
    # The 50th of 100 lies in 0 to 400 ms; the 95th 15/16 of the way from 400 to 500; the 99th beyond.
    assert found is not None
    queue = found.queue_ms
    assert queue is not None
    assert (queue.count, queue.p50, queue.p95, queue.p99) == (100, None, pytest.approx(493.75), None)
    assert queue.between == {"p50": [0.0, 400.0], "p99": [500.0, None]}


def test_words_of_many_sources_that_come_and_go_are_bounded_together_and_the_rest_is_counted():
    notes = [
        SourceNote(t * S, f"node{n:02}:9400/metrics", t % 2 == 0, f"node{n:02}:9400/metrics: {'x' * 100} {t}")
        for n in range(48)
        for t in range(240)
    ]
    found = telemetry_sources(folded(*notes))
    assert len(found) == 48
    assert {source.message[-3:] for source in found} == {"239"}
    assert {len(source.said) + (source.unsaid or 0) for source in found} == {240}
    assert min(len(source.said) for source in found) >= 4
    assert len(msgspec.json.encode(found)) < 100 << 10


def test_words_of_few_sources_are_all_kept():
    (found,) = telemetry_sources(folded(*(SourceNote(t * S, "a", True, f"word {t}") for t in range(20))))
    assert [said.message for said in found.said] == [f"word {t}" for t in range(20)]
    assert "unsaid" not in msgspec.to_builtins(found)
