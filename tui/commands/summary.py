"""`ttftop summary`: what a run says, as tables and charts, or as one JSON object."""

from __future__ import annotations

import argparse
import sys

from tui.commands.replay import WHICH, session
from tui.foreground import start
from tui.foreground.reading import reading
from tui.foreground.results import print_json, told_to_ci
from tui.options import run_options
from tui.options.exit_codes import NOT_VALID, OK, CommandError
from tui.options.packages import is_there
from tui.options.parser import Parser
from tui.options.price_options import asked_prices, prices_argument


def parser() -> Parser:
    parser = Parser(
        "ttftop summary", "[S] [options]", "Print what a run says; a live run, what it says so far."
    )
    parser.add_argument("session", nargs="?", default="last", metavar="S", help=WHICH)
    run_options.sessions_dir(parser)
    parser.add_argument(
        "--json", action="store_true", help="one JSON object (docs/guide/commands.md lists its keys)"
    )
    parser.add_argument("--all", action="store_true", help="everything, not only what fits on one screen")
    prices_argument(parser)
    run_options.slo_arguments(parser)
    run_options.undecided_argument(parser)
    charts = parser.add_mutually_exclusive_group()
    charts.add_argument("--charts", action="store_true", default=None, help="TTFT and ITL over time and rate")
    charts.add_argument("--no-charts", action="store_false", dest="charts", help="tables only")
    parser.add_argument("--no-color", action="store_true", help="no colours (also: NO_COLOR=1)")
    return parser


def run(options: argparse.Namespace) -> int:
    from sessions.store.manifest import SessionError
    from sessions.summary.read import read_folded
    from sessions.summary.schema import plain
    from tui.report.brief import brief
    from tui.report.text import render

    prices = asked_prices(options)
    directory = session("summary", start.root(options), options.session)
    try:
        with reading(directory.name) as told:
            folded = read_folded(directory, prices, options.slo or (), reading=told)
    except SessionError as error:
        raise CommandError(f"summary: {error}") from None
    summary = folded.summary
    if options.fail_if_undecided and summary.slo is None:
        raise CommandError(
            f"--fail-if-undecided: need targets: session {directory.name} has none; give --slo"
        )
    # Only who asks for targets here asks for a verdict; else the summary could be read, and that is all.
    asked = options.slo or options.fail_if_undecided
    code = NOT_VALID if asked and summary.slo is not None and summary.slo.verdict == "fail" else OK
    if options.json:
        print_json(plain(summary))
        return told_to_ci(summary, options, code)
    print(render(summary) if options.all else brief(summary), end="")
    terminal = options.all and sys.stdout.isatty()
    if options.charts or (options.charts is None and terminal and is_there("plotext")):
        from sessions.frame.session_view import SessionView
        from tui.report.charts import charts, plan_charts, whole
        from tui.report.plotext_chart import theme_of_stdout

        theme = theme_of_stdout(options.no_color)
        print("\n" + charts(whole(SessionView(directory, folded.opened)), summary.stages, theme), end="")
        if summary.plan is not None and summary.plan.charts:
            print("\n" + plan_charts(summary.plan, theme), end="")
    return told_to_ci(summary, options, code)
