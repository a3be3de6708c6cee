"""What the client benchmark makes of runs: medians, what is kept, what an open loop says, which aims are met."""

from __future__ import annotations

import os
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from benchmarks.client.aims import aims
from benchmarks.client.cases import CASES
from benchmarks.client.clients.workloads import WORKLOADS
from benchmarks.client.measure import command, of_schedule
from benchmarks.client.product import Terminal
from benchmarks.client.results import add, fresh, load, median, save
from benchmarks.client.tables import tables
from loadgen.workload.workloads import WORKLOADS as MAKERS

HERE: dict[str, str | int] = {"cpu": "a", "cores": 2}


def test_medians_go_key_by_key_and_what_one_run_lacks_is_none() -> None:
    runs = [
        {"wall_s": 3.0, "error_ms": {"p50": 1.0}, "rss_mb": 5},
        {"wall_s": 1.0, "error_ms": {"p50": 9.0}, "rss_mb": None},
        {"wall_s": 2.0, "error_ms": {"p50": 4.0}, "rss_mb": 7},
    ]
    assert median(runs) == {"wall_s": 2.0, "error_ms": {"p50": 4.0}, "rss_mb": None}


def test_a_row_measured_again_takes_the_place_of_its_failure_and_of_no_other_row(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    result = fresh(HERE)
    add(result, "open", "ours", [{"events": 10}], None, "then")
    add(result, "open", "vllm", [], "took longer than 240 s", "then")
    save(result, path)
    result = load(path, HERE)
    add(result, "open", "vllm", [{"events": 2}, {"events": 4}], None, "now")
    assert result["absent"] == {}
    assert {who: (row["events"], row["rounds"]) for who, row in result["cases"]["open"].items()} == {
        "ours": (10, 1),
        "vllm": (3, 2),
    }


def test_results_of_another_machine_are_refused_with_what_differs(tmp_path: Path) -> None:
    save(fresh(HERE), tmp_path / "results.json")
    with pytest.raises(SystemExit, match="cores"):
        load(tmp_path / "results.json", {"cpu": "a", "cores": 64})


def test_lateness_that_grows_by_three_microseconds_a_second_has_that_slope() -> None:
    second = 1_000_000_000
    times = [
        [k * second // 10, k * second // 10 + 1000 + 300 * k, k * second // 10 + 50_000] for k in range(600)
    ]
    told = of_schedule(times, None)
    assert told["slope_us_per_s"] == pytest.approx(3.0)
    assert told["slope_median_us_per_s"] == pytest.approx(3.0)
    assert told["send_late_ms"]["max"] == pytest.approx(0.001 + 0.0003 * 599)


def test_one_stall_bends_the_line_through_all_requests_but_not_that_through_medians() -> None:
    second = 1_000_000_000
    late = [90_000_000 if k == 10 else 2000 for k in range(600)]
    told = of_schedule([[k * second // 10, k * second // 10 + late[k], k * second] for k in range(600)], None)
    assert abs(told["slope_us_per_s"]) > 5
    assert told["slope_median_us_per_s"] == pytest.approx(0.0, abs=1e-6)


def test_requests_of_a_freeze_are_those_due_and_sent_within_it() -> None:
    times = [[k * 100, k * 100 + 30, k * 100 + 50] for k in range(10)]
    told = of_schedule(times, (300, 600))
    assert (told["due_frozen"], told["sent_frozen"]) == (3, 3)
    told = of_schedule([[due, sent + 100, first + 100] for due, sent, first in times], (300, 600))
    assert (told["due_frozen"], told["sent_frozen"]) == (3, 3)
    assert told["late_frozen_ms"]["p50"] == pytest.approx(130e-6)


def test_what_was_not_measured_meets_no_aim_and_fails_none() -> None:
    rows = aims({})
    assert {row[2] for row in rows} == {"not measured"}
    assert {row[3] for row in rows} == {""}


def test_an_aim_is_met_at_its_limit_and_not_beyond_it() -> None:
    def met(start_s: float) -> str:
        return next(
            row[3] for row in aims({"start": {"ttftop": {"first_request_s": start_s}}}) if "start" in row[0]
        )

    assert (met(0.6), met(0.61)) == ("yes", "NO")


def test_a_row_without_figures_is_named_with_its_reason() -> None:
    result = fresh(HERE)
    add(result, "open", "aiperf", [], "not installed (--peers installs it)", "then")
    assert "- AIPerf, open: not installed (--peers installs it)" in tables(result)


def test_a_stalled_terminal_holds_what_is_written_until_it_is_read_again() -> None:
    terminal = Terminal()
    try:
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(terminal.stall, 0.5)
            while terminal.reading.is_set():
                time.sleep(0.001)
            os.write(terminal.terminal, b"x" * 100)
            assert waiting.result() == 100
        while terminal.bytes_read < 100:
            time.sleep(0.001)
    finally:
        os.close(terminal.terminal)
        terminal.close()


def test_a_case_with_a_workload_of_its_own_asks_for_it_and_for_all_that_it_says() -> None:
    asked = command("ours", CASES["lateness_mixed"], 1, 0)
    assert asked[asked.index("--workload") + 1] == "mixed"
    assert "--workload" not in command("ours", CASES["lateness"], 1, 0)
    told = WORKLOADS["mixed"]
    made = MAKERS[type(told)](told, 0)
    specs = [made.spec(index) for index in range(200)]
    assert Counter(spec.tags for spec in specs) == {("chat",): 140, ("rag",): 60}
    assert len({spec.input_tokens for spec in specs}) > 100
    assert sum(spec.prefix_tokens == 512 for spec in specs) == 60


def test_no_answer_is_shorter_than_what_the_server_sends_at_most_so_that_all_clients_count_the_same() -> None:
    for case in CASES.values():
        told = WORKLOADS[case.workload]
        made = MAKERS[type(told)](told, 0)
        assert min(made.spec(index).output_tokens for index in range(1000)) >= case.tokens, case.title


def test_long_prompts_are_as_long_as_those_of_the_mix_are_on_average() -> None:
    means = []
    for name in ("long", "mixed"):
        made = MAKERS[type(WORKLOADS[name])](WORKLOADS[name], 0)
        means.append(sum(made.spec(index).input_tokens for index in range(2000)) / 2000)
    assert means[1] == pytest.approx(means[0], rel=0.03)
