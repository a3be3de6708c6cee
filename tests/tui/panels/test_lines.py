"""What stands in a line of its own, without a screen: the progress of a run, a row of the list of sessions."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from sessions.frame.schema import Cause, PlanProgress, Stat
from sessions.frame.search import SearchProgress
from tests.tui.made_up_run import ramped
from tui.commands.sessions import HEAD, Listed, Unreadable, _cells, rows_of
from tui.draw.theme import Theme
from tui.foreground.headless import progress_line


def line(**changed: object) -> str:
    view = ramped(lambda: 90.0)
    return progress_line(replace(view.frame(view.last_ns, 60_000_000_000, 60), **changed))  # type: ignore[arg-type]


def test_progress_marks_a_figure_that_rests_on_few_samples_and_says_what_is_done() -> None:
    thin = Stat(count=40, p50_ms=30.5, p95_ms=60.0, p99_ms=71.6, thin=frozenset({"p95", "p99"}))
    shown = line(ttft_recent=thin, itl_recent=Stat(count=9, p50_ms=8.8), succeeded=247, failed=2)
    assert "TTFT p50 30.5 p99 ~71.6 ms  " in shown
    assert "ITL p50 8.80 ms  done 247  errors 2" in shown


def test_progress_says_when_the_client_is_the_limit() -> None:
    assert "  CLIENT SATURATED  " in line(client_saturated=True)
    assert "SATURATED" not in line(client_saturated=False)


def test_progress_says_how_long_answers_are_waited_for_at_the_most_and_how_many_were_cut_off() -> None:
    waiting = line(state="draining", at_ns=100_000_000_000, drains_until_ns=160_000_000_000, in_flight=3)
    assert "  draining (at most 01:00 more, Ctrl-C ends it)  " in waiting
    assert "at most" not in line(state="draining", drains_until_ns=None, in_flight=3)
    assert "errors 2  cut off 5" in line(failed=2, cut_off=5)
    assert "cut off" not in line(failed=2)


def test_progress_has_a_dash_and_no_mark_where_nothing_was_measured() -> None:
    assert "TTFT p50 - p99 - ms" in line(ttft_recent=Stat(thin=frozenset({"p50", "p99"})))


def test_a_simulated_run_that_came_back_from_another_tools_file_is_listed_as_both() -> None:
    row = Listed(
        id="one", directory="/s/one", name="", started_at="", state="ended", end="completed", target="http://h",
        model="m", simulated=True, duration_s=60.0, requests=1, failed=0, ttft_p50_ms=12.0, ttft_p95_ms=20.0, load="8 rps", valid=True, notes=[],
        imported=True,
    )  # fmt: skip
    assert _cells(row)[HEAD.index("target")] == "SIMULATED IMPORTED"


@pytest.mark.parametrize(("failed", "says"), [(4, "1,250 (4 failed)"), (0, "1,250"), (None, "1,250")])
def test_a_session_is_listed_with_all_that_it_sent(failed: int | None, says: str) -> None:
    row = Listed(
        id="one",
        directory="/sessions/one",
        name="",
        started_at="",
        state="ended",
        end="completed",
        target="http://h",
        model="m",
        simulated=False,
        duration_s=60.0,
        requests=1250,
        failed=failed,
        ttft_p50_ms=12.0,
        ttft_p95_ms=20.0,
        load="8 rps",
        valid=True,
        notes=[],
    )
    assert _cells(row)[HEAD.index("requests")] == says


def test_without_colours_the_three_quantiles_are_still_told_apart() -> None:
    styles = Theme(colours="none").styles()
    assert len({str(styles[name]) for name in ("p50", "p95", "p99")}) == 3


def test_progress_says_first_that_everything_fails_and_why() -> None:
    causes = (Cause("http_500", 481, "model not \x1b loaded", 481),)
    shown = line(failing=True, failed=481, succeeded=0, causes=causes)
    assert '  running  FAILING errors 481 of 481: HTTP 500 "model not \\x1b loaded" (all)  ' in shown
    assert shown.count("errors") == 1
    assert "FAILING" not in line(failed=2, causes=causes)


def test_progress_says_that_a_server_is_not_verified() -> None:
    assert "  TLS NOT VERIFIED" in line(insecure=True)
    assert "VERIFIED" not in line()


def test_a_plan_says_its_stage_and_how_long_it_goes_on() -> None:
    search = PlanProgress("limit", 2, None, "0.9 rps (8 holds)", "running", None, None)
    assert "  step 2 0.9 rps (8 holds)  " in line(plan=search)
    found = SearchProgress("0.9 rps", 6, 15, 60.0, 0.8, 1.0, 1440.0, "rps")
    assert "  step 2 0.9 rps (8 holds), search over in about 25 min  " in line(
        plan=replace(search, search=found)
    )
    found = replace(found, left_s=None, after_s=None)
    assert "search over" not in line(plan=replace(search, state="ended", search=found))
    running = PlanProgress("p", 3, 7, "4 rps", "running", 12.0, 310.0)
    assert "  stage 3/7 4 rps, 05:10 left  " in line(plan=running)
    waiting = PlanProgress("p", 7, 7, "64 rps", "draining", None, 0.0)
    assert "  stage 7/7 64 rps, awaiting answers  " in line(plan=waiting)


def test_where_answers_have_no_tokens_the_line_has_their_time_and_the_tokens_of_prompts() -> None:
    e2e = Stat(500, 264.0, 624.0, 752.0, frozenset({"p99"}))
    text = line(only_input=True, e2e_recent=e2e, input_tps=4905.6)
    assert "E2E p50 264 p99 ~752 ms  in 4,905.6 tokens/s" in text
    assert not re.search("TTFT|ITL|gap", text)


def listed(**more: object) -> Listed:
    usual: dict[str, object] = {
        "id": "20261103-120000-mine", "directory": "/s/a", "name": "", "started_at": "",
        "state": "ended", "end": "completed", "target": "http://gpu-node-7.internal.example.org:8000",
        "model": "meta-llama/Llama-3.1-70B-Instruct", "simulated": False, "duration_s": 3600.0, "requests": 12345,
        "failed": 0, "ttft_p50_ms": 12.0, "ttft_p95_ms": 20.0, "load": "8 rps", "valid": True, "notes": ["a note " * 30], "imported": False,
    }  # fmt: skip
    return Listed(**{**usual, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize("width", [60, 80, 100, 120])
def test_a_list_with_an_unreadable_session_fits_the_terminal_and_says_all_that_is_known(width: int) -> None:
    problem = f"/home/someone/{'deep/' * 40}session.toml: a link, which is not followed"
    text = rows_of([listed(), Unreadable("20261103-130000-odd", "/s/odd", "unreadable", problem)], width)
    lines = text.splitlines()
    assert max(map(len, lines)) <= width
    assert lines[1].split()[0] == listed().id, "what names a session is never cut"
    assert lines[1].endswith("yes") == (width > 60)
    assert lines[2].split() == ["20261103-130000-odd", "unreadable"]
    together = "".join(line.strip() for line in lines)
    assert problem.replace(" ", "") in together.replace(" ", "")


def test_a_list_that_no_terminal_reads_is_not_cut() -> None:
    lines = rows_of([listed(), Unreadable("odd", "/s/odd", "unreadable", "x " * 100)]).splitlines()
    assert "http://gpu-node-7.internal.examp" in lines[1]
    assert len(lines) == 5
