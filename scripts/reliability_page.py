#!/usr/bin/env python3
"""Writes docs/measured/reliability.md: what goes wrong, what is seen of it, and the tests that show it.

    .venv/bin/python scripts/reliability_page.py           writes the page
    .venv/bin/python scripts/reliability_page.py --check   writes nothing; 1 where the page differs

A file of tests/reliability/ is a chapter, a `[[fault]]` of it a row: `what` goes wrong, what is `seen`, the
codes that the command may `exit` with because of it (none: as without it), what is `kept`, and the `tests` by
their ids in pytest, whole tests or one of their parameters. Where there is no test, `untested` says why.

Above them stand figures of what was tried at length, as their commands wrote them into
docs/measured/endurance.md, and what holds whatever the fault, with its tests.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import tomli

ROOT = Path(__file__).resolve().parents[1]
FAULTS = ROOT / "tests" / "reliability"
PAGE = ROOT / "docs" / "measured" / "reliability.md"
ENDURANCE = ROOT / "docs" / "measured" / "endurance.md"
AT_LENGTH = {
    "kills": ("killed at random moments", "#killed-at-random-moments"),
    "signals": ("ended by a signal at random moments", "#ended-by-a-signal-at-random-moments"),
    "fuzz": ("bytes that nobody should send", "#bytes-that-nobody-should-send"),
    "soak": ("run for long", "#run-for-long"),
    "soak-fast": ("run for hours, by a fast clock", "#run-for-eight-hours-by-a-fast-clock"),
}
"""Sections of that page by their markers: in words, and where they stand."""
PROMISES = {
    "no key in any form (as it stands, base64, URL, hex, JSON, HTML) in arguments, environments, files, "
    "logs, the terminal, reports, exports, on nodes, for Prometheus, in tracebacks; files for their owner "
    "alone": (
        "tests/security/test_canary.py::"
        "test_a_key_is_in_no_argument_environment_file_log_screen_report_or_export",
        "tests/security/test_canary_is_found.py::"
        "test_a_key_in_a_report_an_export_or_what_a_command_says_is_found",
        "tests/security/test_canary.py::test_a_bug_says_nothing_of_the_key_that_its_variables_hold",
        "tests/loadgen/target/test_redaction.py::test_no_way_of_writing_lets_a_key_through",
        "tests/tui/screens/test_pty.py::test_a_crash_prints_a_plain_traceback_without_values",
    ),
    "no order for the terminal that a stranger wrote": (
        "tests/tui/screens/test_pty.py::test_no_order_hidden_in_foreign_text_reaches_the_terminal",
        "tests/tui/report/test_compare.py::test_nothing_that_a_stranger_wrote_reaches_the_terminal_raw",
        "tests/cli/test_bad_input.py::test_what_was_typed_cannot_command_the_terminal",
    ),
    "a mistake, or what is wrong outside, on another machine or with a run, is at most two lines of a "
    "terminal that name the cause and the value and say what to do": (
        "tests/cli/test_bad_input.py::test_a_mistake_is_one_line_and_exit_code_2",
        "tests/cli/test_error_texts.py::test_an_error_is_short_names_the_value_and_says_what_to_do",
        "tests/cli/test_environment_texts.py::"
        "test_what_is_wrong_outside_is_said_briefly_with_what_it_is_about_and_what_to_do",
        "tests/sessions/nodes/test_error_texts.py::"
        "test_each_place_of_the_source_that_tells_of_a_node_is_among_them",
        "tests/sessions/nodes/ray/test_error_texts.py::"
        "test_each_place_of_the_source_that_tells_of_a_cluster_is_among_them",
        "tests/telemetry/ssh/test_error_texts.py::"
        "test_each_place_of_the_source_that_tells_of_ssh_is_among_them",
        "tests/telemetry/prometheus/test_error_texts.py::"
        "test_each_place_of_the_source_that_tells_of_an_address_is_among_them",
        "tests/sessions/run/test_error_texts.py::test_each_place_of_the_source_that_says_so_is_among_them",
    ),
}
"""What holds whatever goes wrong, and the tests of it."""


@dataclass(frozen=True)
class Fault:
    what: str
    seen: str
    exit: tuple[int, ...]
    kept: str
    tests: tuple[str, ...]
    untested: str = ""


@dataclass(frozen=True)
class Chapter:
    title: str
    faults: tuple[Fault, ...]


def chapters() -> list[Chapter]:
    """The chapters in the order of the page.

    Raises:
        ValueError: a fault has neither a test nor a reason for having none, or both.
        TypeError: a fault has a key that none has, or lacks one.
    """
    found = []
    for path in sorted(FAULTS.glob("*.toml")):
        table = tomli.loads(path.read_text(encoding="utf-8"))
        faults = tuple(
            Fault(**{**fault, "exit": tuple(fault["exit"]), "tests": tuple(fault["tests"])})
            for fault in table["fault"]
        )
        for fault in faults:
            if bool(fault.tests) == bool(fault.untested):
                raise ValueError(
                    f"{path.name}: {fault.what!r}: need tests, or why there are none in `untested`"
                )
        found.append(Chapter(table["title"], faults))
    return found


def linked(test: str) -> str:
    """A test's id as its sentence, and its parameter as code; the link leads to its file."""
    file, _, name = test.partition("::")
    name, _, parameter = name.partition("[")
    words = name.removeprefix("test_").replace("_", " ")
    shown = f": {_code(parameter.removesuffix(']'))}" if parameter else ""
    return f"[{words}](../../{file}){shown}"


def _code(text: str) -> str:
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def rows(chapter: Chapter, first: int) -> Iterator[str]:
    yield "| | what goes wrong | what is seen | exit code | what is kept | shown by |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for number, fault in enumerate(chapter.faults, first):
        shown = "<br>".join(map(linked, fault.tests)) or f"no test: {fault.untested}"
        code = " or ".join(map(str, fault.exit)) or "-"
        cells = (str(number), fault.what, fault.seen, code, fault.kept, shown)
        yield "| " + " | ".join(re.sub(r"\|", r"\\|", cell) for cell in cells) + " |"


def measured(name: str) -> str:
    """What the command wrote above and below the table of that section; empty: it was not run yet.

    Raises:
        ValueError: the page lacks the section.
    """
    _, found, rest = ENDURANCE.read_text(encoding="utf-8").partition(f"<!-- begin {name} -->")
    text, closed, _ = rest.partition(f"<!-- end {name} -->")
    if not found or not closed:
        raise ValueError(f"{ENDURANCE.name}: no section {name}")
    return " ".join(line for line in text.splitlines() if line and not line.startswith("|"))


def at_length() -> Iterator[str]:
    yield "| tried at length | what came of it |"
    yield "| --- | --- |"
    for name, (words, anchor) in AT_LENGTH.items():
        yield f"| [{words}](endurance.md{anchor}) | {measured(name) or 'not yet on this version'} |"
    yield ""
    yield "| holds always | shown by |"
    yield "| --- | --- |"
    for what, tests in PROMISES.items():
        yield f"| {what} | {'<br>'.join(map(linked, tests))} |"


def page() -> str:
    """The whole page."""
    all_chapters = chapters()
    faults = [fault for chapter in all_chapters for fault in chapter.faults]
    tests = {test.partition("[")[0] for fault in faults for test in fault.tests}
    without = sum(not fault.tests for fault in faults)
    lines = [
        "# What goes wrong, and what then",
        "",
        "Written by `scripts/reliability_page.py` from `tests/reliability/`, not by hand. Every test that is",
        "named is there: a test holds that. What the words say is what those tests ask for.",
        "",
        f"{len(faults)} faults, held by {len(tests)} tests; {without} of the faults without one.",
        "",
        "An exit code is the one that the fault alone leads to; a dash: none of its own. Failed requests",
        "make a run not valid (1) where they are more than one in a hundred. In words:",
        "[exit codes](../guide/exit-codes.md).",
        "",
        *at_length(),
    ]
    first = 1
    for chapter in all_chapters:
        lines += ["", f"## {chapter.title}", "", *rows(chapter, first)]
        first += len(chapter.faults)
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    written = page()
    if arguments == ["--check"]:
        return int(PAGE.read_text(encoding="utf-8") != written)
    if arguments:
        print((__doc__ or "").partition("\n\n")[2], file=sys.stderr)
        return 2
    PAGE.write_text(written, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
