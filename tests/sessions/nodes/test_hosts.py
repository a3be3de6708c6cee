"""Hosts as namespaces: what tests of many nodes rest on."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.sessions.nodes.hosts import hosts, why_none

ROOT = Path(__file__).parents[3]

pytestmark = pytest.mark.skipif(bool(why := why_none()), reason=why or "-")


def test_hosts_have_their_own_names_addresses_clocks_and_processes(tmp_path: Path) -> None:
    with hosts(tmp_path, [0, 1000]) as (first, second):
        clock = "import time, socket; print(time.monotonic(), socket.gethostname())"
        here_s = time.monotonic()
        told = second.run(sys.executable, "-c", clock).split()
        assert told[1] == "h1"
        assert 1000 <= float(told[0]) - here_s < 1060
        listening = first.start(sys.executable, "-m", "http.server", "8000", "--bind", first.ip)
        asked = (
            "import socket, time\n"
            "while True:\n"
            "    try: socket.create_connection(('198.18.0.1', 8000), 5); break\n"
            "    except OSError: time.sleep(0.05)\n"
        )
        second.run(sys.executable, "-c", asked)
        assert listening.poll() is None
        assert second.pids("http.server") == []
        assert len(first.signal(signal.SIGKILL, "http.server")) >= 1


def test_nothing_is_left_of_hosts_whose_maker_was_killed(tmp_path: Path) -> None:
    code = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from tests.sessions.nodes.hosts import hosts\n"
        "with hosts(Path(sys.argv[1]), [0, 5]) as made:\n"
        "    started = made[1].start('sleep', '600')\n"
        "    while not (there := made[1].pids('sleep', '600')): time.sleep(0.05)\n"
        "    print(*(host.pid for host in made), *there, flush=True)\n"
        "    time.sleep(600)\n"
    )
    maker = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert maker.stdout is not None
    pids = [int(word) for word in maker.stdout.readline().split()]
    assert len(pids) >= 3
    maker.kill()
    maker.wait(10)
    maker.stdout.close()
    end_s = time.monotonic() + 20
    while left := [pid for pid in pids if Path(f"/proc/{pid}").exists()]:
        assert time.monotonic() < end_s, left
        time.sleep(0.05)
