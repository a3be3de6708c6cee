from __future__ import annotations

import errno
import gzip
import os
import random
import resource
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Iterable
from pathlib import Path

import msgspec
import pytest

from loadgen.records import Request, RequestError, Tick
from sessions.store import append_file, follow
from sessions.store.follow import Follower, GzipFollower, SessionFollower
from sessions.store.gap_codec import decode_gaps, encode_gaps
from sessions.store.journal import JournalWriter, RequestJournalWriter
from sessions.store.parse import BadLine, parse
from sessions.store.records import AnyRecord, End, Mark
from tests.faults.disk import FULL


@pytest.fixture(autouse=True)
def refuge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a file goes whose disk stays full: not to the machine's own directory for such."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))


def request(index: int) -> Request:
    return Request(
        index=index,
        worker=0,
        due_ns=index * 1000,
        sent_ns=index * 1000 + 5,
        chunks=4,
        gaps_us=[20_000 + index, 19_000, 21_000],
        error=RequestError("timeout", "no first token") if index % 7 == 0 else None,
    )


def drain(follower: Follower | GzipFollower) -> list[AnyRecord]:
    records = follower.poll()
    while follower.behind:
        records += follower.poll()
    return records


def test_what_was_appended_is_read_back_once_and_in_order(tmp_path: Path) -> None:
    writer, follower = JournalWriter(tmp_path / "a.jsonl"), Follower(tmp_path / "a.jsonl")
    tick = Tick(t_ns=250_000_000, dt_ns=250_000_000, worker=1, due=3, itl=[150, 2, 151, 9], errors={"x": 1})
    writer.append(tick)
    assert follower.poll() == [tick]
    assert follower.poll() == []
    writer.append([Mark(t_ns=1, text="é\n"), End(t_ns=2, reason="completed")])
    assert follower.poll() == [Mark(t_ns=1, text="é\n"), End(t_ns=2, reason="completed")]
    assert (tmp_path / "a.jsonl").stat().st_mode & 0o777 == 0o600


def test_a_batch_is_in_the_kernel_when_append_returns(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from sessions.store.journal import JournalWriter;"
        "from sessions.store.records import Mark; w = JournalWriter(Path(sys.argv[1]));"
        "w.append([Mark(t_ns=i) for i in range(100)]); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.jsonl")], timeout=60)
    assert done.returncode == -9
    assert Follower(tmp_path / "a.jsonl").poll() == [Mark(t_ns=i) for i in range(100)]


def test_following_starts_before_the_file_exists(tmp_path: Path) -> None:
    lines, packed = Follower(tmp_path / "a.jsonl"), GzipFollower(tmp_path / "r.jsonl.gz")
    assert lines.poll() == [] == packed.poll()
    JournalWriter(tmp_path / "a.jsonl").append(Mark(t_ns=1))
    writer = RequestJournalWriter(tmp_path / "r.jsonl.gz")
    writer.append(request(1))
    writer.flush()
    assert lines.poll() == [Mark(t_ns=1)]
    assert packed.poll() == [request(1)]


def test_a_torn_tail_waits_for_its_rest(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    follower = Follower(path)
    path.write_bytes(b'{"kind":"mark","t_ns":1}\n{"kind":"mark","t')
    assert follower.poll() == [Mark(t_ns=1)]
    assert follower.torn_bytes == 17
    with path.open("ab") as f:
        f.write(b'_ns":2}\n')
    assert follower.poll() == [Mark(t_ns=2)]
    assert (follower.torn_bytes, follower.corrupt_count) == (0, 0)


def test_lines_arrive_alike_however_the_file_grows(tmp_path: Path) -> None:
    draw = random.Random(5)
    for trial in range(20):
        source, path = tmp_path / f"s{trial}.gz", tmp_path / f"t{trial}.gz"
        writer = RequestJournalWriter(source)
        for i in range(60):
            writer.append(request(i))
            if draw.random() < 0.2:
                writer.flush()
        writer.close()
        data = source.read_bytes()
        follower, got, at = GzipFollower(path), [], 0
        while at < len(data):
            step = draw.choice([1, 7, 200, 5000])
            with path.open("ab") as f:
                f.write(data[at : at + step])
            at += step
            got += drain(follower)
        assert got == [request(i) for i in range(60)]
        assert follower.corrupt_count == follower.torn_bytes == 0


def test_request_files_are_plain_gzip(tmp_path: Path) -> None:
    writer = RequestJournalWriter(tmp_path / "r.jsonl.gz")
    for i in range(5):
        writer.append(request(i))
        writer.flush()
    writer.append([request(5), request(6)])
    writer.close()
    with gzip.open(tmp_path / "r.jsonl.gz") as f:
        assert [parse(line) for line in f.read().splitlines()] == [request(i) for i in range(7)]


def test_a_torn_last_member_gives_the_lines_that_decompress(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl.gz"
    writer = RequestJournalWriter(path)
    writer.append([request(i) for i in range(3)])
    writer.flush()
    whole = path.stat().st_size
    writer.append([request(i) for i in range(3, 2000)])
    writer.close()
    os.truncate(path, whole + (path.stat().st_size - whole) // 2)
    follower = GzipFollower(path)
    got = drain(follower)
    assert 500 < len(got) < 2000
    assert got == [request(i) for i in range(len(got))]
    assert follower.torn_bytes > 0
    assert follower.corrupt_count == 0


def test_a_damaged_member_is_counted_and_the_others_are_read(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl.gz"
    writer = RequestJournalWriter(path)
    ends = []
    for i in range(3):
        writer.append([request(10 * i + j) for j in range(10)])
        writer.flush()
        ends.append(path.stat().st_size)
    data = bytearray(path.read_bytes())
    data[ends[0] + 12 : ends[1] - 8] = b"\xff" * (ends[1] - 8 - ends[0] - 12)
    path.write_bytes(data)
    follower = GzipFollower(path)
    got = drain(follower)
    assert [r for r in got if isinstance(r, Request) and r.index < 10] == [request(i) for i in range(10)]
    assert [r for r in got if isinstance(r, Request) and r.index >= 20] == [request(i) for i in range(20, 30)]
    assert follower.corrupt_count >= 1
    assert drain(follower) == []


def packed(text: Iterable[bytes]) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join(map(packer.compress, text)) + packer.flush()


def test_a_large_file_is_read_in_bounded_steps(tmp_path: Path) -> None:
    draw = random.Random(2)
    (tmp_path / "r.jsonl.gz").write_bytes(packed([draw.randbytes(3 << 19).hex().encode()]))
    follower = GzipFollower(tmp_path / "r.jsonl.gz", most=1 << 20)
    polls = 1
    assert follower.poll() == []
    while follower.behind:
        assert follower.poll() == []
        polls += 1
    assert polls == 4, "3 MiB, 1 MiB a poll, and one that finds the end"


TICK_LINE = b'{"kind":"tick","t_ns":5000000000,"dt_ns":250000000,"worker":0}\n'
BOMBS = {
    "one endless line": b"0",
    "empty lines": b"\n",
    "lines that are none": b"x\n",
    "lines of unknown kinds": b'{"kind":"zz"}\n',
    "marks": b'{"kind":"mark","t_ns":5000000000}\n',
    "ticks": TICK_LINE,
}


@pytest.mark.parametrize("line", BOMBS.values(), ids=BOMBS.keys())
def test_a_decompression_bomb_is_not_read_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: bytes
) -> None:
    monkeypatch.setattr(follow, "LINE_CAP_BYTES", 1 << 18)
    monkeypatch.setattr(follow, "MEMBER_CAP_BYTES", 1 << 18)
    block = line * ((1 << 20) // len(line))
    bomb = packed(block for _ in range(4))
    (tmp_path / "r.jsonl.gz").write_bytes(bomb)
    follower, records = GzipFollower(tmp_path / "r.jsonl.gz"), 0
    while True:
        records += len(follower.poll())
        if not follower.behind:
            break
    offset, _ = follower.corrupt[0]
    assert follower.corrupt_count <= 100_001
    assert offset <= 50 * len(bomb) + (2 << 20), "bytes of text"
    assert max(records, follower.skipped) <= offset // len(line)


def test_a_session_of_nothing_but_bombs_is_not_read_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "GIVEN_UP_CAP", 2)
    bomb = packed([b'{"kind":"zz","text":"%s"}\n' % (b"x" * 1000) * (8 << 10)])
    for number in range(10):
        (tmp_path / f"worker-{number}.jsonl.gz").write_bytes(bomb)
    files = SessionFollower(tmp_path, requests=True)
    files.poll()
    files.close()
    assert len(files.damaged) == 10
    assert sum("lines of kinds" in note for note in files.notes()) == 3, "of the others nothing was read"


def test_what_packs_better_than_any_believable_text_is_packed_less_and_read_back(tmp_path: Path) -> None:
    """Answers that came at once, through a proxy that buffers: 250 tokens without a gap, again and again."""
    writer = RequestJournalWriter(tmp_path / "r.jsonl.gz")
    burst = [Request(i, 0, 5, end_ns=9, chunks=2501, gaps_us=[0] * 2500) for i in range(700)]
    writer.append(burst)
    writer.close()
    assert drain(GzipFollower(tmp_path / "r.jsonl.gz")) == burst


def test_an_answer_of_a_million_tokens_keeps_its_gaps_and_one_of_more_all_else(tmp_path: Path) -> None:
    writer = RequestJournalWriter(tmp_path / "r.jsonl.gz")
    long, longer = (
        Request(i, 0, 5, end_ns=9, output_tokens=n + 1, chunks=n + 1, gaps_us=[7] * n)
        for i, n in enumerate((1_000_000, 1_100_000))
    )
    writer.append([long, longer])
    writer.close()
    cut = msgspec.structs.replace(longer, gaps_us=[], flags=["gaps_cut"])
    assert drain(GzipFollower(tmp_path / "r.jsonl.gz")) == [long, cut]


@pytest.mark.parametrize("gaps_us", [[0], [1, 2, 3], [2**24 - 1, 0, 4095, 4096], list(range(0, 90_000, 451))])
def test_packed_gaps_unpack_to_themselves(gaps_us: list[int]) -> None:
    text = encode_gaps(gaps_us)
    assert text is not None
    assert len(text) == 4 * len(gaps_us)
    assert decode_gaps(text) == gaps_us


def test_packed_gaps_are_base64_by_planes() -> None:
    # 20000 us is 0x004E20: base64 groups 0, 4, 56, 32
    assert encode_gaps([20_000, 20_000]) == "AAEE44gg"


def test_gaps_too_long_to_pack_stay_numbers(tmp_path: Path) -> None:
    assert encode_gaps([5, 2**24]) is None
    assert encode_gaps([]) is None
    slow = Request(index=1, worker=0, due_ns=1, chunks=3, gaps_us=[5, 60_000_000])
    writer = RequestJournalWriter(tmp_path / "r.jsonl.gz")
    writer.append(slow)
    writer.close()
    assert GzipFollower(tmp_path / "r.jsonl.gz").poll() == [slow]


def test_a_timeline_file_named_gz_is_plain_gzip_a_member_a_batch(tmp_path: Path) -> None:
    path = tmp_path / "worker-0.jsonl.gz"
    writer, follower = JournalWriter(path), GzipFollower(path)
    writer.append([Mark(t_ns=1), Mark(t_ns=2)])
    assert follower.poll() == [Mark(t_ns=1), Mark(t_ns=2)]
    writer.append(Mark(t_ns=3))
    assert follower.poll() == [Mark(t_ns=3)]
    with gzip.open(path) as f:
        assert len(f.read().splitlines()) == 3


HOSTILE = {
    "packed gaps of odd length": b'{"kind":"request","index":1,"worker":0,"due_ns":1,"gaps":"AAAAA"}',
    "packed gaps outside base64": b'{"kind":"request","index":1,"worker":0,"due_ns":1,"gaps":"AA!A"}',
    "packed gaps with padding": b'{"kind":"request","index":1,"worker":0,"due_ns":1,"gaps":"AA=="}',
    "packed gaps beyond ascii": b'{"kind":"request","index":1,"worker":0,"due_ns":1,"gaps":"AA\\u00e9A"}',
    "not json": b"hello",
    "no object": b"[1]",
    "empty object": b"{}",
    "two values": b'{"kind":"mark","t_ns":1} {}',
    "wrong type": b'{"kind":"mark","t_ns":"1"}',
    "no number": b'{"kind":"mark","t_ns":NaN}',
    "infinity": b'{"kind":"gpu","t_ns":1,"took_ns":1,"source":"","gpus":[{"gpu":"a","power_w":1e999}]}',
    "huge float": b'{"kind":"gpu","t_ns":1,"took_ns":1,"source":"","gpus":[{"gpu":"a","power_w":1e200}]}',
    "huge int": b'{"kind":"mark","t_ns":' + b"9" * 5000 + b"}",
    "int of 400 digits": b'{"kind":"mark","t_ns":' + b"9" * 400 + b"}",
    "more than ten years": b'{"kind":"mark","t_ns":315576000000000001}',
    "negative time": b'{"kind":"mark","t_ns":-1}',
    "negative count": b'{"kind":"tick","t_ns":1,"dt_ns":1,"worker":0,"due":-4}',
    "negative gap": b'{"kind":"request","index":1,"worker":0,"due_ns":1,"gaps_us":[5,-1]}',
    "negative asked length": b'{"kind":"request","index":1,"worker":0,"due_ns":1,"asked_output_tokens":-1}',
    "huge conversation": b'{"kind":"request","index":1,"worker":0,"due_ns":1,"conversation":9999999999999}',
    "a tag that is no text": b'{"kind":"request","index":1,"worker":0,"due_ns":1,"tags":[7]}',
    "huge error count": b'{"kind":"tick","t_ns":1,"dt_ns":1,"worker":0,"errors":{"a":99999999999999999}}',
    "odd sketch": b'{"kind":"tick","t_ns":1,"dt_ns":1,"worker":0,"itl":[4]}',
    "bucket out of range": b'{"kind":"tick","t_ns":1,"dt_ns":1,"worker":0,"itl":[1200,1]}',
    "depth": b'{"kind":"mark","t_ns":1,"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "depth of an unknown kind": b'{"kind":"new","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "lone surrogate": b'{"kind":"mark","t_ns":1,"text":"\\ud800"}',
    "lone low surrogate": b'{"kind":"mark","t_ns":1,"text":"\\udc00"}',
    "raw surrogate": b'{"kind":"mark","t_ns":1,"text":"\xed\xa0\x80"}',
    "bad utf-8": b'{"kind":"mark","t_ns":1,"text":"\xff"}',
    "nul": b"\x00\x00",
}


@pytest.mark.parametrize("line", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_line_is_counted_and_its_neighbours_are_read(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"kind":"mark","t_ns":1}\n' + line + b'\n{"kind":"mark","t_ns":2}\n')
    follower = Follower(path)
    assert follower.poll() == [Mark(t_ns=1), Mark(t_ns=2)]
    assert [offset for offset, _ in follower.corrupt] == [25]
    with pytest.raises(BadLine):
        parse(line)


def test_what_a_request_asked_for_is_read_back_and_costs_nothing_where_it_was_not_kept(
    tmp_path: Path,
) -> None:
    asked = Request(
        1, 0, 5, asked_input_tokens=256, asked_output_tokens=64, conversation=3, turn=0, tags=("a", "b")
    )
    old = b'{"kind":"request","index":2,"worker":0,"due_ns":5,"end_ns":9}'
    writer = RequestJournalWriter(tmp_path / "requests-0.jsonl.gz")
    writer.append(asked)
    writer.flush()
    writer.close()
    assert GzipFollower(tmp_path / "requests-0.jsonl.gz").poll() == [asked]
    before = parse(old)
    assert before == Request(2, 0, 5, end_ns=9)
    assert msgspec.json.encode(before) == old


def test_unknown_kinds_and_fields_of_a_newer_minor_version_are_skipped(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"kind":"weather","t_ns":1}\n\n{"kind":"mark","t_ns":2,"colour":"red"}\n')
    follower = Follower(path)
    assert follower.poll() == [Mark(t_ns=2)]
    assert (follower.skipped, follower.corrupt_count) == (1, 0)


def test_a_line_beyond_the_cap_is_dropped_without_being_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with path.open("wb") as f:
        f.write(b'{"kind":"mark","t_ns":1}\n' + b"x" * (20 << 20))
    follower = Follower(path)
    assert drain(follower) == [Mark(t_ns=1)]
    assert follower.torn_bytes == 0
    with path.open("ab") as f:
        f.write(b'\n{"kind":"mark","t_ns":2}\n')
    assert drain(follower) == [Mark(t_ns=2)]
    assert [offset for offset, _ in follower.corrupt] == [25]


def test_a_fifo_in_a_session_does_not_hang_its_reader(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.jsonl")
    os.mkfifo(tmp_path / "r.jsonl.gz")
    assert Follower(tmp_path / "a.jsonl").poll() == []
    assert GzipFollower(tmp_path / "r.jsonl.gz").poll() == []


def test_a_link_in_a_session_is_not_followed_out_of_it(tmp_path: Path) -> None:
    JournalWriter(tmp_path / "other").append(Mark(t_ns=1))
    (tmp_path / "a.jsonl").symlink_to(tmp_path / "other")
    assert Follower(tmp_path / "a.jsonl").poll() == []


def run_with_file_limit(path: Path, code: str) -> str:
    program = (
        "import resource, sys; from pathlib import Path; from sessions.store.journal import *;"
        "from sessions.store.follow import *;"
        "from sessions.store.records import Mark; from tests_request import request; path = Path(sys.argv[1]);"
        "limit = lambda n: resource.setrlimit(resource.RLIMIT_FSIZE, (n, resource.RLIM_INFINITY));" + code
    )
    helper = path.parent / "tests_request.py"
    helper.write_text(
        "from loadgen.records import Request\ndef request(i): return Request(index=i, worker=0, due_ns=i)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)],
        timeout=60,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(path.parent), *sys.path])},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_file_limit_cuts_no_line_and_loses_none_once_there_is_room_again(tmp_path: Path) -> None:
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] == resource.RLIM_INFINITY
    path = tmp_path / "a.jsonl"
    out = run_with_file_limit(
        path,
        "w = JournalWriter(path); limit(130); f = Follower(path); seen = [];\n"
        "for i in range(20): w.append(Mark(t_ns=i)); seen += f.poll()\n"
        "print(w.error); print(path.stat().st_size, path.read_bytes()[-1:]);\n"
        "limit(1 << 20); w.append(Mark(t_ns=20)); seen += f.poll()\n"
        "print(w.error, [r.t_ns for r in seen] == list(range(21)), f.corrupt_count)",
    )
    told, size, after = out.splitlines()
    assert os.strerror(errno.EFBIG) in told
    assert size == "125 b'\\n'"
    assert after == "None True 0"
    assert Follower(path).poll() == [Mark(t_ns=i) for i in range(21)]


def test_request_members_survive_a_full_disk_whole(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl.gz"
    out = run_with_file_limit(
        path,
        "w = RequestJournalWriter(path); limit(200)\n"
        "for i in range(20): w.append(request(i)); w.flush()\n"
        "print(w.error is not None); limit(1 << 20); w.close(); print(w.error)",
    )
    assert out.split() == ["True", "None"]
    with gzip.open(path) as f:
        assert [parse(line).index for line in f.read().splitlines()] == list(range(20))  # type: ignore[union-attr]


def test_a_full_disk_is_told_and_never_raised() -> None:
    writer = JournalWriter(FULL)
    for i in range(3):
        writer.append(Mark(t_ns=i))
    assert writer.error is not None
    assert os.strerror(errno.ENOSPC) in writer.error
    writer.sync()
    writer.close()
    writer.close()


def test_what_is_kept_for_a_full_disk_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(append_file, "KEPT_CAP_BYTES", 100)
    file = append_file.AppendFile(FULL)
    for _ in range(5):
        file.append(b"x" * 40)
    assert file.dropped_bytes == 3 * 40
    file.close()


def test_a_new_writer_ends_the_torn_line_of_an_old_one(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"kind":"mark","t_ns":1}\n{"kind":"ma')
    JournalWriter(path).append(Mark(t_ns=2))
    follower = Follower(path)
    assert follower.poll() == [Mark(t_ns=1), Mark(t_ns=2)]
    assert follower.corrupt_count == 1
