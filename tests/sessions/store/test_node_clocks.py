"""Files of nodes whose clocks run otherwise: read, all times are the session's."""

from __future__ import annotations

import msgspec
import pytest

from loadgen.records import Request, Tick, WorkerNote
from sessions.store.bounds import check
from sessions.store.follow import SessionFollower
from sessions.store.journal import (
    SUPERVISOR_FILE,
    TELEMETRY_FILE,
    JournalWriter,
    RequestJournalWriter,
    request_file,
    worker_file,
)
from sessions.store.node_clocks import session_ns, within_ns
from sessions.store.parse import BadLine, parse, parse_packed
from sessions.store.records import NodeClock, State
from sessions.store.request_line import RequestLookup, Sought
from sessions.timeline.timeline import Timeline
from telemetry.bounds import MOST_FLOAT, TEN_YEARS_NS
from telemetry.records import HostSample

S, MS = 1_000_000_000, 1_000_000


def own_ns(session_ns: int) -> int:
    """What node `a` writes for an instant: it was 2 ms ahead of what it was told, and runs 200 ppm faster."""
    return session_ns + 2 * MS + round(session_ns * 200e-6)


def clock(t_ns: int, **fields) -> NodeClock:
    said = {"within_ns": 50_000, "drift_ppm": 200.0, "drift_within_ppm": 20.0, "workers": [1], **fields}
    return NodeClock(t_ns, "a", float(t_ns - own_ns(t_ns)), **said)


def written(directory, *clocks) -> None:
    host = JournalWriter(directory / SUPERVISOR_FILE)
    host.append([State(0, "running"), *clocks])
    host.close()
    for worker, when in ((0, int), (1, own_ns)):
        journal = JournalWriter(directory / worker_file(worker))
        journal.append([WorkerNote(when(10 * S), worker, "started"), Tick(when(12 * S), 250 * MS, worker)])
        journal.close()
        requests = RequestJournalWriter(directory / request_file(worker))
        times = {
            "sent_ns": when(11 * S),
            "first_token_ns": when(11 * S) + 300 * MS,
            "end_ns": when(11 * S) + S,
        }
        requests.append(Request(worker, worker, when(11 * S), gaps_us=[5, 6], **times))
        requests.close()
    for name, when in ((TELEMETRY_FILE, int), ("telemetry-a.jsonl.gz", own_ns)):
        journal = JournalWriter(directory / name)
        journal.append(HostSample(when(13 * S), 5, name, cpu_pct=1.0))
        journal.close()


def read(directory, parse=parse):
    follower = SessionFollower(directory, requests=True, parse=parse)
    records = follower.poll()
    assert not follower.notes()
    return records


@pytest.mark.parametrize("parse", [parse, parse_packed])
def test_times_of_a_nodes_files_are_put_onto_the_sessions_clock(tmp_path, parse):
    written(tmp_path, clock(1 * S), clock(6 * S), clock(11 * S))
    records = read(tmp_path, parse)
    for kind, expected in ((WorkerNote, 10 * S), (Tick, 12 * S), (HostSample, 13 * S)):
        times = [record.t_ns for record in records if isinstance(record, kind)]
        assert times == [pytest.approx(expected, abs=2)] * 2


def test_a_request_is_moved_as_a_whole_so_that_it_takes_what_its_worker_measured(tmp_path):
    written(tmp_path, clock(1 * S))
    (request,) = [one for one in read(tmp_path) if isinstance(one, Request) and one.worker == 1]
    assert request.due_ns == pytest.approx(11 * S, abs=2)
    assert request.sent_ns == request.due_ns
    assert request.first_token_ns - request.sent_ns == 300 * MS
    assert request.end_ns - request.due_ns == S
    assert request.headers_ns is None
    assert request.gaps_us == [5, 6]


def test_without_nodes_no_time_is_touched(tmp_path):
    written(tmp_path)
    records = read(tmp_path)
    assert sorted(record.t_ns for record in records if isinstance(record, Tick)) == [12 * S, own_ns(12 * S)]


def test_what_is_found_out_later_moves_no_time_before_it(tmp_path):
    """So a replay shows at an instant what the live run showed then."""
    later = msgspec.structs.replace(clock(20 * S), correction_ns=5.0 * S)
    for directory, clocks in (("live", [clock(1 * S)]), ("replay", [clock(1 * S), later])):
        (tmp_path / directory).mkdir()
        written(tmp_path / directory, *clocks)
    kept = [record for record in read(tmp_path / "replay") if not isinstance(record, NodeClock)]
    assert kept == [record for record in read(tmp_path / "live") if not isinstance(record, NodeClock)]


def test_files_that_are_read_on_from_a_cache_are_of_the_same_clock(tmp_path):
    written(tmp_path, clock(1 * S))
    follower = SessionFollower(tmp_path, requests=False)
    follower.begin_at(
        {path.name: path.stat().st_size for path in tmp_path.iterdir()} | {"requests-1.jsonl.gz": 0}
    )
    follower.want_requests()
    (request,) = [one for one in follower.poll() if one.worker == 1]
    assert request.due_ns == pytest.approx(11 * S, abs=2)


def test_times_do_not_depend_on_how_much_is_read_at_once(tmp_path):
    """Many nodes have many clock lines, of which a poll may take a part."""
    other = clock(1 * S, drift_ppm=0.0, workers=[])
    clocks = [msgspec.structs.replace(other, t_ns=n * 10 * MS, node=f"n{n}") for n in range(200)]
    written(tmp_path, clock(1 * S), *clocks, msgspec.structs.replace(clock(9 * S), correction_ns=-3.0 * S))
    by_parts = SessionFollower(tmp_path, requests=True, most=4096)
    found = by_parts.poll()
    assert by_parts.behind
    while by_parts.behind:
        found += by_parts.poll()
    at_once = read(tmp_path)
    assert sorted(map(repr, found)) == sorted(map(repr, at_once))


def test_a_request_of_a_node_is_found_again(tmp_path):
    written(tmp_path, clock(1 * S))
    (request,) = [one for one in read(tmp_path) if isinstance(one, Request) and one.worker == 1]
    sought = Sought(1, 1, request.due_ns, request.end_ns)
    assert RequestLookup(tmp_path).look(sought).request == request
    # Also where more was found out since.
    sought = Sought(1, 1, request.due_ns + 40_000, request.end_ns + 40_000)
    assert RequestLookup(tmp_path).look(sought).request == request


def test_before_the_first_record_and_after_the_last_they_hold_all_the_same():
    clocks = [clock(10 * S), clock(15 * S)]
    for t_ns in (0, 10 * S, 12 * S, 15 * S, 3600 * S):
        assert session_ns(clocks, own_ns(t_ns)) == pytest.approx(t_ns, abs=2)
    assert session_ns(clocks, 0) == 0
    assert within_ns(clocks, 10 * S) == 50_000
    assert within_ns(clocks, 14 * S) == 50_000 + 4 * 20_000
    assert within_ns(clocks, 5 * S) == 50_000 + 5 * 20_000


@pytest.mark.parametrize("read_line", [parse, parse_packed])
@pytest.mark.parametrize("drift_ppm", [-1_000_000.0, -999_999.999999, 100_001.0, 1e18])
def test_a_drift_that_no_clock_has_is_refused(read_line, drift_ppm):
    with pytest.raises(BadLine, match="drift_ppm"):
        read_line(msgspec.json.encode(clock(1 * S, drift_ppm=drift_ppm)))


@pytest.mark.parametrize("drift_ppm", [-100_000.0, 100_000.0])
@pytest.mark.parametrize(
    "correction_ns", [-MOST_FLOAT, -float(TEN_YEARS_NS), float(TEN_YEARS_NS), MOST_FLOAT]
)
def test_whatever_a_clock_line_says_all_times_stay_in_their_bounds(tmp_path, drift_ppm, correction_ns):
    said = clock(1 * S, drift_ppm=drift_ppm, drift_within_ppm=MOST_FLOAT)
    written(tmp_path, msgspec.structs.replace(said, correction_ns=correction_ns))
    timeline = Timeline()
    for record in read(tmp_path):
        check(record)
        timeline.apply(record)
    assert 0 <= timeline.newest_ns <= TEN_YEARS_NS
    for t_ns in (0, TEN_YEARS_NS):
        assert 0 <= session_ns([said], t_ns) <= TEN_YEARS_NS
        assert 0 <= within_ns([said], t_ns) <= TEN_YEARS_NS
