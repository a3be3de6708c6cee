"""Runs another load tester whole, from its own environment, and tells what it reports of itself.

python -m benchmarks.client.clients.whole_tool NAME TOKENIZER PORT STREAMS REQUESTS TOKENS

`events`, `wall_s` and `succeeded` (requests) are the tool's own; `cpu_s` is of all its processes, start-up
and report included, and `rss_mb` their largest sum.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.client.clients.telling import quantiles_ms
from benchmarks.client.environments import directory_of, extra_path
from benchmarks.client.priority import like_ours

Told = dict[str, Any]


def guidellm(url: str, tokenizer: str, streams: int, requests: int, tokens: int) -> list[str]:
    return [
        *("guidellm", "run", "--backend"),
        f"kind=openai_http,target={url},model=bench-model,request_format=/v1/completions",
        *("--tokenizer", f"kind=huggingface_auto,model={tokenizer}", "--disable-console"),
        *("--profile", f"kind=concurrent,streams={streams}"),
        *("--constraint", f"kind=max_requests,count={requests}"),
        *("--data", f"kind=synthetic_text,prompt_tokens=8,output_tokens={tokens}"),
    ]


def guidellm_told(scratch: Path) -> Told:
    run = json.loads((scratch / "benchmarks.json").read_text())["benchmarks"][0]
    metrics = run["metrics"]
    totals = metrics["request_totals"]

    def figures(name: str) -> Told:
        of = metrics[name]["successful"]
        return {"mean": of["mean"], **{key: of["percentiles"][key] for key in ("p50", "p90", "p99")}}

    return {
        "events": round(metrics["output_token_count"]["successful"]["total_sum"]),
        "succeeded": totals["successful"],
        "others": f"{totals['incomplete']} incomplete, {totals['errored']} errored",
        "wall_s": run["duration"],
        "ttft_ms": figures("time_to_first_token_ms"),
        "itl_ms": figures("inter_token_latency_ms"),
    }


def aiperf(url: str, tokenizer: str, streams: int, requests: int, tokens: int) -> list[str]:
    return [
        *("aiperf", "profile", "--model", "bench-model", "--url", url, "--tokenizer", tokenizer),
        *("--endpoint-type", "completions", "--streaming", "--concurrency", str(streams)),
        *("--request-count", str(requests), "--synthetic-input-tokens-mean", "8", "--ui", "none"),
        *("--output-tokens-mean", str(tokens), "--use-server-token-count", "--artifact-dir", "out"),
    ]


def aiperf_told(scratch: Path) -> Told:
    run = json.loads((scratch / "out" / "profile_export_aiperf.json").read_text())

    def figures(name: str) -> Told:
        return {"mean": run[name]["avg"], **{key: run[name][key] for key in ("p50", "p90", "p99")}}

    return {
        "events": round(run["total_output_tokens"]["avg"]),
        "succeeded": round(run["request_count"]["avg"]),
        "wall_s": run["benchmark_duration"]["avg"],
        "ttft_ms": figures("time_to_first_token"),
        "itl_ms": figures("inter_token_latency"),
    }


def vllm(url: str, tokenizer: str, streams: int, requests: int, tokens: int) -> list[str]:
    return [
        *("vllm", "bench", "serve", "--backend", "openai", "--base-url", url, "--model", "bench-model"),
        *("--tokenizer", tokenizer, "--dataset-name", "random", "--random-input-len", "8"),
        *("--random-output-len", str(tokens), "--num-prompts", str(requests)),
        *("--max-concurrency", str(streams), "--percentile-metrics", "ttft,itl"),
        *("--metric-percentiles", "50,90,99", "--save-result", "--result-filename", "result.json"),
    ]


def vllm_told(scratch: Path) -> Told:
    run = json.loads((scratch / "result.json").read_text())

    def figures(name: str) -> Told:
        return {"mean": run[f"mean_{name}"], **{key: run[f"{key}_{name}"] for key in ("p50", "p90", "p99")}}

    return {
        "events": run["total_output_tokens"],
        "succeeded": run["completed"],
        "wall_s": run["duration"],
        "ttft_ms": figures("ttft_ms"),
        "itl_ms": figures("itl_ms"),
    }


def sglang(url: str, tokenizer: str, streams: int, requests: int, tokens: int) -> list[str]:
    return [
        *("python", str(Path(__file__).with_name("sglang_python.py")), "--backend", "vllm"),
        *("--base-url", url, "--model", "bench-model", "--tokenizer", tokenizer),
        *("--dataset-name", "random-ids", "--random-range-ratio", "1"),
        *("--random-input-len", "8", "--random-output-len", str(tokens), "--num-prompts", str(requests)),
        *("--max-concurrency", str(streams), "--warmup-requests", "0", "--disable-tqdm"),
        *("--output-file", "result.json", "--output-details"),
    ]


def sglang_told(scratch: Path) -> Told:
    run = json.loads((scratch / "result.json").read_text().splitlines()[-1])
    ttft_ns = [int(seconds * 1e9) for seconds in run["ttfts"]]
    itl_ns = [int(seconds * 1e9) for gaps in run["itls"] for seconds in gaps]
    return {
        "events": run["total_output_tokens"],
        "succeeded": run["completed"],
        "wall_s": run["duration"],
        "ttft_ms": quantiles_ms(ttft_ns),
        "itl_ms": quantiles_ms(itl_ns),
    }


TOOLS: dict[str, tuple[Callable[[str, str, int, int, int], list[str]], Callable[[Path], Told]]] = {
    "guidellm": (guidellm, guidellm_told),
    "aiperf": (aiperf, aiperf_told),
    "vllm": (vllm, vllm_told),
    "sglang": (sglang, sglang_told),
}


def session_rss_mb(session: int) -> float:
    """Resident memory of all processes of a session, shared pages counted in each."""
    pages = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        if int(fields[3]) == session:
            pages += int(fields[21])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def main() -> None:
    name, tokenizer, *numbers = sys.argv[1:]
    port, streams, requests, tokens = map(int, numbers)
    argv_of, told_of = TOOLS[name]
    environ = {**os.environ, "PATH": f"{directory_of(name)}/bin:{os.environ['PATH']}"}
    if (path := extra_path(name)) is not None:
        environ["PYTHONPATH"] = path
    if name != "aiperf":  # which refuses a tokenizer in a local directory then
        environ["HF_HUB_OFFLINE"] = "1"
    with tempfile.TemporaryDirectory() as scratch, open(Path(scratch) / "log", "wb") as log:
        argv = argv_of(f"http://127.0.0.1:{port}", tokenizer, streams, requests, tokens)
        spawned_ns = time.monotonic_ns()
        with subprocess.Popen(
            argv, stdout=log, stderr=log, cwd=scratch, env=environ, start_new_session=True
        ) as process:
            like_ours(process.pid)
            rss_mb, over = [0.0], threading.Event()

            def watch() -> None:
                while not over.wait(0.5):
                    rss_mb.append(session_rss_mb(process.pid))

            watcher = threading.Thread(target=watch)
            watcher.start()
            # A tool has processes of its own: told to end, all of its session are ended.
            signal.signal(signal.SIGTERM, lambda *_: os.killpg(process.pid, signal.SIGKILL))
            code = process.wait()
            over.set()
            watcher.join()
        if code != 0:
            lines = Path(scratch, "log").read_text("utf-8", "replace").strip().splitlines()
            sys.exit(f"{name}: exit code {code}: {lines[-1] if lines else ''}")
        told = told_of(Path(scratch))
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    told |= {"cpu_s": used.ru_utime + used.ru_stime, "rss_mb": max(rss_mb)}
    told |= {"error_ms": None, "spawned_ns": spawned_ns}
    print(json.dumps(told))


if __name__ == "__main__":
    main()
