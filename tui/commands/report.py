"""`ttftop report`: a run, or several, as a file to send to somebody. The file's ending says in which form."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tui.commands.replay import WHICH, session
from tui.foreground import start
from tui.options import run_options
from tui.options.exit_codes import NOT_VALID, OK, USAGE, CommandError, one_line
from tui.options.packages import need
from tui.options.parser import Parser
from tui.options.price_options import asked_prices, prices_argument

if TYPE_CHECKING:
    from sessions.summary.prices import Prices

ENDINGS = (".html", ".md", ".csv", ".json", ".txt", ".svg", ".png")
MOST = 20
"""Sessions of one report."""


def parser() -> Parser:
    parser = Parser("ttftop report", "[S ...] -o FILE [options]", "Write what runs say into a file.")
    parser.add_argument("sessions", nargs="*", default=["last"], metavar="S", help=WHICH)
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="FILE",
        help=f"where to; its ending says as what: {' '.join(ENDINGS)}",
    )
    parser.add_argument("--requests", action="store_true", help=".csv: a row a request, not a stage")
    prices_argument(parser)
    run_options.sessions_dir(parser)
    return parser


def run(options: argparse.Namespace) -> int:
    from sessions.store.manifest import SessionError
    from sessions.store.private_file import NotWritten, write_private

    ending = options.output.suffix.lower()
    _check(options, ending)
    prices = asked_prices(options)
    root = start.root(options)
    directories = [session("report", root, text) for text in options.sessions]
    try:
        if options.requests:
            text = "".join(_request_rows(directory) for directory in directories)
        else:
            text = "" if ending == ".png" else _written(ending, directories, prices)
        data = _picture(directories, prices) if ending == ".png" else text.encode()
    except SessionError as error:
        raise CommandError(f"report: {one_line(error)}") from None
    try:
        write_private(options.output, data)
    except NotWritten as error:
        raise CommandError(f"--output: {one_line(error)}", NOT_VALID if error.full else USAGE) from None
    print(one_line(options.output))
    return OK


def _check(options: argparse.Namespace, ending: str) -> None:
    allowed = f"{', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}"
    if ending == ".png":
        need(("resvg_py",), " (ttftop[png] has it); .svg holds the same charts, .html opens in any browser")
    if ending not in ENDINGS:
        raise CommandError(f"--output: got {one_line(options.output)!r}, need a name that ends in {allowed}")
    if options.requests and ending != ".csv":
        got = one_line(options.output)
        raise CommandError(f"--requests: a row a request needs a name that ends in .csv, got {got!r}")
    if options.requests and len(options.sessions) > 1:
        raise CommandError(f"--requests: got {len(options.sessions)} sessions, need one")
    if len(options.sessions) > MOST:
        raise CommandError(f"report: got {len(options.sessions)} sessions, need at most {MOST}")


def _request_rows(directory: Path) -> str:
    from sessions.interchange.shapes import SHAPES
    from sessions.interchange.stored_run import read_run

    return SHAPES["csv"](read_run(directory))[""].decode()


def _picture(directories: Sequence[Path], prices: Prices | None) -> bytes:
    """Raises:
    CommandError: it cannot be drawn.
    """
    from sessions.report.picture import NoPicture, as_png
    from sessions.report.run_data import read_run_data

    try:
        return as_png([read_run_data(directory, prices) for directory in directories])
    except NoPicture as error:
        raise CommandError(f"report: {one_line(error)}", NOT_VALID) from None


def _written(ending: str, directories: Sequence[Path], prices: Prices | None) -> str:
    """What the sessions say, in the form of that ending. Only what has charts needs more than summaries.

    Raises:
        SessionError: the manifest of one cannot be read.
    """
    from loadgen.version import VERSION
    from sessions.report import html, text_forms
    from sessions.report.run_data import read_run_data
    from sessions.summary.read import read_summary
    from tui.report.text import render

    if ending in (".html", ".svg"):
        runs = [read_run_data(directory, prices) for directory in directories]
        return html.page(runs, VERSION) if ending == ".html" else text_forms.as_svg(runs)
    said = [read_summary(directory, prices) for directory in directories]
    if ending == ".md":
        return text_forms.as_markdown(said, VERSION)
    if ending == ".csv":
        return text_forms.as_csv(said)
    return text_forms.as_json(said) if ending == ".json" else "\n".join(map(render, said))
