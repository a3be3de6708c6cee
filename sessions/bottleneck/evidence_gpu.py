"""What the GPUs that serve say of each second, each figure where it is worst."""

from __future__ import annotations

import numpy as np

from sessions.bottleneck.seconds import LEAD_S, Seconds, recent_means
from sessions.timeline.columns import Floats, Ints
from sessions.timeline.gpu_names import gpu_name, labels
from sessions.timeline.load_gpus import metered
from sessions.timeline.timeline import Timeline

_MEANS = (
    *("util_pct", "sm_active_pct", "dram_active_pct", "power_w", "power_limit_w", "temperature_c"),
    *("sm_clock_mhz", "power_throttled_pct", "thermal_throttled_pct", "brake_throttled_pct"),
)


def gpu_evidence(timeline: Timeline, span: Seconds) -> tuple[dict[str, Floats], list[str]]:
    """The fields of `Evidence`, and which GPU is meant in each second that is asked for.

    Clock, power and temperature are those of one GPU, the one that holds the others back.
    """
    at_ns = int(span.edges[-1])
    counted = metered(timeline.gpus, at_ns)
    devices = [gpu.device(at_ns) for gpu in counted]
    length = len(span.edges) - 1
    each = np.full((len(_MEANS), max(len(counted), 1), length), np.nan)
    clock_max = np.full((max(len(counted), 1), 1), np.nan)
    for i, (gpu, device) in enumerate(zip(counted, devices, strict=True)):
        each[:, i] = recent_means(gpu.samples(at_ns), _MEANS, span)
        if device.power_limit_w:
            limit = each[_MEANS.index("power_limit_w"), i]
            limit[np.isnan(limit)] = device.power_limit_w
        clock_max[i] = device.sm_clock_max_mhz or np.nan
    of = dict(zip(_MEANS, each, strict=True))
    # A brake is pulled by the power supply: a cap from outside.
    of["power_throttled_pct"] = np.fmax(of["power_throttled_pct"], of["brake_throttled_pct"])
    worst = _worst(of, clock_max)
    here = np.arange(length)
    columns = {
        "util_pct": _most(of["util_pct"]),
        "sm_pct": _most(of["sm_active_pct"]),
        "dram_pct": _most(of["dram_active_pct"]),
        "power_w": of["power_w"][worst, here],
        "power_limit_w": of["power_limit_w"][worst, here],
        "power_throttled_pct": of["power_throttled_pct"][worst, here],
        "thermal_throttled_pct": of["thermal_throttled_pct"][worst, here],
        "temperature_c": of["temperature_c"][worst, here],
        "clock_mhz": of["sm_clock_mhz"][worst, here],
        "clock_max_mhz": np.broadcast_to(clock_max, of["sm_clock_mhz"].shape)[worst, here],
    }
    known = [gpu.device(at_ns) for gpu in timeline.gpus.values() if gpu.since_ns <= at_ns]
    # Of a single one there is nothing to tell apart.
    names = [gpu_name(label) for label in labels(devices, known)] if len(devices) > 1 else [""]
    return columns, [names[i] for i in worst[LEAD_S:].tolist()]


def _worst(of: dict[str, Floats], clock_max: Floats) -> Ints:
    """Which GPU holds the others back, by second: heat first, then the power cap, then a low clock."""
    with np.errstate(invalid="ignore", divide="ignore"):
        badness = (
            1e6 * np.nan_to_num(of["thermal_throttled_pct"])
            + 1e3 * np.nan_to_num(of["power_throttled_pct"])
            + 100 * np.nan_to_num(of["power_w"] / of["power_limit_w"])
            - np.nan_to_num(of["sm_clock_mhz"] / clock_max)
        )
    return np.asarray(np.argmax(badness, axis=0), dtype=np.int64)


def _most(each: Floats) -> Floats:
    """The highest of the GPUs by second; NaN where none is known."""
    known = np.isfinite(each)
    return np.where(known.any(axis=0), np.where(known, each, -np.inf).max(axis=0), np.nan)
