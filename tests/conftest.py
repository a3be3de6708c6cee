"""What several rooms' tests share: a simulator in a process of its own."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator

import pytest


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
