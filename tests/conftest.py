"""What all tests share: how many run at a time, how many examples a property is tried on, and a simulator."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.loadgen.kernel_stamps import stamping

# The same cases at each run: what lands is not left to luck. The others look for new ones.
settings.register_profile("quick", max_examples=100, deadline=None, derandomize=True)
settings.register_profile("thorough", max_examples=5000, deadline=None)
settings.register_profile("wire", max_examples=20_000, deadline=None)
settings.load_profile("quick")
"""`scripts/test --hypothesis-profile thorough` looks longer for what breaks a property; `wire` is for the streams of
`tests/loadgen/worker/test_wire_fuzz.py`."""


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Two processes a core, since half of the time a test waits; none where a few tests are asked for by name."""
    if config.option.keyword or config.args_source is not pytest.Config.ArgsSource.TESTPATHS:
        return 0
    return min(2 * len(os.sched_getaffinity(0)), 12) if hasattr(os, "sched_getaffinity") else 4


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with a slow test go first: at the end no process is left alone with one."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def simulator_url() -> Iterator[str]:
    """URL of a fast simulator (profile `small`), one for the whole test process."""
    process = subprocess.Popen(
        [sys.executable, "-m", "loadgen.simulator", "--port", "0", "--profile", "small"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    found = re.search(r"http://\S+", process.stdout.readline())
    assert found is not None
    yield found[0]
    process.terminate()
    process.wait(10)
    process.stdout.close()


@pytest.fixture(scope="session")
def kernel_stamps() -> Iterator[None]:
    """The kernel stamps what loopback brings: for tests that say how many reads it stamped."""
    with stamping():
        yield
