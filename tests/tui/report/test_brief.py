"""What `summary` says on one screen, and that nothing of it is not said at greater length by `--all`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from sessions.summary.read import read_summary
from tests.tui.report.test_text import latency, stage, summary
from tui.report.brief import brief
from tui.report.text import VALID, render

RECORDED = Path(__file__).parents[2] / "sessions" / "store" / "recorded" / "llamacpp"


def big(**more: Any) -> Any:
    """Forty stages, twelve kinds of errors, twenty reasons."""
    steps = [stage(from_s=2.0 * i, to_s=2.0 * i + 2, offered_rps=i + 1.0) for i in range(40)]
    errors = {f"http_5{i:02}": 12 - i for i in range(12)}
    return summary(
        steps=steps, errors=errors, valid=False, reasons=[f"reason {i}" for i in range(20)], **more
    )


def test_the_verdict_is_the_first_line_then_what_was_found_then_three_headlines() -> None:
    lines = brief(summary(itl_ms={**latency(thin=[]), "unknown": 0})).splitlines()
    assert lines[0] == VALID == "measurement valid: its figures may be relied on"
    assert lines[2].startswith("At ")
    heads = [line.split()[0] for line in lines if line.startswith(("TTFT p95", "ITL p99", "Output "))]
    assert heads == ["TTFT", "ITL", "Output"]
    assert lines.index(VALID) < lines.index(next(x for x in lines if x.startswith("TTFT p95")))


def test_a_run_that_is_not_valid_says_so_first_and_once() -> None:
    text = brief(summary(valid=False, reasons=["the run was interrupted"]))
    assert text.startswith("NOT VALID\n  - the run was interrupted\n")
    assert text.count("the run was interrupted") == 1


def test_however_much_there_is_it_is_one_screen_and_says_how_much_more_there_is() -> None:
    text = brief(big())
    lines = text.splitlines()
    assert len(lines) <= 60
    assert max(map(len, lines)) <= 80
    assert "... 15 lines more: --all" in lines, "of 21 lines of reasons and their head"
    assert len([line for line in lines if line.endswith("lines more: --all")]) == 3
    assert len(render(big()).splitlines()) > len(lines)


def test_the_last_lines_name_what_all_has_besides_and_only_what_is_there() -> None:
    last = brief(summary()).split("\n\n")[-1]
    assert last == "--all: counts and rates, charts\n"
    recorded = " ".join(brief(read_summary(RECORDED)).split("\n\n")[-1].split())
    assert recorded == (
        "--all: counts and rates, measured windows, marks, the server's own figures, telemetry, what bound when, charts"
    )


def test_answers_without_tokens_have_no_headline_of_tokens() -> None:
    said = summary(
        endpoint="embeddings", throughput={"request_rps": 4.1, "output_tps": None, "total_tps": None}
    )
    text = brief(msgspec.structs.replace(said, tokens_per_chunk=None))
    assert not any(line.startswith(("TTFT", "ITL")) for line in text.splitlines())
    assert any(line.startswith("E2E p95") for line in text.splitlines())
