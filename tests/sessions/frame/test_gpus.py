"""What a screen is told of GPUs at an instant: the sentence where there are none, who stands aside, how old."""

from __future__ import annotations

import numpy as np
import pytest

from sessions.frame.gpus import gpu_note, gpus_at
from sessions.frame.held_means import Axis
from sessions.plan.config import RunConfig
from sessions.plan.target_config import TargetConfig
from sessions.store.manifest import ClockAnchor, Manifest, SessionInfo
from sessions.timeline.timeline import Timeline
from telemetry.records import GpuDevice, GpuDevices, GpuSample, GpuSamples, SourceNote

S = 1_000_000_000
NO_DRIVER = SourceNote(1 * S, "nvml", False, "NVML: no NVIDIA driver on this machine")
NO_METRICS = SourceNote(
    2 * S, "h:8000/metrics", False, "h:8000/metrics: HTTP 404: it publishes no metrics there"
)
DEAD = SourceNote(3 * S, "n1:9400/metrics", False, "n1:9400/metrics: no answer within 1 s")


def folded(*records) -> Timeline:
    timeline = Timeline()
    for record in records:
        timeline.apply(record)
    return timeline


def manifest(*telemetry: str) -> Manifest:
    config = RunConfig(TargetConfig("http://h:8000/v1"), telemetry=list(telemetry) or ["auto"])
    return Manifest(SessionInfo("s", "s", ""), ClockAnchor(0, 0), config)


def axis(at_ns: int) -> Axis:
    return Axis(at_ns, at_ns - 10 * S, S, 10, np.linspace(at_ns - 10 * S, at_ns, 11))


@pytest.mark.parametrize(
    ("notes", "said"),
    [
        ([], ""),
        ([NO_DRIVER], NO_DRIVER.message),
        # That the server shows no metrics is no reason for there being no GPU.
        ([NO_DRIVER, NO_METRICS], NO_DRIVER.message),
        ([NO_METRICS], NO_METRICS.message),
        ([NO_DRIVER, NO_METRICS, DEAD], DEAD.message),
        ([NO_DRIVER, SourceNote(4 * S, "nvml", True, "NVML: 1 GPU")], ""),
    ],
)
def test_where_there_is_no_gpu_the_newest_reason_is_said(notes, said):
    assert gpu_note(folded(*notes), manifest(), 9 * S) == said


def test_telemetry_that_was_switched_off_is_said():
    assert gpu_note(folded(), manifest("none"), 9 * S) == "telemetry is off"


def test_visible_gpus_stand_first_in_cudas_order_and_the_others_aside_unless_they_serve():
    devices = [
        GpuDevice("a", 0, visible=False),
        GpuDevice("b", 1, visible=True, cuda_index=1, serves_target=False),
        GpuDevice("c", 2, visible=False, serves_target=True),
        GpuDevice("d", 3, visible=True, cuda_index=0, serves_target=True),
    ]
    samples = GpuSamples(8 * S, 1, "nvml", [GpuSample(name, util_pct=50.0) for name in "abcd"])
    found = gpus_at(folded(GpuDevices(1, "nvml", devices), samples), axis(9 * S))
    assert [(gpu.label, gpu.excluded, gpu.serving) for gpu in found] == [
        ("3", "", True),
        ("1", "not serving", False),
        ("0", "hidden", False),
        ("2", "", True),
    ]


def test_an_exporters_values_are_as_old_as_they_have_been_the_same():
    records = [
        GpuSamples(t * S, 1, "n1:9400/metrics", [GpuSample("a", util_pct=50.0)], age_ns=(t - 1) * S)
        for t in range(1, 9)
    ]
    (fresh,) = gpus_at(folded(*records), axis(1 * S))
    (old,) = gpus_at(folded(*records), axis(8 * S))
    assert (fresh.age_s, fresh.stale) == (0.0, False)
    assert (old.age_s, old.stale) == (7.0, True)
