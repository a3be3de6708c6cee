"""What each of several servers came to, in a summary."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from loadgen.records import TICK_NS, RequestError, TargetTick, Tick
from sessions.plan.config import RunConfig
from sessions.plan.target_config import OtherTarget, TargetConfig
from sessions.store.manifest import ClockAnchor, Manifest, SessionInfo
from sessions.store.records import End, LoadChange
from sessions.summary.schema import Summary, plain
from sessions.summary.summarise import summarise
from telemetry.records import ServerSample
from tests.sessions.summary.summing import SECOND, answered
from tests.sessions.timeline.folding import folded
from tui.report.brief import brief
from tui.report.targets import targets_table

A, B = "http://node1:8000", "http://node2:8000"


def several() -> Manifest:
    target = TargetConfig(A, weight=2, others=[OtherTarget(B)])
    return Manifest(SessionInfo("i", "n", ""), ClockAnchor(0, 0), RunConfig(target))


def made() -> Summary:
    """Ten seconds of 2 + 1 requests each: the second answers in 300 ms, and not after five seconds."""
    records: list[Any] = [LoadChange(0, "start", rate_rps=3.0)]
    index = 0
    for second in range(10):
        lost = second >= 5
        for target in (0, 0, 1):
            failed = lost and target == 1
            error = {"error": RequestError("connect_refused", "no")} if failed else {}
            records.append(
                answered(index, second + 0.1 * target, 300 if target else 100, target=target, **error)
            )
            index += 1
        records.append(ServerSample(second * SECOND, 1, "node2:8000/metrics", running=4.0))
        for quarter in range(1, 5):
            first = quarter == 1
            targets = [
                TargetTick(0, due=2 * first, sent=2 * first, in_flight=2),
                TargetTick(1, due=3 * first if lost else first, sent=int(first), not_sent=2 * first * lost),
            ]
            records.append(
                Tick((4 * second + quarter) * TICK_NS, TICK_NS, 0, due=5 if lost and first else 3 * first,
                     sent=3 * first, targets=targets)
            )  # fmt: skip
    return summarise(folded(*records, End(10 * SECOND, "completed")), several())


def test_a_row_for_each_target_with_what_it_had() -> None:
    one, two = made().by_target
    assert (one.target, one.url, one.weight) == (0, A, 2)
    assert (two.target, two.url, two.weight) == (1, B, 1)
    assert (one.due, one.sent, one.succeeded, one.failed, one.not_sent) == (20, 20, 20, 0, 0)
    assert (two.due, two.sent, two.succeeded, two.failed, two.not_sent) == (20, 10, 5, 5, 10)
    assert (one.ttft_from_due_ms.p50, two.ttft_from_due_ms.p50) == (100.0, 300.0)
    assert two.errors == {"connect_refused": 5}
    assert one.sent_rps == pytest.approx(2.0)
    assert one.in_flight_mean == pytest.approx(2.0)
    assert one.server is None
    assert two.server is not None
    assert two.server.running is not None
    assert two.server.running.mean == 4.0


def test_the_table_names_the_one_that_failed() -> None:
    said = targets_table(made().by_target)
    assert [line.split()[0] for line in said.splitlines()[1:3]] == ["node1:8000", "node2:8000"]
    trouble = " ".join(said.partition("  node2:8000: ")[2].split())
    assert trouble == "15 of 20 failed or unsent, most of all: nothing listens at the address"
    assert max(map(len, said.splitlines())) <= 80
    assert "node2:8000: 15 of 20 failed or unsent" in brief(made())


def test_one_target_has_no_rows_and_no_table() -> None:
    records = [
        LoadChange(0, "start", rate_rps=1.0),
        answered(0, 0.1),
        Tick(TICK_NS, TICK_NS, 0, due=1, sent=1),
    ]
    manifest = msgspec.structs.replace(several(), config=RunConfig(TargetConfig(A)))
    said = summarise(folded(*records, End(SECOND, "completed")), manifest)
    assert said.by_target == []
    assert targets_table(said.by_target) == ""


def test_in_json_a_row_tells_all_by_name() -> None:
    row = plain(made())["by_target"][1]
    assert list(row) == [
        *("target", "url", "weight", "due", "sent", "succeeded", "failed", "not_sent", "cut_off", "errors"),
        *("sent_rps", "output_tps", "in_flight_mean", "ttft_from_due_ms", "tpot_ms", "e2e_ms", "gaps_ms"),
        "server",
    ]
