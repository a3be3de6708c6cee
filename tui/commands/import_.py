"""`ttftop import`: sessions of the result files of other tools."""

from __future__ import annotations

import argparse
from datetime import datetime, timezone
from pathlib import Path

from tui.foreground import start
from tui.options import run_options, value_types
from tui.options.exit_codes import OK, CommandError, one_line
from tui.options.parser import Parser

EPILOG = """\
What wrote a file is told by what stands in it: vLLM bench serve (--save-result), GuideLLM (benchmarks.json),
AIPerf (its artifact directory), inference-perf (reports/), evalscope perf (benchmark_data.db), SGLang
bench_serving, genai-bench, llmperf, llm-d's report as JSON. Of a directory all result files are taken, those
of its subdirectories too. A file of several runs makes a session each.
"""


def parser() -> Parser:
    parser = Parser(
        "ttftop import", "FILE|DIR ... [options]", "Make sessions of other tools' results.", EPILOG
    )
    parser.add_argument("paths", nargs="+", type=Path, metavar="FILE|DIR", help="what the tool wrote")
    parser.add_argument("--name", type=value_types.name, default="", help="a name to find the session by")
    run_options.sessions_dir(parser)
    return parser


def run(options: argparse.Namespace) -> int:
    from sessions.interchange.documents import ImportFailed
    from sessions.interchange.find_runs import find_runs
    from sessions.interchange.write_session import write_session
    from sessions.store.manifest import SessionError

    root = start.root(options)
    for path in options.paths:
        try:
            for found in find_runs(path):
                directory = write_session(found, root, datetime.now(timezone.utc).astimezone(), options.name)
                print("\n".join(_said(found.tool, len(found.requests), found.notes, directory)), flush=True)
        except (ImportFailed, SessionError) as error:
            raise CommandError(f"import: {one_line(error)}") from None
    return OK


def _said(tool: str, requests: int, notes: list[str], directory: Path) -> list[str]:
    what = f"{requests:,} requests" if requests else "its summary only"
    return [f"{one_line(directory.name)}: {tool}, {what}", *(f"  - {one_line(note)}" for note in notes)]
