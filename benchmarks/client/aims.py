"""What was aimed at, and whether the figures meet it: one row each, missing ones too."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from benchmarks.client.cases import NAMES, VIEWS, WHOLE_TOOLS
from benchmarks.client.figures import cpu_us, number, rate

Figures = dict[str, Any]
Cases = dict[str, dict[str, Figures]]
AT_LEAST = {"httpx": 30, "aiohttp": 5, "vllm": 5, "sglang_rust": 2, "aiperf": 15, "guidellm": 30}
"""How many times the events of a peer."""
COMPARE = {"<=": operator.le, "<": operator.lt, ">=": operator.ge, "=": operator.eq}
Value = Callable[[Cases], float]


@dataclass(frozen=True)
class Aim:
    what: str
    compare: str
    limit: float
    unit: str
    value: Value


def aims(cases: Cases) -> list[list[str]]:
    """What, aim, measured, and `yes` or `NO`; empty where it was not measured."""
    made = []
    for aim in _all():
        limit = f"{aim.compare} {aim.limit:,g} {aim.unit}".strip()
        try:
            got = aim.value(cases)
        except (KeyError, TypeError, ZeroDivisionError):
            made.append([aim.what, limit, "not measured", ""])
            continue
        met = "yes" if COMPARE[aim.compare](got, aim.limit) else "NO"
        made.append([aim.what, limit, f"{number(got)} {aim.unit}".strip(), met])
    return [*made, *_stated(cases)]


def _all() -> Iterator[Aim]:
    yield from _throughput()
    for case in ("p20", "b20"):
        yield Aim(f"CPU per event to the C reader, {case}", "<=", 2.5, "x", _cpu(case, "reader"))
        yield Aim(
            f"CPU per event to {NAMES['sglang_rust']}, {case}", "<=", 0.9, "x", _cpu(case, "sglang_rust")
        )
        for key, limit in (("p50", 20.0), ("p99", 100.0)):
            yield Aim(
                f"timing error {key}, engine alone, {case}", "<=", limit, "us", _error(case, "ours", key)
            )
    yield from _product()
    for key, percent in (("mean", 1), ("p50", 1), ("p99", 2)):
        yield Aim(f"reported TTFT {key} off the truth", "<=", percent, "%", _off(key))
    yield from _open_loop()
    yield Aim(
        "worker's RSS, 200 streams, screen on",
        "<=",
        100,
        "MB",
        _at("screen", "on", "memory", "worker", "rss_mb"),
    )
    yield Aim("RSS of all processes, 200 streams, screen on", "<=", 150, "MB", _sum("rss_mb"))
    yield Aim("PSS of all processes, 200 streams, screen on", "<=", 150, "MB", _sum("pss_mb"))
    yield Aim("start to first request, headless", "<=", 0.6, "s", _at("start", "ttftop", "first_request_s"))
    checks: list[tuple[str, str, float, str]] = [
        ("rows of quirks played", "=", 24, "rows"),
        ("scripts of quirks counted wrongly", "=", 0, "wrong"),
        ("splits of event streams tried", ">=", 20_000, "splits"),
        ("splits tests failed", "=", 0, "splits_wrong"),
    ]
    for what, compare, wanted, key in checks:
        yield Aim(what, compare, wanted, "", _at("quirks", "ttftop", key))


def _throughput() -> Iterator[Aim]:
    for peer, least in AT_LEAST.items():

        def events(cases: Cases, peer: str = peer) -> float:
            return rate(cases["open"]["ours"]) / rate(cases["open"][peer])

        def per_cpu(cases: Cases, peer: str = peer) -> float:
            return cpu_us(cases["open"][peer]) / cpu_us(cases["open"]["ours"])

        yield Aim(f"events/s, open throttle, to {NAMES[peer]}", ">=", least, "x", events)
        if peer not in WHOLE_TOOLS:  # their CPU time has their start-up in it
            yield Aim(f"events per CPU second, open throttle, to {NAMES[peer]}", ">=", least, "x", per_cpu)


def _views() -> Iterator[Aim]:
    for view in VIEWS:
        for key in ("p50", "p99"):

            def to_off(cases: Cases, view: str = view, key: str = key) -> float:
                errors = (cases["views"][one]["error_ms"][key] for one in (view, "off"))
                return float(next(errors) / next(errors))

            yield Aim(f"timing error to screen off, {key}, view {view} open", "<=", 2, "x", to_off)


def _product() -> Iterator[Aim]:
    yield from _views()
    for case, how in (("screen", "spread"), ("screen_b", "bursts")):
        where = f"20 k/s {how}"
        for key, limit in (("p50", 20.0), ("p99", 100.0)):
            yield Aim(f"timing error {key}, screen on, {where}", "<=", limit, "us", _error(case, "on", key))
        for key in ("p50", "p99"):

            def to_off(cases: Cases, case: str = case, key: str = key) -> float:
                return float(cases[case]["on"]["error_ms"][key] / cases[case]["off"]["error_ms"][key])

            def to_read(cases: Cases, case: str = case, key: str = key) -> float:
                on = cases[case]["on"]
                return float(on["stalled_ms"][key] / on["error_ms"][key])

            yield Aim(f"the same to screen off, {key}, {where}", "<=", 2, "x", to_off)
            # "Unchanged" of a figure that is known to within a microsecond or so.
            yield Aim(f"the same, terminal stalled to read, {key}, {where}", "<=", 1.5, "x", to_read)
        for key, limit in (("p50", 20.0), ("p99", 100.0)):
            value = _error(case, "on", key, "stalled_ms")
            yield Aim(f"timing error {key}, terminal stalled, {where}", "<=", limit, "us", value)


def _open_loop() -> Iterator[Aim]:
    for key, limit in (("p50", 50.0), ("p99", 2000.0)):
        yield Aim(f"send lateness {key}", "<=", limit, "us", _error("lateness", "ours", key, "send_late_ms"))

    def uncounted(cases: Cases) -> float:
        told = cases["lateness"]["ours"]
        return float(abs(told["sent"] - told["requests"]) + abs(told["truth"]["requests"] - told["requests"]))

    yield Aim("requests sent and received, off those of the schedule", "=", 0, "", uncounted)
    # A schedule that drifts moves the median of every second; a stall of the machine delays a few requests.
    slope = _at("lateness", "ours", "slope_median_us_per_s")
    yield Aim("slope of the lateness over a minute, of medians", "<", 1, "us/s", slope)
    for key in ("p50", "p99"):

        def off(cases: Cases, key: str = key) -> float:
            return float(abs(cases["fixed"]["ours"]["from_due_ms"][key] - 6000))

        yield Aim(f"TTFT {key} of a server that answers in 6.0 s, off", "<=", 20, "ms", off)

    def sent(cases: Cases) -> float:
        told = cases["freeze"]["ours"]
        return float(abs(told["sent_frozen"] - 40))

    def waited_s(cases: Cases) -> float:
        return float(cases["freeze"]["ours"]["from_due_ms"]["p99"] / 1000)

    yield Aim("server frozen for 2 s: sent meanwhile, off 40", "<=", 1, "requests", sent)
    yield Aim("server frozen for 2 s: TTFT p99 from due", ">=", 1.9, "s", waited_s)


def _at(*path: str) -> Value:
    def value(cases: Cases) -> float:
        found: Any = cases
        for key in path:
            found = found[key]
        return abs(float(found))

    return value


def _cpu(case: str, peer: str) -> Value:
    return lambda cases: cpu_us(cases[case]["ours"]) / cpu_us(cases[case][peer])


def _error(case: str, who: str, key: str, what: str = "error_ms") -> Value:
    return lambda cases: float(cases[case][who][what][key] * 1000)


def _off(key: str) -> Value:
    def off(cases: Cases) -> float:
        told = cases["ttft"]["ours"]
        return float(abs(told["ttft_ms"][key] / told["truth"]["ttft_ms"][key] - 1) * 100)

    return off


def _on(cases: Cases) -> Figures:
    memory: Figures = cases["screen"]["on"]["memory"]
    return memory


def _sum(key: str) -> Value:
    return lambda cases: float(sum(role[key] for role in _on(cases).values()))


def _stated(cases: Cases) -> Iterator[list[str]]:
    """What is asked to be stated, not met."""
    by_streams = cases.get("memory", {})
    for few, many in (("200", "1000"), ("1000", "5000")):
        what = f"memory of the worker for each stream from {few} to {many}"
        if few in by_streams and many in by_streams:
            more = [by_streams[n]["memory"]["worker"]["rss_mb"] for n in (few, many)]
            each = (more[1] - more[0]) * 1e6 / (int(many) - int(few))
            yield [what, "stated", f"{each:,.0f} bytes".replace(",", " "), ""]
        else:
            yield [what, "stated", "not measured", ""]
