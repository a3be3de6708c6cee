"""`ttftop URL`, `ttftop run URL`: load a server, watch it, keep the session."""

from __future__ import annotations

import argparse

from tui.foreground import start
from tui.foreground.question import ask_about_load
from tui.options import run_options
from tui.options.parser import Parser
from tui.options.target_options import api_key, headers, target, tell_of_headers

EXAMPLES = """\
examples:
  ttftop http://localhost:8000 --rate 4
  ttftop http://localhost:8000 --ramp 1..64/120s:exp --output-tokens 128
  ttftop http://localhost:8000 --concurrency 16 --duration 60s --headless
  ttftop https://node7/v1 --ca ca.pem --telemetry nvml http://node7:9400/metrics
"""


def parser() -> Parser:
    parser = Parser(
        "ttftop run",
        "URL [options]",
        "Load a server and watch it; keys change the load while it runs.",
        EXAMPLES,
    )
    parser.add_argument("target", nargs="?", metavar="URL", help="the server, such as http://localhost:8000")
    run_options.load_arguments(parser)
    run_options.session_arguments(parser)
    run_options.key_arguments(parser)
    return parser


def run(options: argparse.Namespace) -> int:
    config = run_options.config(options, target(options), interactive=start.has_screen(options))
    ask_about_load(config, options)
    key, more = api_key(options), headers(options)
    tell_of_headers(options)
    return start.start(config, options, key, more).exit_code
