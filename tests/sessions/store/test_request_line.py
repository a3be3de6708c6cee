"""A request found again in files of many: by halving where its line stands in order, else by going through."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from loadgen.records import Request, RequestError
from sessions.store import request_line
from sessions.store.journal import RequestJournalWriter, request_file
from sessions.store.request_line import RequestLookup, Sought

MS = 1_000_000


def requests(count: int, *, seed: int = 1, worker: int = 0) -> list[Request]:
    """As a worker writes them: in the order in which they ended, but for some of one instant."""
    draw = random.Random(seed)
    made = []
    for i in range(count):
        due_ns = i * 15 * MS
        end_ns = due_ns + draw.randrange(200, 9_000) * MS
        failed = RequestError("http_500", "\x1b[2Jno \u202e") if i % 9 == 0 else None
        gaps_us = [draw.randrange(9_000_000) for _ in range(draw.randrange(1, 60))]
        made.append(
            Request(i, worker, due_ns, end_ns=end_ns, chunks=len(gaps_us) + 1, gaps_us=gaps_us, error=failed)
        )
    made.sort(key=lambda request: request.end_ns + draw.randrange(3) * MS)
    return made


def written(directory: Path, made: list[Request], worker: int = 0, batch: int = 30) -> Path:
    path = directory / request_file(worker)
    writer = RequestJournalWriter(path)
    for i in range(0, len(made), batch):
        writer.append(made[i : i + batch])
        writer.flush()
    writer.close()
    return path


def sought(request: Request) -> Sought:
    return Sought(request.worker, request.index, request.due_ns, request.end_ns)


def test_every_request_is_found_with_its_gaps_and_words(tmp_path: Path) -> None:
    made = requests(6000)
    path = written(tmp_path, made)
    assert path.stat().st_size > 8 * request_line._CHUNK_BYTES
    lookup = RequestLookup(tmp_path)
    for request in [made[0], made[-1], *random.Random(2).sample(made, 60)]:
        looked = lookup.look(sought(request))
        assert looked == (request, True), "at the first step: by halving"


def test_of_several_workers_each_has_its_own(tmp_path: Path) -> None:
    first, second = requests(40), requests(40, seed=2, worker=1)
    written(tmp_path, first)
    written(tmp_path, second, 1)
    lookup = RequestLookup(tmp_path)
    assert lookup.look(sought(first[7])).request == first[7]
    assert lookup.look(sought(second[7])).request == second[7]


def test_where_lines_are_in_no_order_the_files_are_gone_through_step_by_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_line, "_STEP_BYTES", 1 << 20)
    made = requests(6000)
    random.Random(3).shuffle(made)
    written(tmp_path, made, worker=5)  # in the file of another worker at that
    lookup = RequestLookup(tmp_path)
    steps = 0
    while not (looked := lookup.look(sought(made[-1]))).over:
        steps += 1
    assert looked.request == made[-1]
    assert steps > 2


def test_one_that_is_not_there_is_over_and_not_found(tmp_path: Path) -> None:
    made = requests(100)
    written(tmp_path, made)
    lookup = RequestLookup(tmp_path)
    other = Sought(0, made[3].index, made[3].due_ns + 1, made[3].end_ns)
    assert lookup.look(other) == lookup.look(other) == (None, True)
    assert RequestLookup(tmp_path / "nowhere").look(other) == (None, True)


def test_a_torn_end_a_damaged_middle_and_what_is_no_file_stop_nobody(tmp_path: Path) -> None:
    made = requests(3000)
    path = written(tmp_path, made)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 5000] = b"\x1f\x8b\x08" * 1666 + b"\0\0"
    path.write_bytes(data[:-40])
    os.mkfifo(tmp_path / request_file(1))
    (tmp_path / request_file(2)).symlink_to("/etc/passwd")
    lookup = RequestLookup(tmp_path)
    for request in (made[5], made[-200]):
        while not (looked := lookup.look(sought(request))).over:
            pass
        assert looked.request == request
    while not (looked := lookup.look(sought(made[-1]))).over:
        pass
    assert looked.request is None


def test_a_member_of_far_too_much_text_is_left(tmp_path: Path) -> None:
    import gzip

    bomb = gzip.compress(b"0" * (40 << 20))
    (tmp_path / request_file(0)).write_bytes(bomb)
    lookup = RequestLookup(tmp_path)
    while not (looked := lookup.look(Sought(0, 1, 2, 3))).over:
        pass
    assert looked.request is None
