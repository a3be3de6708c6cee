"""The figures of a run as tables (Markdown), what was aimed at, and the page docs/performance.md."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.client.cases import CASES, NAMES

Figures = dict[str, Any]


AT_LEAST = {"httpx": 30, "aiohttp": 5, "vllm": 5, "sglang_rust": 2, "aiperf": 15, "guidellm": 30}
"""How many times the events of a peer."""


def tables(result: Figures) -> str:
    parts = [_table(result["cases"][name], name) for name in CASES if result["cases"].get(name)]
    parts.append(_aims(result["cases"]))
    if result["absent"]:
        parts.append(
            "Not measured:\n" + "\n".join(f"- {who}: {why}" for who, why in result["absent"].items())
        )
    return "\n\n".join(parts)


def _rows(header: list[str], rows: list[list[str]]) -> str:
    widths = [max(len(row[at]) for row in [header, *rows]) for at in range(len(header))]

    def line(cells: list[str]) -> str:
        ends = [cells[0].ljust(widths[0])] + [c.rjust(w) for c, w in zip(cells[1:], widths[1:], strict=True)]
        return "| " + " | ".join(ends) + " |"

    rule = "| " + " | ".join("-" * w if not at else "-" * (w - 1) + ":" for at, w in enumerate(widths)) + " |"
    return "\n".join([line(header), rule, *map(line, rows)])


def cpu_us(told: Figures) -> float:
    return float(told["cpu_s"] / told["events"] * 1e6)


def rate(told: Figures) -> float:
    return float(told["events"] / told["wall_s"])


def _number(value: float | None, digits: int = 3) -> str:
    if value is None:
        return "-"
    if abs(value) >= 10 ** (digits - 1):
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.{digits}g}"


def _table(case: dict[str, Figures], name: str) -> str:
    title = f"### {CASES[name].title}\n\n"
    httpx = case.get("httpx")
    rows = []
    if name == "ttft":
        for client, told in case.items():
            if not told.get("ttft_ms"):
                continue
            cells = [NAMES[client]]
            for key in ("mean", "p50", "p99"):
                said, truth = told["ttft_ms"][key], told["truth"]["ttft_ms"][key]
                cells += [f"{said:.2f}", f"{truth:.2f}", f"{(said / truth - 1) * 100:+.1f} %"]
            rows.append(cells)
        header = ["client", "mean ms", "truth", "off", "p50", "truth", "off", "p99", "truth", "off"]
        return title + _rows(header, rows)
    if name == "lateness":
        for client, told in case.items():
            late = told["send_late_ms"]
            rows.append([NAMES[client], *(_number(late[key] * 1000) for key in ("p50", "p90", "p99", "max"))])
        return title + _rows(["client", "late us p50", "p90", "p99", "max"], rows)
    if name == "request":
        for client, told in case.items():
            each = told["cpu_s"] / told["requests"] * 1e6
            less = _number(httpx["cpu_s"] / httpx["requests"] * 1e6 / each) if httpx else "-"
            rows.append([NAMES[client], _number(told["requests"] / told["wall_s"]), _number(each), less])
        return title + _rows(["client", "requests/s", "CPU us/request", "x less than httpx"], rows)
    for client, told in case.items():
        cells = [NAMES[client], _number(rate(told)), _number(cpu_us(told))]
        cells.append(_number(cpu_us(httpx) / cpu_us(told)) if httpx else "-")
        if CASES[name].paced:
            error = told.get("error_ms")
            cells += [_number(error[key] * 1000 if error else None) for key in ("p50", "p90", "p99")]
        else:
            cells.append(_number(rate(told) / rate(httpx)) if httpx else "-")
        cells.append(_number(told.get("rss_mb")))
        rows.append(cells)
    header = ["client", "events/s", "CPU us/event", "x less CPU than httpx"]
    header += ["error us p50", "p90", "p99"] if CASES[name].paced else ["x events/s of httpx"]
    return title + _rows([*header, "RSS MB"], rows)


def _aims(cases: dict[str, dict[str, Figures]]) -> str:
    rows: list[list[str]] = []

    def aim(what: str, limit: float, most: bool, value: Callable[[], float], unit: str) -> None:
        try:
            got = value()
        except (KeyError, TypeError):
            rows.append([what, f"{'<=' if most else '>='} {limit:g} {unit}", "not measured", ""])
            return
        met = got <= limit if most else got >= limit
        rows.append(
            [
                what,
                f"{'<=' if most else '>='} {limit:g} {unit}",
                f"{_number(got)} {unit}",
                "yes" if met else "NO",
            ]
        )

    for peer, least in AT_LEAST.items():
        aim(
            f"events/s, open throttle, to {NAMES[peer]}",
            least,
            False,
            lambda peer=peer: rate(cases["open"]["ours"]) / rate(cases["open"][peer]),
            "x",
        )
        if peer in ("vllm", "aiperf", "guidellm"):
            continue  # their CPU time has their start-up in it
        aim(
            f"events per CPU second, open throttle, to {NAMES[peer]}",
            least,
            False,
            lambda peer=peer: cpu_us(cases["open"][peer]) / cpu_us(cases["open"]["ours"]),
            "x",
        )
    for name in ("p20", "b20"):
        aim(
            f"CPU per event to the C reader, {name}",
            2.5,
            True,
            lambda name=name: cpu_us(cases[name]["ours"]) / cpu_us(cases[name]["reader"]),
            "x",
        )
        aim(
            f"CPU per event to SGLang's Rust client, {name}",
            0.9,
            True,
            lambda name=name: cpu_us(cases[name]["ours"]) / cpu_us(cases[name]["sglang_rust"]),
            "x",
        )
        for key, limit in (("p50", 20), ("p99", 100)):
            aim(
                f"timing error {key}, {name}",
                limit,
                True,
                lambda name=name, key=key: cases[name]["ours"]["error_ms"][key] * 1000,
                "us",
            )
    for key, limit in (("mean", 1), ("p50", 1), ("p99", 2)):

        def off(key: str = key) -> float:
            told = cases["ttft"]["ours"]
            return float(abs(told["ttft_ms"][key] / told["truth"]["ttft_ms"][key] - 1) * 100)

        aim(f"reported TTFT {key} off the truth", limit, True, off, "%")
    aim("send lateness p50", 50, True, lambda: cases["lateness"]["ours"]["send_late_ms"]["p50"] * 1000, "us")
    aim(
        "send lateness p99", 2000, True, lambda: cases["lateness"]["ours"]["send_late_ms"]["p99"] * 1000, "us"
    )
    aim("memory at 200 streams", 100, True, lambda: cases["p20"]["ours"]["rss_mb"], "MB")
    return "### Aims\n\n" + _rows(["what", "aim", "measured", "met"], rows)


def page(result: Figures) -> str:
    """docs/performance.md, whole."""
    at = result["machine"]
    return f"""# Performance

How fast and how exact the load engine is, beside other clients on the same core. This page is written by

    python benchmarks/client/run.py --peers --docs docs/performance.md

from what it measured; no figure in it was typed. Machine: {at["cpu"]}, {at["cores"]} cores, {at["system"]},
Python {at["python"]}. Medians of {result["rounds"]} rounds in which all clients took turns. The clients ran
on one core, the server on another, priority {at["priority"]}, while other work was going on (load average
{at["load_before"]:.1f} before the first round). Absolute figures move with the machine: compare the rows of
one table.

- The server (`benchmarks/client/server.c`) writes into each event the time at which it sends it and knows
  the true TTFT, from the arrival of the request at its socket to its first send.
- *Error* is the time a client has for an event minus the time of its send. ttftop's is taken from its
  records, first token plus gaps, as a session keeps them; the others' where their loop reads the clock.
- ttftop decodes the JSON of every event and counts its tokens in all rows. The C reader only looks for the
  start of events. SGLang's Rust client is the whole tool; it keeps no time of single events.
- CPU is user and system time of the client's process from its first connection to its last event. GuideLLM,
  AIPerf and vLLM are whole tools too; their events/s are by their own count and duration, their CPU time has
  start-up and report in it, their memory is the sum over their processes.

{tables(result)}

## Why it is fast

- A token costs one `recvmsg`, which also brings the time at which the kernel had it: a late process does not
  make a token late.
- Nearly every event says the same. A typed decoder that takes usual events only reads all events of a
  socket read in one call; whatever it refuses goes through the full decoder (`loadgen/endpoints/usual.py`).
- Gaps are put into latency buckets four times a second, all at once.
- A request is bytes made ahead; sending it is one `send`.

## Without uvloop

Plain asyncio works; the rows *ttftop without uvloop* say what it costs. Times stay as exact, since they come
from the kernel.
"""
