"""`ttftop export`: a session as another tool's result file, as a table, or as a trace."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tui.commands.replay import WHICH, session
from tui.foreground import start
from tui.options import run_options
from tui.options.exit_codes import NOT_VALID, OK, USAGE, CommandError, one_line, tell
from tui.options.parser import Parser

SHAPES = ("vllm", "guidellm", "aiperf", "sglang", "llm-d", "csv", "jsonl", "perfetto")


def parser() -> Parser:
    parser = Parser(
        "ttftop export", "[S] --as SHAPE [options]", "Write a session in the shape of another tool."
    )
    parser.add_argument("session", nargs="?", default="last", metavar="S", help=WHICH)
    parser.add_argument("--as", dest="shape", choices=SHAPES, required=True, help="what to write")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help="where to; of aiperf a directory (else: standard output)",
    )
    run_options.sessions_dir(parser)
    return parser


def run(options: argparse.Namespace) -> int:
    from sessions.interchange.shapes import DIRECTORIES, SHAPES, lost
    from sessions.interchange.stored_run import read_run
    from sessions.store.manifest import SessionError
    from sessions.store.private_file import NotWritten, make_private_directory, write_private

    if options.shape in DIRECTORIES and options.output is None:
        raise CommandError(f"--as {options.shape}: its files are a directory's, need -o DIR")
    directory = session("export", start.root(options), options.session)
    try:
        stored = read_run(directory)
    except SessionError as error:
        raise CommandError(f"export: {one_line(error)}") from None
    if not stored.requests:
        raise CommandError(
            f"export: {one_line(options.session)}: there is no request in it; need a session with some"
        )
    files = SHAPES[options.shape](stored)
    try:
        if options.output is None:
            sys.stdout.buffer.write(files[""])
            sys.stdout.buffer.flush()
        elif options.shape in DIRECTORIES:
            make_private_directory(options.output)
            for name, data in files.items():
                write_private(options.output / name, data)
        else:
            write_private(options.output, files[""])
    except NotWritten as error:
        raise CommandError(f"--output: {one_line(error)}", NOT_VALID if error.full else USAGE) from None
    for note in lost(options.shape, stored):
        tell(f"ttftop: {one_line(note)}")
    return OK
