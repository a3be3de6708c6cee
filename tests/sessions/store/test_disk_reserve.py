"""Room kept aside on a disk, for a last word."""

from __future__ import annotations

from pathlib import Path

from sessions.store.disk_reserve import DiskReserve


def blocks(directory: Path) -> int:
    return sum(path.stat().st_blocks for path in directory.iterdir()) * 512


def test_what_is_kept_takes_real_room_and_is_given_up_a_piece_at_a_time(tmp_path: Path) -> None:
    reserve = DiskReserve(tmp_path)
    assert blocks(tmp_path) >= 400 << 10
    reserve.speak()
    reserve.speak()
    assert 384 << 10 <= blocks(tmp_path) < 400 << 10
    reserve.close()
    assert list(tmp_path.iterdir()) == []


def test_closing_leaves_nothing_behind(tmp_path: Path) -> None:
    DiskReserve(tmp_path).close()
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_takes_nothing_costs_only_the_reserve(tmp_path: Path) -> None:
    missing = tmp_path / "gone"
    reserve = DiskReserve(missing)
    reserve.speak()
    reserve.close()
    assert not missing.exists()
