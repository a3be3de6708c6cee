"""`python -m telemetry`: this machine's telemetry as JSON lines on stdout, alone or for `--telemetry ssh://`."""

from __future__ import annotations

import argparse
import os
import signal
import socket
import sys
import threading
import time

from telemetry.discover import resolve
from telemetry.poller import Poller
from telemetry.source import TelemetryError, plain
from telemetry.ssh.protocol import VERSION, ClockAnswer, Hello, encode

LEAST_INTERVAL_S, MOST_INTERVAL_S = 0.1, 60.0


def main(argv: list[str] | None = None) -> int:
    """Prints until it is interrupted, its stdout is closed, or (with --answer) its stdin is."""
    options = _parser().parse_args(argv)
    origin_ns = time.monotonic_ns()

    def now_ns() -> int:
        return time.monotonic_ns() - origin_ns

    try:
        sources = resolve(
            options.sources or ["nvml", "host"], options.target, nvml_interval_ns=int(options.interval * 1e9)
        )
    except TelemetryError as err:
        print(str(err).replace("--telemetry", "telemetry"), file=sys.stderr)
        return 2
    stopping = threading.Event()
    printing = threading.Lock()

    def show(line: object) -> None:
        try:
            with printing:
                sys.stdout.buffer.write(encode(line) + b"\n")
                sys.stdout.buffer.flush()
        except (OSError, ValueError):  # whoever read has gone
            stopping.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    show(Hello(VERSION, plain(socket.gethostname())))
    if options.answer:

        def answer() -> None:
            for line in sys.stdin.buffer:
                word, _, number = line.strip().partition(b" ")
                if word == b"clock" and number.isdigit() and len(number) < 19:
                    show(ClockAnswer(int(number), now_ns()))
            stopping.set()

        threading.Thread(target=answer, daemon=True).start()
    poller = Poller(sources, show, now_ns)
    poller.start()
    stopping.wait()
    blocked = poller.stop(1.0)
    sys.stderr.flush()
    # A driver that blocks, or a reader of stdin, would hold up the interpreter's end.
    os._exit(1 if blocked else 0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m telemetry",
        description="This machine's GPUs and the machine itself, as JSON lines on stdout.",
    )
    parser.add_argument(
        "sources", nargs="*", metavar="SOURCE", help="nvml, host, auto, or addresses of /metrics (nvml host)"
    )
    parser.add_argument("--interval", type=_interval, default=0.25, metavar="S", help="of NVML (0.25 s)")
    parser.add_argument(
        "--target", default="", metavar="URL", help="a server whose GPUs are to be marked (none)"
    )
    parser.add_argument(
        "--answer", action="store_true", help="answer questions about the clock on stdin, and end with it"
    )
    return parser


def _interval(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = float("nan")
    if not LEAST_INTERVAL_S <= seconds <= MOST_INTERVAL_S:
        allowed = f"{LEAST_INTERVAL_S:g} to {MOST_INTERVAL_S:g} seconds"
        raise argparse.ArgumentTypeError(f"got {plain(text)}, need {allowed}")
    return seconds


if __name__ == "__main__":
    sys.exit(main())
