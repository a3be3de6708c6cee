"""The bytes of a file that is read leave nothing open."""

from __future__ import annotations

from pathlib import Path

from sessions.store.raw_file import RawFile


def descriptors() -> set[str]:
    return {path.name for path in Path("/dev/fd").iterdir()}


def test_what_was_dropped_amid_reading_keeps_no_descriptor(tmp_path: Path) -> None:
    path = tmp_path / "worker-0.jsonl"
    path.write_bytes(b"{}\n{}\n")
    opened = descriptors()
    file = RawFile(path)
    assert file.read(3) == b"{}\n"
    assert len(descriptors()) == len(opened) + 1
    del file
    assert descriptors() == opened
