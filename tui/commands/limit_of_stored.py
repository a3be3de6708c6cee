"""`ttftop limit SESSION... --slo ...`: the limit by what stored sessions were put under; nothing is sent."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from sessions.plan.slo import parse_slo
from tui.foreground.reading import reading
from tui.foreground.results import print_json
from tui.options.as_typed import got_by
from tui.options.exit_codes import NOT_VALID, OK, CommandError, one_line
from tui.options.parser import Parser

_TAKEN = ("given", "slo", "concurrency", "json", "sessions_dir", "no_color", "headless")
"""What means something of stored sessions; all else is of a load."""


def limit_of_stored(
    directories: Sequence[Path], options: argparse.Namespace, slo: Sequence[str], parser: Parser
) -> int:
    """Exit code 1 where no load is known to hold the targets.

    Raises:
        CommandError: an option that asks for load; sessions that cannot be read or say nothing together.
    """
    from sessions.limit_of_stored.find import NoStoredLimit, find_limit
    from sessions.limit_of_stored.schema import plain
    from sessions.limit_of_stored.stored_loads import StoredSession
    from sessions.store.manifest import SessionError
    from sessions.summary.read import read_folded
    from tui.report.limit_of_stored import stored_limit_text

    _refuse_load(options, parser)
    try:
        sessions = []
        for directory in directories:
            with reading(directory.name) as told:
                sessions.append(StoredSession(*read_folded(directory, reading=told)[:3]))
        found = find_limit(sessions, parse_slo(slo), options.concurrency)
    except SessionError as error:
        raise CommandError(f"limit: {one_line(error)}") from None
    except NoStoredLimit as error:
        more = f" and {len(directories) - 1} more" if len(directories) > 1 else ""
        raise CommandError(f"limit: {directories[0].name}{more}: {one_line(error)}") from None
    if options.json:
        print_json(plain(found))
    else:
        print(stored_limit_text(found), end="")
    return NOT_VALID if found.limit.passed is None else OK


def _refuse_load(options: argparse.Namespace, parser: Parser) -> None:
    """Nothing that was typed is passed over in silence."""
    for action in parser._actions:
        value = getattr(options, action.dest, action.default)
        if action.option_strings and action.dest not in _TAKEN and value != action.default:
            got = got_by(options, action.option_strings[-1])
            raise CommandError(f"{got}, which is of a search that sends requests; leave it out for sessions")
