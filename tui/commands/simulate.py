"""`ttftop simulate`: the simulated LLM server alone, to point any client at."""

from __future__ import annotations

import argparse
from pathlib import Path

from tui.options import value_types
from tui.options.exit_codes import CommandError
from tui.options.parser import Parser


def parser() -> Parser:
    from loadgen.simulator.profiles import PROFILES

    parser = Parser(
        "ttftop simulate", "[options]", "Run the simulated LLM server: no GPU, no model, honest queues."
    )
    parser.add_argument(
        "--host", default="127.0.0.1", metavar="HOST", help="address to listen on (127.0.0.1)"
    )
    parser.add_argument(
        "--port", type=value_types.port, default=8000, metavar="PORT", help="0 takes a free one (8000)"
    )
    parser.add_argument(
        "--profile",
        choices=sorted(PROFILES),
        metavar="P",
        default="demo",
        help=f"{', '.join(PROFILES)} (demo)",
    )
    parser.add_argument(
        "--seed", type=value_types.seed, default=0, metavar="S", help="same seed, same answers (0)"
    )
    parser.add_argument("--no-prefix-cache", action="store_true", help="compute every prompt whole")
    parser.add_argument("--api-key-file", type=Path, metavar="FILE", help="ask clients for this key")
    return parser


def run(options: argparse.Namespace) -> int:
    from loadgen.simulator.serve import serve
    from loadgen.target.api_key import ApiKeyError, read_api_key

    try:
        key = read_api_key({}, options.api_key_file)
    except ApiKeyError as error:
        raise CommandError(str(error)) from None
    return serve(
        options.host,
        options.port,
        options.profile,
        options.seed,
        None if key is None else key.reveal(),
        prefix_cache=not options.no_prefix_cache,
    )
