"""SGLang's Rust load client, a whole tool: the extension module out of its wheel, run as its CLI would."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import os
import sysconfig
import tempfile
import time
from pathlib import Path

from benchmarks.client.clients.telling import Told, arguments, tell


def main() -> None:
    args = arguments()
    folder = Path(sysconfig.get_paths()["purelib"]) / "sglang" / "srt" / "rust_extensions"
    spec = importlib.util.spec_from_file_location("_bench", next(folder.glob("_bench.*.so")))
    assert spec is not None
    assert spec.loader is not None
    bench = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bench)
    with tempfile.TemporaryDirectory() as scratch:
        result = Path(scratch) / "result.json"
        argv = ["bench", "--backend", "vllm", "--base-url", f"http://127.0.0.1:{args.port}"]
        argv += ["--dataset-name", "random-ids", "--tokenize-prompt", "--vocab-size", "32000"]
        argv += ["--disable-retokenize", "--model", "bench-model", "--num-prompts", str(args.requests)]
        argv += ["--random-input-len", "8", "--random-output-len", "1000", "--random-range-ratio", "1"]
        argv += ["--max-concurrency", str(args.streams), "--worker-threads", "1", "--warmup-requests", "0"]
        argv += ["--output-file", str(result), "--disable-tqdm", "--output-details"]
        cpu = time.process_time()
        # It prints from Rust, past sys.stdout.
        kept = os.dup(1)
        with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(io.StringIO()):
            os.dup2(nowhere.fileno(), 1)
            bench.run_argv(argv)
        os.dup2(kept, 1)
        cpu = time.process_time() - cpu
        told = json.loads(result.read_text().splitlines()[-1])
    ttft_ns = [int(seconds * 1e9) for seconds in told["ttfts"]]
    itl_ns = [int(seconds * 1e9) for gaps in told["itls"] for seconds in gaps]
    tell(Told(len(itl_ns) + len(ttft_ns), told["duration"], cpu, ttft_ns, itl_ns))


if __name__ == "__main__":
    main()
