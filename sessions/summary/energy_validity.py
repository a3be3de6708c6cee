"""Whether joules may be relied on, and why not. docs/figures/energy.md says the same in words. Pure.

The limits are those of InferenceX: no 3 s without a reading, and the card's counter within 5 % of its power
integrated, plus what readings so far apart can be off by. Figures are not withheld for it: they stand, and
the flag stands beside them.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from sessions.summary.telemetry_schema import EnergyValidity
from sessions.timeline.columns import Floats
from sessions.timeline.energy import GAP_SHARE, EnergyCurve, curve_of, used
from sessions.timeline.gpus import GpuColumns
from sessions.timeline.load_gpus import metered, powered

APART_S = 3.0
"""Readings further apart leave what was drawn between them to a guess."""
COUNTER_SHARE = 0.05
"""By how much counter and integrated power may differ, of the integral."""
METER_S = 1.0
"""A power reading may be the mean of so long before it. Source: nvmlDeviceGetPowerUsage, Ampere and later."""
WINDOW = "from the start of the load to the last answer"

_RANK = re.compile(r"(::.*|[_-]?(TP|PP|DP|EP)?\d+)$")
"""What one server's processes differ in: `VLLM::Worker_TP0`, `VLLM::EngineCore`, `worker-3`."""


def energy_validity(
    gpus: dict[str, GpuColumns], at_ns: int, from_ns: int, to_ns: int
) -> EnergyValidity | None:
    """What speaks against the joules of `[from_ns, to_ns]`, as far as was known at `at_ns`.

    Returns:
        None where the load runs on no GPU that anybody spoke of.
    """
    counted = powered(gpus, at_ns)
    if not counted or to_ns <= from_ns:
        return None
    curves = [curve_of(gpu.samples(at_ns), at_ns) for gpu in counted]
    names = [_name(gpu, at_ns) for gpu in counted]
    seconds = (to_ns - from_ns) / 1e9
    unread = [name for name, curve in zip(names, curves, strict=True) if not len(curve.read_ns)]
    reasons = []
    if unread:
        reasons.append(f"no energy was read of {_listed(unread)}: joules are without it")
    known = [curve for curve in curves if len(curve.read_ns)]
    gaps = [_gaps_s(curve, from_ns, to_ns) for curve in known]
    unsure_s = max((unsure for _, unsure in gaps), default=seconds)
    reasons += _unread(known, unsure_s, from_ns, to_ns)
    off = [_against(gpu, curve, at_ns, from_ns, to_ns) for gpu, curve in zip(counted, curves, strict=True)]
    worst = max((each for each in off if each is not None), key=lambda each: abs(each.share), default=None)
    reasons += _against_power(names, off)
    reasons += _not_only_ours(gpus, counted, names, at_ns, (from_ns, to_ns))
    return EnergyValidity(
        valid=not reasons,
        reasons=reasons,
        window=WINDOW,
        window_s=seconds,
        longest_gap_s=max((longest for longest, _ in gaps), default=None),
        unsampled_share=unsure_s / seconds,
        counter_off_share=None if worst is None else worst.share,
        counter_off_allowed_share=None if worst is None else worst.allowed,
        gpus_without_reading=len(unread),
    )


def _unread(known: Sequence[EnergyCurve], unsure_s: float, from_ns: int, to_ns: int) -> list[str]:
    """That too much of the span lies where nothing was read; one sentence at most."""
    if not known:
        return []
    seconds, gap_s = (to_ns - from_ns) / 1e9, used(known, from_ns, to_ns).gap_s
    if gap_s > GAP_SHARE * seconds:
        return [
            f"{gap_s:,.1f} of {seconds:,.1f} s are not known ({gap_s / seconds:.1%}, allowed "
            f"{GAP_SHARE:.0%}): no readings, or a counter that went back"
        ]
    if unsure_s > GAP_SHARE * seconds:
        where = "" if any(curve.integrated for curve in known) else " at the ends"
        return [
            f"{unsure_s:,.1f} of {seconds:,.1f} s{where} lie between readings more than {APART_S:g} s apart "
            f"({unsure_s / seconds:.1%}, allowed {GAP_SHARE:.0%})"
        ]
    return []


def _gaps_s(curve: EnergyCurve, from_ns: int, to_ns: int) -> tuple[float, float]:
    """The longest time within the span without a reading; and how much of the span lies in gaps longer than
    `APART_S` that matter: of a counter, which goes on counting, only those at the two ends."""
    read = curve.read_ns
    edges = np.concatenate([[min(from_ns, read[0])], read, [max(to_ns, read[-1])]])
    begin, end = edges[:-1], edges[1:]
    within_s = np.clip(np.minimum(end, to_ns) - np.maximum(begin, from_ns), 0, None) / 1e9
    matters = (end - begin) / 1e9 > APART_S
    if not curve.integrated:
        matters &= (begin <= from_ns) | (end >= to_ns)
    return float(within_s.max()), float(within_s[matters].sum())


class _Off(NamedTuple):
    share: float
    """By how much the counter says more than power integrated, of the integral."""
    allowed: float


def _against(gpu: GpuColumns, curve: EnergyCurve, at_ns: int, from_ns: int, to_ns: int) -> _Off | None:
    """The counter against power integrated; None where one of them is not known."""
    if curve.integrated:
        return None
    samples = gpu.samples(at_ns)
    n = int(samples.upto(np.array([float(at_ns)]))[0])
    times, watts = samples["t"][:n], samples["power_w"][:n]
    power = EnergyCurve(times, np.full(n, np.nan), watts)
    seconds = (to_ns - from_ns) / 1e9
    counted, integral = (each.over(from_ns, to_ns).whole(seconds) for each in (curve, power))
    if counted is None or not integral:
        return None
    known = np.isfinite(watts)
    unsure_j = sampling_error_j(times[known], watts[known], curve.read_ns, from_ns, to_ns)
    return _Off(counted / integral - 1, COUNTER_SHARE + unsure_j / integral)


def sampling_error_j(times_ns: Floats, watts: Floats, counted_ns: Floats, from_ns: int, to_ns: int) -> float:
    """By how much the counter and the power integrated over a span may differ for want of readings.

    At both ends nobody knows how a reading's energy lies within its interval: of power between `lo` and `hi`
    and an interval of `d`, by `d * (hi - lo) / 4` at the most. A power reading that is the mean of the last
    second counts what was before the span, and not its last second: by `METER_S * (hi - lo) / 2` at the most.
    Between two readings the trapezoid rule is off by `d / 2` times their difference at the most, now too high
    and now too low, so that these add up as their squares do.
    """
    a = max(int(np.searchsorted(times_ns, from_ns - METER_S * 1e9)) - 1, 0)
    b = int(np.searchsorted(times_ns, to_ns, side="right")) + 1
    times, power = times_ns[a:b], watts[a:b]
    if len(times) < 2:
        return 0.0
    apart_s = np.diff(times) / 1e9
    swing = float(power.max() - power.min())
    ends_s = sum(_interval_s(read, at) / 4 for read in (times, counted_ns) for at in (from_ns, to_ns))
    between = float(np.sqrt(np.sum((apart_s * np.diff(power) / 2) ** 2)))
    return swing * (ends_s + METER_S / 2) + between


def _interval_s(read_ns: Floats, at_ns: int) -> float:
    """How far apart the readings before and after an instant are; of one outside of them, the nearest two."""
    if len(read_ns) < 2:
        return 0.0
    i = min(max(int(np.searchsorted(read_ns, at_ns, side="right")), 1), len(read_ns) - 1)
    return float(read_ns[i] - read_ns[i - 1]) / 1e9


def _against_power(names: Sequence[str], off: Sequence[_Off | None]) -> list[str]:
    """Of the GPUs whose counter says something else than their power: the worst, and how many more."""
    apart = [
        (each, name)
        for each, name in zip(off, names, strict=True)
        if each is not None and abs(each.share) > each.allowed
    ]
    if not apart:
        return []
    each, name = max(apart, key=lambda one: abs(one[0].share) - one[0].allowed)
    way, more = (
        "more" if each.share > 0 else "less",
        f", and so of {len(apart) - 1} more" if apart[1:] else "",
    )
    return [
        f"{name}: its counter says {abs(each.share):.1%} {way} than its power integrated "
        f"(allowed {each.allowed * 100:.2g}%){more}"
    ]


def _not_only_ours(
    gpus: dict[str, GpuColumns],
    counted: Sequence[GpuColumns],
    names: Sequence[str],
    at_ns: int,
    span_ns: tuple[int, int],
) -> Iterator[str]:
    """A meter is of the whole GPU, whoever computes there."""
    ours = {gpu.device(at_ns).gpu for gpu in metered(gpus, at_ns)}
    for gpu, name in zip(counted, names, strict=True):
        whole = gpu.device(at_ns).gpu
        parts = [key for key, other in gpus.items() if other.device(at_ns).parent == whole]
        if whole not in ours and any(key not in ours for key in parts):
            yield f"{name} is cut into {len(parts)} MIG instances, and its meter is of all of them"
        programs = sorted(_programs(gpu, span_ns))
        if len(programs) > 1:
            yield f"{name} is not only the server's: {' and '.join(programs)} compute there"


def _programs(gpu: GpuColumns, span_ns: tuple[int, int]) -> set[str]:
    """Names of what was seen to compute on it, without what ranks of one server differ in."""
    times = [t_ns for t_ns, _ in gpu.computing]
    first, last = max(bisect_right(times, span_ns[0]) - 1, 0), bisect_right(times, span_ns[1])
    seen = {process.name for _, processes in gpu.computing[first:last] for process in processes}
    return {_RANK.sub("", name) or name for name in seen if name}


def _name(gpu: GpuColumns, at_ns: int) -> str:
    device = gpu.device(at_ns)
    return f"GPU {device.index}" + (f" of {device.host}" if device.host else "")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
