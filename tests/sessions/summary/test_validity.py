"""Whether a run may be relied on, and the sentences that say why not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sessions.store.manifest import EndInfo
from sessions.store.records import End
from sessions.summary.schema import plain
from tests.sessions.summary.summing import SECOND, steady, summed

MakeRun = Callable[..., Any]


@pytest.mark.parametrize("reason", ["completed", "finished", "orphaned"])
def test_a_healthy_run_that_ended_in_order_is_valid(make_run: MakeRun, reason: str) -> None:
    run = make_run(ended=False)
    result = summed(run, [*run.records, End(t_ns=20 * SECOND, reason=reason)])
    assert (result.valid, result.reasons) == (True, [])


@pytest.mark.parametrize("reason", ["interrupted", "aborted", "worker_lost", "failed", "unsaved"])
def test_a_run_that_was_cut_short_is_not_valid(make_run: MakeRun, reason: str) -> None:
    run = make_run(ended=False)
    result = summed(run, [*run.records, End(t_ns=20 * SECOND, reason=reason)])
    assert not result.valid
    assert len(result.reasons) == 1


def test_an_end_that_only_the_manifest_knows_counts(make_run: MakeRun) -> None:
    run = make_run(ended=False)
    run.manifest.end = EndInfo("completed", "2026-11-03T12:00:20+00:00")
    assert summed(run).reasons == []


@pytest.mark.parametrize(("failed", "valid"), [(0, True), (1, True), (2, False)])
def test_more_than_one_failure_in_a_hundred_is_not_valid(failed: int, valid: bool) -> None:
    result = steady(100, failed, 100)
    assert result.valid == valid
    most = "all of them: the server was too busy to take the request (HTTP 429 or 503)"
    assert valid or f"2 of 100 requests failed (2.0%, allowed 1%), {most}" in result.reasons


@pytest.mark.parametrize(("sent", "valid"), [(100, True), (95, True), (94, False)])
def test_less_than_95_of_a_hundred_sent_is_not_valid(sent: int, valid: bool) -> None:
    result = steady(sent, 0, 100)
    assert result.valid == valid
    assert valid or "94 of 100 due requests were sent (94.0%, needed 95%)" in result.reasons


def test_nothing_sent_is_not_valid() -> None:
    assert "nothing was sent" in steady(0, 0, 0).reasons


def test_a_saturated_client_is_not_valid() -> None:
    result = steady(10, 0, 10, cpu_ns=225_000_000)
    assert result.reasons == ["the client was saturated for 9 of 10 s: the client used 90% of a core"]
    assert result.client.saturated_s == 9


def test_what_the_end_of_the_run_cut_off_is_told_apart_from_failures(make_run: MakeRun) -> None:
    run = make_run()
    kept = [record for record in run.records if record not in run.requests[:40]]
    result = summed(run, kept)
    sent = len(run.requests)
    words = f"the end of the run cut off 40 of {sent} answers, above all long ones ({40 / sent:.1%}"
    assert result.reasons == [f"{words}, allowed 1%)"]
    assert result.notes == [f"{words}): percentiles lack them"]
    assert (result.requests.failed, result.requests.cut_off, result.errors) == (0, 40, {})


def test_one_in_a_hundred_that_the_end_cut_off_is_valid_and_said(make_run: MakeRun) -> None:
    run = make_run(rate_rps=20.0)
    sent = len(run.requests)
    assert sent >= 200
    result = summed(run, [record for record in run.records if record not in run.requests[:2]])
    assert (result.valid, result.requests.cut_off) == (True, 2)
    assert result.notes == [
        f"the end of the run cut off 2 of {sent} answers, above all long ones ({2 / sent:.1%}): "
        "percentiles lack them"
    ]


def test_the_summary_of_a_session_that_counted_them_as_failed_still_agrees_with_its_files(
    make_run: MakeRun,
) -> None:
    run = make_run()
    kept = [record for record in run.records if record not in run.requests[:40]]
    then = plain(summed(run, kept))
    then["requests"]["failed"] += then["requests"].pop("cut_off")
    run.manifest.result = then
    assert len(summed(run, kept).reasons) == 1


def test_a_request_whose_record_a_damaged_file_lost_is_not_called_cut_off(make_run: MakeRun) -> None:
    run = make_run()
    kept = [record for record in run.records if record not in run.requests[:40]]
    result = summed(run, kept, damaged=["requests-0.jsonl.gz"])
    assert result.errors == {"lost_record": 40}
    assert result.requests.cut_off == 0
    assert "part of the session is lost: requests-0.jsonl.gz" in result.reasons


def test_requests_whose_lines_a_full_disk_kept_out_did_not_fail(make_run: MakeRun) -> None:
    run = make_run(ended=False)
    kept = [record for record in run.records if record not in run.requests[:40]]
    result = summed(run, [*kept, End(t_ns=20 * SECOND, reason="unsaved", message="worker 0: 9 bytes lost")])
    assert result.errors == {"lost_record": 40}
    assert result.reasons == [
        "part of what was measured could not be saved",
        f"what became of 40 of {len(run.requests)} requests is not known: their lines are lost",
    ]
