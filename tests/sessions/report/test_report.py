"""A report says first what was found, holds every figure, and nothing in it is taken for more than text."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from html import unescape
from pathlib import Path

import msgspec
import numpy as np
import pytest
from PIL import Image

from loadgen.records import Request, RequestError
from sessions.bottleneck.history import LimitSpan
from sessions.interchange.find_runs import find_runs
from sessions.interchange.imported_run import ImportedRun, settle
from sessions.interchange.write_session import write_session
from sessions.plan.config import LoadConfig, PlanConfig
from sessions.plan.stages import Stage
from sessions.report import charts, html, tables, text_forms, words
from sessions.report.finding import finding, finding_of_several, verdict
from sessions.report.limits import limits_of
from sessions.report.run_data import RunData, read_run_data
from sessions.report.svg import Chart, Limit, Line, drawn
from sessions.store.journal import SUPERVISOR_FILE, JournalWriter
from sessions.store.manifest import read, write
from sessions.store.records import StageChange
from sessions.summary.schema import Summary
from sessions.summary.slo_schema import Slo, TargetResult
from sessions.summary.summarise import summarise
from telemetry.records import GpuDevice, GpuDevices, GpuSample, GpuSamples
from tests.sessions.interchange import made_results as made
from tests.sessions.summary.summing import embedded, manifest
from tests.sessions.timeline.folding import folded

S = 1_000_000_000
NOW = datetime(2026, 9, 22, tzinfo=timezone.utc)
RECORDED = Path(__file__).parents[1] / "store" / "recorded" / "llamacpp"
HOSTILE = "</title><script>alert(1)</script>\"'><img src=//evil onerror=x>\x1b[31m|`[a](http://evil)"


def hostile(root: Path) -> RunData:
    requests = [
        Request(0, 0, 0, sent_ns=1, end_ns=9, error=RequestError("other", HOSTILE)),
        Request(1, 0, 5, sent_ns=6, first_token_ns=10**8, last_token_ns=10**8, end_ns=10**9, chunks=1),
    ]
    run = ImportedRun(
        HOSTILE, HOSTILE, model=HOSTILE, target=HOSTILE, label=HOSTILE, endpoint=HOSTILE, requests=requests
    )
    run.notes = [HOSTILE]
    return read_run_data(write_session(settle(run, 0), root, NOW, name=HOSTILE))


def test_a_server_can_put_nothing_into_a_page(tmp_path: Path) -> None:
    page = html.page([hostile(tmp_path)], HOSTILE)
    assert "&lt;script&gt;" in page
    for tag in ("<script", "<img", "\x1b", "onerror=x>"):
        assert tag not in page
    assert re.findall(r"<(?:iframe|link|object|embed|form|a)\b", page) == []
    assert "default-src 'none'" in page


def test_a_server_can_put_nothing_into_markdown_or_a_drawing(tmp_path: Path) -> None:
    run = hostile(tmp_path)
    text = text_forms.as_markdown([run.summary], "1")
    assert "<script" not in text
    assert not re.search(r"(?<!\\)\]\(", text)
    assert "\x1b" not in text
    ET.fromstring(text_forms.as_svg([run]))


@pytest.mark.parametrize("letter", ["=", "+", "-", "@"])
def test_a_stage_cannot_put_a_formula_into_a_row(tmp_path: Path, letter: str) -> None:
    directory = seven_stages(tmp_path)
    manifest = read(directory)
    assert manifest.config.plan is not None
    first, *rest = manifest.config.plan.stages
    named = [msgspec.structs.replace(first, name=f"{letter}1+1"), *rest]
    plan = msgspec.structs.replace(manifest.config.plan, stages=named)
    manifest.config = msgspec.structs.replace(manifest.config, plan=plan)
    write(directory, manifest)
    row = next(csv.DictReader(io.StringIO(text_forms.as_csv([read_run_data(directory).summary]))))
    assert row["name"] == f"'{letter}1+1"


FORMS: dict[str, Callable[[Sequence[RunData]], str]] = {
    "html": lambda runs: html.page(runs, "1"),
    "md": lambda runs: text_forms.as_markdown([run.summary for run in runs], "1"),
    "csv": lambda runs: text_forms.as_csv([run.summary for run in runs]),
    "svg": text_forms.as_svg,
}


@pytest.mark.parametrize("several", [1, 2])
@pytest.mark.parametrize("form", FORMS)
def test_every_form_says_of_a_simulated_run_that_it_is_one(form: str, several: int) -> None:
    real = read_run_data(RECORDED)
    simulated = replace(real, summary=msgspec.structs.replace(real.summary, simulated=True))
    said = FORMS[form]([simulated] * several)
    assert "SIMULATED" in said
    assert "SIMULATED" not in FORMS[form]([real] * several)
    if several > 1 and form in ("html", "md"):  # the table of both comes before either
        assert said.count("valid, SIMULATED") == 2


def test_a_page_of_a_recorded_run_needs_no_network_and_is_small() -> None:
    page = html.page([read_run_data(RECORDED)], "1")
    assert len(page) < 2_000_000
    outside = list(re.findall(r"(?:src|href|url)\s*[=(]", page))
    assert outside == []
    for section in (
        "Over time",
        "Latencies",
        "Distributions",
        "What the figures mean",
        "prefers-color-scheme:dark",
    ):
        assert section in page


def test_each_drawing_of_a_page_is_well_formed_and_tells_its_values() -> None:
    page = html.page([read_run_data(RECORDED)], "1")
    drawings = re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL)
    assert len(drawings) > 6
    for drawing in drawings:
        ET.fromstring(drawing)
    assert any("p95:" in drawing and "<title>" in drawing for drawing in drawings)


def test_the_first_sentence_is_what_was_found_and_the_last_why_it_does_not_hold(tmp_path: Path) -> None:
    run = read_run_data(
        write_session(find_runs(made.written(tmp_path / "r.json", made.vllm()))[0], tmp_path, NOW)
    )
    said = finding(run.summary)
    assert "10 output tokens/s" in said[0]
    assert said[-2] == "1 of 3 requests failed (33.3%)."
    assert said[-1].startswith("The figures are not to be relied on: 1 of 3 requests failed")
    assert verdict(run.summary) == "not valid"
    assert verdict(msgspec.structs.replace(run.summary, valid=True)) == "valid"


def test_several_runs_are_laid_side_by_side_with_how_they_stand_to_the_first(tmp_path: Path) -> None:
    runs = []
    for number, scale in enumerate((1.0, 2.0)):
        result = made.vllm(ttfts=[0.1 * scale, 0.0, 0.15 * scale], latencies=[0.4, 0.0, 0.5])
        (run,) = find_runs(made.written(tmp_path / f"{number}.json", result))
        runs.append(read_run_data(write_session(run, tmp_path, NOW, name=f"run{number}")))
    text = text_forms.as_markdown([run.summary for run in runs], "1")
    row = next(line for line in text.splitlines() if line.startswith("| run1"))
    assert "1.99x" in row or "2.00x" in row
    assert html.page(runs, "1").count("<details>") == 4  # one a run, and one a list of its tool's figures


def seven_stages(root: Path) -> Path:
    """A plan of seven stages of 20 s on eight GPUs, made up."""
    requests = [
        Request(
            index=0,
            worker=0,
            due_ns=at,
            sent_ns=at,
            first_token_ns=at + 5 * 10**7,
            last_token_ns=at + 25 * 10**7,
            end_ns=at + 25 * 10**7,
            chunks=3,
            gaps_us=[100_000, 100_000],
            output_tokens=3,
            input_tokens=9,
        )
        for stage in range(7)
        for at in (stage * 20 * S + i * S // (stage + 1) for i in range(20 * (stage + 1)))
    ]
    run = ImportedRun("x", "f", requests=requests)
    devices = [GpuDevice(f"GPU-{i}", i, "H100") for i in range(8)]
    run.telemetry = [GpuDevices(0, "nvml", devices)]
    for quarter in range(140 * 4):
        samples = [
            GpuSample(f"GPU-{i}", util_pct=90.0, power_w=300.0 + i * 40, energy_j=75.0 * quarter)
            for i in range(8)
        ]
        run.telemetry.append(GpuSamples(quarter * S // 4, 0, "nvml", samples))
    directory = write_session(settle(run, 0, 140 * S), root, NOW)
    manifest = read(directory)
    stages = [Stage(f"{n + 1} rps", rate_rps=n + 1.0, duration_s=20.0) for n in range(7)]
    plan = PlanConfig("seven", stages, targets=["ttft.p95 < 100ms"])
    manifest.config = msgspec.structs.replace(manifest.config, plan=plan)
    write(directory, manifest)
    journal = JournalWriter(directory / SUPERVISOR_FILE)
    for n in range(7):
        journal.append(StageChange(n * 20 * S, n, "begin", stages[n].name))
        journal.append([StageChange((n + 1) * 20 * S - 1, n, event) for event in ("load_over", "over")])
    journal.close()
    return directory


def test_a_report_says_whether_the_joules_may_be_relied_on(tmp_path: Path) -> None:
    """The GPUs there draw 300 to 580 W; the counter of each says 75 J a quarter of a second: 300 W."""
    (row,) = [
        row for row in tables.energy(read_run_data(seven_stages(tmp_path)).summary) if "valid" in row[0]
    ]
    assert row[0] == "energy valid, from the start of the load to the last answer"
    assert row[1] == (
        "no: GPU 7: its counter says 48.3% less than its power integrated (allowed 5%), and so of 6 more"
    )


def test_seven_stages_on_eight_gpus_are_less_than_two_megabytes_with_every_figure(tmp_path: Path) -> None:
    run = read_run_data(seven_stages(tmp_path))
    page = html.page([run], "1")
    assert len(page.encode()) < 2_000_000
    said = finding(run.summary)
    # The two others have fewer than the 59 requests that a p95 needs: that comes first.
    assert said[0].startswith("SLO undecided: 5 of 7 stages held every target")
    assert said[1].startswith("From 1.00 to 7.00 rps")
    for word in (
        "ttft.p95 &lt; 100ms",
        "GPU 7: 580 W",
        "TTFT over load",
        "Joules per output token over load",
        "p95: 50",
    ):
        assert word in page


def staged(root: Path) -> Summary:
    """Seven stages whose p95 of TTFT and output rate are made up: the sixth makes most."""
    said = read_run_data(seven_stages(root)).summary
    assert said.plan is not None
    made_up = [
        msgspec.structs.replace(
            stage,
            ttft_ms=msgspec.structs.replace(stage.ttft_ms, p95=100.0 * (n + 1)),
            output_tps=(10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 55.0)[n],
            targets=[
                TargetResult("ttft.p95<1s", 1.0, "pass"),
                TargetResult(
                    "errors<1%", 0.0, ("pass", "pass", "fail", "undecided", "pass", "fail", "fail")[n]
                ),  # type: ignore[arg-type]
            ],
        )
        for n, stage in enumerate(said.plan.stages)
    ]
    return msgspec.structs.replace(said, plan=msgspec.structs.replace(said.plan, stages=made_up))


def test_of_stages_the_most_is_told_with_its_latency_and_which_held_all_their_targets(tmp_path: Path) -> None:
    targets, first, *_ = finding(staged(tmp_path))
    assert first == (
        "From 1.00 to 7.00 rps the most was 60 output tokens/s at 6.00, with TTFT p95 600 ms there, 100 ms "
        "at the lowest load and 700 ms at the highest."
    )
    assert targets == (
        "SLO undecided: 3 of 7 stages held every target, the highest 5 rps (5.00 rps); 1 undecided, for want of requests."
    )


def test_the_gravest_of_a_stages_targets_stands_in_its_row(tmp_path: Path) -> None:
    head, *rows = tables.stages(staged(tmp_path))
    at = head.index("targets")
    assert [row[at] for row in rows] == ["pass", "pass", "fail", "undecided", "pass", "fail", "fail"]


def test_what_bound_is_no_word_for_nothing_and_its_times_are_added_up(tmp_path: Path) -> None:
    said = msgspec.structs.replace(
        staged(tmp_path),
        limits=[
            LimitSpan(0.0, 90.0, "room", "a"),
            LimitSpan(90.0, 100.0, "queue", "9 wait"),
            LimitSpan(100.0, 109.0, "power", "b"),
            LimitSpan(109.0, 116.0, "queue", "c"),
        ],
    )
    assert "What bound the longest was queue, 17 s (typically 9 wait)." in finding(said)


def test_of_several_runs_the_one_that_made_most_is_told_by_how_much() -> None:
    def run(name: str, tps: float, valid: bool = True) -> Summary:
        said = read_run_data(RECORDED).summary
        throughput = msgspec.structs.replace(said.throughput, output_tps=tps)
        return msgspec.structs.replace(said, name=name, throughput=throughput, valid=valid)

    most, ratio, wrong = finding_of_several([run("a", 100.0), run("b", 250.0), run("c", 200.0, valid=False)])
    assert most.startswith("Most of 3 runs gave “b”: 250 output tokens/s, with TTFT p95 ")
    assert ratio == "That is 2.50 times what “a” gave."
    assert wrong == "Not valid: “c”."


@pytest.mark.parametrize(
    ("unmeasured", "said"),
    [
        ((0,), "with TTFT p95 600 ms there and 700 ms at the highest; unknown at the lowest load."),
        ((0, 5), "with TTFT p95 700 ms at the highest; unknown there and at the lowest load."),
        ((0, 5, 6), "the most was 60 output tokens/s at 6.00."),
    ],
)
def test_a_sentence_has_no_dash_for_a_load_without_a_ttft(
    tmp_path: Path, unmeasured: Sequence[int], said: str
) -> None:
    summary = staged(tmp_path)
    assert summary.plan is not None
    stages = list(summary.plan.stages)
    for n in unmeasured:
        ttft = msgspec.structs.replace(stages[n].ttft_ms, p95=None)
        stages[n] = msgspec.structs.replace(stages[n], ttft_ms=ttft)
    plan = msgspec.structs.replace(summary.plan, stages=stages)
    _, first, *_ = finding(msgspec.structs.replace(summary, plan=plan))
    assert first.endswith(said)
    assert words.NOT_MEASURED not in first


def test_a_load_that_came_twice_has_one_latency_in_the_sentence(tmp_path: Path) -> None:
    summary = staged(tmp_path)
    assert summary.plan is not None
    *lower, six, seven = summary.plan.stages
    again = msgspec.structs.replace(seven, offered_rps=six.offered_rps)
    plan = msgspec.structs.replace(summary.plan, stages=[*lower, six, again])
    _, first, *_ = finding(msgspec.structs.replace(summary, plan=plan))
    assert first == (
        "From 1.00 to 6.00 rps the most was 60 output tokens/s at 6.00, with TTFT p95 600 ms there and 100 ms "
        "at the lowest load."
    )


def test_a_run_whose_latencies_nobody_measured_is_told_without_them() -> None:
    summary = read_run_data(RECORDED).summary
    nothing = msgspec.structs.replace(summary.e2e_ms, count=0, p95=None)
    none = {"ttft_from_due_ms": nothing, "ttft_from_sent_ms": nothing, "e2e_ms": nothing}
    said = finding(msgspec.structs.replace(summary, stages=summary.stages[:1], **none))[0]
    assert words.NOT_MEASURED not in said
    assert said.endswith(" requests/s.")


def test_memory_is_in_gibibytes_as_on_the_screen_and_a_figure_of_too_few_is_marked(tmp_path: Path) -> None:
    said = read_run_data(seven_stages(tmp_path)).summary
    used = msgspec.structs.replace(said.gpus[0].memory_used_bytes, max=40.5 * 2**30)
    gpu = msgspec.structs.replace(said.gpus[0], memory_used_bytes=used, memory_total_bytes=80 * 2**30)
    head, row = tables.gpus(msgspec.structs.replace(said, gpus=[gpu]))
    assert (row[head.index("memory GiB")], row[head.index("of")]) == ("40.5", "80")
    thin = msgspec.structs.replace(said.e2e_ms, p50=12.0, p99=34.0, thin=["p99"])
    (row,) = (row for row in tables.latencies(msgspec.structs.replace(said, e2e_ms=thin)) if row[0] == "E2E")
    assert (row[3], row[6]) == ("12.0", "~34.0")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "–"),
        (0.42, "0.42 ms"),
        (23.14, "23.1 ms"),
        (231.4, "231 ms"),
        (12_000.0, "12.0 s"),
        (9999.0, "9,999 ms"),
    ],
)
def test_a_time_is_in_the_unit_that_reads_best(value: float | None, shown: str) -> None:
    assert words.ms(value) == shown


def test_every_letter_that_markdown_or_a_page_takes_for_more_is_no_more_than_a_letter() -> None:
    for letter in "\\`*_[]|#~!":
        assert words.markdown(f"a{letter}b") == f"a\\{letter}b"
    assert words.escaped("\"'<&>") == "&quot;&#x27;&lt;&amp;&gt;"


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("chromium") is None, reason="no Chromium on this machine")
@pytest.mark.parametrize("width", [1280, 500])
def test_a_browser_draws_the_page_and_fetches_nothing(tmp_path: Path, width: int) -> None:
    page, picture = tmp_path / "r.html", tmp_path / "r.png"
    page.write_text(html.page([read_run_data(RECORDED)], "1"))
    command = ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", f"--window-size={width},2000"]
    command += [f"--screenshot={picture}", page.as_uri()]
    subprocess.run(command, capture_output=True, timeout=120, check=True)
    with Image.open(picture) as drawn_page:
        colours = drawn_page.convert("RGB").getcolors(1 << 20) or []
    assert len(colours) > 100  # text, tiles and curves, and no blank page


def test_json_is_what_summary_says_and_csv_a_row_a_stage() -> None:
    run = read_run_data(RECORDED)
    told = json.loads(text_forms.as_json([run.summary]))
    assert told["ttft_from_due_ms"] == msgspec.to_builtins(run.summary.ttft_from_due_ms)
    rows = list(csv.DictReader(io.StringIO(text_forms.as_csv([run.summary]))))
    assert len(rows) == len(run.summary.stages)
    assert float(rows[0]["ttft_p50_ms"]) == run.summary.stages[0].ttft_p50_ms


def test_a_gap_in_a_curve_stays_a_gap() -> None:
    drawing = drawn(Chart("t", [0, 1, 2, 3, 4], [Line("a", [1.0, 2.0, None, 3.0, 4.0], 0)]), 300)
    (path,) = re.findall(r'class="l s0" d="([^"]*)"', drawing)
    assert path.count("M") == 2


@pytest.mark.parametrize("values", [[], [None], [0.0], [5.0], [-1.0, 1.0], [1e-9, 1e15], [3.0, 3.0]])
@pytest.mark.parametrize("log", [False, True])
def test_whatever_the_values_a_chart_is_drawn_or_left_out(values: list[float | None], log: bool) -> None:
    drawing = drawn(Chart("t", [float(i) for i in range(len(values))], [Line("a", values, 0)], log=log), 300)
    if drawing:
        ET.fromstring(drawing)
        assert "nan" not in drawing


def test_a_line_joins_steady_points_alone_and_each_load_has_its_tick() -> None:
    line = Line("", [1.0, 2.0, 9.0, 3.0, 4.0], 0, [True, True, False, True, True])
    drawing = drawn(Chart("t", [1.0, 2.0, 12.44, 14.0, 15.0], [line], "rps", points=True), 600)
    (path,) = re.findall(r'<path class="l s0" d="([^"]*)"', drawing)
    assert (path.count("M"), path.count("L")) == (2, 2)
    assert (drawing.count('class="f0"'), drawing.count('class="o s0"')) == (4, 1)
    shown = re.findall(r'text-anchor="middle"[^>]*>([^<]*)<', drawing)
    assert shown == ["1", "2", "12.4", "14", "15"]
    assert drawing.count('class="k"') == 5


@pytest.mark.parametrize(("at", "lines", "said"), [(500.0, 1, "a&lt;b<"), (1e9, 0, "a&lt;b, far above")])
def test_a_target_is_a_dashed_line_with_its_name(at: float, lines: int, said: str) -> None:
    for log in (False, True):
        drawing = drawn(
            Chart("t", [0.0, 1.0], [Line("", [40.0, 400.0], 0)], log=log, limits=[Limit(at, "a<b")]), 300
        )
        assert drawing.count('class="q"') == lines
        assert said in drawing
        ET.fromstring(drawing)


def test_targets_of_runs_stand_in_the_charts_of_their_metric_each_once() -> None:
    said = with_targets("pass")
    (limit,) = limits_of([said, said], "ttft")
    assert (limit.at, limit.name) == (50.0, "ttft.p95<50ms")
    assert limits_of([said], "itl") == []
    run = dataclasses.replace(read_run_data(RECORDED), summary=said)
    titles = [chart.title for chart in charts.over_time(run.wide, said=said) if chart.limits]
    assert titles == ["TTFT from due, ms"]
    assert [chart.title for chart in charts.distributions([run]) if chart.limits_x] == [
        "TTFT: % of requests within"
    ]


def test_a_distribution_begins_where_its_data_do_whatever_a_few_gaps_of_nothing_are() -> None:
    run = read_run_data(RECORDED)
    run.values_ms = {"ITL": np.array([0.0] * 5 + [0.01] * 4 + [10.0 + n / 100 for n in range(991)])}
    (chart,) = charts.distributions([run])
    assert 5.0 < min(chart.xs) < 10.0
    assert max(chart.xs) == pytest.approx(19.9)


def test_a_colour_of_percentiles_is_none_of_runs_beside_each_other() -> None:
    run = read_run_data(RECORDED)
    of_percentiles = {line.colour for chart in charts.over_time(run.wide)[1:3] for line in chart.lines}
    of_runs = {line.colour for chart in charts.distributions([run, run]) for line in chart.lines}
    assert len(of_percentiles) == 3
    assert of_runs == {0, 1}
    assert not of_percentiles & set(range(8))


def test_of_runs_side_by_side_the_verdict_is_that_of_the_targets_first_and_no_heading_comes_twice() -> None:
    missed, held = (msgspec.structs.replace(with_targets(word), name=word) for word in ("fail", "pass"))
    head, *rows = tables.compared([missed, held])
    assert [row[1] for row in rows] == ["SLO missed, valid", "SLO held, valid"]
    assert len(set(head)) == len(head)
    said = finding_of_several([missed, held])
    assert "SLO held: “pass”." in said
    assert "SLO missed: “fail”." in said
    page = html.page(
        [dataclasses.replace(read_run_data(RECORDED), summary=one) for one in (missed, held)], "1"
    )
    assert "<h1>2 runs side by side</h1>" in page
    assert "<title>fail, pass: ttftop</title>" in page


def test_room_is_called_headroom_as_on_the_screen(tmp_path: Path) -> None:
    said = msgspec.structs.replace(staged(tmp_path), limits=[LimitSpan(0.0, 90.0, "room", "a")])
    assert tables.limits(said)[1][2] == "headroom"


def test_an_axis_is_labelled_in_steps_of_one_two_or_five() -> None:
    for most, labels in ((97.0, ["0", "50", "100"]), (48_000.0, ["0", "20k", "40k", "60k"])):
        drawing = drawn(Chart("t", [0.0, 1.0], [Line("a", [0.0, most], 0)]), 300)
        shown = re.findall(r'text-anchor="end" x="46" y="[^"]*">([^<]*)<', drawing)
        assert shown == labels


def test_what_was_simulated_says_so_above_its_figures() -> None:
    run = read_run_data(RECORDED)
    for simulated, badges in ((False, "(VALID)"), (True, "(VALID, SIMULATED)")):
        said = msgspec.structs.replace(run.summary, simulated=simulated, valid=True)
        text = text_forms.as_markdown([said], "1")
        assert text.splitlines()[0].endswith(badges)


def test_a_distribution_is_of_requests_that_succeeded(tmp_path: Path) -> None:
    def one(index: int, ttft: int, error: RequestError | None = None) -> Request:
        at = index * S
        first = at + ttft * 10**6
        return Request(
            index, 0, at, sent_ns=at, first_token_ns=first, last_token_ns=first, end_ns=first, chunks=1,
            output_tokens=1, error=error,
        )  # fmt: skip

    requests = [one(0, 30), one(1, 900, RequestError("cut_mid_stream")), one(2, 10)]
    run = write_session(settle(ImportedRun("x", "f", requests=requests), 0), tmp_path, NOW)
    assert read_run_data(run).values_ms["TTFT"].tolist() == [10.0, 30.0]


def test_a_report_of_embeddings_speaks_of_requests_and_their_times_and_of_no_tokens_of_answers() -> None:
    config = manifest(LoadConfig(duration_s=2.0))
    config.server["endpoint"] = "embeddings"
    said = summarise(folded(*embedded()), config)
    assert (
        finding(said)[0]
        == "At 4 rps the server gave 4 requests/s and 160 input tokens/s, with E2E p95 16.6 ms."
    )
    assert [name for name, _, _ in tables.headlines(said)] == ["E2E p95", "Input", "Requests"]
    stages = tables.stages(said)[0]
    assert not {"tok/s", "TTFT p50", "p95", "p99", "ITL p50", "ITL p99"} & set(stages)


def with_targets(verdict: str) -> Summary:
    summary = read_run_data(RECORDED).summary
    result = TargetResult("ttft.p95<50ms", 182.4, verdict, 50.0)  # type: ignore[arg-type]
    return msgspec.structs.replace(summary, valid=True, slo=Slo(verdict, 10, 3, 0.3, 1.0, [result]))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("verdict", "badge", "sentence"),
    [
        ("fail", "SLO MISSED, VALID", "ttft.p95<50ms was missed (182.4 ms)."),
        ("pass", "SLO HELD, VALID", "ttft.p95<50ms was held (182.4 ms)."),
    ],
)
def test_a_report_of_a_run_says_first_whether_its_targets_were_held(
    verdict: str, badge: str, sentence: str
) -> None:
    said = with_targets(verdict)
    text = unescape(text_forms.as_markdown([said], "1")).replace("\\", "")
    assert f"({badge})" in text
    assert sentence in text
    page = unescape(html.page([dataclasses.replace(read_run_data(RECORDED), summary=said)], "1"))
    assert badge.split(",")[0] in page
    assert sentence in page
