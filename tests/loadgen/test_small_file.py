"""Files that a person names are read to their end, or refused: never waited for, never more than a bound."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from loadgen import small_file
from loadgen.small_file import FileError, read_small

MOST = 4096


def fifo(path: Path) -> None:
    os.mkfifo(path)


def unix_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))


def sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 40)


ODD: dict[str, tuple[Callable[[Path], object], str]] = {
    "nothing": (lambda path: None, "cannot read it: No such file or directory"),
    "a directory": (Path.mkdir, "it is no regular file"),
    "a pipe": (fifo, "it is no regular file"),
    "a socket": (unix_socket, "cannot read it: No such device or address"),
    "/dev/zero": (lambda path: path.symlink_to("/dev/zero"), "it is no regular file"),
    "/dev/tty or stdin": (lambda path: path.symlink_to("/dev/ptmx"), "it is no regular file"),
    "a loop": (lambda path: path.symlink_to(path), "cannot read it: Too many levels of symbolic links"),
    "a terabyte": (sparse, "it is larger than 4 KiB"),
}


@pytest.mark.parametrize("kind", ODD)
def test_what_is_no_small_file_is_refused_at_once(tmp_path: Path, kind: str) -> None:
    make, said = ODD[kind]
    make(tmp_path / "odd")
    with pytest.raises(FileError) as caught:
        read_small(tmp_path / "odd", MOST)
    assert str(caught.value) == said


def test_a_file_of_exactly_the_bound_is_read_and_who_else_may_read_it_is_said(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * MOST)
    path.chmod(0o600)
    assert read_small(path, MOST) == (b"x" * MOST, False)
    path.chmod(0o640)
    assert read_small(path, MOST).readable_by_others
    path.write_bytes(b"x" * (MOST + 1))
    with pytest.raises(FileError, match="larger than 4 KiB"):
        read_small(path, MOST)


@pytest.mark.parametrize(("written", "said"), [(b"", "nothing came"), (b"half", "its end did not come")])
def test_a_pipe_whose_end_does_not_come_is_given_up(
    monkeypatch: pytest.MonkeyPatch, written: bytes, said: str
) -> None:
    monkeypatch.setattr(small_file, "PIPE_DEADLINE_S", 0.05)
    reading, writing = os.pipe()
    try:
        os.write(writing, written)
        with pytest.raises(FileError, match=f"{said} through the pipe in 0.05 s"):
            read_small(f"/dev/fd/{reading}", MOST, or_pipe=True)
    finally:
        os.close(reading)
        os.close(writing)


def test_a_pipe_that_floods_is_given_up() -> None:
    reading, writing = os.pipe()

    def flood() -> None:
        try:
            while True:
                os.write(writing, b"x" * 65536)
        except BrokenPipeError:
            os.close(writing)

    writer = threading.Thread(target=flood)
    writer.start()
    with pytest.raises(FileError, match="larger than 4 KiB"):
        read_small(f"/dev/fd/{reading}", MOST, or_pipe=True)
    os.close(reading)
    writer.join()
