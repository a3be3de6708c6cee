"""`python -m loadgen.simulator`: the simulator by itself."""

from __future__ import annotations

import argparse
import os
import sys

from loadgen.simulator.profiles import PROFILES
from loadgen.small_file import FileError, read_small

MOST_BYTES = 64 << 10
KEY_VARIABLE = "TTFTOP_SIM_API_KEY"


def api_key(key_file: str | None) -> str | None:
    """The key that clients must show: from `key_file`, else from the environment; None for an open server.

    Raises:
        ValueError: the file cannot be read or has no key; one line.
    """
    if key_file is None:
        return os.environ.get(KEY_VARIABLE) or None
    try:
        key = read_small(key_file, MOST_BYTES, or_pipe=True).data.decode().strip()
    except FileError as error:
        raise ValueError(f"--api-key-file {key_file}: {error}") from None
    except UnicodeDecodeError:
        raise ValueError(f"--api-key-file {key_file}: it is no text") from None
    if not key:
        raise ValueError(f"--api-key-file {key_file}: is empty")
    return key


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m loadgen.simulator", description="A simulated LLM server with an OpenAI API."
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000, help="0 takes a free one (default: 8000)")
    parser.add_argument("--profile", default="demo", help=f"one of {', '.join(PROFILES)} (default: demo)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-prefix-cache", action="store_true", help="compute every prompt whole")
    parser.add_argument(
        "--api-key-file", metavar="FILE", help=f"clients must show this key; else ${KEY_VARIABLE}"
    )
    parser.add_argument(
        "--exit-when-idle", type=float, metavar="SECONDS", help="end after this long without any request"
    )
    options = parser.parse_args(arguments)
    try:
        key = api_key(options.api_key_file)
    except ValueError as error:
        print(f"ttftop: error: simulate: {error}", file=sys.stderr)
        return 2

    from loadgen.simulator.serve import serve  # after the flags are known good: it takes a while to import

    return serve(
        options.host,
        options.port,
        options.profile,
        options.seed,
        key,
        exit_when_idle_s=options.exit_when_idle,
        prefix_cache=not options.no_prefix_cache,
    )


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:  # before it listened
        sys.exit(130)
