"""What summing up a long session costs: CPU time and memory of `ttftop summary`, and bytes a request.

The session is SIMULATED: 64 rps x 200 tokens, 8 GPUs at 4 Hz, as `benchmarks/journal_size.py` makes them, a
minute again and again; the writers are real. `python benchmarks/summary_cost.py [MINUTES]`: 60 unless told.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import tracemalloc
from pathlib import Path

import msgspec
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.journal_size import RATE_RPS, SECONDS, requests, telemetry, ticks
from loadgen.records import Request, Tick
from sessions.plan.config import LoadConfig, RunConfig
from sessions.plan.target_config import TargetConfig
from sessions.store.journal import (
    SUPERVISOR_FILE,
    TELEMETRY_FILE,
    JournalWriter,
    RequestJournalWriter,
    request_file,
    worker_file,
)
from sessions.store.manifest import ClockAnchor, Manifest, SessionInfo, write
from sessions.store.records import End, LoadChange
from sessions.timeline.requests import ROW, RequestColumns

CPU_LIMIT_S, MEMORY_LIMIT_MB = 5.0, 400.0
MINUTE_NS = 60 * 10**9
TIMES = tuple(name for name in Request.__struct_fields__ if name.endswith("_ns") and name != "connect_ns")


def write_session(directory: Path, minutes: int, made: list[Request], made_ticks: list[Tick]) -> None:
    """A session of so many minutes, each the same but for its times and the order of its gaps."""
    load = LoadConfig(rate_rps=float(RATE_RPS), duration_s=60.0 * minutes)
    session = SessionInfo("20261103-120000-hour", "hour", "2026-11-03T12:00:00+00:00")
    write(
        directory, Manifest(session, ClockAnchor(0, 0), RunConfig(TargetConfig("http://127.0.0.1:1"), load))
    )
    supervisor = JournalWriter(directory / SUPERVISOR_FILE)
    worker = JournalWriter(directory / worker_file(0))
    packed = RequestJournalWriter(directory / request_file(0))
    machines = JournalWriter(directory / TELEMETRY_FILE)
    supervisor.append(LoadChange(t_ns=0, change="start", rate_rps=float(RATE_RPS)))
    per_tick = len(made) // len(made_ticks)
    for minute in range(minutes):
        later_ns = minute * MINUTE_NS
        for i, tick in enumerate(made_ticks):
            worker.append(msgspec.structs.replace(tick, t_ns=tick.t_ns + later_ns))
            for request in made[i * per_tick : (i + 1) * per_tick]:
                packed.append(later(request, minute, later_ns, len(made)))
            packed.flush()
            machines.append(telemetry(i + minute * len(made_ticks)))
    supervisor.append(End(t_ns=minutes * MINUTE_NS + 10 * 10**9, reason="completed"))
    for writer in (supervisor, worker, packed, machines):
        writer.close()


def later(request: Request, minute: int, later_ns: int, requests_a_minute: int) -> Request:
    times = {name: at + later_ns for name in TIMES if (at := getattr(request, name)) is not None}
    turn = minute % len(request.gaps_us)
    gaps_us = request.gaps_us[turn:] + request.gaps_us[:turn]
    index = request.index + minute * requests_a_minute
    return msgspec.structs.replace(request, index=index, gaps_us=gaps_us, **times)


def bytes_of_columns(made: list[Request]) -> tuple[float, float]:
    """Bytes a request in the columns, and bytes of the counted gaps, which hardly grow with more of them."""
    columns = RequestColumns()
    tracemalloc.start()
    for request in made:
        columns.add(request)
    rows = columns.rows
    all_bytes = tracemalloc.get_traced_memory()[0]
    columns._gaps = type(columns.gaps)()
    without_gaps = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return without_gaps / len(rows), all_bytes - without_gaps


def main() -> int:
    minutes = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    draw = np.random.default_rng(1)
    made, made_ticks = requests(draw, 0.3), ticks(draw, 0.3)
    with tempfile.TemporaryDirectory() as place:
        directory = Path(place)
        write_session(directory, minutes, made, made_ticks)
        command = [sys.executable, "-m", "tui.cli", "summary", str(directory), "--json"]
        subprocess.run(command, cwd=Path(__file__).parents[1], check=True, stdout=subprocess.DEVNULL)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s, memory_mb = used.ru_utime + used.ru_stime, used.ru_maxrss * 1024 / 1e6
    n, tokens = minutes * len(made), minutes * sum(request.output_tokens or 0 for request in made)
    a_request, gaps = bytes_of_columns(made)
    print(f"SIMULATED {minutes * SECONDS} s of {RATE_RPS} rps: {n:,} requests, {tokens / 1e6:,.1f} M tokens")
    print(f"  ttftop summary  {cpu_s:6.1f} s of CPU (wanted: {CPU_LIMIT_S:g} s an hour)")
    print(f"                  {memory_mb:6.0f} MB at most (wanted: {MEMORY_LIMIT_MB:g} MB an hour)")
    print(f"  request columns {a_request:6.0f} bytes a request ({ROW.itemsize} in its row)")
    print(f"  token gaps      {gaps / 1e6:6.1f} MB, however many there are")
    return 0 if cpu_s <= CPU_LIMIT_S * minutes / 60 and memory_mb <= MEMORY_LIMIT_MB else 1


if __name__ == "__main__":
    sys.exit(main())
