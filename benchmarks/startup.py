"""How long from the command to the first request at the server, and to the first frame on the terminal.

    python benchmarks/startup.py [--runs 5] [--json]

The first request is timed where it arrives: a small proxy in front of the simulated server looks for the
first body that asks for this script's odd number of tokens, so probes and calibration do not count. The first
frame is timed on a pty of 80x24, when a chart's title has come out of it. vLLM's, GuideLLM's and AIPerf's own
clients are timed the same way where they are installed.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import functools
import json
import os
import platform
import pty
import re
import select
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
TTFTOP = [str(Path(sys.executable).with_name("ttftop"))]
MODEL = "sim-8b"
"""What the simulator's default profile serves."""
OUTPUT_TOKENS = 37
OURS = re.compile(rb'"max_(?:completion_)?tokens": ?%d\b' % OUTPUT_TOKENS)
PATIENCE_S = 180.0


class TimingProxy:
    """A TCP proxy to the server at `target` that keeps the time of the first request of the load."""

    def __init__(self, target: tuple[str, int]) -> None:
        self.target = target
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.first_ns: int | None = None
        self.seen = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            client, _ = self.listener.accept()
            server = socket.create_connection(self.target)
            threading.Thread(target=self._forward, args=(client, server, True), daemon=True).start()
            threading.Thread(target=self._forward, args=(server, client, False), daemon=True).start()

    def _forward(self, source: socket.socket, sink: socket.socket, look: bool) -> None:
        recent = b""
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                now_ns = time.monotonic_ns()
                recent = (recent + data)[-200_000:]
                if look and self.first_ns is None and OURS.search(recent):
                    self.first_ns = now_ns
                    self.seen.set()
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def simulator() -> Iterator[tuple[str, int]]:
    """The address of a simulated server that lives as long as the `with` block."""
    command = [sys.executable, "-m", "loadgen.simulator", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        found = None
        while found is None:
            line = process.stdout.readline()
            if not line:
                raise SystemExit("startup: the simulator did not start")
            found = re.search(r"http://([\d.]+):(\d+)", line)
        try:
            yield found[1], int(found[2])
        finally:
            process.terminate()


def first_request_s(
    command: list[str], proxy: TimingProxy, environment: dict[str, str], scratch: Path
) -> float | None:
    """Seconds from starting `command` until its first request reached the proxy; None if none ever came."""
    started_ns = time.monotonic_ns()
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment,
        cwd=scratch,
        start_new_session=True,
    ) as process:
        arrived = proxy.seen.wait(PATIENCE_S)
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)
        process.kill()
    if not arrived or proxy.first_ns is None:
        return None
    return (proxy.first_ns - started_ns) / 1e9


def first_frame_s(command: list[str], environment: dict[str, str]) -> float:
    """Seconds from starting `command` on a pty of 80x24 until a chart's title has come out of it."""
    controller, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    started_ns = time.monotonic_ns()
    with subprocess.Popen(
        command, stdin=terminal, stdout=terminal, stderr=terminal, env=environment, start_new_session=True
    ) as process:
        os.close(terminal)
        seen, frame_ns = b"", None
        while frame_ns is None and time.monotonic_ns() - started_ns < PATIENCE_S * 1e9:
            if select.select([controller], [], [], 1)[0]:
                try:
                    seen += os.read(controller, 65536)
                except OSError:
                    break
                if b"TTFT" in seen:
                    frame_ns = time.monotonic_ns()
        process.kill()
        os.close(controller)
    if frame_ns is None:
        raise SystemExit(f"startup: no frame came; the terminal showed {seen[-300:]!r}")
    return (frame_ns - started_ns) / 1e9


def ttftop_command(url: str, sessions: str, *more: str) -> list[str]:
    load = ["--rate", "200", "--output-tokens", str(OUTPUT_TOKENS), "--duration", "3s", "--telemetry", "auto"]
    return [*TTFTOP, "run", url, *load, "--sessions-dir", sessions, *more]


def peers(url: str, tokenizer: Path) -> dict[str, list[str]]:
    """The other clients, each asked for the same: 40 requests of 64 random tokens in, the odd number out."""
    return {
        "vllm": [
            *("vllm", "bench", "serve", "--backend", "openai", "--base-url", url, "--model", MODEL),
            *("--tokenizer", str(tokenizer), "--dataset-name", "random", "--random-input-len", "64"),
            *("--random-output-len", str(OUTPUT_TOKENS), "--num-prompts", "40", "--request-rate", "200"),
        ],
        "guidellm": [
            *("guidellm", "run", "--backend", f"kind=openai_http,target={url},model={MODEL}"),
            *(
                "--tokenizer",
                f"kind=huggingface_auto,model={tokenizer}",
                "--profile",
                "kind=constant,rate=200",
            ),
            *("--constraint", "kind=max_duration,seconds=3"),
            *("--data", f"kind=synthetic_text,prompt_tokens=64,output_tokens={OUTPUT_TOKENS}"),
        ],
        "aiperf": [
            *("aiperf", "profile", "--model", MODEL, "--url", url, "--tokenizer", str(tokenizer)),
            *(
                "--endpoint-type",
                "completions",
                "--streaming",
                "--request-rate",
                "200",
                "--request-count",
                "40",
            ),
            *("--synthetic-input-tokens-mean", "64", "--output-tokens-mean", str(OUTPUT_TOKENS)),
        ],
    }


def peer_command(url: str, *, name: str, tokenizer: Path) -> list[str]:
    return peers(url, tokenizer)[name]


def tokenizer_directory(directory: Path) -> Path:
    """A tokenizer the peers can load without a download."""
    sys.path.insert(0, str(ROOT / "scripts" / "real_server"))
    from serve_vllm import write_model  # type: ignore[import-not-found]

    write_model(directory)
    return directory


def measure(runs: int) -> dict[str, object]:
    result: dict[str, object] = {"python": platform.python_version(), "cores": os.cpu_count(), "runs": runs}
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "TERM": "xterm-256color"}
    with tempfile.TemporaryDirectory() as scratch, simulator() as address:
        sessions = str(Path(scratch) / "sessions")

        def request(command_of: Callable[[str], list[str]]) -> float | None:
            proxy = TimingProxy(address)
            command = command_of(proxy.url)
            own = dict(environment)
            if command[0] == "aiperf":
                del own["HF_HUB_OFFLINE"]  # with it, aiperf 0.13 refuses a tokenizer in a local directory
            return first_request_s(command, proxy, own, Path(scratch))

        url = f"http://{address[0]}:{address[1]}"
        result["ttftop"] = {
            "first_request_s": [
                request(lambda url: ttftop_command(url, sessions, "--headless")) for _ in range(runs)
            ],
            "first_frame_s": [first_frame_s(ttftop_command(url, sessions), environment) for _ in range(runs)],
        }
        tokenizer = tokenizer_directory(Path(scratch) / "tokenizer")
        for name in peers("", tokenizer):
            if shutil.which(name) is None:
                result[name] = None
                continue
            result[name] = {
                "first_request_s": [
                    request(functools.partial(peer_command, name=name, tokenizer=tokenizer))
                    for _ in range(runs)
                ]
            }
    return result


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    result = measure(options.runs)
    if options.json:
        print(json.dumps(result, indent=2))
        return 0
    print(f"Python {result['python']}, {result['cores']} cores, medians of {result['runs']} runs, seconds")
    for name in ("ttftop", "vllm", "guidellm", "aiperf"):
        figures = result[name]
        if not isinstance(figures, dict):
            print(f"{name:<10} not installed")
            continue
        shown = []
        for what, times in figures.items():
            came = [time_s for time_s in times if time_s is not None]
            shown.append(
                f"{what} {statistics.median(came):.2f}" if came else f"no request in {PATIENCE_S:g} s"
            )
        print(f"{name:<10} {'   '.join(shown)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
