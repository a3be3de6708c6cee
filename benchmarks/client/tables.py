"""The figures of a benchmark as tables (Markdown)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.client.aims import aims
from benchmarks.client.cases import ALL, CASES, CHECKS, NAMES, PRODUCTS, WHOLE_TOOLS
from benchmarks.client.figures import cpu_us, number, rate

Figures = dict[str, Any]
Table = tuple[list[str], list[list[str]]]
"""Header and rows."""


def tables(result: Figures) -> str:
    cases = {name: _ordered(rows_of) for name, rows_of in result["cases"].items()}
    parts = []
    for name in ALL:
        if cases.get(name):
            parts += [
                f"### {title} ({name})\n\n{rows(*table)}"
                for title, table in _of_case(name, cases)
                if table[1]
            ]
    parts.append("### Aims\n\n" + rows(["what", "aim", "measured", "met"], aims(cases)))
    for heading, lines in (
        ("Notes", _notes(cases)),
        ("Not measured, or not in every round", _absent(result["absent"])),
    ):
        if lines:
            parts.append(f"{heading}:\n\n" + "\n".join(f"- {line}" for line in lines))
    return "\n\n".join(parts)


def _ordered(rows_of: Figures) -> Figures:
    """As in `NAMES`, whichever was measured last; others as they are."""
    places = {name: place for place, name in enumerate(NAMES)}
    return dict(sorted(rows_of.items(), key=lambda row: places.get(row[0], 0)))


def rows(header: list[str], body: list[list[str]]) -> str:
    widths = [max(len(row[at]) for row in [header, *body]) for at in range(len(header))]

    def line(cells: list[str]) -> str:
        ends = [cells[0].ljust(widths[0])] + [c.rjust(w) for c, w in zip(cells[1:], widths[1:], strict=True)]
        return "| " + " | ".join(ends) + " |"

    rule = "| " + " | ".join("-" * w if not at else "-" * (w - 1) + ":" for at, w in enumerate(widths)) + " |"
    return "\n".join([line(header), rule, *map(line, body)])


def _of_case(name: str, cases: Figures) -> list[tuple[str, Table]]:
    case: Figures = cases[name]
    if name in CASES:
        title = CASES[name].title
        if name == "ttft":
            return [
                (f"{title}: TTFT", _reported(case, "ttft_ms")),
                (f"{title}: ITL", _reported(case, "itl_ms")),
                ("Whole tools: start, memory, size", _whole_tools(cases)),
            ]
        return [(title, SPECIAL[name](case) if name in SPECIAL else _load(name, case))]
    if name == "memory":
        return [(PRODUCTS[name][0], _memory(case))]
    if name == "views":
        return [(PRODUCTS[name][0], _views(case))]
    if name == "agent":
        return [(PRODUCTS[name][0], _agent(case))]
    if name in PRODUCTS:
        title = PRODUCTS[name][0]
        return [(title, _screen(case)), (f"{title}: memory by process", _processes(case))]
    if name == "quirks":
        return [(CHECKS[name], _quirks(case))]
    return []  # start and size stand beside the whole tools


def _load(name: str, case: Figures) -> Table:
    """Rate, CPU and timing error of a closed loop."""
    httpx, body, paced = case.get("httpx"), [], CASES[name].paced
    for client, told in case.items():
        cells = [NAMES[client], number(rate(told)), number(cpu_us(told))]
        cells.append(number(cpu_us(httpx) / cpu_us(told)) if httpx else "-")
        if paced:
            error = told.get("error_ms")
            cells += [number(error[key] * 1000 if error else None) for key in ("p50", "p90", "p99")]
        else:
            cells.append(number(rate(told) / rate(httpx)) if httpx else "-")
        body.append([*cells, number(told.get("rss_mb")), f"{told['rounds']}"])
    header = ["client", "events/s", "CPU us/event", "x less CPU than httpx"]
    header += ["error us p50", "p90", "p99"] if paced else ["x events/s of httpx"]
    return [*header, "RSS MB", "rounds"], body


def _reported(case: Figures, what: str) -> Table:
    body = []
    for client, told in case.items():
        if not told.get(what):
            continue
        cells = [NAMES[client]]
        for key in ("mean", "p50", "p99"):
            said, truth = told[what][key], told["truth"][what][key]
            cells += [f"{said:.2f}", f"{truth:.2f}", f"{(said / truth - 1) * 100:+.1f} %"]
        body.append([*cells, f"{told['rounds']}"])
    return ["client", "mean ms", "truth", "off", "p50", "truth", "off", "p99", "truth", "off", "rounds"], body


def _request(case: Figures) -> Table:
    httpx, body = case.get("httpx"), []
    for client, told in case.items():
        each = told["cpu_s"] / told["requests"] * 1e6
        less = number(httpx["cpu_s"] / httpx["requests"] * 1e6 / each) if httpx else "-"
        body.append([NAMES[client], number(told["requests"] / told["wall_s"]), number(each), less])
    return ["client", "requests/s", "CPU us/request", "x less than httpx"], body


def _lateness(case: Figures) -> Table:
    body = []
    for client, told in case.items():
        late = told["send_late_ms"]
        cells = [NAMES[client], *(number(late[key] * 1000) for key in ("p50", "p90", "p99", "max"))]
        cells += [f"{told[key]:+.2f}" for key in ("slope_us_per_s", "slope_median_us_per_s")]
        body.append([*cells, f"{told['requests']:.0f}", f"{told['sent']:.0f}"])
    header = ["client", "late us p50", "p90", "p99", "max", "slope us/s", "of medians", "due", "sent"]
    return header, body


def _fixed(case: Figures) -> Table:
    body = []
    for client, told in case.items():
        cells = [f"{told['from_due_ms'][key] / 1000:.3f}" for key in ("mean", "p50", "p99", "max")]
        truth = [f"{told['truth']['ttft_ms'][key] / 1000:.3f}" for key in ("p50", "p99")]
        body.append([NAMES[client], *cells, *truth])
    return ["client", "TTFT from due s mean", "p50", "p99", "max", "server's p50", "p99"], body


def _freeze(case: Figures) -> Table:
    body = []
    for client, told in case.items():
        late = told["late_frozen_ms"]
        cells = [f"{told[key]:.0f}" for key in ("due_frozen", "sent_frozen")]
        cells += [number(late[key] * 1000) for key in ("p50", "p99")]
        cells += [f"{told['from_due_ms'][key] / 1000:.3f}" for key in ("p50", "p99", "max")]
        body.append([NAMES[client], *cells])
    header = ["client", "due while frozen", "sent", "late us p50", "p99", "TTFT from due s p50", "p99", "max"]
    return header, body


SPECIAL: dict[str, Callable[[Figures], Table]] = {
    "request": _request,
    "lateness": _lateness,
    "lateness_mixed": _lateness,
    "request_long": _request,
    "request_mixed": _request,
    "fixed": _fixed,
    "freeze": _freeze,
}


def _screen(case: Figures) -> Table:
    body = []

    def line(what: str, told: Figures, error: Figures) -> None:
        cells = [number(error[key] * 1000) for key in ("p50", "p90", "p99", "max")]
        client = told["client"]
        cells += [f"{client['cpu_share_max'] * 100:.0f}", number(client["coalesced_share"] * 100)]
        body.append([what, *cells, f"{told['rounds']}"])

    if off := case.get("off"):
        line("screen off (headless)", off, off["error_ms"])
    if on := case.get("on"):
        line("screen on, terminal read", on, on["error_ms"])
        line("screen on, terminal stalled for 10 s", on, on["stalled_ms"])
    return ["", "error us p50", "p90", "p99", "max", "worker's core % max", "coalesced %", "rounds"], body


def _views(case: Figures) -> Table:
    """Each beside the run without a screen."""
    body = []
    for name, told in case.items():
        error, client = told["error_ms"], told["client"]
        cells = [number(error[key] * 1000) for key in ("p50", "p90", "p99", "max")]
        off = case.get("off", {}).get("error_ms")
        cells.append("-" if off is None else number(error["p99"] / off["p99"]))
        cells.append(f"{client['cpu_share_max'] * 100:.0f}")
        what = "screen off (headless)" if name == "off" else f"view {name} open"
        body.append([what, *cells, f"{told['rounds']}"])
    return ["", "error us p50", "p90", "p99", "max", "p99 to off", "worker's core % max", "rounds"], body


def _agent(case: Figures) -> Table:
    """Timing errors and send lags side by side; both are of the worker's own clock."""
    body = []
    for who, told in case.items():
        lags = [number(told["send_lag_ms"][key] * 1000) for key in ("p50", "p99")]
        errors = [number(told["error_ms"][key] * 1000) for key in ("p50", "p90", "p99", "max")]
        body.append([PRODUCTS["agent"][1][who].title, *errors, *lags, f"{told['rounds']}"])
    header = ["error us p50", "p90", "p99", "max", "send lag us p50", "p99", "rounds"]
    return ["", *header], body


def _processes(case: Figures) -> Table:
    memory: Figures = case.get("on", {}).get("memory") or {}
    names = sorted(memory)
    if not names:
        return [], []
    header = ["MB", *names, "sum"]
    body = []
    for label, key in (("RSS", "rss_mb"), ("PSS", "pss_mb")):
        each = [memory[name][key] for name in names]
        body.append([label, *map(number, each), number(sum(each))])
    return header, body


def _memory(case: Figures) -> Table:
    body = []
    for streams, told in case.items():
        worker = told["memory"]["worker"]
        body.append([streams, number(worker["rss_mb"]), number(worker["pss_mb"])])
    return ["streams", "worker RSS MB", "PSS MB"], body


def _whole_tools(cases: Figures) -> Table:
    body = []
    sizes = {who: told["size_mb"] for who, told in cases.get("size", {}).items()}
    start = cases.get("start", {}).get("ttftop", {}).get("first_request_s")
    if on := cases.get("screen", {}).get("on"):
        total = sum(role["rss_mb"] for role in on["memory"].values())
        body.append(["ttftop, screen and all", number(start), number(total), number(sizes.get("ttftop"))])
    for client in ("sglang_rust", *WHOLE_TOOLS):
        if told := cases["ttft"].get(client):
            cells = [number(told.get("first_request_s")), number(told["rss_mb"])]
            body.append([NAMES[client], *cells, number(sizes.get(client))])
    return ["tool", "start to first request s", "RSS MB, all processes", "installed MB"], body


def _quirks(case: Figures) -> Table:
    told = case["ttftop"]
    return ["what", "played", "wrong"], [
        [
            f"scripts of quirks, {told['rows']:.0f} of 24 rows",
            f"{told['played']:.0f}",
            f"{told['wrong']:.0f}",
        ],
        ["splits of event streams, at least", f"{told['splits']:,.0f}", f"{told['splits_wrong']:.0f}"],
    ]


def who(case: str, key: str) -> str:
    """A row in words."""
    return f"{NAMES.get(key, key)}, {case}"


def _notes(cases: Figures) -> list[str]:
    found = []
    for case, by_who in cases.items():
        if case in CASES and len(began := sorted({told["at"] for told in by_who.values()})) > 1:
            found.append(f"{case}: rows of runs that began at different times: {', '.join(began)}")
        for key, told in by_who.items():
            if "note" in told:
                found.append(f"{who(case, key)}: {told['note']}")
            if told.get("reasons"):
                found.append(
                    f"{who(case, key)}: the run calls itself not valid: {'; '.join(told['reasons'])}"
                )
    return found


def _absent(absent: dict[str, str]) -> list[str]:
    return [f"{who(*row.split('/', 1))}: {why}" for row, why in absent.items()]
