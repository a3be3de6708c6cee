"""What a run by Ray loses when something dies or stands still in its midst, and what the user is told.

`python benchmarks/nodes_failures.py [--only NAME,...] [--docs docs/measured/nodes.md]`: a real Ray cluster
over three hosts as namespaces (root, `ttftop[ray]`), a simulated server on the head, two load workers, 20
requests/s. What was due is worked out from the schedule.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.common.section import machine, write
from tests.sessions.nodes.ray_cluster import pid_of, ray_start, wait_up
from tests.sessions.nodes.ray_runs import SEED, Cluster, by_local_workers, client_of, lines, ray_cluster_of

RATE_RPS, BEFORE_S = 20, 8


class Case(NamedTuple):
    name: str
    duration_s: int
    policy: str
    do: Callable[[Cluster], None]
    head: tuple[tuple[str, str], ...] = ()
    """Of the environment in which the cluster was started."""


class Outcome(NamedTuple):
    case: Case
    exit_code: int
    reason: str
    after_s: float
    """From the end of what was done to the end of the run."""
    due: int
    recorded: int
    failed: int
    not_sent: int
    """Due, and never sent, as the workers counted."""
    left: int
    """Due before what happened, and not in the session."""
    told: list[str]


def stall_host(cluster: Cluster) -> None:
    words = ("sessions.run", "sessions.nodes.ray.bridge")
    for word in words:
        assert cluster.hosts[0].signal(signal.SIGSTOP, word), word
    time.sleep(10)
    for word in words:
        cluster.hosts[0].signal(signal.SIGCONT, word)


def cut_network(cluster: Cluster) -> None:
    cluster.hosts[2].cut()
    time.sleep(30)
    cluster.hosts[2].mend()


def kill_agent(cluster: Cluster) -> None:
    assert cluster.hosts[2].signal(signal.SIGKILL, "sessions.nodes.agent")


def kill_raylet(cluster: Cluster) -> None:
    import os

    for pid in pid_of(cluster.hosts[2], "raylet"):
        os.kill(pid, signal.SIGKILL)


def kill_node(cluster: Cluster) -> None:
    cluster.hosts[2].signal(signal.SIGKILL)


def kill_head(cluster: Cluster) -> None:
    import os

    for pid in pid_of(cluster.hosts[0], "gcs_server"):
        os.kill(pid, signal.SIGKILL)


PATIENT = (("RAY_health_check_failure_threshold", "30"),)
"""Else Ray itself gives a node up that was cut off for so long, and it never comes back."""
CASES = [
    Case("host stalled for 10 s", 30, "end", stall_host),
    Case("network of a node cut for 30 s", 75, "end", cut_network),
    Case("the same, `RAY_health_check_failure_threshold=30` at the head", 75, "end", cut_network, PATIENT),
    Case("agent killed", 30, "end", kill_agent),
    Case("agent killed", 30, "go-on", kill_agent),
    Case("raylet of a node killed", 30, "go-on", kill_raylet),
    Case("all processes of a node killed", 40, "go-on", kill_node),
    Case("head (GCS) killed", 30, "end", kill_head),
]


def tried(cluster: Cluster, case: Case, number: int) -> Outcome:
    sessions, name = cluster.folder / "sessions", f"case-{number}"
    running = cluster.ttftop(
        *(
            "run",
            cluster.url,
            "--ray",
            "auto",
            "--nodes",
            "h1,h2",
            "--on-node-lost",
            case.policy,
            "--workers",
            "2",
        ),
        *("--rate", str(RATE_RPS), "--duration", f"{case.duration_s}s", "--seed", str(SEED), "--headless"),
        *("--drain", "5s", "--sessions-dir", str(sessions), "--name", name),
    )
    log: list[dict[str, object]] = []
    while not any(record.get("state") == "running" for record in log):
        assert running.poll() is None, running.communicate()
        time.sleep(0.2)
        for path in sessions.glob(f"*-{name}/host.jsonl"):
            log = lines(path)
    directory = next(sessions.glob(f"*-{name}"))
    time.sleep(BEFORE_S)
    began_s = time.monotonic()
    case.do(cluster)
    done_s = time.monotonic()
    with contextlib.suppress(subprocess.TimeoutExpired):
        running.wait(240)
    ended_s = time.monotonic()
    if running.poll() is None:
        running.kill()
    running.communicate()
    return outcome(directory, case, running.returncode, ended_s - done_s, done_s - began_s)


def outcome(directory: Path, case: Case, code: int, after_s: float, took_s: float) -> Outcome:
    log = lines(directory / "host.jsonl")
    changes = [(record["t_ns"], record["rate_rps"]) for record in log if record["kind"] == "load"]
    ended_ns = next((r["t_ns"] for r in log if r.get("state") == "draining"), log[-1]["t_ns"])
    stop_ns = min(ended_ns, changes[0][0] + case.duration_s * 10**9)
    happened_ns = changes[0][0] + BEFORE_S * 10**9
    due = recorded = failed = not_sent = left = 0
    for node in client_of(directory)["nodes"]:
        for worker in node["workers"]:
            expected = by_local_workers(changes, worker, 2, stop_ns)
            path = directory / f"requests-{worker}.jsonl.gz"
            found = [r for r in lines(path) if r["kind"] == "request"] if path.exists() else []
            have = {record["due_ns"] for record in found}
            due += len(expected)
            recorded += len(found)
            failed += sum("error" in record and bool(record["error"]) for record in found)
            ticks = directory / f"worker-{worker}.jsonl.gz"
            not_sent += sum(r.get("not_sent", 0) for r in lines(ticks) if r["kind"] == "tick")
            left += sum(at not in have for at in expected if at < happened_ns)
    end = next((r for r in reversed(log) if r["kind"] == "end"), {"reason": "no word of an end"})
    told = [
        r["text"] for r in log if r["kind"] == "note" and r["t_ns"] >= changes[0][0] and "node" in r["text"]
    ]
    told += [end["message"]] if end.get("message") else []
    told = [re.sub(r"/\S*(/ttftop-node-)\w+", r"/tmp\1…", text) for text in told]
    return Outcome(case, code, end["reason"], after_s, due, recorded, failed, not_sent, left, told)


def table(outcomes: list[Outcome]) -> list[str]:
    rows = [
        "| what happened | `--on-node-lost` | the run ended as (exit code) | s after it | due | "
        "in the session | of them failed | not sent | due before it, and lost | what the user was told |",
        "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    for one in outcomes:
        told = "; ".join(text.replace("|", "\\|") for text in one.told) or "nothing: nothing was lost"
        rows.append(
            f"| {one.case.name} | {one.case.policy} | {one.reason} ({one.exit_code}) | {one.after_s:.0f} | "
            f"{one.due} | {one.recorded} | {one.failed} | {one.not_sent} | {one.left} | {told} |"
        )
    return rows


def revive(cluster: Cluster) -> None:
    """The node of h2 anew, after what was done to it."""
    host = cluster.hosts[2]
    host.signal(signal.SIGKILL)
    for _ in range(3):
        log = cluster.folder / f"ray-again-{time.monotonic_ns()}.log"
        if wait_up(log, ray_start(host, cluster.hosts[0], log)):
            return
    raise SystemExit("Ray does not start again on h2")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--only", default="", help="part of the names of the cases")
    arguments.add_argument("--docs", type=Path)
    asked = arguments.parse_args()
    where = machine()
    chosen = [case for case in CASES if any(word in case.name for word in asked.only.split(","))]
    outcomes: dict[Case, Outcome] = {}
    for head in sorted({case.head for case in chosen}):
        with (
            tempfile.TemporaryDirectory(prefix="tth-") as name,
            ray_cluster_of(Path(name), **dict(head)) as cluster,
        ):
            for number, case in enumerate(chosen):
                if case.head == head:
                    outcomes[case] = tried(cluster, case, number)
                    print(outcomes[case], flush=True)
                    if case.do in (cut_network, kill_raylet, kill_node):
                        revive(cluster)
    text = "\n".join([f"{where}.", "", *table([outcomes[case] for case in chosen])])
    print(text)
    if asked.docs is not None:
        write(asked.docs, "nodes_failures", text)


if __name__ == "__main__":
    main()
