"""`ttftop compare`: whether a run is better or worse than another, by how much, and how sure that is."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tui.commands.replay import session
from tui.foreground import start
from tui.foreground.reading import reading
from tui.foreground.results import print_json
from tui.options import run_options, value_types
from tui.options.exit_codes import NOT_VALID, OK, CommandError, one_line, tell
from tui.options.packages import is_there
from tui.options.parser import Parser
from tui.options.price_options import asked_prices, prices_argument

if TYPE_CHECKING:
    from sessions.compare.compare import Recorded
    from sessions.compare.schema import Comparison
    from sessions.summary.prices import Prices


def parser() -> Parser:
    parser = Parser(
        "ttftop compare",
        "A B [C ...] [options]",
        "Say whether B is better or worse than A, by how much, and how sure that is; C and more likewise.",
        "A1,A2,A3 : B1,B2,B3 compares repetitions. Exit code 1 only with --fail-if-worse.",
    )
    parser.add_argument(
        "sides", nargs="*", metavar="S", help="a session (id, start of it, name, path), or several: S,S,S"
    )
    run_options.sessions_dir(parser)
    parser.add_argument(
        "--by",
        type=value_types.tag_name,
        metavar="TAG",
        help="make sides of sessions by their value of a tag",
    )
    parser.add_argument(
        "--metrics",
        type=value_types.metrics,
        metavar="M,M",
        help="figures to compare by: ttft.p95,output_tps",
    )
    parser.add_argument(
        "--slo",
        type=value_types.slo,
        action="append",
        metavar="SLO",
        help="targets that goodput and attainment are of: 'ttft.p95<500ms' (the sessions' own)",
    )
    parser.add_argument(
        "--fail-if-worse", type=value_types.percent, metavar="P", help="exit code 1 if worse by 5%% or so"
    )
    parser.add_argument(
        "--widest", type=value_types.percent, metavar="P", help="the largest difference called none (5%%)"
    )
    parser.add_argument("--anyway", action="store_true", help="compare what is not the same work")
    prices_argument(parser)
    parser.add_argument(
        "--json", action="store_true", help="one JSON object (docs/guide/commands.md lists its keys)"
    )
    parser.add_argument("--no-charts", action="store_false", dest="charts", help="no picture")
    parser.add_argument("--no-color", action="store_true", help="no colours (also: NO_COLOR=1)")
    return parser


def run(options: argparse.Namespace) -> int:
    from sessions.compare.compare import NotComparable, compare
    from sessions.compare.schema import plain
    from sessions.compare.verdict import WIDEST

    prices = asked_prices(options)
    labels, sides = _sides(options, prices)
    try:
        comparison = compare(
            sides,
            labels=labels,
            metrics=options.metrics,
            anyway=options.anyway,
            widest=WIDEST if options.widest is None else options.widest,
            currency="" if prices is None else prices.currency,
        )
    except NotComparable as error:
        raise CommandError(f"compare: {one_line(error)}; --anyway compares them all the same") from None
    if options.json:
        print_json(plain(comparison))
    else:
        _print(comparison, options)
    return OK if options.fail_if_worse is None else _judged(comparison, options.fail_if_worse)


def _sides(options: argparse.Namespace, prices: Prices | None) -> tuple[list[str], list[list[Recorded]]]:
    """What is compared: a label each, and its sessions.

    Raises:
        CommandError: fewer than two sides, or a session that is none.
    """
    from sessions.store.manifest import SessionError

    root = start.root(options)
    texts = [_several(side) for side in options.sides if side != ":"]
    directories = [[session("compare", root, text) for text in side] for side in texts]
    if options.by is not None:
        labels, directories = _by_tag(options.by, [each for side in directories for each in side])
    else:
        pairs = zip(directories, texts, strict=True)
        labels = [side[0].name if len(side) == 1 else ",".join(names) for side, names in pairs]
    if len(directories) < 2:
        raise CommandError(f"compare: got {len(directories)} side, need two sessions or more (A B)")
    try:
        sides = [[_read(directory, options, prices) for directory in side] for side in directories]
    except SessionError as error:
        raise CommandError(f"compare: {error}") from None
    return labels, sides


def _read(directory: Path, options: argparse.Namespace, prices: Prices | None) -> Recorded:
    from sessions.compare.read import read_recorded

    with reading(directory.name) as told:
        return read_recorded(directory, prices, options.slo or (), told)


def _several(text: str) -> list[str]:
    """`A1,A2` is two, unless it is the path of one."""
    if os.sep in text and os.path.exists(text):  # noqa: PTH110  # a text that is too long for a path is none
        return [text]
    return [part for part in text.strip(":").split(",") if part] or [text]


def _by_tag(tag: str, directories: Sequence[Path]) -> tuple[list[str], list[list[Path]]]:
    """Sides by the value of a tag, in the order in which the values come first.

    Raises:
        CommandError: a session has no such tag.
    """
    from sessions.store.manifest import read

    found: dict[str, list[Path]] = {}
    for directory in directories:
        tags = (each.partition("=") for each in read(directory).config.tags)
        values = [value for name, _, value in tags if name == tag]
        if not values:
            raise CommandError(
                f"compare: --by {one_line(tag)}: {directory.name} has no tag of that name; "
                "ttftop sessions tag gives it one"
            )
        found.setdefault(values[0], []).append(directory)
    return [f"{tag}={value}" for value in found], list(found.values())


def _print(comparison: Comparison, options: argparse.Namespace) -> None:
    from tui.report.compare import tables, verdict
    from tui.report.compare_scaling import asks_for_it, scaling_text

    for nth, versus in enumerate(comparison.versus):
        print(("\n" if nth else "") + verdict(comparison, versus))
        if options.charts and is_there("plotext"):
            from tui.report.compare_chart import picture
            from tui.report.plotext_chart import theme_of_stdout

            if drawn := picture(versus, theme_of_stdout(options.no_color)):
                print(f"\n{drawn}")
        print("\n" + tables(comparison, versus), end="")
    scaled = comparison.scaling
    if scaled is not None and asks_for_it(scaled, options.by is not None):
        print("\n" + scaling_text(scaled), end="")


def _judged(comparison: Comparison, limit: float) -> int:
    """1 where something is worse by `limit` or more, or a side is not valid; all of it said on stderr."""
    from sessions.compare.gate import found_worse

    found = found_worse(comparison, limit)
    for each in found:
        tell(f"ttftop: {one_line(each.text)}")
    return NOT_VALID if any(each.failed for each in found) else OK
