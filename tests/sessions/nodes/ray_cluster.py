"""A real Ray cluster over hosts: the first is the head, without CPUs of its own to give."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.sessions.nodes.hosts import Host

PORT = 6379
ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_USAGE_STATS_REPORT_URL": "http://127.0.0.1:9",
    "RAY_AUTH_MODE": "disabled",
    "RAY_DISABLE_IMPORT_WARNING": "1",
    "PYTHONUNBUFFERED": "1",
}
_SMALL = ["--object-store-memory", "78643200", "--disable-usage-stats", "--include-log-monitor", "false"]


def ray_start(host: Host, head: Host, log: Path, *more: str, **environment: str) -> subprocess.Popen[bytes]:
    """A node of the cluster; it is up once its log says so (`wait_up`)."""
    if host is head:
        place = (
            f"--head --node-ip-address {host.ip} --port {PORT} --num-cpus 0 --include-dashboard false".split()
        )
    else:
        place = f"--address {head.ip}:{PORT} --node-ip-address {host.ip} --num-cpus 1".split()
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", *place, *_SMALL, *more]
    return host.start(*command, log=log, **{**ENVIRONMENT, **environment})


def wait_up(log: Path, process: subprocess.Popen[bytes], timeout_s: float = 120) -> bool:
    """False: Ray gave it up, as it does after 30 s on a machine that is busy."""
    end_s = time.monotonic() + timeout_s
    while "Ray runtime started" not in (text := log.read_text(errors="replace")):
        if process.poll() is not None:
            assert "timed out during startup" in text, f"ray start ended: {text[-1500:]}"
            return False
        assert time.monotonic() < end_s, f"ray start takes longer than {timeout_s} s: {text[-1500:]}"
        time.sleep(0.1)
    return True


@contextlib.contextmanager
def ray_cluster(
    hosts: Sequence[Host], folder: Path, *more: str, **environment: str
) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """`ray start --block` of each host, by its name; `more`: options of those that are not the head."""
    started: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for some in (hosts[:1], hosts[1:]):
            missing, tries = list(some), 0
            while missing:
                assert (tries := tries + 1) <= 3, f"Ray gave up to start on {[host.name for host in missing]}"
                for host in missing:
                    options = () if host is hosts[0] else more
                    log = folder / f"ray-{host.name}.log"
                    started[host.name] = ray_start(host, hosts[0], log, *options, **environment)
                up = {
                    host.name: wait_up(folder / f"ray-{host.name}.log", started[host.name])
                    for host in missing
                }
                missing = [host for host in missing if not up[host.name]]
        yield started
    finally:
        for host in hosts:
            # Children of `ray start` are not all in its process group: the host's own processes are what to end.
            host.signal(signal.SIGKILL)
        for process in started.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)


def pid_of(host: Host, what: str) -> list[int]:
    """`gcs_server`, `raylet` (the program itself, not one that names it)."""
    return [
        pid
        for pid in host.pids(what)
        if Path(Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0].decode()).name == what
    ]
