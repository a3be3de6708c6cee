"""`ttftop limit URL --slo ...`: the highest rate, or concurrency, that holds the targets."""

from __future__ import annotations

import argparse
from pathlib import Path

import msgspec

from sessions.plan.config import ConfigError, LimitConfig, PlanConfig
from sessions.plan.mix import PRESETS
from sessions.plan.slo import LATENCIES, parse_slo
from tui.commands.replay import session
from tui.foreground import start
from tui.foreground.question import ask_about_search
from tui.options import run_options, value_types
from tui.options.exit_codes import CommandError, one_line
from tui.options.parser import Parser
from tui.options.plan_options import find_mix
from tui.options.request_options import request_arguments
from tui.options.several_targets import target_arguments
from tui.options.target_options import api_key, headers, target, tell_of_headers

EXAMPLES = """\
examples:
  ttftop limit http://localhost:8000 --slo 'ttft.p95<500ms, errors<1%'
  ttftop limit http://localhost:8000 --slo mlperf:llama3.1-8b --input-tokens 512 --headless
  ttftop limit http://localhost:8000 --slo 'tpot.p95<50ms' --concurrency --most 256
  ttftop limit monday tuesday --slo 'ttft.p95<300ms'
"""


def parser() -> Parser:
    parser = Parser(
        "ttftop limit",
        "URL|SESSION... --slo SLO [options]",
        "Find the highest rate that holds targets: a few single requests, doubling, then halving. "
        "Of sessions: where it lies by what they were put under, and nothing is sent.",
        EXAMPLES,
    )
    parser.add_argument(
        "given", nargs="*", metavar="URL|S", help="the server, such as http://localhost:8000; or sessions"
    )
    group = parser.add_argument_group("search")
    group.add_argument("--concurrency", action="store_true", help="of requests at a time, in place of a rate")
    group.add_argument(
        "--from",
        type=value_types.rate,
        dest="first",
        metavar="R",
        help="begin there (a quarter of one at a time)",
    )
    group.add_argument(
        "--most", type=value_types.rate, metavar="R", help="never go above (1000; 4096 at a time)"
    )
    run_options.common_load_arguments(parser)
    request_arguments(parser)
    run_options.session_arguments(parser, has_verdict=False)
    run_options.key_arguments(parser)
    target_arguments(parser)
    parser.set_defaults(rate=None, ramp=None, duration=None, requests=None, max_rate=None)
    parser.set_defaults(trace=None, speed=None, trace_rate=None, traces=None)
    return parser


def run(options: argparse.Namespace) -> int:
    if (directories := _stored(options)) is not None:
        from tui.commands.limit_of_stored import limit_of_stored

        return limit_of_stored(directories, options, checked_slo(options.slo), parser())
    options.target = next(iter(options.given), None)
    find_mix(options, PRESETS)
    slo = checked_slo(options.slo)
    closed, options.concurrency = options.concurrency, None
    config = run_options.config(
        options,
        target(options),
        interactive=start.has_screen(options),
        plan=PlanConfig("limit", [], targets=slo),
    )
    limit = LimitConfig(closed, options.first, options.most, config.load.arrivals, config.load.burstiness)
    config = msgspec.structs.replace(config, limit=limit)
    ask_about_search(config, options)
    key, more = api_key(options), headers(options)
    tell_of_headers(options)
    return start.start(config, options, key, more).exit_code


def _stored(options: argparse.Namespace) -> list[Path] | None:
    """The sessions that were named; None where a server was, or nothing. A URL has a scheme, a session none.

    Raises:
        CommandError: one of several is no session.
    """
    urls = [text for text in options.given if "://" in text or text.startswith("unix:")]
    if not options.given or (urls and len(options.given) == 1):
        return None
    if urls:
        raise CommandError(f"limit: got {one_line(urls[0])} among others, need one server, or sessions alone")
    root = start.root(options)
    try:
        return [session("limit", root, text) for text in options.given]
    except CommandError:
        if len(options.given) == 1 and ":" in options.given[0]:
            return None  # a host without its scheme: what is said of that is of more use
        raise


def checked_slo(slo: list[str] | None) -> list[str]:
    """Targets that a search can decide step by step.

    Raises:
        CommandError: there is none, or one that says nothing of single requests.
    """
    if not slo:
        raise CommandError("--slo: need targets to search for, such as --slo 'ttft.p95<500ms, errors<1%'")
    try:
        targets = parse_slo(slo)
    except ConfigError as error:
        raise CommandError(f"--slo: {error}") from None
    for each in targets:
        of_requests = each.metric in LATENCIES and each.metric not in ("itl", "chunk_gap")
        if each.metric == "itl" and each.quantile is not None:  # of one request it is the mean, its TPOT
            continue
        if not of_requests and each.metric not in ("errors", "attainment"):
            raise CommandError(
                f"--slo: {each.text[:60]}: a search counts the requests that miss; need ttft, tpot, e2e, a "
                "percentile of itl, errors or attainment"
            )
        if each.metric in ("errors", "attainment") and each.below is (each.metric == "attainment"):
            raise CommandError(
                f"--slo: {each.text[:60]}: less load would be worse; need errors< or attainment>"
            )
    return slo
