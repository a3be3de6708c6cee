"""The bytes of a file that is read leave nothing open."""

from __future__ import annotations

import os
from pathlib import Path

from sessions.store.raw_file import RawFile


def test_what_was_dropped_amid_reading_keeps_no_descriptor(tmp_path: Path) -> None:
    path = tmp_path / "worker-0.jsonl"
    path.write_bytes(b"{}\n{}\n")
    opened = set(os.listdir("/dev/fd"))
    file = RawFile(path)
    assert file.read(3) == b"{}\n"
    assert len(os.listdir("/dev/fd")) == len(opened) + 1
    del file
    assert set(os.listdir("/dev/fd")) == opened
