"""Large columns lie in a file that nobody else sees, and say the same when none of it is in memory."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from sessions.timeline import paged
from sessions.timeline.columns import Table


def resident_bytes(of: str) -> int:
    """Of what this process has mapped of files whose name ends so."""
    found, counted = 0, False
    for line in Path("/proc/self/smaps").read_text(encoding="utf-8").splitlines():
        if not line.split()[0].endswith(":"):
            counted = line.endswith(of)
        elif counted and line.startswith("Rss:"):
            found += int(line.split()[1]) * 1024
    return found


def test_what_is_let_go_of_takes_no_memory_and_says_the_same() -> None:
    if not Path("/proc/self/smaps").exists():
        pytest.skip("no smaps here")
    before = resident_bytes("(deleted)")
    values = np.arange(2 * paged.LEAST_BYTES // 8, dtype=np.float64)
    held = paged.copied(values, np.float64)
    assert resident_bytes("(deleted)") >= before + held.nbytes
    paged.let_go()
    assert resident_bytes("(deleted)") < held.nbytes
    np.testing.assert_array_equal(held, values)
    held[7] = -1.0
    paged.let_go()
    assert held[7] == -1.0


def test_a_table_that_outgrows_memory_is_the_same_table() -> None:
    rows, names = 9000, tuple(f"c{i}" for i in range(99))
    table, cells = Table(("t", *names)), np.random.default_rng(1).normal(size=(99, rows))
    for i in range(rows):
        table.add((float(i), *cells[:, i]))
        if i % 1000 == 0:
            paged.let_go()
            assert len(table) == i + 1
    assert table.cells().nbytes > paged.LEAST_BYTES
    np.testing.assert_array_equal(table.cells()[1:], cells)
    spans = np.array([0, 10, 5000, rows])
    sums = table.sums(("c0", "c98"), spans)[:, :, 0]
    expected = np.add.reduceat(cells[[0, 98]], spans[:-1], axis=1)
    np.testing.assert_allclose(sums, expected)


def test_where_there_is_no_room_for_a_file_an_array_is_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int, offset: int, size: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full, raising=False)
    held = paged.empty((3, paged.LEAST_BYTES))
    held[2, -1] = 1.0
    paged.let_go()
    assert (held.shape, held[2, -1]) == ((3, paged.LEAST_BYTES), 1.0)


def test_what_is_mapped_stays_only_as_far_as_it_is_little(monkeypatch: pytest.MonkeyPatch) -> None:
    if not Path("/proc/self/smaps").exists():
        pytest.skip("no smaps here")
    paged.let_go()
    monkeypatch.setattr(paged, "_other_bytes", paged._mapped_bytes())
    monkeypatch.setattr(paged, "KEPT_BYTES", 3 << 20)
    monkeypatch.setattr(paged, "LEAST_BYTES", 1 << 20)
    held = paged.copied(np.zeros(2 << 20, np.uint8), np.uint8)
    paged.hold_less()
    assert resident_bytes("(deleted)") >= held.nbytes
    more = paged.copied(np.zeros(2 << 20, np.uint8), np.uint8)
    held[:], more[:] = 1, 2
    paged.hold_less()
    assert resident_bytes("(deleted)") == 0
    assert (int(held.min()), int(more.min())) == (1, 2)


def test_a_large_array_is_copied_and_read_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    released: list[int] = []
    let_go = paged.let_go
    values = np.arange(1 << 19, dtype=np.float64).reshape(1 << 9, -1)

    def counted() -> None:
        released.append(resident_bytes("(deleted)") if Path("/proc/self/smaps").exists() else 0)
        let_go()

    let_go()
    monkeypatch.setattr(paged, "let_go", counted)
    monkeypatch.setattr(paged, "PIECE_BYTES", 1 << 18)
    out = paged.empty(values.shape)
    paged.copy(values, out)
    read = paged.read(io.BytesIO(values.tobytes()), values.nbytes)
    assert len(released) > 2 * values.nbytes // (1 << 18)
    assert max(released) < values.nbytes // 2
    np.testing.assert_array_equal(out, values)
    assert read == values.tobytes()
    assert bytes(paged.read(io.BytesIO(b"short"), 9)) == b"short"


def test_no_more_files_are_open_than_a_process_may_spare(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paged, "MAPS_CAP", len(paged._maps) + 1)
    first, second = (paged.empty((paged.LEAST_BYTES,), np.uint8) for _ in range(2))
    assert len(paged._maps) == paged.MAPS_CAP
    assert first.nbytes == second.nbytes
