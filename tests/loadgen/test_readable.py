"""A pipe is waited for, whatever the number of its descriptor."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator

import pytest

from loadgen.readable import readable

SELECT_MOST = 1024
"""FD_SETSIZE of select(2)."""


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """Its numbers are beyond what select(2) takes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * SELECT_MOST
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"no more than {hard} descriptors are allowed here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted if soft != resource.RLIM_INFINITY else soft, hard))
    opened = [os.open(os.devnull, os.O_RDONLY)]
    while opened[-1] < SELECT_MOST:
        opened.append(os.dup(opened[0]))
    ends = os.pipe()
    yield ends
    for descriptor in {*opened, *ends}:
        os.close(descriptor)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_what_has_arrived_is_seen_and_what_has_not_is_not_waited_for_longer(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    assert reading > SELECT_MOST
    assert not readable(reading, 0.01)
    assert not readable(reading, -1.0)
    os.write(writing, b"x")
    assert readable(reading, 60.0)


def test_an_end_is_something_to_read(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    elsewhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(elsewhere, writing)
    os.close(elsewhere)
    assert readable(reading, 60.0)
    assert os.read(reading, 1) == b""
