"""A word for a GPU that wants looking at: held back, idle beside busy ones, or unlike the others."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from sessions.frame.gpu_trouble import counted, idle, is_throttled
from sessions.frame.schema import Gpu
from tui.draw.rows import Span

SKEW_PCT = 25.0
"""So far from the middle of the others, in utilisation or in memory used, is skew."""
_SLOWED = (("thermal", "HEAT"), ("HW thermal", "HEAT"), ("power brake", "BRAKE"), ("power cap", "PWR"))


def words(gpus: Sequence[Gpu]) -> list[Span]:
    """One a GPU, held against those of its role: what is to be said of it, empty where there is nothing."""
    found: list[Span] = [("", "")] * len(gpus)
    for role in {gpu.role for gpu in gpus}:
        numbers = [number for number, gpu in enumerate(gpus) if gpu.role == role]
        for number, word in zip(numbers, _words([gpus[n] for n in numbers]), strict=True):
            found[number] = word
    return found


def _words(gpus: Sequence[Gpu]) -> list[Span]:
    working = counted(gpus)
    util = median(gpu.util_pct or 0.0 for gpu in working) if working else 0.0
    shares = [share for gpu in working if (share := _memory_pct(gpu)) is not None]
    memory = median(shares) if shares else 0.0
    several = {id(gpu) for gpu in working} if len(working) > 1 else set()  # two may have one name, as of MIG
    return [
        _word(gpu, idles, id(gpu) in several, util, memory)
        for gpu, idles in zip(gpus, idle(gpus), strict=True)
    ]


def _word(gpu: Gpu, idles: bool, compared: bool, util: float, memory: float) -> Span:
    if gpu.lost:
        return ("lost", "bad")
    if gpu.stale:
        return ("no sample" if gpu.age_s is None else f"{gpu.age_s:.0f}s old", "warn")
    if gpu.excluded:
        return (gpu.excluded, "dim")
    if throttled(gpu)[0]:
        return throttled(gpu)
    if not compared or gpu.util_pct is None:
        return ("", "")
    if idles:
        return ("IDLE?", "warn")
    share = _memory_pct(gpu)
    apart = abs(gpu.util_pct - util) >= SKEW_PCT or (share is not None and abs(share - memory) >= SKEW_PCT)
    return ("skew", "warn") if apart else ("", "")


def _memory_pct(gpu: Gpu) -> float | None:
    if gpu.memory_used_bytes is None or not gpu.memory_total_bytes:
        return None
    return 100.0 * gpu.memory_used_bytes / gpu.memory_total_bytes


def throttled(gpu: Gpu) -> Span:
    """`PWR 12%`: what holds the clocks down, and for how much of the time; empty when nothing does."""
    if not is_throttled(gpu):
        return ("", "")
    word = next((word for reason, word in _SLOWED if reason in gpu.throttle), "SLOW")
    share = "" if gpu.throttled_pct is None else f" {gpu.throttled_pct:.0f}%"
    return (word + share, "bad" if word == "HEAT" else "warn")
