"""What binds now: rules over the evidence of one second, the first that holds names the limit. Pure.

`docs/figures/bottleneck.md` says why each rule stands where it stands. A limit that is in force is let go
at a lower threshold than the one that brought it, so that the line on the screen does not flicker.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from sessions.bottleneck.evidence import Evidence

ROOM, UNKNOWN, IDLE = "room", "unknown", "no load"
UNJUDGED = "not judged yet"
"""Stands in the place of a limit until a long session has been gone through."""

MEANS_OF = {
    **dict.fromkeys(("DRAM bandwidth", "power", "heat", "clocks", "SM"), "3 s"),
}
"""By limit, over how long its figures are means, while panels beside them show the last reading. Those that
are not here say so themselves, or have the figures of the panels (`sessions.frame.limit_now`)."""

SENT_SHARE = 0.95
FAILED_SHARE = 0.10
THERMAL_PCT, THERMAL_HELD_PCT = 5.0, 2.0
HOT_C, HOT_CLOCK_SHARE = 83.0, 0.95
KV_PCT, KV_HELD_PCT, KV_QUEUED_PCT = 95.0, 90.0, 85.0
PREEMPTIONS_PER_S = 0.1
WAITING, WAITING_HELD = 2.0, 1.0
POWER_PCT, POWER_HELD_PCT = 20.0, 10.0
POWER_SHARE, POWER_HELD_SHARE, POWER_CLOCK_SHARE = 0.97, 0.94, 0.97
CLOCK_SHARE, CLOCK_HELD_SHARE, CLOCK_UTIL_PCT = 0.80, 0.85, 90.0
DRAM_PCT, DRAM_HELD_PCT = 75.0, 70.0
SM_PCT, SM_HELD_PCT = 90.0, 85.0
GROWTH_LEAST, GROWTH_SHARE, GROWTH_HELD_SHARE = 8.0, 0.2, 0.1

Rule = Callable[[Evidence, bool], str]
"""`(evidence, this limit is in force) -> the figures it rests on`, empty when it does not hold."""


def _client(of: Evidence, held: bool) -> str:
    if of.saturated:
        return of.saturated
    if of.backlog and of.due_rps and of.sent_rps is not None and of.sent_rps < SENT_SHARE * of.due_rps:
        return f"{_count(of.backlog)} held back in the client, {of.sent_rps:.1f} of {of.due_rps:.1f} rps sent"
    return ""


def _unreachable(of: Evidence, held: bool) -> str:
    return "" if of.unreachable_s is None else f"it refuses connections, for {of.unreachable_s:.0f} s"


def _failing(of: Evidence, held: bool) -> str:
    if of.failed_share is not None and of.failed_share > FAILED_SHARE:
        return f"{of.failed_share:.0%} of requests fail".replace("%", " %")
    return ""


def _silent(of: Evidence, held: bool) -> str:
    if of.tokens_10s == 0 and of.in_flight:
        return f"no token for 10 s, {_count(of.in_flight)} in flight"
    return ""


def _heat(of: Evidence, held: bool) -> str:
    least = THERMAL_HELD_PCT if held else THERMAL_PCT
    if of.thermal_throttled_pct is not None:
        hot = of.thermal_throttled_pct >= least
        slowed = f"slowed {of.thermal_throttled_pct:.0f} % of the time"
    else:
        clock, power = of.clock_share, of.power_share
        hot = (
            (of.temperature_c or 0) >= HOT_C
            and (clock is not None and clock < HOT_CLOCK_SHARE)
            and (power is None or power < POWER_HELD_SHARE)
        )
        slowed = "no throttle reason read"
    return _said(_degrees(of), slowed, _clocks(of)) if hot else ""


def _kv_cache(of: Evidence, held: bool) -> str:
    preempts = of.preemptions_per_s is not None and of.preemptions_per_s >= PREEMPTIONS_PER_S
    full = of.kv_pct is not None and of.kv_pct >= (KV_HELD_PCT if held else KV_PCT)
    blocked = of.kv_pct is not None and of.kv_pct >= KV_QUEUED_PCT and _queue_stands(of, held)
    if not (preempts or full or blocked):
        return ""
    return _kv_words(of)


def _kv_words(of: Evidence) -> str:
    preempts = of.preemptions_per_s is not None and of.preemptions_per_s >= PREEMPTIONS_PER_S
    return _said(
        "" if of.kv_pct is None else f"{of.kv_pct:.0f} % used",
        f"{of.preemptions_per_s:.1f} preemptions/s" if preempts else "",
        "" if of.waiting is None else f"{of.waiting:.0f} waiting",
    )


def _queue(of: Evidence, held: bool) -> str:
    return _queue_words(of) if _queue_stands(of, held) else ""


def _queue_words(of: Evidence) -> str:
    return _said(
        "" if of.waiting is None else f"{of.waiting:.0f} waiting",
        "" if of.running is None else f"{of.running:.0f} running",
        "" if of.kv_pct is None else f"KV {of.kv_pct:.0f} %",
        _busy(of),
    )


def _power(of: Evidence, held: bool) -> str:
    if of.power_throttled_pct is not None:
        bound = of.power_throttled_pct >= (POWER_HELD_PCT if held else POWER_PCT)
        slowed = f"capped {of.power_throttled_pct:.0f} % of the time"
    else:
        power, clock = of.power_share, of.clock_share
        bound = (
            power is not None
            and power >= (POWER_HELD_SHARE if held else POWER_SHARE)
            and (clock is None or clock < POWER_CLOCK_SHARE)
        )
        slowed = ""
    return _said(_watts(of), slowed, _clocks(of)) if bound else ""


def _clock(of: Evidence, held: bool) -> str:
    share = of.clock_share
    low = share is not None and share < (CLOCK_HELD_SHARE if held else CLOCK_SHARE)
    if not low or (of.util_pct or 0) < CLOCK_UTIL_PCT:
        return ""
    return _said(_clocks(of), "neither power nor heat is the reason")


def _dram(of: Evidence, held: bool) -> str:
    if of.dram_pct is None or of.dram_pct < (DRAM_HELD_PCT if held else DRAM_PCT):
        return ""
    return _said(f"{_on(of)}{of.dram_pct:.0f} % of its peak", _sm(of), _queued(of))


def _sm_activity(of: Evidence, held: bool) -> str:
    if of.sm_pct is None or of.sm_pct < (SM_HELD_PCT if held else SM_PCT):
        return ""
    dram = "" if of.dram_pct is None else f"DRAM {of.dram_pct:.0f} %"
    return _said(f"{_on(of)}{of.sm_pct:.0f} % active", dram, _queued(of))


def _growing(of: Evidence, held: bool) -> str:
    if of.growth is None or not of.sent_10s or of.growth < GROWTH_LEAST:
        return ""
    if of.growth < (GROWTH_HELD_SHARE if held else GROWTH_SHARE) * of.sent_10s:
        return ""
    return _said(f"{_count(of.in_flight)} in flight, {of.growth:+.0f} in 10 s", _queued(of), _busy(of))


def _room(of: Evidence, held: bool) -> str:
    """Nothing binds, and enough is known to say so: the KV cache, how busy the SMs are, or a queue that the
    load could fill."""
    if (of.waiting is None or of.closed) and of.kv_pct is None and of.sm_pct is None:
        return ""
    return _room_words(of)


def _room_words(of: Evidence) -> str:
    kv = "" if of.kv_pct is None else f"KV {of.kv_pct:.0f} %"
    queue = "" if of.waiting is None else f"queue {of.waiting:.0f}"
    # How long some kernel ran is no word on room: it is 100 % at one request.
    most = " draws most:" if of.gpu else ""
    busy = "" if of.sm_pct is None else _busy(of)
    return _said(queue, kv, busy, "" if of.power_w is None else _watts(of, most))


def _unknown_words(of: Evidence) -> str:
    known = _said(_busy(of), "" if of.power_w is None else _watts(of))
    nothing = "queue, KV cache and SM activity not known"
    if of.closed and of.waiting is not None:
        nothing = "a closed loop need not queue, and neither KV cache nor SM activity is known"
    return _said(nothing, f"{_count(of.in_flight)} in flight", known)


RULES: tuple[tuple[str, Rule], ...] = (
    ("client", _client),
    ("server", _unreachable),
    ("server", _failing),
    ("server", _silent),
    ("heat", _heat),
    ("KV cache", _kv_cache),
    ("queue", _queue),
    ("power", _power),
    ("clocks", _clock),
    ("DRAM bandwidth", _dram),
    ("SM", _sm_activity),
    ("server", _growing),
    (ROOM, _room),
)
"""In order of precedence."""

FIGURES: dict[str, Callable[[Evidence], str]] = {
    "KV cache": _kv_words,
    "queue": _queue_words,
    ROOM: _room_words,
    UNKNOWN: _unknown_words,
}
"""By limit, the words for figures that stand in a panel beside it too, so that both can be of one reading."""

_WITHOUT_LOAD = (_client, _unreachable, _failing, _room)
"""Rules that may hold in a second in which nothing is under way."""

NAMES = tuple(dict.fromkeys((*(name for name, _ in RULES), UNKNOWN, IDLE)))


class Bottleneck(NamedTuple):
    """A limit and the figures it rests on."""

    limit: str
    """One of `NAMES`."""
    why: str


def bottleneck_of(of: Evidence, in_force: str = "") -> Bottleneck:
    """The first rule that holds. `in_force` is the limit that is shown: it is let go later than it came."""
    if not of.active:
        return Bottleneck(IDLE, "")
    for name, rule in RULES:
        if not (of.under_way or rule in _WITHOUT_LOAD):
            continue  # its figures are those of a load that is over
        why = rule(of, name == in_force)
        if why:
            return Bottleneck(name, why)
    return Bottleneck(UNKNOWN, _unknown_words(of))


def _queue_stands(of: Evidence, held: bool) -> bool:
    """A queue that does not empty: a request that waits for the next step is none. For a second is long
    enough where more wait than run: a step lets in all that wait for it alone."""
    if of.waiting is None:
        return False
    if held:
        return of.waiting >= WAITING_HELD
    if of.waiting_least_1s is not None and of.running is not None:
        least = of.waiting_least_1s
        if least >= WAITING and least > of.running:
            return True
    return of.waiting >= WAITING and of.waiting_least is not None and of.waiting_least >= 1


def _said(*parts: str) -> str:
    return ", ".join(part for part in parts if part)


def _count(value: float | None) -> str:
    return "some" if value is None else f"{value:.0f}"


def _on(of: Evidence) -> str:
    return f"{of.gpu} " if of.gpu else ""


def _degrees(of: Evidence) -> str:
    return f"{_on(of)}{of.temperature_c:.0f} °C" if of.temperature_c is not None else _on(of).strip()


def _watts(of: Evidence, does: str = "") -> str:
    if of.power_w is None:
        return ""
    limit = "" if of.power_limit_w is None else f"/{of.power_limit_w:.0f}"
    return f"{f'{of.gpu}{does} ' if of.gpu else ''}{of.power_w:.0f}{limit} W"


def _clocks(of: Evidence) -> str:
    if of.clock_mhz is None or of.clock_max_mhz is None:
        return ""
    return f"SM clock {of.clock_mhz:.0f} of {of.clock_max_mhz:.0f} MHz"


def _queued(of: Evidence) -> str:
    return "" if of.waiting is None else f"queue {of.waiting:.0f}"


def _sm(of: Evidence) -> str:
    return "" if of.sm_pct is None else f"SM {of.sm_pct:.0f} %"


def _busy(of: Evidence) -> str:
    """How busy the GPU is, by the best that is known: `util` says little (see docs/figures/bottleneck.md)."""
    if of.sm_pct is not None:
        return _said(_sm(of), "" if of.dram_pct is None else f"DRAM {of.dram_pct:.0f} %")
    return "" if of.util_pct is None else f"GPU util {of.util_pct:.0f} %"
