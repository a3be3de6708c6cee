"""The line of what binds on real runs: past the server's capacity, and with the client starved on purpose.

    python benchmarks/bottleneck_line.py [--docs docs/figures/bottleneck.md] [--keep DIR] [--only demo|client]

The first is `ttftop demo --headless` with a ramp past what its simulated server can do. The second is a run
at nice 19; in the middle of it, busy loops take all cores for some seconds. The simulated server
goes before both, where that is allowed. Prints what bound when; the status is 1 when the line did not go
from headroom to the KV cache or the queue, or from headroom to the client and back.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.common.processes import go, of_run  # noqa: E402
from benchmarks.common.section import machine, write  # noqa: E402
from tui.draw.words import limit_name  # noqa: E402

TTFTOP = [sys.executable, "-m", "tui.cli"]
DEMO = ["demo", "--headless", "--ramp", "1..14/40s", "--duration", "50s", "--seed", "1"]
STARVED = ["--headless", "--rate", "20", "--arrivals", "constant", "--duration", "34s"]
QUIET_S, BUSY_S = 10.0, 12.0
BUSY_PER_CORE = 2
FIRST = ["nice", "-n", "-10"] if os.geteuid() == 0 else []

Spans = list[dict[str, Any]]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--docs", type=Path, help="the page whose section is written")
    parser.add_argument("--keep", type=Path, help="where the sessions are kept")
    parser.add_argument("--only", choices=("demo", "client"))
    options = parser.parse_args()
    where = machine()
    parts, failed = [], []
    with tempfile.TemporaryDirectory() as folder:
        root = (options.keep or Path(folder)).absolute()
        if options.only != "client":
            spans = demo(root)
            parts.append(("`ttftop " + " ".join(DEMO) + "` (SIMULATED):", spans))
            names = [span["limit"] for span in spans]
            if not goes_on(names, [("room",), ("KV cache", "queue")]):
                failed.append(f"the demo went {' > '.join(names)}")
        if options.only != "demo":
            spans = starved(root)
            title = (
                f"A run at nice 19 (server SIMULATED), {BUSY_PER_CORE} busy loops a core "
                f"from {QUIET_S:g} s on for {BUSY_S:g} s:"
            )
            parts.append((title, spans))
            names = [span["limit"] for span in spans]
            if not goes_on(names, [("room",), ("client",), ("room",)]):
                failed.append(f"the starved client went {' > '.join(names)}")
    text = "\n\n".join(
        [
            f"Real runs, simulated servers and GPUs. {where}.",
            *(f"{title}\n\n{table(spans)}" for title, spans in parts),
        ]
    )
    print(text)
    if options.docs is not None and not failed and options.only is None:
        write(options.docs, "limit_line", text)
    sys.exit("\n".join(failed) if failed else 0)


def goes_on(names: Sequence[str], wanted: Sequence[tuple[str, ...]]) -> bool:
    """Whether `wanted` is found in `names` in this order, others between."""
    left = list(wanted)
    for name in names:
        if left and name in left[0]:
            left.pop(0)
    return not left


def limits_of(root: Path, command: Sequence[str]) -> Spans:
    """What bound when in a run, which may be not valid."""
    before = set(root.iterdir()) if root.is_dir() else set()
    done = _ran([*command, "--sessions-dir", str(root)])
    new = [path for path in (root.iterdir() if root.is_dir() else ()) if path not in before]
    if done.returncode not in (0, 1) or len(new) != 1:
        raise SystemExit(done.stderr)
    spans: Spans = json.loads(_ran([*TTFTOP, "summary", str(new[0]), "--json"]).stdout)["limits"]
    return spans


def _ran(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def demo(root: Path) -> Spans:
    return limits_of(root, [*FIRST, *TTFTOP, *DEMO, "--name", "limit-demo"])


def starved(root: Path) -> Spans:
    simulate = [*FIRST, *TTFTOP, "simulate", "--profile", "small", "--port", "0"]
    with subprocess.Popen(simulate, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        found = re.search(r"http://\S+", server.stdout.readline())
        if found is None:
            raise SystemExit("ttftop simulate did not start")
        burning = threading.Timer(QUIET_S, burn, (root,))
        burning.start()
        try:
            command = ["nice", "-n", "19", *TTFTOP, "run", found[0], *STARVED, "--name", "limit-client"]
            return limits_of(root, command)
        finally:
            burning.cancel()
            burning.join()
            server.terminate()


def burn(root: Path) -> None:
    """Takes all cores for `BUSY_S` from the processes of the run in `root`."""
    go(of_run(root), 19)
    loops = BUSY_PER_CORE * (os.cpu_count() or 1)
    command = [sys.executable, "-c", "while True: pass"]
    running = [subprocess.Popen(command, start_new_session=True) for _ in range(loops)]
    time.sleep(BUSY_S)
    for loop in running:
        loop.kill()
        loop.wait()


def table(spans: Spans) -> str:
    lines = ["| from s | to s | bound | typical figures |", "| ---: | ---: | --- | --- |"]
    lines += [
        f"| {s['from_s']:.0f} | {s['to_s']:.0f} | **{limit_name(s['limit'])}** | {s['why']} |" for s in spans
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
