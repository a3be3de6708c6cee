"""The text of a summary: what stands where, what is marked, and that nothing in it commands a terminal."""

from __future__ import annotations

import itertools
import re
from typing import Any

import msgspec
import pytest

from loadgen.errors import ERROR_KINDS
from sessions.bottleneck.client_headroom import ClientHeadroom
from sessions.report.finding import finding
from sessions.summary.plan_schema import Limit, Plan
from sessions.summary.schema import Stage, Summary
from sessions.summary.slo_schema import Slo
from sessions.summary.stored import StoredSummary
from tui.report import text as report
from tui.report.advice import ADVICE
from tui.report.brief import brief
from tui.report.plotext_chart import Curve, Theme, ceiling, chart
from tui.report.slo import slo_line, slo_table

NOTHING = {"count": 0, **dict.fromkeys(("mean", "p50", "p90", "p95", "p99", "min", "max")), "thin": []}


def latency(count: int = 126, **more: Any) -> dict[str, Any]:
    return {
        "count": count, "mean": 124.0, "p50": 9.994, "p90": 99.94, "p95": 199.2, "p99": 1227.3,
        "min": 69.4, "max": 12043.0, "thin": [], **more,
    }  # fmt: skip


def summary(**more: Any) -> Summary:
    """A summary with other parts than usual, given as they stand in JSON."""
    usual: dict[str, Any] = {
        "id": "20261121-035954-demo",
        "name": "demo",
        "target": "http://127.0.0.1:8000",
        "model": "sim-8b",
        "endpoint": "completions",
        "started_at": "2026-11-21T03:59:54.000+00:00",
        "simulated": True,
        "valid": True,
        "reasons": [],
        "end": {"reason": "completed", "message": "the run came to its end"},
        "load_s": 30.0,
        "duration_s": 31.04,
        "load": {},
        "load_changes": 0,
        "workload": {},
        "marks": [],
        "requests": {"due": 1260, "sent": 1250, "succeeded": 1249, "failed": 1, "not_sent": 10},
        "errors": {"http_500": 1},
        "rate": {"offered_rps": 4.2, "achieved_rps": 4.1666},
        "throughput": {"request_rps": 4.1, "output_tps": 260.04, "total_tps": None},
        "tokens": {"input": None, "cached": None, "output": 8064, "source": "usage"},
        "tokens_per_chunk": 1.0,
        "ttft_from_due_ms": latency(thin=["p95", "p99"]),
        **{f"{name}_ms": NOTHING for name in ("ttft_from_sent", "chunk_gap", "tpot", "e2e", "send_lag")},
        "itl_ms": {**NOTHING, "unknown": 0},
        "ttft_of_failed_ms": NOTHING,
        "stale_retries": 0,
        "probe": {"requests": 1},
        "gpus": [],
        "energy": dict.fromkeys(("joules", "source", "mean_w", "j_per_output_token", "output_tps_per_w"))
        | {"gpus": 0, "gap_s": 0.0},
        "cost": None,
        "server": None,
        "hosts": [],
        "telemetry": [],
        "limits": [],
        "steps": [],
        "client": dict.fromkeys(ClientHeadroom.__struct_fields__)
        | {"saturated_s": 0, "judged_s": 30, "note": "", "workers": 1},
        "notes": [],
    }
    return msgspec.convert({**usual, **more}, Summary)


def stage(**more: Any) -> dict[str, Any]:
    nothing = dict.fromkeys(field.encode_name for field in msgspec.structs.fields(Stage))
    return {**nothing, "from_s": 0.0, "to_s": 2.0, "achieved_rps": 1.0, "output_tps": 1.0, "count": 0, **more}


def row(text: str, start: str) -> list[str]:
    """The cells of the one line that begins with `start`."""
    (line,) = [line for line in text.splitlines() if line.startswith(start)]
    return line.removeprefix(start).split()


def test_a_report_fits_eighty_columns() -> None:
    unread = dict.fromkeys(("mean", "max"))
    gpu = {
        "index": 0, "name": "A name far too long for its column", "host": "", "source": "nvml", "samples": 9,
        "util_pct": {"mean": 91.2, "max": 100.0}, "memory_used_bytes": unread, "power_w": unread,
        "temperature_c": unread, "sm_clock_mhz": unread, "memory_total_bytes": None, "energy_j": None,
        "energy_source": None, "energy_gap_s": 0.0,
    }  # fmt: skip
    text = report.render(summary(gpus=[gpu], simulated=False))
    assert max(map(len, text.splitlines())) <= 80


def test_counts_and_rates_stand_by_their_names() -> None:
    text = report.render(summary())
    assert row(text, "requests") == ["due", "1,260", "sent", "1,250", "succeeded", "1,249", "failed", "1", "not",
                                     "sent", "10"]  # fmt: skip
    assert row(text, "rate, rps") == ["offered", "4.20", "achieved", "4.17", "completed", "4.10",
                                      "(to", "the", "last", "answer)"]  # fmt: skip


def test_stale_connections_are_counted_where_there_were_any() -> None:
    assert "stale 3 (sent again)" in report.render(summary(stale_retries=3))
    assert "stale" not in report.render(summary(stale_retries=0))


def test_a_figure_that_was_not_measured_is_a_dash_and_never_zero() -> None:
    text = report.render(summary())
    assert row(text, "ITL per token") == ["0", *"------"]
    assert row(text, "TPOT") == ["0", *"------"]
    assert row(text, "tokens") == ["input", "-", "output", "8,064", "output/s", "260.0", "total/s", "-"]


def test_a_thin_percentile_is_marked_and_the_mark_explained() -> None:
    text = report.render(summary())
    assert row(text, "TTFT from due") == ["126", "124", "9.99", "99.9", "~199", "~1,227", "12,043"]
    assert "~ rests on few samples" in text
    assert "~" not in report.render(summary(ttft_from_due_ms=latency()))


def test_estimated_tokens_are_said_to_be_estimated() -> None:
    text = report.render(summary(tokens={"input": 5, "cached": None, "output": 7, "source": "chunks"}))
    assert "output 7 (estimated from chunks)" in text
    assert "TPOT is an estimate: each chunk is taken for one token" in text
    assert "TPOT is an estimate" not in report.render(summary())


def test_tokens_that_were_counted_of_some_requests_are_said_to_be_so() -> None:
    tokens = {"input": 5, "cached": None, "output": 7, "source": "mixed", "input_unknown": 9, "estimated": 4}
    text = report.render(summary(tokens=tokens))
    succeeded = int(row(text, "requests")[5].replace(",", ""))
    said = f"input tokens are of {succeeded - 9:,} requests: of 9 others nobody counted them"
    assert said in " ".join(text.split())
    assert "\n4 of the output tokens are estimated from chunks\n" in text
    assert "nobody counted" not in report.render(summary())


def test_tokens_that_nobody_saw_are_said_beside_the_time_per_token() -> None:
    tokens = {"input": 5, "cached": None, "output": 70_000, "source": "usage", "hidden": 60_000}
    text = report.render(summary(tokens={**tokens, "hidden_unknown": 3}))
    said = " ".join(text.split())
    assert "60,000 output tokens were counted by the server and never shown: TPOT is of the others" in said
    assert "no TPOT of 3 requests: the server counted more tokens than what it sent can hold" in said
    assert max(map(len, text.splitlines())) <= 80
    assert "shown" not in report.render(summary())


def test_the_verdict_is_valid_or_every_reason() -> None:
    assert report.render(summary()).endswith(f"\n{report.VALID}\n")
    text = report.render(summary(valid=False, reasons=["the run was interrupted", "2.0 % failed"]))
    assert text.endswith("\nNOT VALID\n  - the run was interrupted\n  - 2.0 % failed\n")


def test_errors_are_counted_and_explained() -> None:
    text = report.render(summary(errors={"http_500": 1, "cut_mid_stream": 12}))
    assert "\n      12  cut_mid_stream: the connection was lost before the answer was whole\n" in text
    assert text.index("cut_mid_stream") < text.index("http_500")


def test_what_is_wrong_with_a_sessions_files_is_said() -> None:
    note = "requests-0.jsonl: 2 damaged, first at byte 70: no JSON"
    text = report.render(summary(notes=[note, "a\x1b[2Jb " * 30]))
    assert f"notes on the session\n  - {note}\n" in text
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 80
    assert "notes" not in report.render(summary(notes=[]))


def test_an_imported_run_says_so_and_which_figures_have_no_counterpart() -> None:
    figures = [
        {"name": "results_end_to_end_latency_s_quantiles_p95", "value": 12.5},
        {"name": "mean_tpot_ms", "value": 9.0, "unit": "ms", "ours": "tpot_ms.mean", "how": "same"},
    ]
    told = {"tool": "x bench", "file": "r.json", "version": "1", "notes": ["n" * 200], "figures": figures}
    text = report.render(summary(imported=told, target="http://h", model="m", simulated=True))
    assert text.splitlines()[0].endswith("IMPORTED")
    assert max(map(len, text.splitlines())) <= 80
    lines = [line.split() for line in text.splitlines()]
    assert ["mean_tpot_ms", "9", "tpot_ms.mean", "same"] in lines
    assert any(line[1:] == ["12.5", "-", "none"] for line in lines)


def test_a_simulated_run_says_so_beside_its_target() -> None:
    assert report.render(summary()).splitlines()[0].endswith("SIMULATED")
    assert "SIMULATED" not in report.render(summary(simulated=False))


def test_a_run_of_one_load_has_no_table_of_stages_and_a_long_one_is_cut() -> None:
    one = stage(to_s=2.5, offered_rps=1.26, achieved_rps=0.8, output_tps=10.4, count=30, ttft_p50_ms=85.7,
                itl_p50_ms=15.2, itl_p99_ms=83.8)  # fmt: skip
    assert "tokens/s" not in report.render(summary(steps=[one]))
    text = report.render(summary(steps=[one] * 30))
    assert text.count("\n 0.0   2.5  1.26") == 24
    assert "without 6 holds and shortest stages: --json has all" in text
    assert "conc." not in text
    assert re.search(r"^ 0.0   2.5  1.26 +0.80 +10 +30 +85.7 +- +15.2 +83.8$", text, re.M)


@pytest.mark.parametrize(
    ("count", "shown"), [(10, "~85.7 ~99.0"), (11, "85.7 ~99.0"), (661, "85.7 ~99.0"), (662, "85.7 99.0")]
)
def test_a_stage_says_how_many_requests_it_rests_on_and_marks_what_rests_on_few(
    count: int, shown: str
) -> None:
    steps = [{**one, "count": count, "ttft_p50_ms": 85.7, "ttft_p99_ms": 99.0} for one in stages_of(2.0, 2.0)]
    assert f" {count} {shown} " in " ".join(report.render(summary(steps=steps)).split())


def test_what_was_asked_and_the_marks_stand_in_the_report() -> None:
    load = {
        "arrivals": "poisson",
        "rate_rps": 4.0,
        "seed": 3,
        "ramp": {"from_rps": 1, "to_rps": 64, "over_s": 120.0},
    }
    work = {"input_tokens": 48, "output_tokens": 16}
    said = {"load": load, "workload": work, "endpoint": "chat", "started_at": "2026-11-21T07:49:05.553+00:00"}
    text = report.render(summary(**said, marks=[{"at_s": 8.25, "text": "batch of 8\x1b[2J"}]))
    assert "chat, poisson 1 to 64 rps in 120 s, 48 tokens in, 16 out, seed 3, 2026-11-21 07:49:05\n" in text
    assert "\x1b" not in text
    assert "8.2 s  batch of 8" in text
    closed = report.render(summary(**{**said, "load": {**load, "concurrency": 4}}))
    assert "closed loop of 4, 48" in closed
    changed = [report.render(summary(**said, load_changes=count)) for count in (1, 3)]
    assert "poisson 1 to 64 rps in 120 s at first, then changed once, 48 tokens in" in changed[0]
    assert "at first, then changed 3 times, " in changed[1]


def stages_of(*lengths_s: float, holds: tuple[int, ...] = ()) -> list[dict[str, Any]]:
    ends = list(itertools.accumulate(lengths_s))
    return [
        stage(from_s=end_s - length_s, to_s=end_s, offered_rps=0.0 if i in holds else i + 1.0, ttft_p50_ms=1.0,
              ttft_p99_ms=1.0, chunk_gap_p50_ms=44.4, chunk_gap_p99_ms=55.5)
        for i, (length_s, end_s) in enumerate(zip(lengths_s, ends, strict=True))
    ]  # fmt: skip


def test_of_too_many_stages_the_holds_go_first_then_the_shortest_and_the_end_of_a_ramp_stays() -> None:
    lengths = [3.0, *([2.0] * 10), 60.0, 1.5, *([2.0] * 14)]
    text = report.render(summary(steps=stages_of(*lengths, holds=(11, 5))))
    rates = [line.split()[2] for line in text.split("from  ")[1].splitlines()[1:25]]
    gone = {"6.00", "12.00", "13.00"}  # two holds, one of them a minute long, and the shortest
    assert rates == [f"{i + 1.0:.2f}" for i in range(len(lengths)) if f"{i + 1.0:.2f}" not in gone]


def test_a_table_of_stages_names_gaps_as_gaps_where_no_itl_is_known() -> None:
    known = [{**one, "itl_p50_ms": 11.1, "itl_p99_ms": 22.2} for one in stages_of(2.0, 2.0)]
    itl, gap = (report.render(summary(steps=stages)) for stages in (known, stages_of(2.0, 2.0)))
    assert "ITL p50" in itl
    assert "11.1" in itl
    assert "44.4" not in itl
    assert "gap p50" in gap
    assert "44.4" in gap
    assert "ITL p50" not in gap


@pytest.mark.parametrize("key", ["id", "model", "target"])
def test_text_from_a_file_or_a_server_is_not_interpreted(key: str) -> None:
    text = report.render(summary(**{key: "evil\x1b]0;owned\x07\u202e\n"}))
    assert not {"\x1b", "\x07", "\u202e"} & set(text)


def test_a_chart_shows_its_gap_and_its_scale() -> None:
    curve = Curve("p50", [0.0, 1.0, 2.0, 3.0, 4.0, 5.0], [100.0, 100.0, None, None, 100.0, 100.0])
    text = chart("TTFT", "seconds", [curve], Theme(), joined=True)
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 80
    (line,) = [
        line for line in text.splitlines() if "⠤⠤⠤" in line or "⠒⠒⠒" in line or "⣀⣀⣀" in line or "⠉⠉⠉" in line
    ]
    drawn = line.partition("┤")[2] or line.partition("│")[2]
    assert "   " in drawn.strip(" │")
    assert "200┤" in text


def test_a_chart_of_nothing_says_so() -> None:
    nothing = Curve("p50", [0.0], [None])
    assert chart("ITL", "seconds", [nothing], Theme(), joined=True) == "ITL: nothing was measured"


def test_a_chart_without_unicode_is_ascii() -> None:
    curve = Curve("p50", [0.0, 1.0], [1.0, 2.0])
    assert chart("TTFT", "seconds", [curve], Theme(braille=False), joined=True).isascii()


def test_colours_come_only_where_they_are_asked_for() -> None:
    curve = Curve("p50", [0.0, 1.0], [1.0, 2.0])
    assert "\x1b[" in chart("TTFT", "seconds", [curve], Theme(colour=True), joined=True)


@pytest.mark.parametrize(
    ("highest", "top"), [(0.0, 1.0), (0.9, 1.0), (0.97, 2.0), (1.0, 2.0), (231.0, 400.0), (9999.0, 20000.0)]
)
def test_an_axis_ends_at_a_round_number_above_the_data(highest: float, top: float) -> None:
    assert ceiling(highest) == pytest.approx(top)


def test_ttft_of_requests_that_failed_later_is_said_beside_the_table() -> None:
    text = report.render(summary(ttft_of_failed_ms=latency(count=3284)))
    assert (
        "3,284 requests failed after their first token: their TTFT from due, p50 9.99 p99 1,227, is not in"
        in text
    )
    assert "failed after" not in report.render(summary())
    both = {"ttft_of_failed_ms": latency(count=3), "ttft_of_cut_off_ms": latency(count=12)}
    text = report.render(summary(**both))
    assert "\n3 requests failed after their first token: their TTFT from due, p50" in text
    assert "\n12 requests were cut off after their first token: their TTFT from due, p50" in text
    only = report.render(summary(ttft_of_cut_off_ms=latency(count=12)))
    assert "failed after" not in only


def test_where_answers_have_no_tokens_only_those_of_prompts_are_told() -> None:
    text = report.render(
        summary(
            endpoint="embeddings",
            throughput={"request_rps": 4.1, "output_tps": None, "total_tps": 164.0, "input_tps": 164.0},
            tokens={"input": 5084, "cached": None, "output": 0, "source": None},
            ttft_from_due_ms=NOTHING,
            e2e_ms=latency(),
        )
    )
    assert row(text, "tokens") == ["input", "5,084", "input/s", "164.0"]
    assert row(text, "E2E")[0] != "0"
    assert "tokens in, seed" in text
    for none in ("TTFT", "ITL", "TPOT", "chunk gap", "0 output"):
        assert none not in text


def test_a_run_of_embeddings_cut_at_its_changes_of_load_has_no_columns_of_tokens() -> None:
    none = dict.fromkeys(
        ("output_tps", "ttft_p50_ms", "ttft_p99_ms", "itl_p50_ms", "itl_p99_ms", "chunk_gap_p50_ms"), None
    )
    steps = [{**step, **none, "chunk_gap_p99_ms": None, "count": 7} for step in stages_of(2.0, 2.0)]
    text = report.render(summary(endpoint="embeddings", steps=steps))
    (head,) = [
        line for line in text.splitlines() if line.split()[:3] == ["from", "to", "s"] and "n" in line.split()
    ]
    assert head.split() == ["from", "to", "s", "rps", "sent/s", "n"]


FAILED = {"due": 481, "sent": 481, "succeeded": 0, "failed": 481, "not_sent": 0}
CAUSE = {"kind": "http_500", "count": 481, "share": 1.0, "text": "model not loaded", "text_count": 480}


def test_where_everything_failed_the_first_words_say_so_why_and_what_to_do() -> None:
    text = report.render(
        summary(requests=FAILED, errors={"http_500": 481}, causes=[{**CAUSE, "words": ""}], valid=False)
    )
    first, advice = text.splitlines()[:2]
    assert first == 'EVERY REQUEST FAILED: 481 of 481: HTTP 500 "model not loaded" (all)'
    assert advice.startswith("  what to do: the server's own log says why")
    assert (
        '481  http_500: the server failed inside (HTTP 500)\n          480 of them: "model not loaded"'
        in text
    )
    assert max(map(len, text.splitlines())) <= 80
    nearly = {**FAILED, "succeeded": 20, "failed": 461}
    assert report.render(summary(requests=nearly, errors={"http_500": 461})).startswith(
        "NEARLY ALL REQUESTS FAILED: 461 of 481\n"
    )
    assert "REQUESTS FAILED" not in report.render(summary()).upper()


def test_advice_is_of_kinds_that_there_are() -> None:
    assert ADVICE.keys() <= ERROR_KINDS.keys()


def test_a_server_that_was_not_verified_stands_in_the_first_line() -> None:
    assert "TLS NOT VERIFIED (--insecure)" in report.render(summary(tls_verified=False)).splitlines()[0]
    assert "VERIFIED" not in report.render(summary(tls_verified=True))
    assert "VERIFIED" not in report.render(summary(tls_verified=None))


def test_where_requests_went_is_said_of_a_server_with_several_addresses_only() -> None:
    def said(addresses: list[str], left_out: int = 0) -> str:
        probe = {"requests": 3, "addresses": addresses, "addresses_left_out": ["10.0.0.9"] * left_out}
        return report.render(summary(probe=probe))

    assert "requests went" not in said(["10.0.0.1"])
    assert "\nrequests went to 2 addresses in turn: 10.0.0.1, 10.0.0.2\n" in said(["10.0.0.1", "10.0.0.2"])
    assert "\nrequests went to 10.0.0.1; 1 more did not answer the probe\n" in said(["10.0.0.1"], 1)
    assert "10.0.0.4, ...\n" in said([f"10.0.0.{n}" for n in range(1, 7)])
    assert "\x1b" not in said(["\x1b[2J", "b"])


def test_what_a_manifest_keeps_of_targets_is_one_line_and_nothing_where_there_were_none() -> None:
    result = {"slo": {"verdict": "fail", "targets": [
        {"target": "ttft.p95<50ms", "figure": 182.4, "verdict": "fail"},
        {"target": "errors<1%", "figure": 0.0, "verdict": "pass"},
    ]}}  # fmt: skip
    stored = msgspec.convert(result, StoredSummary)
    assert slo_line(stored.slo) == "SLO MISSED: ttft.p95<50ms: 182.4 ms"
    assert slo_line(None) == ""


def test_over_a_search_the_share_that_held_is_no_verdict() -> None:
    slo = Slo("pass", 100, 80, 0.8, 4.0, [])
    assert slo_table(slo, searched=True).startswith("over all steps of the search: 80 % of 100")
    assert slo_table(slo).startswith("SLO HELD: 80 % of 100")


@pytest.mark.parametrize("verdict", ["fail", "undecided", "pass"])
def test_targets_that_were_not_held_are_said_before_anything_else(verdict: str) -> None:
    slo = {"verdict": verdict, "scheduled": 100, "good": 80, "attainment": 0.8, "goodput_rps": 4.0}
    target = {"target": "ttft.p95<50ms", "figure": 182.4, "verdict": verdict, "needs": 40}
    said = summary(slo={**slo, "targets": [target]})
    short, whole = brief(said), report.render(said)
    broken = msgspec.structs.replace(said, valid=False, reasons=["the client was saturated"])
    if verdict == "pass":
        assert short.startswith(f"{report.VALID}\n\nSLO HELD: 80 % of 100")
        assert whole.startswith("20261121-035954-demo")
        assert finding(said)[1] == "ttft.p95<50ms was held (182.4 ms; 40 more requests would decide it)."
        return
    head = {"fail": "SLO MISSED", "undecided": "SLO UNDECIDED"}[verdict]
    assert short.startswith(f"{head}: 80 % of 100 scheduled requests held every limit")
    assert short.index(f"\n{report.VALID}\n") < short.index("\nTTFT p95")
    assert whole.startswith(f"{head}\n\n20261121-035954-demo")
    assert finding(said)[0].startswith(f"SLO {head[4:].lower()}: ttft.p95<50ms ")
    assert brief(broken).startswith("NOT VALID\n")
    assert report.render(broken).startswith(f"NOT VALID, {head}\n\n")


def test_a_search_says_its_answer_before_anything_else() -> None:
    limit = Limit(
        False, 6.0, 6.5, 6.3, 0.01, True, True, True, "confirmed with other arrivals", 900, 100.0, "queue", []
    )
    over_all = {"verdict": "fail", "scheduled": 9, "good": 8, "attainment": 0.9, "goodput_rps": 1.0}
    said = summary(slo={**over_all, "targets": []})
    made = Plan("limit", "", "", 1.0, 1, [], [], [], [], [], [], "", limit)
    found = msgspec.structs.replace(said, plan=made)
    assert brief(found).startswith("LIMIT (certified): 6.000 requests/s holds, 6.500 does not\n")
    assert report.render(found).startswith("LIMIT (certified): 6.000 requests/s holds, 6.500 does not\n\n")
    assert finding(found)[0] == (
        "6 requests/s holds the targets, 6.50 does not; between them the steps put it at about 6.30 (certified: confirmed with other arrivals)."
    )
    none = msgspec.structs.replace(limit, passed=None, certified=False, why="not even 0.1 holds it")
    lost = msgspec.structs.replace(found, plan=msgspec.structs.replace(made, limit=none))
    assert brief(lost).startswith("LIMIT NOT FOUND: not even 0.1 holds it")
    assert finding(lost)[0] == "No load is known to hold the targets: not even 0.1 holds it."
