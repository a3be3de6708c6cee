"""What share of its input a llama.cpp server had in its prefix cache: aimed at, shown, and counted there.

    scripts/real-server --port 8133 --size tiny &
    python benchmarks/prefix_cache.py http://127.0.0.1:8133 [--docs docs/guide/workloads.md]

Prompts share prefixes (`--prefix`) and are others each time; the server's own count is the growth of
`llamacpp:prompt_tokens_cached_total` over the run. One request at a time, shares are the same on any machine.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.common.section import write  # noqa: E402

COUNTER = "llamacpp:prompt_tokens_cached_total"


class Work(NamedTuple):
    prefix: str
    input_tokens: int
    requests: int
    concurrency: int


WORKS = [
    Work("2x20x480", 280, 40, 1),
    Work("4x25x480", 272, 100, 1),
    Work("2x20x480", 280, 40, 4),
    Work("4x25x480", 272, 100, 4),
]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("url", help="of llama.cpp's server")
    parser.add_argument("--docs", type=Path, help="page to write the table into")
    options = parser.parse_args()
    rows = [measured(options.url.rstrip("/"), work) for work in WORKS]
    head = [
        "`--prefix`",
        "`--input-tokens`",
        "requests",
        "at a time",
        "aimed at",
        "shown",
        "the server's own count",
    ]
    lines = [
        f"| {' | '.join(head)} |",
        f"|{' ---: |' * len(head)}",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]
    text = "\n".join(lines)
    print(text)
    if options.docs is not None:
        write(options.docs, "prefix_cache", text)
    return 0


def measured(url: str, work: Work) -> list[str]:
    """A row of the table."""
    with tempfile.TemporaryDirectory() as kept:
        before = cached_tokens(url)
        command = [sys.executable, "-m", "tui.cli", "run", url, "--headless", "--json", "--telemetry", "none"]
        command += ["--prefix", work.prefix, "--input-tokens", str(work.input_tokens), "--output-tokens", "4"]
        command += ["--concurrency", str(work.concurrency), "--requests", str(work.requests)]
        command += ["--sessions-dir", kept]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"prefix_cache: {done.stderr.strip().splitlines()[-1]}")
        said = json.loads(done.stdout)
        counted = cached_tokens(url) - before
    sent, cache = said["tokens"]["input"], said["prefix_cache"]
    return [
        *(work.prefix, str(work.input_tokens), str(work.requests), str(work.concurrency)),
        f"{100 * cache['aimed_share']:.1f} %",
        f"{100 * cache['measured_share']:.1f} % ({said['tokens']['cached']:,} of {sent:,} tokens)",
        f"{100 * counted / sent:.1f} % ({counted:,})",
    ]


def cached_tokens(url: str) -> int:
    """Since the server started."""
    with urllib.request.urlopen(f"{url}/metrics", timeout=30) as page:
        for line in page.read().decode().splitlines():
            name, _, value = line.partition(" ")
            if name == COUNTER:
                return int(float(value))
    raise SystemExit(f"prefix_cache: {url}/metrics has no {COUNTER}")


if __name__ == "__main__":
    raise SystemExit(main())
