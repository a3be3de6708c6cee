from __future__ import annotations

import numpy as np

from sessions.frame.build import build
from sessions.frame.gpu_series import GpuHistory, newest
from sessions.frame.gpu_trouble import Trouble, troubles
from sessions.timeline.timeline import Timeline
from telemetry.records import GpuDevice, GpuDevices, GpuSample, GpuSamples
from tests.sessions.timeline.folding import folded

S = 1_000_000_000


def frame_of(timeline: Timeline, at_ns: int, slots: int):
    return build(
        timeline, None, at_ns=at_ns, window_ns=slots * S, slots=slots, live=False, killed=False, start_ns=0
    )


def two_gpus(seconds: int) -> Timeline:
    """At 4 Hz; the second is named first by its index."""
    devices = [GpuDevice("b", 1), GpuDevice("a", 0)]
    samples = [
        GpuSamples(
            i * S // 4,
            1,
            "nvml",
            [
                GpuSample("b", 10.0, sm_clock_mhz=100.0),
                GpuSample(
                    "a",
                    sm_clock_mhz=1000.0 + i,
                    throttled_pct={"power cap": float(i), "thermal": 1.0},
                    nvlink_rx_bytes_per_s=1e9 * i,
                ),
            ],
        )
        for i in range(1, seconds * 4 + 1)
    ]
    return folded(GpuDevices(0, "nvml", devices), *samples)


def test_series_are_means_of_the_samples_of_a_column_in_the_order_of_the_frame():
    timeline = two_gpus(8)
    frame = frame_of(timeline, 8 * S, 8)
    assert [gpu.label for gpu in frame.gpus] == ["0", "1"]
    names = (
        "sm_clock_mhz",
        "power_throttled_pct",
        "thermal_throttled_pct",
        "nvlink_rx_bytes_per_s",
        "util_pct",
    )
    found = GpuHistory(timeline, frame).series(0, names)
    each = np.arange(1, 33).reshape(8, 4).mean(axis=1)
    np.testing.assert_allclose(found["sm_clock_mhz"], 1000 + each)
    np.testing.assert_allclose(found["power_throttled_pct"], each)
    np.testing.assert_allclose(found["thermal_throttled_pct"], 1.0)
    np.testing.assert_allclose(found["nvlink_rx_bytes_per_s"], 1e9 * each)
    assert np.isnan(found["util_pct"]).all()
    np.testing.assert_allclose(
        GpuHistory(timeline, frame).series(1, ("sm_clock_mhz",))["sm_clock_mhz"], 100.0
    )


def test_a_series_knows_nothing_of_what_came_after_the_playhead():
    timeline, names = two_gpus(8), ("sm_clock_mhz",)
    early = GpuHistory(timeline, frame_of(timeline, 3 * S, 8)).series(0, names)["sm_clock_mhz"]
    alone = two_gpus(3)
    np.testing.assert_array_equal(
        early, GpuHistory(alone, frame_of(alone, 3 * S, 8)).series(0, names)["sm_clock_mhz"]
    )
    assert np.isnan(early[3:]).all()
    assert newest(early) == early[2]


def test_of_a_gpu_that_is_not_there_all_is_missing():
    timeline = two_gpus(2)
    assert np.isnan(
        GpuHistory(timeline, frame_of(timeline, 2 * S, 4)).series(7, ("util_pct",))["util_pct"]
    ).all()
    assert newest(np.full(3, np.nan)) is None


def gpus_of(*samples: GpuSample, devices: list[GpuDevice] | None = None):
    devices = devices or [GpuDevice(sample.gpu, i) for i, sample in enumerate(samples)]
    timeline = folded(GpuDevices(0, "nvml", devices), GpuSamples(S, 1, "nvml", list(samples)))
    return frame_of(timeline, S, 4).gpus


def test_each_gpu_has_its_worst_trouble():
    found = troubles(
        gpus_of(
            GpuSample("well", 90.0, temperature_c=60.0, throttle=["app clocks"]),
            GpuSample("idle", 3.0),
            GpuSample("capped", 90.0, throttle=["power cap"]),
            GpuSample("held", 90.0, throttle=[], throttled_pct={"power brake": 5.0}),
            GpuSample("hot", 90.0, throttle=["HW thermal"]),
            GpuSample("warm", 90.0, temperature_c=84.0),
            GpuSample("gone", lost=True),
        )
    )
    held = Trouble.THROTTLED
    assert found == [Trouble.NONE, Trouble.IDLE, held, held, Trouble.HOT, Trouble.HOT, Trouble.LOST]


def test_none_is_idle_where_none_is_busy_nor_one_that_is_no_part_of_the_load():
    assert troubles(gpus_of(GpuSample("a", 3.0), GpuSample("b", 30.0))) == [Trouble.NONE] * 2
    others = [GpuDevice("a", 0, serves_target=True), GpuDevice("b", 1, serves_target=False)]
    found = troubles(gpus_of(GpuSample("a", 95.0), GpuSample("b", 0.0), devices=others))
    assert found == [Trouble.NONE] * 2
    hidden = troubles(gpus_of(GpuSample("a", 5.0), GpuSample("b", 99.0), devices=others))
    assert hidden == [Trouble.NONE] * 2


def test_a_gpu_without_a_new_sample_is_stale():
    timeline = folded(
        GpuDevices(0, "nvml", [GpuDevice("a", 0)]), GpuSamples(S, 1, "nvml", [GpuSample("a", 50.0)])
    )
    assert troubles(frame_of(timeline, 20 * S, 20).gpus) == [Trouble.STALE]
