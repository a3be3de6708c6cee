"""Other tools' results become sessions whose figures are those tools' by definition, or are marked otherwise."""

from __future__ import annotations

import contextlib
import json
import stat
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pytest

from loadgen.records import Request
from sessions.frame.session_view import SessionView
from sessions.interchange.documents import MOST_BYTES, ImportFailed
from sessions.interchange.find_runs import find_runs
from sessions.interchange.made_ticks import made_ticks
from sessions.interchange.write_session import write_session
from sessions.plan.config import LoadConfig
from sessions.store.manifest import read
from sessions.summary.read import read_summary
from sessions.summary.schema import Summary
from telemetry.records import GpuSamples
from tests.sessions.interchange import made_results as made

NOW = datetime(2026, 9, 22, tzinfo=timezone.utc)


def summaries(path: Path, root: Path) -> list[Summary]:
    return [read_summary(write_session(run, root, NOW)) for run in find_runs(path)]


def summary(path: Path, root: Path) -> Summary:
    (only,) = summaries(path, root)
    return only


def test_a_detailed_vllm_result_is_a_run_of_its_requests(tmp_path: Path) -> None:
    said = summary(made.written(tmp_path / "r.json", made.vllm()), tmp_path / "s")
    assert (said.requests.sent, said.requests.succeeded, said.requests.failed) == (3, 2, 1)
    assert said.errors == {"http_500": 1}
    assert said.ttft_from_sent_ms.mean == 125.0
    assert said.tpot_ms.mean == 100.0  # (50 + 150) / 2: one figure a request
    assert said.chunk_gap_ms.mean == pytest.approx(250 / 3, abs=1e-3)
    assert said.e2e_ms.max == 302.0  # with the 2 ms before its semaphore let it go
    assert said.duration_s == 0.5
    assert (said.throughput.request_rps, said.throughput.output_tps) == (4.0, 10.0)
    assert said.imported is not None
    assert said.imported.replayable


def test_a_vllm_result_without_details_is_its_own_summary_and_says_so(tmp_path: Path) -> None:
    said = summary(made.written(tmp_path / "r.json", made.vllm(detailed=False)), tmp_path / "s")
    assert (said.requests.succeeded, said.requests.failed) == (2, 1)
    assert (said.ttft_from_sent_ms.mean, said.ttft_from_sent_ms.p50, said.ttft_from_sent_ms.p99) == (
        125,
        125,
        None,
    )
    assert said.ttft_from_due_ms.mean is None  # no counterpart of it: it was not measured
    assert said.throughput.output_tps == 10.0
    assert said.ttft_from_sent_ms.thin == ["p50"]  # what was not told is not thin
    assert not said.valid
    assert "only the summary" in said.reasons[0]


@pytest.mark.parametrize(
    ("burstiness", "arrivals"),
    [(1.0, "poisson"), (0.5, "gamma"), (1e6, "constant"), (float("inf"), "constant")],
)
def test_vllms_burstiness_says_how_requests_arrived(tmp_path: Path, burstiness: float, arrivals: str) -> None:
    said = summary(made.written(tmp_path / "r.json", made.vllm(burstiness=burstiness)), tmp_path / "s")
    assert said.load.arrivals == arrivals
    assert said.load.burstiness == (0.5 if arrivals == "gamma" else said.load.burstiness)


def test_an_appended_file_makes_a_session_a_line(tmp_path: Path) -> None:
    path = tmp_path / "all.json"
    path.write_text(json.dumps(made.vllm()) + "\n" + json.dumps(made.vllm(detailed=False)))
    assert [said.imported.label for said in summaries(path, tmp_path / "s") if said.imported] == [
        "line 1",
        "line 2",
    ]


def test_the_name_of_a_figure_is_taken_by_its_definition(tmp_path: Path) -> None:
    said = summary(made.written(tmp_path / "b.json", made.guidellm()), tmp_path / "s")
    assert said.imported is not None
    ours = {figure.name: (figure.ours, figure.how) for figure in said.imported.figures}
    assert ours["inter_token_latency_ms.successful.mean"] == ("tpot_ms.mean", "near")
    assert "time_to_first_token_ms.successful.mean" not in ours  # no data reads 0.0 there
    assert said.itl_ms.count == 0
    assert said.itl_ms.unknown == 1
    assert said.tpot_ms.mean == pytest.approx(125.0, abs=1e-3)
    assert said.ttft_from_sent_ms.mean == pytest.approx(125.0, abs=1e-3)


def test_requests_that_guidellm_cancelled_are_cut_off_and_warm_up_is_left_out(tmp_path: Path) -> None:
    said = summary(made.written(tmp_path / "b.json", made.guidellm()), tmp_path / "s")
    counts = said.requests
    assert (counts.sent, counts.succeeded, counts.failed, counts.cut_off) == (3, 1, 1, 1)
    assert said.errors == {"rejected": 1}
    assert said.imported is not None
    assert any("1 requests outside the time" in note for note in said.imported.notes)


def test_an_aiperf_directory_is_one_run_with_its_gpus(tmp_path: Path) -> None:
    place = made.aiperf(tmp_path / "out")
    directory = write_session(find_runs(place)[0], tmp_path / "s", NOW)
    said = read_summary(directory)
    assert (said.requests.succeeded, said.requests.failed, said.errors) == (1, 1, {"rejected": 1})
    assert said.duration_s == 1.0  # its window, though its end is told in a zone that is not
    assert said.throughput.request_rps == 1.0
    assert said.send_lag_ms.max == 1.0  # of those that succeeded; AIPerf takes all
    assert said.chunk_gap_ms.min == 0.0
    assert said.gpus[0].power_w.max == 300.0
    assert said.gpus[0].memory_used_bytes.max == 2e9
    assert read(directory).clock.origin_unix_ns == made.START_NS + 50_000_000


def test_an_imported_run_can_be_replayed_and_says_on_every_frame_that_it_is_one(tmp_path: Path) -> None:
    (run,) = find_runs(made.written(tmp_path / "r.json", made.vllm()))
    view = SessionView(write_session(run, tmp_path / "s", NOW))
    view.poll()
    middle = view.frame(view.first_ns + 250_000_000, 500_000_000, 2)
    assert (middle.imported, middle.due, middle.sent, middle.failed) == (True, 3, 3, 1)
    assert middle.in_flight == 1  # the first was answered at 210 ms
    whole = view.frame(view.last_ns, 500_000_000, 2)
    assert (whole.succeeded, whole.in_flight) == (2, 0)
    assert float(np.nansum(whole.output_tokens)) * whole.slot_ns / 1e9 == 5.0


def test_an_imported_session_is_private(tmp_path: Path) -> None:
    (run,) = find_runs(made.written(tmp_path / "r.json", made.vllm()))
    directory = write_session(run, tmp_path / "s", NOW)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()}
    assert (stat.S_IMODE(directory.stat().st_mode), modes) == (0o700, {0o600})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no json",
        "[]",
        "{}",
        '{"request_throughput": 1}',
        "[" * 100_000,
        '{"benchmarks": [{"scheduler_metrics": 1, "metrics": 2}]} x',
        "\udcff",
        '{"a": ' + "9" * 5000 + "}",
    ],
)
def test_a_file_of_nobody_is_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ImportFailed) as told:
        find_runs(path)
    assert "\n" not in str(told.value)
    assert str(path) in str(told.value)


def test_a_file_beyond_the_bound_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "big.json"
    with path.open("wb") as file:
        file.truncate(MOST_BYTES + 1)
    with pytest.raises(ImportFailed, match="larger than 256 MiB"):
        find_runs(path)


@pytest.mark.parametrize("wrong", [None, "x", -1, 1e300, float("inf"), [], {}, True, "\x1b[31m"])
def test_whatever_stands_in_a_field_a_session_comes_of_it_or_it_is_refused(
    tmp_path: Path, wrong: object
) -> None:
    lists = ("ttfts", "latencies", "start_times", "itls", "output_lens", "errors", "queue_times")
    for field in made.vllm():
        path = made.written(tmp_path / "r.json", made.vllm(**{field: wrong}))
        assert len(find_runs(path)) == 1
    for field in lists:
        path = made.written(tmp_path / "r.json", made.vllm(**{field: [wrong, wrong, wrong]}))
        with contextlib.suppress(ImportFailed):
            assert len(summaries(path, tmp_path / "s")) == 1


def test_aiperfs_window_is_told_in_a_zone_that_its_requests_tell(tmp_path: Path) -> None:
    place = made.aiperf(tmp_path / "out")
    file = place / "profile_export_aiperf.json"
    # 5 h 45 min ahead of UTC; the window of a second begins 50 ms after `START_NS` all the same.
    told = file.read_text().replace("2026-09-21T14:13:2", "2026-09-21T19:58:2")
    assert told != file.read_text()
    file.write_text(told)
    directory = write_session(find_runs(place)[0], tmp_path / "s", NOW)
    assert read(directory).clock.origin_unix_ns == made.START_NS + 50_000_000
    assert read_summary(directory).duration_s == 1.0


def test_aiperfs_times_are_read_in_the_unit_that_stands_beside_them(tmp_path: Path) -> None:
    place = made.aiperf(tmp_path / "out")
    file = place / "profile_export.jsonl"
    lines = file.read_text()
    file.write_text(lines.replace('{"value": 50.0, "unit": "ms"}', '{"value": 50000.0, "unit": "us"}'))
    assert file.read_text() != lines
    assert summary(place, tmp_path / "s").ttft_from_sent_ms.max == 50.0


def test_guidellms_latency_of_a_request_is_in_seconds(tmp_path: Path) -> None:
    told = made.guidellm()
    told["benchmarks"][0]["metrics"]["request_latency"] = {"successful": {"mean": 0.625, "count": 1}}
    said = summary(made.written(tmp_path / "b.json", told), tmp_path / "s")
    assert said.imported is not None
    figures = {figure.name: figure for figure in said.imported.figures}
    found = figures["request_latency.successful.mean"]
    assert (found.value, found.unit, found.ours) == (625.0, "ms", "e2e_ms.mean")


def test_a_sample_of_guidellms_requests_is_not_taken_for_all_of_them(tmp_path: Path) -> None:
    told = made.guidellm()
    told["benchmarks"][0]["scheduler_metrics"]["requests_made"]["total"] = 400
    said = summary(made.written(tmp_path / "b.json", told), tmp_path / "s")
    assert said.imported is not None
    assert not said.imported.replayable
    assert "only 4 of 400 requests are in the file (sample_size): nothing to replay" in said.imported.notes


def test_without_a_rate_vllm_sends_as_many_at_once_as_its_cap_lets_else_all(tmp_path: Path) -> None:
    for cap, slots in ((2, 2), (None, 3)):
        told = made.vllm(request_rate="inf", max_concurrency=cap)
        said = summary(made.written(tmp_path / "r.json", told), tmp_path / f"s{slots}")
        assert said.load.concurrency == slots


def test_energy_of_aiperfs_gpus_is_in_megajoules(tmp_path: Path) -> None:
    (run,) = find_runs(made.aiperf(tmp_path / "out"))
    (sample,) = (one for record in run.telemetry if isinstance(record, GpuSamples) for one in record.gpus)
    assert (sample.energy_j, sample.power_w, sample.memory_used_bytes) == (1000.0, 300.0, 2_000_000_000)


def test_a_request_that_waited_is_backlog_until_it_was_sent_and_in_flight_until_it_ended() -> None:
    second = 1_000_000_000
    one = Request(0, 0, 0, sent_ns=int(0.6 * second), end_ns=int(1.1 * second))
    ticks = made_ticks([one], int(1.5 * second), LoadConfig(rate_rps=1.0))
    assert [tick.backlog for tick in ticks] == [1, 1, 0, 0, 0, 0]  # a tick each 250 ms
    assert [tick.in_flight for tick in ticks] == [0, 0, 1, 1, 0, 0]
    assert [tick.due for tick in ticks] == [1, 0, 0, 0, 0, 0]


@pytest.mark.parametrize("time", ["2026-02-31T10:00:00", "2026-13-01T10:00:00", "2026-01-01T25:00:00"])
def test_a_day_that_no_calendar_has_is_no_time(tmp_path: Path, time: str) -> None:
    place = made.aiperf(tmp_path / "a")
    at = place / "profile_export_aiperf.json"
    summary = json.loads(at.read_text())
    at.write_text(json.dumps(summary | {"start_time": time, "end_time": "2026-04-01T10:00:00"}))
    (run,) = find_runs(place)
    assert run.span_ns < 10**9  # that of its requests
