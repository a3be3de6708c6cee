"""How fast and how exact a load client is, side by side on one core.

    python benchmarks/client/run.py [--rounds 3] [--only open,p20] [--peers] [--json FILE] [--docs FILE]

Builds a server that stamps its sends and a minimal reader (a C compiler is needed), pins the server to one
core and each client in turn to another, and runs all clients once in every round, so that what the machine
does meanwhile hits all alike. Figures are medians of the rounds. `--peers` first installs the peers into
environments of their own under ~/.cache/ttftop-benchmarks; who is not installed is named in the output.
`--show FILE` prints the tables of an earlier `--json`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.client.cases import CASES, NAMES, SPEED, Case  # noqa: E402
from benchmarks.client.environments import CACHE, REQUIREMENTS, install, python_of  # noqa: E402
from benchmarks.client.tables import page, tables  # noqa: E402

Told = dict[str, Any]
WHOLE_TOOLS = ("vllm", "guidellm", "aiperf")
"""Of whom only the open throttle and the TTFT are asked: their start takes longer than a case."""
PATIENCE_S = 120.0
PRIORITY = ["nice", "-n", "-10"] if os.geteuid() == 0 else []
"""Server and clients run before other work where that is allowed: to all of them alike."""


def build(directory: Path) -> None:
    compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise SystemExit("benchmark: no C compiler found, need cc, gcc or clang (or CC)")
    directory.mkdir(parents=True, exist_ok=True)
    for name in ("server", "reader"):
        subprocess.run([compiler, "-O2", "-o", str(directory / name), str(HERE / f"{name}.c")], check=True)


def command(client: str, case: Case, port: int, requests: int) -> list[str] | None:
    """How to run a client; None when it is not installed."""
    load = [str(port), str(case.streams), str(requests)]
    if client in WHOLE_TOOLS:
        if python_of(client) is None:
            return None
        where = [client, str(CACHE / client), str(tokenizer())]
        module = "benchmarks.client.clients.whole_tool"
        return [sys.executable, "-m", module, *where, *load, str(case.tokens)]
    if case.paced and client != "sglang_rust":
        load.append("--errors")
    if client == "reader":
        return [str(CACHE / "bin" / "reader"), *load]
    module = {"aiohttp": "aiohttp_vllm", "httpx": "httpx_lines", "sglang_rust": "sglang_rust"}.get(
        client, "ours"
    )
    if client.startswith("ours"):
        more = ["--counted"] if "counted" in case.server else []
        more += ["--loop", "asyncio"] if client == "ours_asyncio" else []
        more += ["--rate", "64"] if case.streams == 0 else []
        return [sys.executable, "-m", f"benchmarks.client.clients.{module}", *load, *more]
    python = python_of(client)
    if python is None:
        return None
    return [str(python), "-m", f"benchmarks.client.clients.{module}", *load]


def tokenizer() -> Path:
    """A directory with a small tokenizer, for the peers that insist on one."""
    directory = CACHE / "tokenizer"
    if not (directory / "tokenizer.json").exists():
        sys.path.insert(0, str(ROOT / "scripts" / "real_server"))
        from serve_vllm import write_model

        write_model(directory)
    return directory


def clients_of(name: str, asked: list[str]) -> list[str]:
    if name == "lateness":
        return ["ours"]
    return [client for client in asked if client not in WHOLE_TOOLS or name in ("open", "ttft")]


def ask(port: int, path: str, *, post: bool = False) -> Any:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method="POST" if post else "GET")
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.loads(answer.read())


def measure(client: str, case: Case, port: int, core: int) -> Told | str:
    """One run: what the client told and the server's truth. A text says why there is none."""
    requests = case.requests if case.paced else case.requests * SPEED[client]
    argv = command(client, case, port, requests)
    if argv is None:
        return "not installed (--peers installs it)"
    ask(port, f"/config?ttft_ms=0&itl_ms=0&pace=own&counted=0&{case.server}", post=True)
    pinned = [*PRIORITY, *(["taskset", "-c", str(core)] if shutil.which("taskset") else []), *argv]
    try:
        done = subprocess.run(
            pinned, capture_output=True, text=True, cwd=ROOT, timeout=PATIENCE_S, check=False
        )
    except subprocess.TimeoutExpired:
        return f"took longer than {PATIENCE_S:g} s"
    if done.returncode != 0 or not done.stdout.strip():
        return (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1][:160]
    told: Told = json.loads(done.stdout.strip().splitlines()[-1])
    if told["events"] != requests * case.tokens:
        return f"counted {told['events']} tokens of {requests * case.tokens}"
    return {**told, "requests": requests, "truth": ask(port, "/stats")}


def median(runs: list[Any]) -> Any:
    """Medians of numbers, key by key."""
    if isinstance(runs[0], dict):
        return {key: median([run[key] for run in runs]) for key in runs[0]}
    return statistics.median(runs) if isinstance(runs[0], (int, float)) else runs[0]


def machine() -> dict[str, object]:
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load_before": os.getloadavg()[0],
        "priority": " ".join(PRIORITY) or "as usual",
    }


def benchmark(names: list[str], rounds: int, clients: list[str]) -> dict[str, Any]:
    cores = sorted(os.sched_getaffinity(0))
    server_core, client_core = cores[-1], cores[0]
    build(CACHE / "bin")
    argv = [str(CACHE / "bin" / "server")]
    if shutil.which("taskset"):
        argv = [*PRIORITY, "taskset", "-c", str(server_core), *argv]
    result: dict[str, Any] = {"machine": machine(), "rounds": rounds, "cases": {}, "absent": {}}
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        try:
            kept: dict[str, dict[str, list[Told]]] = {name: {} for name in names}
            for number in range(1, rounds + 1):
                for name in names:
                    for client in clients_of(name, clients):
                        print(
                            f"\rround {number} of {rounds}: {name:<10} {client:<14}", end="", file=sys.stderr
                        )
                        told = measure(client, CASES[name], port, client_core)
                        if isinstance(told, str):
                            result["absent"][f"{NAMES[client]}, {name}"] = told
                        else:
                            kept[name].setdefault(client, []).append(told)
            print(file=sys.stderr)
        finally:
            server.terminate()
    for name, by_client in kept.items():
        result["cases"][name] = {client: median(runs) for client, runs in by_client.items()}
    return result


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default=",".join(CASES), help=f"cases: {', '.join(CASES)}")
    parser.add_argument("--clients", default=",".join(NAMES), help=f"of {', '.join(NAMES)}")
    parser.add_argument("--peers", action="store_true", help="install what is missing first")
    parser.add_argument("--json", type=Path, help="write the figures there")
    parser.add_argument("--show", type=Path, help="print the tables of an earlier --json, measure nothing")
    parser.add_argument("--docs", type=Path, help="write the page docs/performance.md from the figures")
    options = parser.parse_args()
    if options.show is not None:
        result = json.loads(options.show.read_text())
    else:
        names = [name for name in options.only.split(",") if name]
        if unknown := set(names) - set(CASES):
            raise SystemExit(f"benchmark: no case {', '.join(sorted(unknown))}; there are {', '.join(CASES)}")
        failed = {}
        if options.peers:
            for name in REQUIREMENTS:
                if (why := install(name)) is not None:
                    failed[f"{NAMES[name]}, installation"] = why
        result = benchmark(names, options.rounds, options.clients.split(","))
        result["absent"].update(failed)
    if options.json is not None:
        options.json.write_text(json.dumps(result, indent=1) + "\n")
    if options.docs is not None:
        options.docs.write_text(page(result))
    print(tables(result))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
