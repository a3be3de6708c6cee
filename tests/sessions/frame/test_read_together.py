"""GPUs that are read at the same times are reckoned together: nothing of one depends on what stands beside it."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from sessions.frame.gpus import gpus_at
from sessions.frame.held_means import Axis
from sessions.timeline.energy import curves, lately, used
from sessions.timeline.timeline import Timeline
from telemetry.records import GpuSample, GpuSamples

S = 1_000_000_000
TIMES_S = [0.25 * i for i in range(1, 161)]


def sample(gpu: str, i: int) -> GpuSample | None:
    """Six GPUs: three as usual, of which one comes later and one misses figures; then one whose counter stands
    still at times, one without, and one that is read seldom."""
    energy = {"late": 40.0 * i, "bare": 50.0 * i, "dull": 30.0 * (i // 5), "none": None}
    if (gpu == "late" and i < 60) or (gpu == "rare" and i % 8):
        return None
    return GpuSample(
        gpu,
        util_pct=None if gpu == "bare" and i % 3 else 50.0 + i % 40,
        memory_used_bytes=10**10 + i,
        memory_total_bytes=2 * 10**10,
        power_w=None if gpu == "bare" else 300.0 + i % 7,
        temperature_c=60.0,
        energy_j=energy.get(gpu, 70.0 * i + (i % 3)),
        sm_active_pct=None if gpu in ("bare", "rare") else 30.0 + i % 9,
        throttled_pct=None if gpu == "bare" else {"power cap": float(i % 5), "thermal": 0.5},
    )


def folded(*gpus: str) -> Timeline:
    timeline = Timeline()
    for i, t_s in enumerate(TIMES_S):
        read = [one for gpu in gpus if (one := sample(gpu, i)) is not None]
        timeline.apply(GpuSamples(int(t_s * S), 1, "nvml", read))
    return timeline


NAMES = ("plain", "late", "bare", "dull", "none", "rare")


@pytest.mark.parametrize("at_s", [1.0, 14.9, 17.0, 39.9, 41.0, 60.0])
@pytest.mark.parametrize("slot_s", [0.125, 0.5, 8.0])
def test_a_gpu_among_others_is_as_it_is_alone(at_s, slot_s):
    at_ns, slot_ns = int(at_s * S), int(slot_s * S)
    start_ns = (at_ns // slot_ns - 19) * slot_ns
    edges = np.minimum(start_ns + np.arange(21) * float(slot_ns), at_ns)
    axis = Axis(at_ns, start_ns, slot_ns, 20, edges)
    together = folded(*NAMES)
    known = [name for name, gpu in together.gpus.items() if gpu.since_ns <= at_ns]
    alone = {name: gpus_at(folded(name), axis)[0] for name in known}
    found = gpus_at(together, axis)
    assert len(found) == len(known)
    order = sorted(known)  # of one number: by their keys
    for name, gpu in zip(order, found, strict=True):
        for field in fields(gpu):
            one, other = getattr(gpu, field.name), getattr(alone[name], field.name)
            np.testing.assert_equal(one, other, err_msg=f"{name} {field.name}")


@pytest.mark.parametrize("at_s", [0.3, 10.0, 17.0, 39.9, 41.0, 60.0, 600.0])
def test_energy_lately_is_that_of_each_curve(at_s):
    timeline, at_ns = folded(*NAMES), int(at_s * S)
    from_ns, since_ns = at_ns - 10 * S, at_ns - 120 * S
    parts = curves(timeline.gpus, at_ns, since_ns)
    assert lately(timeline.gpus, at_ns, since_ns, from_ns) == (used(parts, from_ns, at_ns), len(parts))
    alone = folded("plain", "late")
    parts = curves(alone.gpus, at_ns, since_ns)
    energy, gpus = lately(alone.gpus, at_ns, since_ns, from_ns)
    assert (energy.joules, gpus) == (pytest.approx(used(parts, from_ns, at_ns).joules), len(parts))
